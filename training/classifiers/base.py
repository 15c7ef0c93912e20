"""What every classifier is: a recipe bound to a cell set, fitted in each fold.

What is only computed (features) is computed in the constructor, once for all folds;
what is fitted (weights, scalers, dictionaries, penalties, temperatures) is fitted by
`fit`, from the training cells of its fold alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Samples:
    """What a fold trains on: cells, each in one or several views.

    Attributes
    ----------
    rows : (n,) int64
        Rows of the cell set; one stands several times if it has several views.
    views : (n,) int64 in 0..7
        See `training.augmentation.turn`; 0 is the cell as it came.
    """

    rows: Rows
    views: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def plain(cls, rows: Rows) -> Samples:
        """Return cells as they came, each once."""
        return cls(rows, np.zeros(len(rows), np.int64))


@dataclass(frozen=True)
class EpochRecord:
    """One row of a learning curve.

    Attributes
    ----------
    epoch
        1 is the first. A classifier that is not fitted in epochs has one.
    loss, accuracy
        Mean over the training cells: cross-entropy in nats, and 0..1.
    seconds
        Wall time of the epoch.
    """

    epoch: int
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class HeldOutScores:
    """What a fitted classifier says of the held-out cells of its fold.

    Attributes
    ----------
    scores : (m, K) float32
        Rows sum to 1.
    disagreement : (m,) float32 in 0..1
        Largest standard deviation, over the patterns, of the scores of the members
        that were averaged: the last epochs of a network, the SVMs of an ensemble; 0
        where there is one member.
    """

    scores: Scores
    disagreement: npt.NDArray[np.float32]


Fit = Generator[EpochRecord, None, HeldOutScores]


class Classifier(ABC):
    """A recipe bound to a cell set.

    Attributes
    ----------
    epochs
        How many records one fit yields.
    """

    epochs: int

    def prepare(self, views: int) -> None:  # noqa: B027 - a network has nothing to do
        """Compute what all folds share, once, before workers start.

        Parameters
        ----------
        views
            How many of the eight views of a cell are trained on.
        """

    def history(self, folder: Path) -> list[EpochRecord]:  # noqa: ARG002
        """Return the records of the fit that was interrupted in `folder`."""
        return []

    @abstractmethod
    def fit(
        self,
        train: Samples,
        test: Rows,
        *,
        seed: int,
        folder: Path | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Fit:
        """Fit on `train` and score `test`.

        Parameters
        ----------
        train
            What may be looked at.
        test
            Rows to score; their patterns are never read.
        seed
            Of all that is random.
        folder
            Where a fit that was interrupted goes on from, or None.
        should_stop
            Asked often.

        Yields
        ------
        record
            One an epoch.

        Returns
        -------
        held_out

        Raises
        ------
        InterruptedRunError
            If `should_stop` said so.
        DivergedError
            If the loss becomes NaN or infinite.
        """


def average(members: list[Scores]) -> HeldOutScores:
    """Return the mean of the members' scores, and how far they disagree."""
    stacked = np.stack(members)
    spread = np.std(stacked, axis=0, dtype=np.float32).max(axis=1)
    return HeldOutScores(np.mean(stacked, axis=0, dtype=np.float32), spread)
