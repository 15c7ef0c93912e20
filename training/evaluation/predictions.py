"""Predictions of held-out cells, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Predictions:
    """The table `predictions.csv` of a run that was finished.

    Attributes
    ----------
    ids, specimens : (m,) str
    truth, predicted : (m,) int64
        In the order of `patterns`.
    scores : (m, K) float32
    patterns
        Names of the vocabulary.
    folds : (m,) str
        The fold that held each cell out.
    disagreement : (m,) float32
        See `training.models.base.HeldOutScores`.
    """

    ids: npt.NDArray[np.str_]
    specimens: npt.NDArray[np.str_]
    truth: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    patterns: tuple[str, ...]
    folds: npt.NDArray[np.str_]
    disagreement: npt.NDArray[np.float32]

    def take(self, rows: npt.NDArray[Any]) -> Predictions:
        """Return some rows, by number or by mask."""
        return Predictions(
            self.ids[rows],
            self.specimens[rows],
            self.truth[rows],
            self.predicted[rows],
            self.scores[rows],
            self.patterns,
            self.folds[rows],
            self.disagreement[rows],
        )
