"""Whether what a model says of a cell lasts when the cell is turned and mirrored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.cells import full_scale
from training.scorers import Scorer, has_networks

VIEWS = 8
"""Rotations and mirrors of the square; see `training.augmentation.turn`."""


@dataclass(frozen=True)
class Stability:
    """What a model says of cells in each of their eight views.

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
    top: int | None = None,
) -> Stability | None:
    """Score cells in each of their eight views.

    Parameters
    ----------
    model
        As `training.scorers.load_scorer` returns it.
    crops : (N, S, S) uint8 or uint16
    patterns : (N,) int64
        The pattern asked about, of each crop, in the order of the vocabulary.
    top
        The grey value taken as full scale; None tells it from the crops.

    Returns
    -------
    stability
        None where the model's file averages the views itself, so that one view cannot
        be scored alone.
    """
    score = _one_view(model)
    if score is None:
        return None
    top = top or full_scale(crops)
    turned = [score(turned_crops(crops, view), top) for view in range(VIEWS)]
    scores = np.stack(turned)
    row = np.arange(len(patterns))
    own = scores[:, row, patterns]
    agreeing = (scores.argmax(axis=2) == patterns).mean(axis=0)
    return Stability(patterns, agreeing, own.min(axis=0), own.max(axis=0))


def turned_crops(crops: npt.NDArray[Any], view: int) -> npt.NDArray[Any]:
    """Return crops, (N, S, S), in a view, as `training.augmentation.turn` does."""
    seen = crops[:, :, ::-1] if view > 3 else crops
    return np.ascontiguousarray(np.rot90(seen, view % 4, axes=(1, 2)))


def _one_view(
    model: Scorer,
) -> Callable[[npt.NDArray[Any], int], npt.NDArray[np.float32]] | None:
    if model.card.classifier.test_views == 1:
        return model.scores
    if not has_networks(model):
        return None
    settings = model.card.classifier.model_copy(update={"test_views": 1})
    card = model.card.model_copy(update={"classifier": settings})
    return replace(model, card=card).scores
