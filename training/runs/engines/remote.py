"""Folds that train elsewhere, followed from the run's process to their end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from training.errors import EngineError
from training.models.networks.loop import interrupted
from training.runs.engines.base import ATTEMPTS, FoldTask, Message, fold_failed
from training.runs.engines.spool import FoldJob, Spool, count_deaths, died
from training.runs.fold_result import has_result

POLL_SECONDS = 0.25
STOP_SECONDS = 30.0
"""How long a stop waits for workers to end a batch; they end later by themselves."""

SIGHT_SECONDS = 120.0
"""How long a result that is written may stay unseen: network folders are cached."""


class Job(Protocol):
    """A fold that was given to a cluster."""

    def done(self) -> bool:
        """Return whether it ended in any way."""

    def outcome(self) -> Message:
        """Return what `FoldJob` returned, or ``died`` with a `message`."""

    def cancel(self) -> None:
        """Cancel it, running or not."""


class Cluster(Protocol):
    """Interface of what takes jobs."""

    def room(self) -> int:
        """Return how many jobs may be under way at once, at least 1."""

    def submit(self, jobs: Sequence[FoldJob]) -> Sequence[Job]:
        """Give jobs to the cluster."""

    def fault(self, message: str) -> EngineError:
        """Return the fault for a cluster that cannot go on."""


class RemoteRun:
    """Gives folds to a cluster and yields their events.

    Parameters
    ----------
    cluster
        What takes them.
    spool
        Through which they tell what they do.
    tasks
        Unfinished folds of one run, with absolute paths.
    stop_seconds
        How long a stop waits for workers.
    """

    def __init__(
        self,
        cluster: Cluster,
        spool: Spool,
        tasks: Sequence[FoldTask],
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self.cluster = cluster
        self.spool = spool
        self.waiting = list(tasks)
        self.jobs: dict[str, tuple[FoldTask, Job]] = {}
        self.lost: Counter[str] = Counter()
        self.stop_file = tasks[0].stop_file
        self.stop_seconds = stop_seconds

    def run(self) -> Iterator[Message]:
        """Yield events until every fold has ended.

        See `training.runs.engines.base.Engine`.

        However it ends, the jobs are taken back and the spool goes: what still trains
        then stops.
        """
        try:
            while self.waiting or self.jobs:
                if self.stop_file.exists():
                    yield from self._wind_down()
                    raise interrupted()
                self._fill()
                yield from self._receive()
                if self.jobs:
                    time.sleep(POLL_SECONDS)
        finally:
            self._cancel(list(self.jobs))
            self.spool.remove()

    def _fill(self) -> None:
        free = self.cluster.room() - len(self.jobs) if self.waiting else 0
        if free <= 0:
            return
        some, self.waiting = self.waiting[:free], self.waiting[free:]
        jobs = [FoldJob(task, self.spool.path, ATTEMPTS) for task in some]
        for task, job in zip(some, self.cluster.submit(jobs), strict=True):
            self.jobs[task.folder.name] = (task, job)

    def _receive(self) -> Iterator[Message]:
        """Yield what came in: an attempt's last epochs before the end of its fold."""
        done = [name for name, (_, job) in self.jobs.items() if job.done()]
        yield from (e for e in self.spool.news() if e["kind"] in _TOLD)
        for name in done:
            task, job = self.jobs.pop(name)
            yield from self._judge(task, job.outcome())

    def _judge(self, task: FoldTask, outcome: Message) -> Iterator[Message]:
        kind = outcome["kind"]
        if kind == "unseen":
            raise self.cluster.fault(outcome["message"])
        if kind == "fold-done" and not _appears(task.folder):
            message = f"its result does not appear in {task.folder}"
            yield fold_failed(task.fold.name, message)
        elif kind in ("fold-done", "fold-failed"):
            yield outcome
        elif not self.stop_file.exists():
            yield from self._try_again(task, outcome.get("message", "no longer wanted"))

    def _try_again(self, task: FoldTask, how: str) -> Iterator[Message]:
        """Try a fold again whose worker died; after some attempts give it up."""
        name = task.folder.name
        self.lost[name] += 1
        deaths = max(self.lost[name], count_deaths(self.spool.path, name))
        if deaths >= ATTEMPTS:
            yield fold_failed(task.fold.name, died(deaths, how))
        else:
            self.waiting.insert(0, task)

    def _wind_down(self) -> Iterator[Message]:
        """Wait for the folds that train: each sees the stop file within a batch."""
        self.waiting.clear()
        self._cancel([name for name in self.jobs if not self.spool.started(name)])
        until = time.monotonic() + self.stop_seconds
        while self.jobs and time.monotonic() < until:
            yield from self._receive()
            time.sleep(POLL_SECONDS)

    def _cancel(self, names: list[str]) -> None:
        for name in names:
            self.jobs.pop(name)[1].cancel()


_TOLD = ("fold-started", "epoch", "progress")


def _appears(
    folder: Path,
    seconds: float = SIGHT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the result of a fold is seen here, as its worker sees it."""
    until = time.monotonic() + seconds
    while not has_result(folder):
        if time.monotonic() > until:
            return False
        sleep(POLL_SECONDS)
        # To list a folder makes a network file system look for what is new in it.
        if folder.is_dir():
            list(folder.iterdir())
    return True
