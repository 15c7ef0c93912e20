"""Stability of a cell's scores when it is rotated and mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.inference.scorers import Scorer, score_views


@dataclass(frozen=True)
class Stability:
    """Scores of cells in each of their eight orientations.

    Attributes
    ----------
    patterns : (N,) int64
        The pattern of each cell that was asked about.
    agreeing : (N,) float64 in 0..1
        Share of the views whose highest score is that pattern's.
    low, high : (N,) float32 in 0..1
        Lowest and highest score of that pattern over the views.
    """

    patterns: npt.NDArray[np.int64]
    agreeing: npt.NDArray[np.float64]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]

    @property
    def spread(self) -> npt.NDArray[np.float32]:
        """Highest less lowest score over the views, (N,) float32 in 0..1."""
        return self.high - self.low


def measure_stability(
    model: Scorer,
    crops: npt.NDArray[Any],
    patterns: npt.NDArray[np.int64],
) -> Stability | None:
    """Score cells in each of their eight views.

    Parameters
    ----------
    model
        As `training.inference.scorers.load_scorer` returns it.
    crops : (N, S, S) uint8 or uint16
    patterns : (N,) int64
        The pattern asked about, of each crop, in the order of the vocabulary.

    Returns
    -------
    stability
        None where the model's file averages the views itself, so that one view cannot
        be scored alone.
    """
    scores = score_views(model, crops)
    if scores is None:
        return None
    row = np.arange(len(patterns))
    own = scores[:, row, patterns]
    agreeing = (scores.argmax(axis=2) == patterns).mean(axis=0)
    return Stability(patterns, agreeing, own.min(axis=0), own.max(axis=0))
