"""Interface of every classifier: a recipe bound to a cell set, fitted in each fold.

What is only computed (features) is computed in the constructor, once for all folds;
what is fitted (weights, scalers, dictionaries, penalties, temperatures) is fitted by
`fit`, from the training cells of its fold alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import Hep2Error, InterruptedRunError
from training.splits.samples import Rows, Samples

Scores = npt.NDArray[np.float32]


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
class Progress:
    """A sign of life from the middle of a long epoch; nothing can be kept yet.

    Attributes
    ----------
    epoch
        That is under way.
    share
        Of it that is done, 0..1.
    """

    epoch: int
    share: float


INNER_ACCURACY = "inner accuracy"
"""Name, beside the choices of a fold, of the accuracy that decided them."""


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of a fitted classifier for the held-out cells of its fold.

    Attributes
    ----------
    scores : (m, K) float32
        Rows sum to 1.
    disagreement : (m,) float32 in 0..1
        Largest standard deviation, over the patterns, of the scores of the members
        that were averaged: the last epochs of a network, the SVMs of an ensemble; 0
        where there is one member.
    chosen
        What the fit chose inside its fold, by name; empty where nothing was.
    """

    scores: Scores
    disagreement: npt.NDArray[np.float32]
    chosen: Mapping[str, float] = field(default_factory=dict)


Fit = Generator[EpochRecord | Progress, None, HeldOutScores]
Step = EpochRecord | Progress | HeldOutScores | Hep2Error
"""What is told of a fit that may stand beside others; the last two end it."""


@dataclass(frozen=True)
class FitRequest:
    """Request to fit a fold; see `Classifier.fit`.

    Attributes
    ----------
    train, test, seed, folder
        As in `Classifier.fit`.
    """

    train: Samples
    test: Rows
    seed: int
    folder: Path | None = None


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
        step
            A record an epoch; between them, where epochs are long, their progress.

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

    def fit_group(
        self,
        requests: Sequence[FitRequest],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, Step]]:
        """Do several fits: one after the other, where nothing better is known.

        Parameters
        ----------
        requests
            They do not depend on each other.
        should_stop
            Asked often.

        Yields
        ------
        number, step
            Of which request; the last step of each is its held-out scores or its fault.

        Raises
        ------
        InterruptedRunError
            If `should_stop` said so.
        """
        for number, one in enumerate(requests):
            fitting = self.fit(
                one.train,
                one.test,
                seed=one.seed,
                folder=one.folder,
                should_stop=should_stop,
            )
            try:
                while True:
                    yield number, next(fitting)
            except StopIteration as end:
                yield number, end.value
            except InterruptedRunError:
                raise
            except Hep2Error as fault:
                yield number, fault


def average(members: list[Scores]) -> HeldOutScores:
    """Return the mean of the members' scores, and how far they disagree."""
    stacked = np.stack(members)
    spread = np.std(stacked, axis=0, dtype=np.float32).max(axis=1)
    return HeldOutScores(np.mean(stacked, axis=0, dtype=np.float32), spread)


_MOST = 1e300
"""No loss is as large; an integer may be, which no float can hold."""


def parse_history(content: list[dict[str, Any]]) -> tuple[EpochRecord, ...]:
    """Return the records of a curve, from its first epoch on.

    Raises
    ------
    ValueError, TypeError
        If it is none.
    """
    records = tuple(EpochRecord(**record) for record in content)
    for number, one in enumerate(records, start=1):
        figures = (one.loss, one.accuracy, one.seconds)
        if type(one.epoch) is not int or one.epoch != number:
            raise ValueError("an epoch is missing")
        if not all(isinstance(v, int | float) and abs(v) < _MOST for v in figures):
            raise ValueError("an epoch has no figures")
    return records
