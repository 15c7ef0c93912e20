"""Where folds run: in this process, or in local workers.

Folds are independent and idempotent: a finished one is not trained again, a started one
goes on from its checkpoint. Each worker process trains one fold with one thread and
ends; should it die, its fold alone is tried again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from training.checkpoints import FoldResult, write_result
from training.classifiers.base import Classifier, Samples
from training.config import ClassifierSettings, NetworkSettings, TrainingSetSettings
from training.data.cells import CellSet
from training.data.packed_cells import read_cell_set
from training.errors import Hep2Error, InterruptedRunError
from training.fitting import (
    ResidentCells,
    begin,
    choose_device,
    fit,
    interrupted,
)
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
        Training stops when it exists.
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


def default_workers(device: str) -> int:
    """Return how many processes train at once: one a core on a CPU, one on a GPU."""
    if choose_device(device).type != "cpu":
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def measure_speed(
    network: NetworkSettings, n_patterns: int, device: str, seconds: float = 1.0
) -> float:
    """Return the training images per second of one process of one thread, now.

    Parameters
    ----------
    network
        The recipe that is timed, on noise.
    n_patterns
        Length of the vocabulary.
    device
        Where it is timed.
    seconds
        About how long.
    """
    shape = (network.batch_size, network.input_size, network.input_size)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    patterns = np.arange(network.batch_size) % n_patterns
    cells = ResidentCells.place(images, patterns, choose_device(device))
    one_epoch = network.model_copy(update={"epochs": 1000, "vote_epochs": 1})
    rows = np.arange(network.batch_size)
    state, samples = begin(one_epoch, n_patterns, 0), Samples.plain(rows)
    records = fit(state, cells, samples, one_epoch, seed=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        next(records)
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            next(records)
            steps += 1
        return steps * network.batch_size / (time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)


def run_tasks(tasks: Sequence[FoldTask], workers: int) -> Iterator[Event]:
    """Train folds and yield their events as they come.

    Parameters
    ----------
    tasks
        Unfinished folds.
    workers
        1 trains in this process, more in as many processes of one thread each.

    Yields
    ------
    event
        ``fold-started``, ``epoch``, ``fold-done`` and ``fold-failed``.

    Raises
    ------
    InterruptedRunError
        If the stop file appeared; every worker has ended by then.
    """
    if not tasks:
        return
    if workers == 1 or len(tasks) < 2:
        for cells, classifier, task in _bind(tasks):
            yield from train_fold(task, cells, classifier)
        return
    yield from _Pool(tasks, min(workers, len(tasks))).run()


def train_fold(
    task: FoldTask,
    cells: CellSet,
    classifier: Classifier,
    parent_alive: Callable[[], bool] = lambda: True,
) -> Iterator[Event]:
    """Train one fold from where it was left, or from the start, to its result.

    Raises
    ------
    InterruptedRunError
        If the stop file appeared or the parent died.
    """
    name, test = task.fold.name, task.fold.test
    train = choose_samples(cells, task.fold.train, task.training_set, task.draw_seed)
    fitting = classifier.fit(
        train,
        test,
        seed=task.seed,
        folder=task.folder,
        should_stop=lambda: task.stop_file.exists() or not parent_alive(),
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
        yield {"kind": "fold-failed", "fold": name, "message": str(fault)}
        return
    scores = held_out.scores
    write_result(
        task.folder, FoldResult(test, scores, held_out.disagreement, tuple(history))
    )
    right = int((scores.argmax(1) == cells.patterns[test]).sum())
    yield {"kind": "fold-done", "fold": name, "n": len(test), "correct": right}


def _bind(
    tasks: Sequence[FoldTask],
) -> Iterator[tuple[CellSet, Classifier, FoldTask]]:
    """Yield each task with its cells and classifier, which are made once."""
    cells = read_cell_set(tasks[0].cells)
    classifier = build_classifier(tasks[0].classifier, cells, tasks[0].device)
    for task in tasks:
        yield cells, classifier, task


def _work(task: FoldTask, pipe: Connection) -> None:
    """Train one fold in a process of its own and send its events."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    alive = parent.is_alive if parent is not None else lambda: True
    try:
        for cells, classifier, _ in _bind([task]):
            for event in train_fold(task, cells, classifier, alive):
                pipe.send(event)
    except InterruptedRunError:
        pipe.send({"kind": "interrupted"})
    except Hep2Error as fault:
        name = task.fold.name
        pipe.send({"kind": "fold-failed", "fold": name, "message": str(fault)})
    except (BrokenPipeError, KeyboardInterrupt):
        return
    finally:
        pipe.close()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start children that Ctrl-C does not reach: their parent ends them in order."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool:
    """One process a fold, a few at a time."""

    def __init__(self, tasks: Sequence[FoldTask], workers: int) -> None:
        self.waiting = list(tasks)
        self.workers = workers
        self.deaths: Counter[str] = Counter()
        self.ended: set[str] = set()
        self.running: dict[Connection, tuple[FoldTask, SpawnProcess]] = {}
        self.interrupted = False
        self.context = multiprocessing.get_context("spawn")

    def run(self) -> Iterator[Event]:
        try:
            while self.running or (self.waiting and not self.interrupted):
                self._fill()
                for ready in wait(list(self.running)):
                    yield from self._receive(cast("Connection", ready))
        finally:
            self._end()
        if self.interrupted:
            raise interrupted()

    def _fill(self) -> None:
        while (
            self.waiting and len(self.running) < self.workers and not self.interrupted
        ):
            task = self.waiting.pop(0)
            receive, send = self.context.Pipe(duplex=False)
            process = self.context.Process(target=_work, args=(task, send), daemon=True)
            with _deaf_to_interrupts():
                process.start()
            send.close()
            self.running[receive] = (task, process)

    def _receive(self, pipe: Connection) -> Iterator[Event]:
        task, process = self.running[pipe]
        try:
            event: Event = pipe.recv()
        except (EOFError, OSError):
            del self.running[pipe]
            pipe.close()
            process.join()
            yield from self._judge_end(task, process.exitcode)
            return
        if event["kind"] == "interrupted":
            self.interrupted = True
            return
        if event["kind"] in ("fold-done", "fold-failed"):
            self.ended.add(task.fold.name)
        yield event

    def _judge_end(self, task: FoldTask, code: int | None) -> Iterator[Event]:
        """Try a fold again whose worker died; after some attempts give it up."""
        name = task.fold.name
        if name in self.ended or self.interrupted:
            return
        self.deaths[name] += 1
        if self.deaths[name] < ATTEMPTS:
            self.waiting.insert(0, task)
            return
        message = f"its worker died {ATTEMPTS} times (exit code {code})"
        yield {"kind": "fold-failed", "fold": name, "message": message}

    def _end(self) -> None:
        for pipe, (_, process) in self.running.items():
            process.terminate()
            process.join()
            pipe.close()
        self.running.clear()
