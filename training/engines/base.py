"""What every engine shares: the task of a fold, its training, what an engine is.

Folds are independent and idempotent: a finished one is not trained again, a started one
goes on from its checkpoint, wherever it is tried.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from training.checkpoints import FoldResult, has_result, read_result, write_result
from training.classifiers.base import Classifier
from training.config import ClassifierSettings, TrainingSetSettings
from training.data.cells import CellSet
from training.data.packed_cells import read_cell_set
from training.errors import Hep2Error, InterruptedRunError
from training.fitting import choose_device
from training.protocols import Fold
from training.sampling import choose_samples
from training.systems import build_classifier

ATTEMPTS = 3
"""How often a fold is tried whose worker dies."""

Event = dict[str, Any]


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


class Engine(Protocol):
    """Where folds run. It decides when a number is known, never which number.

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

    def run(self, tasks: Sequence[FoldTask]) -> Iterator[Event]:
        """Train folds and yield their events as they come.

        Parameters
        ----------
        tasks
            Unfinished folds of one run.

        Yields
        ------
        event
            ``fold-started``, ``epoch``, ``fold-done`` and ``fold-failed``; of the last
            two one a fold.

        Raises
        ------
        InterruptedRunError
            If the stop file appeared.
        EngineError
            If the engine is lost.
        """

    def close(self) -> None:
        """Let go of what was opened; folds that still train are stopped."""


def default_workers(device: str) -> int:
    """Return how many processes train at once: one a core on a CPU, one on a GPU."""
    if choose_device(device).type != "cpu":
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def bind(
    tasks: Sequence[FoldTask],
) -> Iterator[tuple[CellSet, Classifier, FoldTask]]:
    """Yield each task with its cells and classifier, which are made once."""
    first = tasks[0]
    cells = read_cell_set(first.cells)
    cache = first.cells.parent
    classifier = build_classifier(first.classifier, cells, first.device, cache)
    for task in tasks:
        yield cells, classifier, task


def train_fold(
    task: FoldTask,
    cells: CellSet,
    classifier: Classifier,
    wanted: Callable[[], bool] = lambda: True,
) -> Iterator[Event]:
    """Train one fold from where it was left, or from the start, to its result.

    A fold that has its result already is told as done, and not trained.

    Parameters
    ----------
    task, cells, classifier
        As `bind` yields them.
    wanted
        Asked often; training stops where somebody no longer wants it.

    Raises
    ------
    InterruptedRunError
        If the stop file appeared or the fold is no longer wanted.
    """
    name, test = task.fold.name, task.fold.test
    if has_result(task.folder):
        yield fold_done(name, cells, read_result(task.folder))
        return
    train = choose_samples(cells, task.fold.train, task.training_set, task.draw_seed)
    fitting = classifier.fit(
        train,
        test,
        seed=task.seed,
        folder=task.folder,
        should_stop=lambda: task.stop_file.exists() or not wanted(),
    )
    history = classifier.history(task.folder)
    yield {"kind": "fold-started", "fold": name, "epoch": len(history)}
    try:
        while True:
            record = next(fitting)
            history.append(record)
            yield {"kind": "epoch", "fold": name, **vars(record)}
    except StopIteration as end:
        held_out = end.value
    except InterruptedRunError:
        raise
    except Hep2Error as fault:
        yield fold_failed(name, str(fault))
        return
    result = FoldResult(test, held_out.scores, held_out.disagreement, tuple(history))
    write_result(task.folder, result)
    yield fold_done(name, cells, result)


def fold_done(name: str, cells: CellSet, result: FoldResult) -> Event:
    """Return the event of a finished fold."""
    right = int((result.scores.argmax(1) == cells.patterns[result.rows]).sum())
    return {"kind": "fold-done", "fold": name, "n": len(result.rows), "correct": right}


def fold_failed(name: str, message: str) -> Event:
    """Return the event of a fold that is given up."""
    return {"kind": "fold-failed", "fold": name, "message": message}
