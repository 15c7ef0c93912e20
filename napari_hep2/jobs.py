"""Long work as a plain generator, so that a thread, a loop or a test can drain it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from training.steps import Steps, drain

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """Progress of a job.

    Attributes
    ----------
    text
        What is being done, as the user reads it.
    share
        From 0 to 1, or None where it cannot be told.
    seen
        What can be shown already, or None.
    """

    text: str
    share: float | None = None
    seen: Any = None


Work = Steps[Progress, T]


@dataclass(frozen=True)
class Job:
    """Work for a thread and what is done with its result in the window's thread.

    Attributes
    ----------
    title
        Shown while the job runs.
    work
        Makes the generator; it must not touch the state.
    done
        Takes the result and writes the state; may give the job that comes next.
    protected
        Whether the job, once running, is finished before another one may start.
    opens
        Name of what the job brings on the screen, or '': such jobs have a lane of
        their own.
    apart
        Whether something else may be opened while the job runs.
    waits
        Whether the job waits for a protected one, and is not refused.
    seen
        Takes, in the window's thread, what a step has to show before the end.
    cancelled
        Called in the window's thread after the user cancelled the job.
    """

    title: str
    work: Callable[[], Work[Any]]
    done: Callable[[Any], Job | None]
    protected: bool = False
    opens: str = ""
    apart: bool = False
    waits: bool = False
    seen: Callable[[Any], None] | None = None
    cancelled: Callable[[], None] | None = None

    def show(self, progress: Progress) -> None:
        """Show what a step has to show."""
        if self.seen is not None and progress.seen is not None:
            self.seen(progress.seen)


def run_here(job: Job | None) -> None:
    """Run a job, and those that follow it, in the calling thread."""
    while job is not None:
        job = job.done(drain(_shown(job)))


def _shown(job: Job) -> Work[Any]:
    work = job.work()
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return end.value
        job.show(progress)
        yield progress


def reported(text: str, steps: Steps[float, T]) -> Work[T]:
    """Return steps that yield the share done as work that reports what it does."""
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        yield Progress(text, share)
