"""Interface of a system of computed features: one file or package a system."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import numpy.typing as npt

from training.errors import BadSettingError
from training.models.base import Scores
from training.splits.samples import Rows, Samples

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Bag:
    """Some cells as a feature system sees them.

    Attributes
    ----------
    images : (n, S, S) uint8
        Already in their view.
    masks : (n, S, S) bool
        The nucleus, in the same view.
    features : (n, D) float32
        What `FeatureSystem.compute` returned for them.
    patterns : (n,) int64
    specimens : (n,) str
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.bool_]
    features: Floats
    patterns: Rows
    specimens: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)


class Features:
    """What is computed of a cell and not fitted.

    Attributes
    ----------
    invariant
        Whether all eight views of a cell have the same features, so that one will do.
    rests_on
        Packages beside its own whose code decides the features.
    """

    invariant = False
    rests_on: tuple[ModuleType, ...] = ()

    def compute(
        self,
        images: npt.NDArray[np.uint8],
        masks: npt.NDArray[np.bool_],  # noqa: ARG002
    ) -> Floats:
        """Return the features of cells, (n, D) float32; nothing is fitted.

        A system that works from the images themselves has none (D is 0).
        """
        return np.zeros((len(images), 0), np.float32)


class FeatureSystem(Features, ABC):
    """One system: what it computes of a cell, and what it fits in a fold."""

    @abstractmethod
    def fit(self, train: Bag, seed: int, should_stop: Callable[[], bool]) -> None:
        """Fit all that is fitted, from training cells alone."""

    @abstractmethod
    def members(self, cells: Bag) -> list[Scores]:
        """Return the scores, (n, K) float32, of each member of the ensemble."""


def refuse_drawn_cells(train: Samples) -> None:
    """Refuse training cells that are drawn anew for each epoch: there is none.

    Raises
    ------
    BadSettingError
        If cells have weights to be drawn by.
    """
    if train.weights is not None:
        raise BadSettingError(
            "balance=specimens",
            "only networks draw new cells for each epoch",
            "keep the default balance: patterns weigh alike",
        )
