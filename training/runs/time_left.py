"""Time left of a run: arithmetic on its events, for terminal and dock alike.

The unit of work is one training image met once: a fold has epochs x training cells of
it. What a worker needs for one is the pace, measured since the run was last started:
the time between two events of a fold, over what the fold got through between them. A
worker that ends a fold takes the next after a while (a process starts, reads the
cells), which is measured too. From both follows when the last fold ends, if each of
the waiting folds goes to the first worker that is free, as the engines do it.

Nothing here reads a clock, so that what it says at any moment of a run can be looked
up afterwards in its events.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from training.runs.events import (
    EpochDone,
    EpochProgress,
    Event,
    FoldDone,
    FoldFailed,
    FoldStarted,
    RunStarted,
)

HALF_LIFE = 120.0
"""After so many seconds what was measured weighs half.

Other work on the machine comes and goes. How the folds in training go on is best told
by the last minutes; for those that wait, an hour's work would be told badly by them, so
that for the pace of all the half-life grows with the session, to a quarter of it.
"""

SHARED_SECONDS = 30.0
"""As much as so many seconds of a fold's own weighs the pace of all for its rest.

Folds of one machine are alike, but the machines of a cluster, or a core that has other
work, are not.
"""

START_SECONDS = 5.0
"""The most that the start of a fold is taken for before one was measured.

