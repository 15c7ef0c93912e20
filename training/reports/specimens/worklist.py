"""The specimens of a folder ranked by doubt: HTML, CSV and JSON of the same content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from training.decisions.specimens import told_text
from training.evaluation.verdict import NEGATIVE
from training.inference.cards import NOTICE
from training.patterns import Vocabulary
from training.reports.specimens.content import CONFIRM
from training.reports.specimens.freshness import FORMAT
from training.reports.specimens.page import worklist_page
from training.reports.specimens.readers import (
    agreement_content,
    model_answers,
    told_answers,
)
from training.splits.protocols import natural_key
from training.storage.csv_tables import csv_of
from training.storage.writing import write_json, write_text

NAME = "worklist"
_KEPT = (
    "specimen",
    "folder",
    "intensity",
    "pattern",
    "icap_group",
    "second_pattern",
    "mixed",
    "withheld",
    "reason",
    "cells",
    "shares",
    "scores",
    "probabilities",
    "doubt",
    "given_pattern",
    "reviews",
    "specimen_decisions",
    "decided_cells",
    "faults",
    "made",
)
_LISTS = {
    "intensity",
    "shares",
    "scores",
    "probabilities",
    "reviews",
    "specimen_decisions",
    "faults",
}


def worklist_row(content: dict[str, Any]) -> dict[str, Any]:
    """Return what a worklist says of a specimen, from the content of its report."""
    return {name: content[name] for name in _KEPT}


def rank(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with their rank from 1, those that need a person most first.

    Specimens of which nothing could be read, then those without a verdict, then by
    doubt; alike ones by name. Negative ones need no verdict and stand last.
    """
    ordered = sorted(
        rows,
        key=lambda row: (
            row["cells"] > 0 or row["withheld"] == NEGATIVE,
            row["pattern"] is not None or row["withheld"] == NEGATIVE,
            -row["doubt"],
            natural_key(row["specimen"]),
        ),
    )
    return [{"rank": k, **row} for k, row in enumerate(ordered, 1)]


def worklist_content(
    rows: Sequence[dict[str, Any]], model: dict[str, Any], about: dict[str, Any]
) -> dict[str, Any]:
    """Return the whole worklist as JSON content.

    Parameters
    ----------
    rows
        As `worklist_row` returns them.
    model
        As `training.reports.specimens.content.model_content` returns it.
    about
        ``source``, ``command``, ``made`` and ``versions``.
    """
    ranked = rank(rows)
    return {
        "format": FORMAT,
        **about,
        "specimens": ranked,
        "with_verdict": sum(row["pattern"] is not None for row in ranked),
        "results": dict(Counter(row["intensity"]["result"] for row in ranked)),
        "faults": sum(len(row["faults"]) for row in ranked),
        "agreement": agreement_content(told_answers(rows), model_answers(rows)),
        "model": model,
        "notice": NOTICE,
        "confirm": CONFIRM,
    }


def write_worklist(
    content: dict[str, Any], vocabulary: Vocabulary, out: Path
) -> list[Path]:
    """Write a worklist as JSON, CSV and HTML.

    Raises
    ------
    StorageError
        If they cannot be written.
    """
    files = [out / f"{NAME}.{kind}" for kind in ("json", "csv", "html")]
    write_json(files[0], content)
    write_text(files[1], worklist_csv(content["specimens"], vocabulary.names))
    write_text(files[2], worklist_page(content, vocabulary))
    return files


def worklist_csv(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Return ranked rows as a CSV table, shares and probabilities in columns."""
    return csv_of(pd.DataFrame([_flat(row, names) for row in rows]))


def _flat(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    odds = row["probabilities"] or {}
    reviewers = [
        f"{one['reviewer']} ({one['accepted']} accepted, {one['rejected']} rejected, "
        f"{one['relabelled']} relabelled, {one['last']})"
        for one in row["reviews"]
    ]
    flat = {name: row[name] for name in ("rank", *_KEPT) if name not in _LISTS}
    flat |= _flat_intensity(row["intensity"])
    flat |= {f"share_{name}": row["shares"][name] for name in names}
    flat |= {f"probability_{name}": odds.get(name) for name in names}
    return flat | {
        "reviewed_by": "; ".join(reviewers),
        "specimen_decisions": "; ".join(map(told_text, row["specimen_decisions"])),
        "faults": " ".join(row["faults"]),
    }


def _flat_intensity(told: dict[str, Any]) -> dict[str, Any]:
    """Return an intensity as columns; what was not measured is empty."""
    words = ("result", "grade", "compartment", "series", "role", "titre")
    flat = {name: told[name] for name in words}
    for name in ("index", "nuclei", "cytoplasm"):
        ends = told[name] or dict.fromkeys(("median", "low", "high"))
        flat[name] = ends["median"]
        flat |= {f"{name}_{end}": ends[end] for end in ("low", "high")}
    notes = " ".join([told["reason"], *told["notes"]])
    return {**flat, "intensity_notes": notes}
