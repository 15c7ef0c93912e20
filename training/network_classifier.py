"""A network as a classifier: the training loop of a fold, with its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from training.checkpoints import load_checkpoint, save_checkpoint
from training.classifiers.base import (
    Classifier,
    EpochRecord,
    Fit,
    FitRequest,
    Rows,
    Samples,
    Step,
)
from training.config import NetworkSettings
from training.devices import ResidentCells
from training.fitting import FitState, begin, fit, held_out_vote
from training.folds_together import FoldGroup, Member, can_train_together

CHECKPOINT_SECONDS = 5.0
"""Folds that train beside others on a GPU are written down no more often than this."""


class NetworkClassifier(Classifier):
    """A network bound to a cell set on its device.

    Parameters
    ----------
    settings
        Architecture and recipe.
    cells
        On the device, once for all folds.
    n_patterns
        Length of the vocabulary.
    """

    def __init__(
        self, settings: NetworkSettings, cells: ResidentCells, n_patterns: int
    ) -> None:
        self.epochs = settings.epochs
        self._settings = settings
        self._cells = cells
        self._n_patterns = n_patterns
        self._group: FoldGroup | None = None
        on_gpu = cells.device.type != "cpu"
        self._side_by_side = on_gpu and can_train_together(settings)

    def history(self, folder: Path) -> list[EpochRecord]:
        """Return the records of the epochs that the checkpoint in `folder` holds."""
        return self._begin(folder, seed=0).history

    def fit(
        self,
        train: Samples,
        test: Rows,
        *,
        seed: int,
        folder: Path | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Fit:
        """Train from the checkpoint in `folder`, or from the start; see `Classifier`.

        A checkpoint is written after each epoch, before its record is yielded.
        """
        state = self._begin(folder, seed)
        records = fit(
            state,
            self._cells,
            train,
            self._settings,
            seed=seed,
            test=test,
            should_stop=should_stop,
        )
        for step in records:
            if folder is not None and isinstance(step, EpochRecord):
                save_checkpoint(folder, state)
            yield step
        return held_out_vote(state)

    def fit_group(
        self,
        requests: Sequence[FitRequest],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, Step]]:
        """Do several fits: on a GPU side by side; see `Classifier`.

        There an epoch may take less time than a checkpoint: one is written where the
        last is older than `CHECKPOINT_SECONDS`.
        """
        if len(requests) < 2 or not self._side_by_side:
            yield from super().fit_group(requests, should_stop)
            return
        if self._group is None or len(self._group) < len(requests):
            self._group = FoldGroup(
                self._settings, self._cells, self._n_patterns, len(requests)
            )
        yield from self._fit_side_by_side(self._group, requests, should_stop)

    def _fit_side_by_side(
        self,
        group: FoldGroup,
        requests: Sequence[FitRequest],
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[int, Step]]:
        members = [
            Member(self._begin(one.folder, one.seed), one.train, one.test, one.seed)
            for one in requests
        ]
        written = dict.fromkeys(range(len(members)), time.monotonic())
        for number, step in group.fit(members, should_stop):
            state, folder = members[number].state, requests[number].folder
            due = time.monotonic() - written[number] > CHECKPOINT_SECONDS
            if due and folder is not None and isinstance(step, EpochRecord):
                save_checkpoint(folder, state)
                written[number] = time.monotonic()
            yield number, step
            if state.epoch == self._settings.epochs:
                yield number, held_out_vote(state)

    def _begin(self, folder: Path | None, seed: int) -> FitState:
        state = begin(self._settings, self._n_patterns, seed)
        if folder is not None:
            load_checkpoint(folder, state)
        return state
