"""The state of a run, replayed from its events: for terminal, `status` and window.

Everything here is frozen, so that a view can tell by identity which fold changed. The
state is a pure function of the events of ``RUN/events.jsonl`` and of what is known of
the trainer's process; nothing here reads a file, a clock or a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from training.runs.events import (
    EpochDone,
    EpochProgress,
    Event,
    FoldDone,
    FoldFailed,
    FoldStarted,
    Measured,
    PlannedFold,
    RunDone,
    RunFailed,
    RunStarted,
    Stopped,
)
from training.runs.time_left import TimeLeft

Status = Literal[
    "starting", "running", "stopping", "stopped", "done", "failed", "vanished"
]
TileState = Literal["waiting", "running", "done", "failed"]
BUSY: frozenset[Status] = frozenset({"starting", "running", "stopping"})


@dataclass(frozen=True)
class EpochPoint:
    """One epoch of one fold; loss and accuracy (0 to 1) are of the training cells."""

    epoch: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class FoldState:
    """One fold: a held-out specimen (or group) and how far its training is.

    Attributes
    ----------
    specimens, patterns
        The held-out specimens and the patterns of their cells.
    n_train, n_test
        Cells to train on and held-out cells.
    curve
        Epochs so far, ascending without repetition.
    kept
        Epochs of the checkpoint that its training last went on from.
    begun
        The part of the epoch under way that is done, 0 to 1.
    n, correct
        Held-out cells scored and those scored right; None before the fold is done.
    message
        Why the fold failed.
    """

    name: str
    specimens: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    n_train: int = 0
    n_test: int = 0
    status: TileState = "waiting"
    curve: tuple[EpochPoint, ...] = ()
    kept: int = 0
    begun: float = 0.0
    n: int | None = None
    correct: int | None = None
    message: str = ""

    @property
    def accuracy(self) -> float | None:
        """Share of the held-out cells scored right (0 to 1), or None."""
        if not self.n or self.correct is None:
            return None
        return self.correct / self.n

    @property
    def epochs_done(self) -> float:
        """Epochs done, and the part of the one under way."""
        return (self.curve[-1].epoch if self.curve else self.kept) + self.begun

    def share(self, epochs: int) -> float:
        """Share of the fold's work that is done, 0 to 1."""
        if self.status == "done":
            return 1.0
        return min(self.epochs_done / epochs, 1.0) if epochs else 0.0


@dataclass(frozen=True)
class Metrics:
    """Measured on the pooled held-out cells of the folds done so far.

    Attributes
    ----------
    mean_class_accuracy
        0 to 1, or None while a pattern has no held-out cell.
    interval
        95 % interval over specimens, or None.
    rates
        Share of right cells of each pattern, None where it has no cell.
    specimens
        Number of held-out specimens of each pattern.
    confusion
        K rows of K counts; rows are the truth.
    """

    n: int = 0
    mean_class_accuracy: float | None = None
    interval: tuple[float, float] | None = None
    rates: Mapping[str, float | None] = field(default_factory=dict)
    specimens: Mapping[str, int] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class RunState:
    """A run as it is shown.

    Attributes
    ----------
    cells, source, notes
        What the run trains on, and what its reader should know of it.
    folds
        By name, in the order of the run.
    left
        From which the time left is told.
    """

    status: Status = "starting"
    experiment: str = ""
    protocol: str = ""
    leaky: bool = False
    epochs: int = 0
    patterns: tuple[str, ...] = ()
    device: str = ""
    workers: int = 1
    cells: int | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    folds: Mapping[str, FoldState] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    message: str = ""
    seconds: float | None = None
    left: TimeLeft = field(default_factory=TimeLeft)

    @property
    def title(self) -> str:
        """Experiment and protocol, e.g. ``set-1, loso, 83 folds``."""
        if not self.experiment:
            return ""
        cells = "" if self.cells is None else f", {self.cells:,} cells"
        return f"{self.experiment}, {self.protocol}, {len(self.folds)} folds{cells}"

    def count(self, status: TileState) -> int:
        """Return the number of folds whose tile is `status`."""
        return sum(fold.status == status for fold in self.folds.values())

    @property
    def epochs_done(self) -> int:
        """Whole epochs done, of all folds."""
        return sum(
            self.epochs if fold.status == "done" else int(fold.epochs_done)
            for fold in self.folds.values()
        )

    @property
    def work_done(self) -> float:
        """Folds' worth of work done; a failed fold is neither done nor to do."""
        return sum(
            fold.share(self.epochs)
            for fold in self.folds.values()
            if fold.status != "failed"
        )

    def seconds_left(self, now: float) -> float | None:
        """Return how long a running run still takes; None before any pace is known.

        Parameters
        ----------
        now
            Seconds since 1970.
        """
        return self.left.seconds_left(now) if self.status == "running" else None


