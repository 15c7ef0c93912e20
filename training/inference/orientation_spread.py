"""Spread of a model's scores over the eight orientations of cells, piece by piece."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import BadModelError
from training.inference.scorers import Scorer, score_views

_CHUNK = 250


@dataclass(frozen=True)
class ViewScores:
    """Scores of a model for each cell in its eight orientations.

    Attributes
    ----------
    mean : (N, K) float32
        Rows sum to 1.
    spread : (N,) float32 in 0..1
        Largest standard deviation over the patterns of the scores of the views; a cell
        has no up or down, so that a model that is sure has none.
    """

    mean: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]


def scores_in_views(scorer: Scorer, crops: npt.NDArray[Any]) -> ViewScores:
    """Score crops in each of their eight rotations and mirrors.

    Parameters
    ----------
    scorer
        As `training.inference.scorers.load_scorer` returns it.
    crops : (N, S, S) uint8 or uint16

    Raises
    ------
    BadModelError
        If the model's file averages the views itself.
    """
    scores = score_views(scorer, crops)
    if scores is None:
        raise BadModelError(
            scorer.card.name,
            "its file averages the eight orientations itself, so they cannot be "
            "scored apart",
            "use the safetensors file of the model",
        )
    spread = scores.std(axis=0, dtype=np.float32).max(axis=1)
    return ViewScores(scores.mean(axis=0, dtype=np.float32), spread)


@dataclass(frozen=True)
class ViewSpread:
    """Spread of the scores of each cell over its eight orientations.

    Attributes
    ----------
    spread : (N,) float64 in 0..1
        See `ViewScores`.
    seen : (N,) bool
        Whether the model trained on the cell's specimen: it is then surer of the cell
        than it would be of a new one.
    """

    spread: npt.NDArray[np.float64]
    seen: npt.NDArray[np.bool_]


def spread_in_views(
    scorer: Scorer, crops: npt.NDArray[Any], specimens: npt.NDArray[Any]
) -> Generator[float, None, ViewSpread]:
    """Score crops in their eight views.

    Parameters
    ----------
    scorer
        As `training.inference.scorers.load_scorer` returns it.
    crops : (N, S, S) uint8 or uint16
        May be memory-mapped.
    specimens : (N,) str

    Yields
    ------
    share
        That is done, in 0..1.

    Returns
    -------
    found
        In the order of the crops.
    """
    spread = np.zeros(len(crops))
    for start in range(0, len(crops), _CHUNK):
        some = np.asarray(crops[start : start + _CHUNK])
        spread[start : start + len(some)] = scores_in_views(scorer, some).spread
        yield (start + len(some)) / len(crops)
    seen = np.isin(specimens.astype(str), list(scorer.card.specimens))
    return ViewSpread(spread, seen)