Before the first fold other things are done that are not done again.
"""


@dataclass(frozen=True)
class FoldLeft:
    """A fold that is not done.

    Attributes
    ----------
    n_train
        Cells to train on.
    epochs
        Epochs to do, the one under way included.
    begun
        The part of that one that is done, 0 to 1.
    heard
        When it last told something, in seconds since 1970; 0 while it waits.
    seconds, images
        What it took and got through since it was started, older ones weighing less.
    """

    n_train: int
    epochs: int
    begun: float = 0.0
    heard: float = 0.0
    seconds: float = 0.0
    images: float = 0.0

    @property
    def work(self) -> float:
        """Training images that are ahead."""
        return (self.epochs - self.begun) * self.n_train

    def end(self, pace: float, now: float) -> float:
        """Return when a running fold ends where `pace` is that of all, in s/image.

        Where the clock was set back, what was heard later than `now` counts as now.
        """
        shared = SHARED_SECONDS / pace
        own = (self.seconds + SHARED_SECONDS) / (self.images + shared)
        return min(self.heard, now) + self.work * own


@dataclass(frozen=True)
class TimeLeft:
    """Work left in a run and the pace of its workers; folded from its events.

    Attributes
    ----------
    epochs
        Of each fold; 0 before the run has started.
    waiting, running
        Folds by name, in the order in which they are started.
    free
        Since when each idle worker is idle, in seconds since 1970.
    work
        Training images ahead of this session at its start.
    seconds, images
        What workers spent and got through in this session, older ones weighing less.
    began, heard
        When the run was last started, and when any fold last told something.
    start
        How long a worker needs between two folds, in seconds.
    starts
        How many of these were measured.
    """

    epochs: int = 0
    waiting: Mapping[str, FoldLeft] = field(default_factory=dict)
    running: Mapping[str, FoldLeft] = field(default_factory=dict)
    free: tuple[float, ...] = ()
    work: float = 0.0
    seconds: float = 0.0
    images: float = 0.0
    began: float = 0.0
    heard: float = 0.0
    start: float = START_SECONDS
    starts: int = 0

    @property
    def share(self) -> float:
        """Share of this session's work that is done, 0 to 1.

        A failed fold is no longer ahead.
        """
        folds = [*self.waiting.values(), *self.running.values()]
        ahead = sum(fold.work for fold in folds)
        return 1 - ahead / self.work if self.work else 0.0

    def after(self, event: Event) -> TimeLeft:
        """Return what is known after `event`; most kinds change nothing."""
        handler = _HANDLERS.get(event["kind"])
        return self if handler is None else handler(self, event)

    def seconds_left(self, now: float) -> float | None:
        """Return how long the folds still take; None while no pace is known.

        Parameters
        ----------
        now
            Seconds since 1970. Between events the answer runs down with it, and not
            below 0.
        """
        if not self.epochs:
            return None
        if not self.waiting and not self.running:
            return 0.0
        if not self.images or not self.seconds:
            return None
        pace = self.seconds / self.images
        # A fold that is overdue ends any moment.
        ends = [max(fold.end(pace, now), now) for fold in self.running.values()]
        ready = [*ends, *(min(since, now) for since in self.free)]
        heapq.heapify(ready)
        for fold in self.waiting.values():
            begins = max(ready[0] + self.start, now)
            ends.append(begins + fold.work * pace)
            heapq.heapreplace(ready, ends[-1])
        return max(ends) - now


def _less(folds: Mapping[str, FoldLeft], name: str) -> dict[str, FoldLeft]:
    return {other: fold for other, fold in folds.items() if other != name}


def _without(before: TimeLeft, name: str, now: float) -> TimeLeft:
    """Return what is ahead without a fold; its worker is free from now on."""
    if name in before.waiting:
        return replace(before, waiting=_less(before.waiting, name))
    if name not in before.running:
        return before
    running = _less(before.running, name)
    return replace(before, running=running, free=(*before.free, now))


def _moved(
    before: TimeLeft, name: str, now: float, epochs: int, begun: float = 0.0
) -> TimeLeft:
    """Return what is known after a running fold got on."""
    fold = before.running.get(name)
    if fold is None:
        return before
    ahead = replace(fold, epochs=epochs, begun=begun, heard=now)
    seconds, images = now - fold.heard, max(fold.work - ahead.work, 0.0)
    if seconds < 0:  # the clock was set back, which measures nothing
        seconds = images = 0.0
    kept = _kept(now - fold.heard, HALF_LIFE)
    moved = replace(
        ahead,
        seconds=kept * fold.seconds + seconds,
        images=kept * fold.images + images,
    )
    kept = _kept(now - before.heard, max(HALF_LIFE, (now - before.began) / 4))
    return replace(
        before,
        running={**before.running, name: moved},
        seconds=kept * before.seconds + seconds,
        images=kept * before.images + images,
        heard=now,
    )


def _kept(seconds: float, half_life: float) -> float:
    """Return how much of its weight a measurement keeps over a time."""
    return float(0.5 ** (max(seconds, 0.0) / half_life))


def _time(time: str) -> float:
    moment = datetime.fromisoformat(time)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _run_started(before: TimeLeft, event: RunStarted) -> TimeLeft:
    """Begin anew; how far folds were that the last session left is still known."""
    now, epochs = _time(event["time"]), event["epochs"]
    left = {**before.waiting, **before.running}
    waiting = {}
    for row in event["folds"]:
        if not row["done"]:
            name = row["name"]
            ahead = min(left[name].epochs, epochs) if name in left else epochs
            waiting[name] = FoldLeft(row["n_train"], ahead)
    work = sum(fold.work for fold in waiting.values())
    free = (now,) * max(min(event["workers"], len(event["folds"])), 1)
    return TimeLeft(
        epochs=epochs, waiting=waiting, free=free, work=work, began=now, heard=now
    )


def _fold_started(before: TimeLeft, event: FoldStarted) -> TimeLeft:
    """Put a fold on the worker that was idle longest, or again on its own."""
    name, now = event["fold"], _time(event["time"])
    known = before.running.get(name, before.waiting.get(name))
    if known is None:
        return before
    fold = replace(known, epochs=before.epochs - event["epoch"], begun=0.0)
    after = replace(before, running={**before.running, name: replace(fold, heard=now)})
    if name in before.running:
        return after
    return replace(
        _start_measured(after, now),
        waiting=_less(before.waiting, name),
        work=before.work + fold.work - known.work,
    )


def _start_measured(before: TimeLeft, now: float) -> TimeLeft:
    """Take a worker from the idle ones; learn how long it needed to start."""
    if not before.free:
        return before
    since, *free = sorted(before.free)
    seconds, starts = max(now - since, 0.0), before.starts
    if since > before.began:
        starts += 1
        start = (seconds + (starts - 1) * before.start) / starts
    else:
        start = before.start if starts else min(seconds, START_SECONDS)
    return replace(before, free=tuple(free), start=start, starts=starts)


def _progress(before: TimeLeft, event: EpochProgress) -> TimeLeft:
    ahead = before.epochs - event["epoch"] + 1
    begun = event["share"]
    return _moved(before, event["fold"], _time(event["time"]), ahead, begun)


def _epoch(before: TimeLeft, event: EpochDone) -> TimeLeft:
    ahead = before.epochs - event["epoch"]
    return _moved(before, event["fold"], _time(event["time"]), ahead)


def _fold_done(before: TimeLeft, event: FoldDone) -> TimeLeft:
    name, now = event["fold"], _time(event["time"])
    return _without(_moved(before, name, now, 0), name, now)


def _fold_failed(before: TimeLeft, event: FoldFailed) -> TimeLeft:
    return _without(before, event["fold"], _time(event["time"]))


_HANDLERS: dict[str, Callable[[TimeLeft, Any], TimeLeft]] = {
    "run-started": _run_started,
    "fold-started": _fold_started,
    "progress": _progress,
    "epoch": _epoch,
    "fold-done": _fold_done,
    "fold-failed": _fold_failed,
}
