"""The pages of a report: one file each, without network, that print to A4."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.decisions.specimens import told_text
from training.evaluation.verdict import NEGATIVE
from training.inference.why.reasons import Reasons
from training.patterns import Pattern, Vocabulary
from training.reports.pages import data_address, render
from training.reports.specimens.content import CONFIRM, Shown
from training.reports.specimens.findings import DOUBTFUL, TYPICAL, Findings

WITHHELD = {
    "too-few-cells": "Too few cells",
    "no-clear-pattern": "No clear pattern",
    "not-one-of-these": "Not one of these patterns",
    "negative": "Negative",
}
"""A verdict that is withheld: code, and words on the page."""

_HEAT = 0.55


def specimen_page(
    content: dict[str, Any],
    found: Findings,
    shown: Shown,
    reasons: Reasons,
    vocabulary: Vocabulary,
) -> str:
    """Return the page of a specimen; what stands in its files cannot write HTML.

    Parameters
    ----------
    content
        As `training.reports.specimens.content.specimen_content` returns it, with
        ``command``, ``made`` and ``versions``.
    found, shown, reasons
        Where its pictures come from.
    vocabulary
        Of the model.
    """
    crops = [stretched(crop) for crop in found.crops]
    typical = [
        {**told, "picture": data_address(Image.fromarray(crops[row]))}
        for told, row in zip(content["typical"], shown.typical, strict=True)
    ]
    doubtful = [
        {
            **told,
            "picture": data_address(Image.fromarray(crops[row])),
            "map": _map(reasons, place, crops[row]),
            "alike": _alike(reasons, place, vocabulary),
        }
        for place, (told, row) in enumerate(
            zip(content["doubtful"], shown.doubtful, strict=True)
        )
    ]
    return render(
        "specimen.html",
        {
            **content,
            **_verdict(content, vocabulary),
            "rows": _rows(content, vocabulary),
            "answers": [*map(told_text, content["specimen_decisions"])],
            "patterns": {one.name: one for one in vocabulary},
            "views": [
                {"field": _jpeg(one.field), "overlay": _jpeg(one.overlay), **facts}
                for one, facts in zip(found.frames, content["frames"], strict=True)
                if one.field is not None and one.overlay is not None
            ],
            "typical": typical,
            "doubtful": doubtful,
            "most_typical": TYPICAL,
            "most_doubtful": DOUBTFUL,
        },
    )


def worklist_page(content: dict[str, Any], vocabulary: Vocabulary) -> str:
    """Return the page that ranks specimens by doubt.

    Parameters
    ----------
    content
        As `training.reports.specimens.worklist.worklist_content` returns it.
    vocabulary
        Of the model.
    """
    rows = [
        {
            **row,
            **_verdict(row, vocabulary),
            "bars": _rows(row, vocabulary),
            "answers": [*map(told_text, row["specimen_decisions"])],
        }
        for row in content["specimens"]
    ]
    return render(
        "specimen_worklist.html",
        {**content, "rows": rows, "vocabulary": list(vocabulary), "confirm": CONFIRM},
    )


def stretched(crop: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a crop, (S, S), with its 1st and 99th percentile at 0 and 255."""
    low, high = np.percentile(crop, [1, 99])
    scaled = (crop - low) / max(high - low, 1.0) * 255
    return np.clip(scaled, 0, 255).astype(np.uint8)


def heat(
    crop: npt.NDArray[np.uint8], where: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Return a crop with a map over it, (S, S, 3).

    Parameters
    ----------
    crop : (S, S) uint8
    where : (S, S) float32 in 0..1
        0 leaves the crop grey, 1 is orange.
    """
    orange = np.array([230.0, 110.0, 0.0])
    share = (_HEAT * where)[:, :, None]
    mixed = (1 - share) * crop[:, :, None] + share * orange
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def _verdict(content: dict[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the verdict in words, with the groups of codes that it stands for."""
    named = {one.name: one for one in vocabulary}
    pattern, second = (
        named.get(content["pattern"]),
        named.get(content["second_pattern"]),
    )
    if pattern is None:
        return {
            "headline": _no_verdict(content["withheld"]),
            "chips": [],
            "groups": "",
            "probability": None,
            "leads": _leads(content, named),
            "second_title": second.title if second else "",
        }
    together: list[Pattern] = [pattern]
    if content["mixed"] and second is not None:
        together.append(second)
    odds = content["probabilities"]
    return {
        "headline": " with ".join(
            one.title if k == 0 else one.title.lower() for k, one in enumerate(together)
        ),
        "chips": together,
        "groups": " with ".join(one.icap for one in together),
        "probability": None if odds is None else odds[pattern.name],
        "leads": "",
        "second_title": second.title if second else "",
    }


def _no_verdict(withheld: str) -> str:
    words = WITHHELD.get(withheld, "withheld")
    return words if withheld == NEGATIVE else f"No verdict: {words}"


def _leads(content: dict[str, Any], named: dict[str, Pattern]) -> str:
    """Return the title of the pattern that scores highest, or '' without cells."""
    if not content["cells"] or content["withheld"] == NEGATIVE:
        return ""
    scores: dict[str, float] = content["scores"]
    return named[max(scores, key=scores.__getitem__)].title


def _rows(content: dict[str, Any], vocabulary: Vocabulary) -> list[dict[str, Any]]:
    odds = content["probabilities"]
    return [
        {
            "pattern": one,
            "share": content["shares"][one.name],
            "cells": round(content["shares"][one.name] * content["cells"]),
            "score": content["scores"][one.name],
            "probability": None if odds is None else odds[one.name],
        }
        for one in vocabulary
    ]


def _map(reasons: Reasons, place: int, crop: npt.NDArray[np.uint8]) -> str | None:
    if reasons.maps is None:
        return None
    return data_address(Image.fromarray(heat(crop, reasons.maps[place])))


def _alike(
    reasons: Reasons, place: int, vocabulary: Vocabulary
) -> Sequence[dict[str, Any]]:
    if reasons.neighbours is None:
        return []
    return [
        {
            "pattern": vocabulary[one.pattern],
            "specimen": one.specimen,
            "likeness": one.likeness,
            "picture": data_address(Image.fromarray(stretched(one.picture))),
        }
        for one in reasons.neighbours[place]
    ]


def _jpeg(content: bytes | None) -> str | None:
    if content is None:
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}"
