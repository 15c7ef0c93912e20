"""Common parts of the engines: the task of a fold, its training, the interface.

Folds are independent and idempotent: a finished one is not trained again, a started one
goes on from its checkpoint, wherever it is tried.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from training.config import (
    ClassifierSettings,
    KernelRidgeSettings,
    NetworkSettings,
    TrainingSetSettings,
)
from training.data.cells.cell_set import CellSet
from training.data.cells.loading import read_cell_set
from training.errors import BadRunError, Hep2Error, StorageError
from training.models.base import (
    Classifier,
    EpochRecord,
    FitRequest,
    HeldOutScores,
    Progress,
    Step,
)
from training.models.networks.devices import choose_device
from training.models.networks.parallel_folds import can_train_together
from training.runs.classifiers import build_classifier
from training.runs.fold_result import (
    FoldResult,
    begin_fold,
    has_result,
    read_origin,
    read_result,
    write_result,
)
from training.splits.protocols import Fold
from training.splits.sampling import choose_samples

_PACKAGES = ("napari-hep2", "torch", "numpy", "scikit-learn")
_DECIDING = ("recipe", "cells")

ATTEMPTS = 3
"""How often a fold is tried whose worker dies."""

Message = dict[str, Any]
"""What a worker reports of a fold: an event before the run gives it a time."""


@dataclass(frozen=True)
class FoldTask:
    """All that a worker needs to train one fold.

    Attributes
    ----------
    fold
        Rows to train and test on.
    folder
        Of the fold, in the run folder.
    cells
        Folder of the packed cell set, which workers memory-map.
    classifier, training_set
        What is fitted, and on which of the fold's training cells.
    seed
        Of this fold.
    draw_seed
        Of the draw of cells from specimens, the same in all folds.
    stop_file
        In the run folder; training stops when it exists.
    data
        Fingerprint of the cells.
    """

    fold: Fold
    folder: Path
    cells: Path
    classifier: ClassifierSettings
    training_set: TrainingSetSettings
    seed: int
    draw_seed: int
    device: str
    stop_file: Path
    data: str

    def origin(self) -> dict[str, str]:
        """Return hashes of all that decides its scores, and the versions that do."""
        settings = [
            self.classifier.model_dump(mode="json"),
            self.training_set.model_dump(mode="json"),
            [self.seed, self.draw_seed],
        ]
        rows = [part.tobytes() for part in (self.fold.train, self.fold.test)]
        return {
            "recipe": _hash(json.dumps(settings, sort_keys=True).encode()),
            "cells": _hash(self.data.encode(), *rows),
            "versions": own_versions(),
        }


def _hash(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def own_versions() -> str:
    """Return the versions that decide numbers; how torch was built is left out."""
    found = [f"{name} {version(name).partition('+')[0]}" for name in _PACKAGES]
    return ", ".join([f"Python {platform.python_version()}", *found])


def is_done(task: FoldTask) -> bool:
    """Return whether a fold is finished; folds of two recipes have no one figure.

    Raises
    ------
    BadRunError
        If it was trained by another recipe or on other cells than the task names.
    """
    found, wanted = read_origin(task.folder), task.origin()
    done = has_result(task.folder)
    if done and any(found.get(key, wanted[key]) != wanted[key] for key in _DECIDING):
        raise BadRunError(
            task.folder,
            "this fold was trained with other settings or cells than config.yaml names",
            "put config.yaml back, or delete this folder to train the fold again",
        )
    return done


def notes_on_origins(tasks: Sequence[FoldTask]) -> list[str]:
    """Return a sentence on finished folds of other versions than this process has."""
    own = own_versions()
    found = [read_origin(task.folder) for task in tasks if has_result(task.folder)]
    others = Counter(one.get("versions", "versions not recorded") for one in found)
    return [
        f"{count} finished folds were trained by {versions}"
        for versions, count in others.items()
        if versions != own
    ]


class Engine(Protocol):
    """Place where folds run. It decides when a result is known, never its value.

    Attributes
    ----------
    workers
        How many folds train at once, as far as is known now.
    """

    workers: int

    def check(self, run: Path, cells: Path) -> None:
        """Look whether workers see the run folder and the packed cells.

        Raises
        ------
        EngineError
            If one does not.
        """

    def run(self, tasks: Sequence[FoldTask]) -> Iterator[Message]:
        """Train folds and yield their events as they come.

        Parameters
        ----------
        tasks
            Unfinished folds of one run.

        Yields
        ------
        event
            ``fold-started``, with the epochs that its checkpoint holds as `history`,
            ``epoch``, ``progress``, ``fold-done`` and ``fold-failed``; of the last two
            one a fold.

        Raises
        ------
        InterruptedRunError
            If the stop file appeared.
        EngineError
            If the engine is lost.
        """

    def close(self) -> None:
        """Let go of what was opened; folds that still train are stopped."""


GROUP = 4
"""Folds that train at once on a GPU, unless told otherwise."""


def default_workers(device: str, classifier: ClassifierSettings) -> int:
    """Return how many folds train at once: one a core, or a group on a GPU.

    Those that are solved from common sums take less time than a process to start.
    """
    if isinstance(classifier, KernelRidgeSettings):
        return 1
    if trains_on_gpu(device, classifier):
        return GROUP if trains_side_by_side(device, classifier) else 1
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def trains_on_gpu(device: str, classifier: ClassifierSettings) -> bool:
    """Return whether a classifier is fitted there; feature systems use the CPU."""
    is_network = isinstance(classifier, NetworkSettings)
    return is_network and choose_device(device).type != "cpu"


def trains_side_by_side(device: str, classifier: ClassifierSettings) -> bool:
    """Return whether one process trains several folds at once, on a GPU."""
    return (
        isinstance(classifier, NetworkSettings)
        and trains_on_gpu(device, classifier)
        and can_train_together(classifier)
    )


def bind(task: FoldTask) -> tuple[CellSet, Classifier]:
    """Return the cells of a run and its classifier, which serve all of its folds."""
    cells = read_cell_set(task.cells)
    cache = task.cells.parent
    return cells, build_classifier(task.classifier, cells, task.device, cache)


def train_folds(
    tasks: Sequence[FoldTask],
    cells: CellSet,
    classifier: Classifier,
    wanted: Callable[[], bool] = lambda: True,
) -> Iterator[Message]:
    """Train folds from where they were left, or from the start, to their results.

    A fold that has its result already is told as done, and not trained.

    Parameters
    ----------
    tasks
        Of one run.
    cells, classifier
        As `bind` returns them.
    wanted
        Asked often; training stops where somebody no longer wants it.

    Raises
    ------
    InterruptedRunError
        If the stop file appeared or the folds are no longer wanted.
    """
    folds = []
    for task in tasks:
        if has_result(task.folder):
            result = read_result(task.folder, len(cells), len(cells.vocabulary))
            yield fold_done(task.fold.name, cells, result)
        else:
            try:
                folds.append(_FoldInTraining(task, cells, classifier))
            except StorageError as fault:
                yield fold_failed(task.fold.name, str(fault))
                continue
            yield folds[-1].started()
    if not folds:
        return
    stop_file = tasks[0].stop_file
    steps = classifier.fit_group(
        [fold.request() for fold in folds], lambda: stop_file.exists() or not wanted()
    )
    for number, step in steps:
        yield folds[number].tell(step)


class _FoldInTraining:
    """Turns the steps of a fit into events, and its end into a result."""

    def __init__(self, task: FoldTask, cells: CellSet, classifier: Classifier) -> None:
        self._task = task
        self._cells = cells
        begin_fold(task.folder, task.origin())
        self._history = classifier.history(task.folder)

    def request(self) -> FitRequest:
        task = self._task
        samples = choose_samples(
            self._cells, task.fold.train, task.training_set, task.draw_seed
        )
        return FitRequest(samples, task.fold.test, task.seed, task.folder)

    def started(self) -> Message:
        history = [vars(record) for record in self._history]
        return {
            "kind": "fold-started",
            "fold": self._task.fold.name,
            "epoch": len(history),
            "history": history,
        }

    def tell(self, step: Step) -> Message:
        name = self._task.fold.name
        match step:
            case EpochRecord():
                self._history = [*self._history[: step.epoch - 1], step]
                return {"kind": "epoch", "fold": name, **vars(step)}
            case Progress():
                return {"kind": "progress", "fold": name, **vars(step)}
            case HeldOutScores():
                return self._finish(step)
            case Hep2Error():
                return fold_failed(name, str(step))

    def _finish(self, held_out: HeldOutScores) -> Message:
        result = FoldResult(
            self._task.fold.test,
            held_out.scores,
            held_out.disagreement,
            tuple(self._history),
            held_out.chosen,
        )
        write_result(self._task.folder, result)
        return fold_done(self._task.fold.name, self._cells, result)


def fold_done(name: str, cells: CellSet, result: FoldResult) -> Message:
    """Return the event of a finished fold."""
    right = int((result.scores.argmax(1) == cells.patterns[result.rows]).sum())
    done = {"kind": "fold-done", "fold": name, "n": len(result.rows), "correct": right}
    return {**done, "chosen": dict(result.chosen)} if result.chosen else done


def fold_failed(name: str, message: str) -> Message:
    """Return the event of a fold that is given up."""
    return {"kind": "fold-failed", "fold": name, "message": message}
