"""Appearance of the boxes around cells: features, colours, lines and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.patterns import Vocabulary

if TYPE_CHECKING:
    from training.data.cells.extraction import FrameCells
    from training.decisions.store import Decision

KEPT = (0.92, 0.92, 0.92, 0.75)
DROPPED = (0.62, 0.62, 0.62, 0.55)
CURRENT = (1.0, 1.0, 1.0, 1.0)
_INK = (1.0, 1.0, 1.0, 1.0)
_FAINT_INK = (0.75, 0.75, 0.75, 0.9)
VERDICT_MARKS = {"accepted": "+", "rejected": "x"}
MAX_TEXTS = 400
"""Text on more boxes than this makes the window wait."""

_ROOMY = 60
"""Side of a box in screen pixels from which letter and probability fit in."""


@dataclass(frozen=True)
class BoxStyle:
    """Appearance of a frame's boxes; row k belongs to row k of the frame's table.

    Attributes
    ----------
    colours : (N, 4) float32
    widths : (N,) float32
        Of the border, in pixels of the frame.
    texts : (N,) str
        Empty where nothing is written; all empty where there are too many.
    faint : (N,) bool
        Whether the text is dim.
    shown : (N,) bool
    """

    colours: npt.NDArray[np.float32]
    widths: npt.NDArray[np.float32]
    texts: npt.NDArray[np.object_]
    faint: npt.NDArray[np.bool_]
    shown: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Look:
    """From how far the boxes are seen.

    Attributes
    ----------
    line
        Width of a thin line in pixels of the frame.
    near
        Whether a box has room for more than a letter.
    """

    line: float = 1.0
    near: bool = True


def look_at_zoom(zoom: float, size: float) -> Look:
    """Return how boxes look: lines of about one and a half pixels of the screen.

    Parameters
    ----------
    zoom
        Pixels of the screen for one pixel of the frame.
    size
        Side of a box in pixels of the frame.
    """
    steps = np.rint(np.log2(max(zoom, 1e-3)))
    return Look(float(1.3 / 2.0**steps), size * zoom >= _ROOMY)


def rgba(colour: str, alpha: float = 1.0) -> tuple[float, float, float, float]:
    """Return ``#rrggbb`` as red, green, blue and alpha from 0 to 1."""
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return red, green, blue, alpha


def cell_features(
    cells: FrameCells,
    vocabulary: Vocabulary,
    scores: npt.NDArray[np.float32] | None,
    decisions: Mapping[str, Decision],
    ids: Sequence[str],
) -> pd.DataFrame:
    """Return one row a cell: what the boxes' layer carries as features.

    Parameters
    ----------
    scores : (M, K) float32 or None
        Of the kept cells, in the order of `vocabulary`.
    ids
        Of all cells, in the order of their table.

    Returns
    -------
    features
        ``label``, ``roi_id`` (the cell id), ``dropped``, ``flags``, ``decision``,
        and, where there are scores, ``pattern`` and ``probability``.
    """
    table = cells.cells.table
    features = pd.DataFrame(
        {
            "label": table["label"].to_numpy(),
            "roi_id": ids,
            "dropped": table["dropped"].to_numpy(),
            "flags": table["flags"].to_numpy(),
            "decision": [_decision_text(decisions.get(cell)) for cell in ids],
            "pattern": "",
            "probability": np.nan,
        }
    )
    if scores is not None:
        kept = features["dropped"] == ""
        names = np.array(vocabulary.names, dtype=object)
        features.loc[kept, "pattern"] = names[scores.argmax(axis=1)]
        features.loc[kept, "probability"] = scores.max(axis=1).astype(np.float64)
    return features


def _decision_text(decision: Decision | None) -> str:
    if decision is None or decision.verdict == "cleared":
        return ""
    return f"relabelled {decision.pattern}" if decision.pattern else decision.verdict


def box_style(
    features: pd.DataFrame,
    vocabulary: Vocabulary,
    show_dropped: bool = True,
    current: int | None = None,
    look: Look | None = None,
    with_text: bool = True,
) -> BoxStyle:
    """Return colours, widths and texts of the boxes.

    Seen from afar, boxes have thicker lines and a letter alone, so that texts do not
    run into each other. A kept cell is pale until it has a predicted pattern; a
    dropped one is dim and carries its reason, so that nothing rests on colour alone.

    Parameters
    ----------
    current
        Row of the current cell, or None.
    with_text
        Whether texts are wanted; without, all are empty.
    """
    look = look or Look()
    n = len(features)
    dropped = features["dropped"].to_numpy(dtype=object) != ""
    called = features["pattern"].to_numpy(dtype=object)
    colours = np.tile(np.array(KEPT, np.float32), (n, 1))
    for pattern in vocabulary:
        colours[called == pattern.name] = rgba(pattern.colour)
    colours[dropped] = DROPPED
    predicted = called != ""
    widths = np.where(predicted, 2 * look.line, look.line).astype(np.float32)
    if current is not None and 0 <= current < n:
        colours[current] = colours[current] if predicted[current] else CURRENT
        widths[current] = 4 * look.line
    shown = ~dropped | show_dropped
    few = int(shown.sum()) < MAX_TEXTS
    texts = np.full(n, "", dtype=object)
    if few and with_text:
        texts[:] = [box_text(c, vocabulary, look.near) for c in features.itertuples()]
    return BoxStyle(colours, widths, texts, dropped, shown)


def box_text(cell: Any, vocabulary: Vocabulary, near: bool = True) -> str:
    """Return what stands in a box: mark of the decision, letter, probability.

    Parameters
    ----------
    cell
        A row of `cell_features`.
    near
        Whether there is room for more than a letter.
    """
    mark = VERDICT_MARKS.get(cell.decision, "")
    if cell.decision.startswith("relabelled"):
        found = vocabulary.find(cell.decision.removeprefix("relabelled"))
        mark = "=" + (vocabulary[found].letter if found is not None else "?")
    if cell.dropped and not mark:
        return str(cell.dropped) if near else str(cell.dropped)[0]
    if not cell.pattern:
        return mark
    letter = _letter(vocabulary, cell.pattern)
    if not near:
        return mark or letter
    return f"{mark} {letter} {cell.probability:.2f}".strip()


@lru_cache(256)
def _letter(vocabulary: Vocabulary, pattern: str) -> str:
    """Return the letter of a pattern; kept, as each box asks for it."""
    return vocabulary[vocabulary.index(pattern)].letter


def text_options(style: BoxStyle, size: float) -> dict[str, Any]:
    """Return the text of a points layer: above the upper left corner of each box.

    Inside it white letters would stand on white nuclei.

    Parameters
    ----------
    size
        Side of a box in pixels of the frame.
    """
    # Thousands of empty texts would be laid out for a second: one for all is not.
    string: dict[str, Any] = {"constant": ""}
    colour: dict[str, Any] = {"constant": "white"}
    if style.texts.any():
        string = {"array": style.texts.astype(str), "default": ""}
        inks = np.where(style.faint[:, None], _FAINT_INK, _INK)
        colour = {"array": inks, "default": "white"}
    return {
        "string": string,
        "color": colour,
        "anchor": "upper_left",
        "translation": np.array([-2 - size / 2, 1 - size / 2]),
        "size": 9,
    }
