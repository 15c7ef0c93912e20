"""A network as a classifier: the training loop of a fold, with its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from training.config import NetworkSettings
from training.errors import EngineError, Hep2Error
from training.models.base import (
    Classifier,
    EpochRecord,
    Fit,
    FitRequest,
    HeldOutScores,
    Step,
)
from training.models.networks.checkpoints import load_checkpoint, save_checkpoint
from training.models.networks.devices import ResidentCells
from training.models.networks.loop import FitState, begin, fit, held_out_vote
from training.models.networks.parallel_folds import (
    FoldGroup,
    Member,
    can_train_together,
)
from training.splits.samples import Rows, Samples

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

        Raises
        ------
        EngineError
            If the GPU has no memory for it, in pieces either.
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
        try:
            for step in records:
                if folder is not None and isinstance(step, EpochRecord):
                    save_checkpoint(folder, state)
                yield step
        except torch.OutOfMemoryError as fault:
            raise EngineError(
                "the GPU",
                "it has no memory for a step of this network",
                "free some or use a smaller batch_size, then resume",
            ) from fault
        return held_out_vote(state)

    def fit_group(
        self,
        requests: Sequence[FitRequest],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, Step]]:
        """Do several fits: on a GPU side by side; see `Classifier`.

        There an epoch may take less time than a checkpoint: one is written where the
        last is older than `CHECKPOINT_SECONDS`. If the GPU has no memory for so many,
        they go on from their checkpoints, one after the other, as do all that follow.
        """
        left = dict(enumerate(requests))
        if len(requests) > 1 and self._side_by_side:
            try:
                for number, step in self._fit_side_by_side(requests, should_stop):
                    if isinstance(step, HeldOutScores | Hep2Error):
                        del left[number]
                    yield number, step
            except torch.OutOfMemoryError:
                self._group, self._side_by_side = None, False
        numbers = list(left)
        for place, step in super().fit_group(list(left.values()), should_stop):
            yield numbers[place], step

    def _fit_side_by_side(
        self, requests: Sequence[FitRequest], should_stop: Callable[[], bool]
    ) -> Iterator[tuple[int, Step]]:
        group = self._group
        if group is None or len(group) < len(requests):
            group = self._group = FoldGroup(
                self._settings, self._cells, self._n_patterns, len(requests)
            )
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