def replay(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Return the state of a run after some events.

    Parameters
    ----------
    events
        As `training.runs.events.parse_event` returns them. One of an unknown kind, or
        of a fold that the run never started with, changes nothing.
    state
        Before them; None is that of a run without events.
    """
    state = state or RunState()
    for event in events:
        handler = _HANDLERS.get(event["kind"])
        fold = event.get("fold")
        if handler is not None and (fold is None or fold in state.folds):
            state = replace(handler(state, event), left=state.left.after(event))
    return state


def observe(
    state: RunState,
    *,
    alive: bool,
    stop_asked: bool,
    last_words: str = "",
) -> RunState:
    """Return the state corrected by what is known of the trainer's process.

    Only call it with ``alive=False`` when every event has been applied: a trainer that
    has ended by itself has said so in its last event.

    Parameters
    ----------
    alive
        Whether the trainer's process runs.
    stop_asked
        Whether somebody asked it to stop.
    last_words
        The last line of its log, shown where it ended without a message in its events.
    """
    if alive:
        if state.status == "vanished":
            return _with_status(state, "running")
        if stop_asked and state.status in {"starting", "running"}:
            return _with_status(state, "stopping")
        return state
    if state.status not in BUSY:
        return state
    if stop_asked:
        return _with_status(_pause_folds(state), "stopped")
    if state.status == "starting":
        return _with_status(state, "failed", last_words)
    return _with_status(_pause_folds(state), "vanished", last_words)


def _with_status(state: RunState, status: Status, message: str = "") -> RunState:
    return replace(state, status=status, message=message)


def _with_fold(state: RunState, fold: FoldState) -> RunState:
    return replace(state, folds={**state.folds, fold.name: fold})


def _pause_folds(state: RunState) -> RunState:
    paused = {
        fold.name: replace(fold, status="waiting", begun=0.0)
        for fold in state.folds.values()
        if fold.status == "running"
    }
    return replace(state, folds={**state.folds, **paused})


def _run_started(state: RunState, event: RunStarted) -> RunState:
    folds = [_planned_fold(state, row) for row in event["folds"]]
    return replace(
        state,
        status="running",
        experiment=event["experiment"],
        protocol=event["protocol"],
        leaky=event["leaky"],
        epochs=event["epochs"],
        patterns=tuple(event["patterns"]),
        device=event["device"],
        workers=event["workers"],
        cells=event.get("cells"),
        source=event.get("source", ""),
        notes=tuple(event.get("notes", ())),
        folds={fold.name: fold for fold in folds},
        message="",
        seconds=None,
    )


def _planned_fold(state: RunState, row: PlannedFold) -> FoldState:
    known = state.folds.get(row["name"], FoldState(row["name"]))
    return replace(
        known,
        specimens=tuple(row["specimens"]),
        patterns=tuple(row["patterns"]),
        n_train=row["n_train"],
        n_test=row["n_test"],
        status="done" if row["done"] else "waiting",
        begun=0.0,
        message="",
    )


def _fold_started(state: RunState, event: FoldStarted) -> RunState:
    fold = state.folds[event["fold"]]
    curve = tuple(point for point in fold.curve if point.epoch <= event["epoch"])
    started = replace(fold, status="running", curve=curve, begun=0.0, message="")
    return _with_fold(state, replace(started, kept=event["epoch"]))


def _progress(state: RunState, event: EpochProgress) -> RunState:
    fold = state.folds[event["fold"]]
    return _with_fold(state, replace(fold, status="running", begun=event["share"]))


def _epoch(state: RunState, event: EpochDone) -> RunState:
    fold = state.folds[event["fold"]]
    point = EpochPoint(event["epoch"], event["loss"], event["accuracy"])
    curve = fold.curve
    if curve and curve[-1].epoch >= point.epoch:
        curve = tuple(old for old in curve if old.epoch < point.epoch)
    curve = (*curve, point)
    return _with_fold(state, replace(fold, status="running", curve=curve, begun=0.0))


def _fold_done(state: RunState, event: FoldDone) -> RunState:
    fold = state.folds[event["fold"]]
    done = replace(
        fold, status="done", n=event["n"], correct=event["correct"], message=""
    )
    return _with_fold(state, done)


def _fold_failed(state: RunState, event: FoldFailed) -> RunState:
    fold = state.folds[event["fold"]]
    return _with_fold(state, replace(fold, status="failed", message=event["message"]))


def _metrics(state: RunState, event: Measured) -> RunState:
    interval = event["interval"]
    metrics = Metrics(
        n=event["n"],
        mean_class_accuracy=event["mean_class_accuracy"],
        interval=None if interval is None else (interval[0], interval[1]),
        rates=event["rates"],
        specimens=event["specimens"],
        confusion=tuple(map(tuple, event["confusion"])),
    )
    return replace(state, metrics=metrics)


def _stopped(state: RunState, _event: Stopped) -> RunState:
    return _with_status(_pause_folds(state), "stopped")


def _run_done(state: RunState, event: RunDone) -> RunState:
    return replace(state, status="done", seconds=event["seconds"], message="")


def _run_failed(state: RunState, event: RunFailed) -> RunState:
    return _with_status(_pause_folds(state), "failed", event["message"])


_HANDLERS: dict[str, Callable[[RunState, Any], RunState]] = {
    "run-started": _run_started,
    "fold-started": _fold_started,
    "progress": _progress,
    "epoch": _epoch,
    "fold-done": _fold_done,
    "fold-failed": _fold_failed,
    "metrics": _metrics,
    "stopped": _stopped,
    "run-done": _run_done,
    "run-failed": _run_failed,
}
