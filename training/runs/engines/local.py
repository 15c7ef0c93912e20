"""Folds on this machine: in this process, or in workers of it.

On a CPU each worker process trains one fold with one thread and ends; should it die,
its fold alone is tried again. On a GPU this process trains a group of folds side by
side.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import cast

import torch

from training.config import ClassifierSettings
from training.errors import EngineError, Hep2Error, InterruptedRunError
from training.models.networks.loop import interrupted
from training.runs.engines.base import (
    ATTEMPTS,
    FoldTask,
    Message,
    bind,
    default_workers,
    fold_failed,
    train_folds,
    trains_on_gpu,
    trains_side_by_side,
)
from training.storage.shown_paths import shown_fault


class LocalEngine:
    """Folds on this machine; see `training.runs.engines.base.Engine`.

    Parameters
    ----------
    device
        auto, cpu or cuda.
    workers
        How many folds train at once; 0 takes what `default_workers` says.
    classifier
        Which will be fitted.
    """

    def __init__(
        self, device: str, workers: int, classifier: ClassifierSettings
    ) -> None:
        self.workers = workers or default_workers(device, classifier)

    def check(self, run: Path, cells: Path) -> None:
        """Do nothing: workers see what this process sees."""

    def run(self, tasks: Sequence[FoldTask]) -> Iterator[Message]:
        """Train folds and yield their events."""
        yield from run_tasks(tasks, self.workers)

    def close(self) -> None:
        """Do nothing: `run` ends its workers."""


def run_tasks(tasks: Sequence[FoldTask], workers: int) -> Iterator[Message]:
    """Train folds and yield their events as they come.

    Parameters
    ----------
    tasks
        Unfinished folds.
    workers
        How many at once. On a CPU 1 trains in this process, more in as many processes;
        each fold has one thread, so that the number of workers and of cores changes no
        bit. On a GPU all train in this process.

    Yields
    ------
    event
        See `training.runs.engines.base.Engine.run`.

    Raises
    ------
    InterruptedRunError
        If the stop file appeared; every worker has ended by then.
    EngineError
        If the GPU's memory is too small for the cells.
    """
    if not tasks:
        return
    on_gpu = trains_on_gpu(tasks[0].device, tasks[0].classifier)
    if not on_gpu and workers > 1 and len(tasks) > 1:
        yield from _Pool(tasks, min(workers, len(tasks))).run()
        return
    with nullcontext() if on_gpu else _one_thread():
        yield from _here(tasks, workers)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one thread: more add up in another order, which gives other bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _here(tasks: Sequence[FoldTask], workers: int) -> Iterator[Message]:
    """Train folds in this process."""
    try:
        cells, classifier = bind(tasks[0])
    except torch.OutOfMemoryError as fault:
        raise EngineError(
            "the GPU",
            "it has no memory for the cells",
            "free some, or use --device cpu",
        ) from fault
    grouped = trains_side_by_side(tasks[0].device, tasks[0].classifier)
    size = workers if grouped else 1
    for start in range(0, len(tasks), size):
        yield from train_folds(tasks[start : start + size], cells, classifier)


def _work(task: FoldTask, pipe: Connection) -> None:
    """Train one fold in a process of its own and send its events."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    alive = parent.is_alive if parent is not None else lambda: True
    try:
        cells, classifier = bind(task)
        for event in train_folds([task], cells, classifier, alive):
            pipe.send(event)
    except InterruptedRunError:
        pipe.send({"kind": "interrupted"})
    except Hep2Error as fault:
        pipe.send(fold_failed(task.fold.name, shown_fault(fault)))
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
    # The first spawned process starts it, and starting it unblocks the signal.
    resource_tracker.ensure_running()
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

    def run(self) -> Iterator[Message]:
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

    def _receive(self, pipe: Connection) -> Iterator[Message]:
        task, process = self.running[pipe]
        try:
            event: Message = pipe.recv()
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

    def _judge_end(self, task: FoldTask, code: int | None) -> Iterator[Message]:
        """Try a fold again whose worker died; after some attempts give it up."""
        name = task.fold.name
        if name in self.ended or self.interrupted:
            return
        self.deaths[name] += 1
        if self.deaths[name] < ATTEMPTS:
            self.waiting.insert(0, task)
            return
        message = f"its worker died {ATTEMPTS} times (exit code {code})"
        yield fold_failed(name, message)

    def _end(self) -> None:
        for pipe, (_, process) in self.running.items():
            process.terminate()
            process.join()
            pipe.close()
        self.running.clear()
