"""A feature system as a classifier: computed once, fitted in each fold."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.config import FeatureSettings
from training.data.cells.cell_set import CellSet
from training.models.base import Classifier, EpochRecord, Fit, average
from training.models.features.base import Bag, FeatureSystem, refuse_drawn_cells
from training.models.features.store import FeatureStore, turned
from training.splits.samples import Rows, Samples

_TOLD = 500
"""Training cells, evenly spaced, from which loss and accuracy are told."""


class FeatureClassifier(Classifier):
    """A feature system bound to a cell set.

    Parameters
    ----------
    make_system
        Returns a fresh system, for each fit.
    cells
        With masks.
    store
        Of the features.
    """

    epochs = FeatureSettings.epochs

    def __init__(
        self,
        make_system: Callable[[], FeatureSystem],
        cells: CellSet,
        store: FeatureStore,
    ) -> None:
        self._make_system = make_system
        self._cells = cells
        self._store = store

    def prepare(self, views: int) -> None:
        """Compute the features that are not on the disk yet."""
        count = 1 if self._make_system().invariant else views
        for view in range(count):
            self._store.view(view)

    def fit(
        self,
        train: Samples,
        test: Rows,
        *,
        seed: int,
        folder: Path | None = None,  # noqa: ARG002 - a fit starts anew
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Fit:
        """Fit on `train` and score `test`; see `Classifier.fit`."""
        started = time.perf_counter()
        refuse_drawn_cells(train)
        system = self._make_system()
        if system.invariant:
            train = Samples.plain(np.unique(train.rows))
        system.fit(self._bag(train), seed, should_stop)
        yield self._tell(system, train, started)
        return average(system.members(self._bag(Samples.plain(test))))

    def _tell(
        self, system: FeatureSystem, train: Samples, started: float
    ) -> EpochRecord:
        chosen = np.unique(np.linspace(0, len(train) - 1, _TOLD).astype(np.int64))
        bag = self._bag(Samples(train.rows[chosen], train.views[chosen]))
        scores = average(system.members(bag)).scores
        right = scores[np.arange(len(bag)), bag.patterns]
        loss = -float(np.log(np.maximum(right, 1e-12)).mean())
        accuracy = float((scores.argmax(1) == bag.patterns).mean())
        return EpochRecord(1, loss, accuracy, time.perf_counter() - started)

    def _bag(self, samples: Samples) -> Bag:
        images, masks = turned(self._cells, samples.rows, samples.views)
        return Bag(
            images,
            masks,
            self._store.of(samples),
            self._cells.patterns[samples.rows],
            self._cells.specimens[samples.rows],
        )
