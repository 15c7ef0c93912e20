"""The metrics of a run while its folds are trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from training.checkpoints import read_result
from training.data.cells import CellSet
from training.engines import Event
from training.results import HeldOutCounts, metrics_content
from training.runs import RunFolder

FEW_FOLDS = 100
"""Runs of fewer folds are measured after each of them."""

METRICS_SHARE = 0.01
"""Longer runs are measured after a fold where that took less than this of the time."""


class RunningMetrics:
    """Tells the metrics of a run while its folds are trained.

    The interval costs more the more specimens were tested, so a run of many folds is
    not measured after each of them.

    Parameters
    ----------
    run
        The run folder.
    cells
        The cell set.
    folds
        How many folds the run has.
    clock
        Seconds.
    """

    def __init__(
        self,
        run: RunFolder,
        cells: CellSet,
        folds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._names = cells.vocabulary.names
        self._shape = len(cells), len(cells.vocabulary)
        self._folds = folds
        self._clock = clock
        self._started = clock()
        self._spent = 0.0
        self._counts = HeldOutCounts(cells)
        self._told = 0

    def add(self, name: str) -> None:
        """Count a finished fold."""
        self._counts.add(name, read_result(self._run.fold_folder(name), *self._shape))

    def due(self) -> bool:
        """Whether to tell the metrics now."""
        elapsed = self._clock() - self._started
        return self._folds < FEW_FOLDS or self._spent <= METRICS_SHARE * elapsed

    def tell(self) -> Iterator[Event]:
        """Append the metrics and yield the event, unless nothing is new."""
        done = len(self._counts.folds)
        if done == self._told:
            return
        before = self._clock()
        content = metrics_content(self._counts.measure(), self._names)
        self._spent += self._clock() - before
        self._told = done
        yield self._run.append("metrics", folds_done=done, folds=self._folds, **content)
