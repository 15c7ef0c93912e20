"""A specimen's findings as JSON and CSV; the page shows the same content."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.data.cells.frame_hashes import DIGITS
from training.decisions.model import Decision
from training.inference.cards import NOTICE, SIMULATED, ModelCard
from training.inference.frames import told_verdict
from training.inference.why.reasons import Reasons
from training.patterns import Vocabulary
from training.reports.specimens.findings import (
    Findings,
    doubtful_cells,
    margins,
    specimen_doubt,
    typical_cells,
)
from training.reports.specimens.freshness import FORMAT
from training.reports.specimens.reviews import count_reviews, decided_words
from training.storage.csv_tables import csv_of

CONFIRM = "Research use only, to be confirmed by a trained reviewer."
_SEEN = (
    "The model was trained on frames of this specimen: the result is not of an unseen "
    "specimen."
)
_PACKAGES = ("napari-hep2", "numpy", "pillow", "torch")


@dataclass(frozen=True)
class Shown:
    """The cells that a report shows, as rows of the scores.

    Attributes
    ----------
    typical, doubtful : (t,), (d,) int64
        No cell is in both.
    """

    typical: npt.NDArray[np.int64]
    doubtful: npt.NDArray[np.int64]


def choose_shown(found: Findings) -> Shown:
    """Return the most doubtful cells, and the most typical of the others."""
    if found.leading is None:
        nothing = np.zeros(0, np.int64)
        return Shown(nothing, nothing)
    return shown_rows(found.scores, found.leading)


def shown_rows(scores: npt.NDArray[np.float32], leading: int) -> Shown:
    """Return the most doubtful of some cells, and the most typical of the others.

    Parameters
    ----------
    scores : (n, K) float32
    leading
        The pattern that the typical ones are of.
    """
    doubtful = doubtful_cells(scores)
    apart = scores.copy()
    apart[doubtful, leading] = -1
    return Shown(typical_cells(apart, leading), doubtful)


def specimen_content(
    found: Findings,
    shown: Shown,
    reasons: Reasons,
    decisions: list[Decision],
    vocabulary: Vocabulary,
    card: ModelCard,
    files: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Return all that a report says of a specimen, as JSON content without pictures.

    Parameters
    ----------
    files
        Of the specimen, as `training.reports.specimens.freshness.file_states` returns
        them.
    """
    leading = found.leading
    return {
        "format": FORMAT,
        "specimen": found.specimen.id,
        **told_verdict(found.verdict, vocabulary.names),
        "leading_pattern": None if leading is None else vocabulary[leading].name,
        "doubt": round(specimen_doubt(found.verdict), 4),
        "given_pattern": found.specimen.pattern,
        "dropped_cells": int((found.table["dropped"] != "").sum()),
        "frames": [
            {
                "name": frame.name,
                "cells": frame.cells,
                "mask": frame.mask,
                "notes": list(frame.notes),
            }
            for frame in found.frames
        ],
        "faults": list(found.faults),
        "typical": [_told(found, row, vocabulary) for row in shown.typical.tolist()],
        "doubtful": [
            {
                **_told(found, row, vocabulary),
                **_explained(reasons, place, vocabulary),
            }
            for place, row in enumerate(shown.doubtful.tolist())
        ],
        "reviews": count_reviews(decisions),
        "decided_cells": len({one.cell for one in decisions}),
        "notes": [
            *_caution(found, card, files),
            *_borderline(found),
            *reasons.notes,
        ],
        "model": model_content(card),
        "notice": NOTICE,
        "confirm": CONFIRM,
    }


def model_content(card: ModelCard) -> dict[str, Any]:
    """Return what a report says of its model."""
    fitted = card.verdict
    return {
        "name": card.name,
        "classifier": card.classifier.name,
        "trained_on": card.trained_on,
        "simulated": SIMULATED if card.simulated else "",
        "cells": card.cells,
        "specimens": len(card.specimens),
        "measured": card.measured,
        "licence": card.licence,
        "verdict_fitted_on": None if fitted is None else fitted.specimens,
        "verdict_run": None if fitted is None else fitted.run,
        "verdict_figures": (
            None
            if fitted is None or fitted.figures is None
            else fitted.figures.model_dump(mode="json")
        ),
    }


def versions() -> dict[str, str]:
    """Return the versions of what computed a report."""
    return {
        **{name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
    }


def cells_csv(found: Findings, decisions: list[Decision], names: Sequence[str]) -> str:
    """Return every nucleus of a specimen as a row of a CSV table."""
    table = found.table.round({"y": 2, "x": 2})
    scored = table.index[found.rows]
    table["predicted"] = ""
    table.loc[scored, "predicted"] = [names[k] for k in found.predicted]
    for k, name in enumerate(names):
        column = pd.Series(np.nan, table.index, dtype=np.float64)
        column[scored] = found.scores[:, k].round(4)
        table[f"score_{name}"] = column
    words = decided_words(decisions)
    table["decisions"] = [words.get(name, "") for name in table["id"]]
    table.insert(0, "specimen", found.specimen.id)
    return csv_of(table)


def _told(found: Findings, row: int, vocabulary: Vocabulary) -> dict[str, Any]:
    scores = found.scores[row]
    first, second = np.argsort(-scores, kind="stable")[:2].tolist()
    return {
        "cell": str(found.table["id"].iloc[found.rows[row]]),
        "predicted": vocabulary[first].name,
        "score": round(float(scores[first]), 4),
        "second": vocabulary[second].name,
        "second_score": round(float(scores[second]), 4),
        "margin": round(float(margins(scores[None])[0]), 4),
    }


def _explained(reasons: Reasons, place: int, vocabulary: Vocabulary) -> dict[str, Any]:
    stability, neighbours = reasons.stability, reasons.neighbours
    return {
        "views": (
            None
            if stability is None
            else {
                "agreeing": round(float(stability.agreeing[place]), 4),
                "lowest_score": round(float(stability.low[place]), 4),
                "highest_score": round(float(stability.high[place]), 4),
            }
        ),
        "neighbours": (
            None
            if neighbours is None
            else [
                {
                    "pattern": vocabulary[one.pattern].name,
                    "specimen": one.specimen,
                    "cell": one.cell,
                    "likeness": round(one.likeness, 4),
                }
                for one in neighbours[place]
            ]
        ),
    }


def _borderline(found: Findings) -> list[str]:
    if found.intensity.result != "borderline" or found.verdict.pattern is None:
        return []
    return ["The specimen is borderline: its pattern may be that of a negative one."]


def _caution(
    found: Findings, card: ModelCard, files: Sequence[dict[str, Any]]
) -> list[str]:
    """Return whether the model has seen the specimen: by its files, else its name."""
    if card.frames:
        hashes = {str(one["sha256"])[:DIGITS] for one in files}
        if not hashes & set(card.frames):
            return []
        return [_SEEN]
    name = found.specimen.id
    if card.simulated or name not in card.specimens:
        return []
    sentence = (
        f"The model was trained on a specimen that is also called {name}: if it is "
        "this one, the result is not of an unseen specimen."
    )
    return [sentence]
