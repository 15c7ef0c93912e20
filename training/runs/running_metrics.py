"""The metrics of a run while its folds are trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator

import numpy as np

from training.data.cells.cell_set import CellSet
from training.evaluation.metrics import (
    Metrics,
    confusion_matrix,
    measure_counts,
)
from training.runs.events import Event
from training.runs.fold_result import (
    FoldResult,
    read_result,
)
from training.runs.folder import RunFolder
from training.runs.results import metrics_content

FEW_FOLDS = 100
"""Runs of fewer folds are measured after each of them."""

METRICS_SHARE = 0.01
"""Longer runs are measured after a fold where that took less than this of the time."""


class RunningMetrics:
    """Tells the metrics of a run while its folds are trained.

    Measuring costs more the more specimens were tested, so a run of many folds is not
    measured after each of them.

    Parameters
    ----------
    run
        The run folder.
    cells
        The cell set.
    folds
        How many folds the run has.
    awaited
        Patterns that the folds hold out. Before each has a cell, a mean over the others
        is no figure of the run, and none is told.
    clock
        Seconds.
    """

    def __init__(
        self,
        run: RunFolder,
        cells: CellSet,
        folds: int,
        awaited: Collection[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._names = cells.vocabulary.names
        self._shape = len(cells), len(cells.vocabulary)
        self._folds = folds
        self._awaited = list(awaited)
        self._clock = clock
        self._started = clock()
        self._spent = 0.0
        self._counts = HeldOutCounts(cells)
        self._told = 0

    def add(self, name: str) -> None:
        """Count a finished fold."""
        self._counts.add(name, read_result(self._run.fold_folder(name), *self._shape))

    def due(self) -> bool:
        """Return whether to report the metrics now."""
        elapsed = self._clock() - self._started
        return self._folds < FEW_FOLDS or self._spent <= METRICS_SHARE * elapsed

    def tell(self) -> Iterator[Event]:
        """Append the metrics and yield the event, unless nothing is new."""
        done = len(self._counts.folds)
        if done == self._told:
            return
        before = self._clock()
        metrics = self._counts.measure()
        content = metrics_content(metrics, self._names)
        if not metrics.specimens[self._awaited].all():
            content |= {"mean_class_accuracy": None, "interval": None}
        self._spent += self._clock() - before
        self._told = done
        yield self._run.append("metrics", folds_done=done, folds=self._folds, **content)


class HeldOutCounts:
    """Held-out cells of the finished folds, counted fold by fold.

    They measure as `measure_held_out` does of the pooled folds, and cost the same
    however many folds there were before.

    Parameters
    ----------
    cells
        The cell set.

    Attributes
    ----------
    folds
        Names of the folds that were counted.
    """

    def __init__(self, cells: CellSet) -> None:
        names, self._specimens = np.unique(cells.specimens, return_inverse=True)
        self._patterns = cells.patterns
        self._shape = len(names), len(cells.vocabulary)
        self._right, self._total = np.zeros(self._shape), np.zeros(self._shape)
        self._confusion = np.zeros((self._shape[1], self._shape[1]), np.int64)
        self.folds: set[str] = set()

    def add(self, name: str, result: FoldResult) -> None:
        """Count a fold; one that was counted already is left alone."""
        if name in self.folds:
            return
        self.folds.add(name)
        truth, unit = self._patterns[result.rows], self._specimens[result.rows]
        predicted = result.scores.argmax(axis=1).astype(np.int64)
        self._confusion += confusion_matrix(truth, predicted, self._shape[1])
        np.add.at(self._total, (unit, truth), 1.0)
        np.add.at(self._right, (unit, truth), truth == predicted)

    def measure(self) -> Metrics:
        """Measure what was counted."""
        tested = self._total.any(axis=1)
        return measure_counts(
            self._confusion.copy(), self._right[tested], self._total[tested]
        )
