"""Agreement of the persons and the model of a worklist, on whole specimens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import combinations
from math import isnan
from typing import Any

from training.decisions.model import RESULTS, Result
from training.decisions.specimen_agreement import (
    WEIGHTS,
    agreement_lines,
    compare_answers,
)
from training.decisions.specimens import Answer
from training.icap import group_of

MODEL = "the model"
_RESULTS: dict[str, Result] = {one: one for one in RESULTS}


def model_answers(rows: Iterable[Mapping[str, Any]]) -> dict[str, Answer]:
    """Return what the model says of each patient of a worklist, by specimen."""
    return {
        row["specimen"]: _model_answer(row)
        for row in rows
        if row["intensity"]["role"] == "patient"
    }


def told_answers(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Answer]]:
    """Return what persons say of each specimen, as it is reported, by their names."""
    found: dict[str, dict[str, Answer]] = defaultdict(dict)
    for row in rows:
        for one in row["specimen_decisions"]:
            found[one["reviewer"]][row["specimen"]] = Answer(
                one["reported"],
                tuple(one["patterns"]),
                one["grade"],
                one["titre"],
                one["comment"],
            )
    return dict(found)


def agreement_content(
    persons: Mapping[str, Mapping[str, Answer]], model: Mapping[str, Answer]
) -> list[dict[str, Any]]:
    """Return each two readers' agreement as JSON content, the model as the last.

    Returns
    -------
    found
        ``readers``, ``result``, ``grade`` and ``pattern`` (each with ``n``, ``alike``,
        ``kappa``, ``low``, ``high``; null where not defined), ``borderline``,
        ``within_one``, ``weights`` and ``lines``, the same in words.
    """
    readers = {name: persons[name] for name in sorted(persons)}
    if model and persons:
        readers[MODEL] = model
    found = []
    for one, other in combinations(readers, 2):
        made = compare_answers(readers[one], readers[other])
        content = _without_nan(asdict(made))
        lines = agreement_lines(one, other, made)
        found.append(
            {"readers": [one, other], **content, "weights": WEIGHTS, "lines": lines}
        )
    return found


def _model_answer(row: Mapping[str, Any]) -> Answer:
    intensity, names = row["intensity"], []
    if row["pattern"] is not None:
        names = [row["pattern"], *[row["second_pattern"]] * row["mixed"]]
    result = _RESULTS.get(intensity["result"])
    grade = intensity["grade"] if result == "positive" else ""
    return Answer(result, tuple(map(group_of, names)), grade)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    return None if isinstance(value, float) and isnan(value) else value
