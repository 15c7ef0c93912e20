"""State of a run as seen from outside: folded from its events.

Everything here is frozen, so that a view can tell by identity which fold changed. The
state is a pure function of the events of ``RUN/events.jsonl`` and of what is known of
the trainer's process; nothing here reads a file, a clock or a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from training.runs.time_left import TimeLeft

Status = Literal[
    "starting", "running", "stopping", "stopped", "done", "failed", "vanished"
]
TileState = Literal["waiting", "running", "done", "failed"]
Event = Mapping[str, Any]

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
        return (self.curve[-1].epoch if self.curve else 0) + self.begun

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
class TrainerState:
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


def apply(state: TrainerState, event: Event) -> TrainerState:
    """Return the state after `event`; an unknown kind changes nothing.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the event does not hold what its kind promises.
    """
    handler = _HANDLERS.get(event["kind"])
    if handler is None:
        return state
    return replace(handler(state, event), left=state.left.after(event))


def apply_all(state: TrainerState, events: Iterable[Event]) -> tuple[TrainerState, int]:
    """Apply each event in turn; return the state and how many were unreadable."""
    bad = 0
    for event in events:
        try:
            state = apply(state, event)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            bad += 1
    return state, bad


def observe(
    state: TrainerState,
    *,
    alive: bool,
    stop_asked: bool,
    last_words: str = "",
) -> TrainerState:
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


def _with_status(
    state: TrainerState, status: Status, message: str = ""
) -> TrainerState:
    return replace(state, status=status, message=message)


def _with_fold(state: TrainerState, fold: FoldState) -> TrainerState:
    return replace(state, folds={**state.folds, fold.name: fold})


def _pause_folds(state: TrainerState) -> TrainerState:
    paused = {
        fold.name: replace(fold, status="waiting", begun=0.0)
        for fold in state.folds.values()
        if fold.status == "running"
    }
    return replace(state, folds={**state.folds, **paused})


def _run_started(state: TrainerState, event: Event) -> TrainerState:
    folds = [_planned_fold(state, row) for row in event["folds"]]
    return replace(
        state,
        status="running",
        experiment=str(event["experiment"]),
        protocol=str(event["protocol"]),
        leaky=bool(event["leaky"]),
        epochs=int(event["epochs"]),
        patterns=tuple(map(str, event["patterns"])),
        device=str(event["device"]),
        workers=int(event["workers"]),
        cells=None if event.get("cells") is None else int(event["cells"]),
        source=str(event.get("source", "")),
        notes=tuple(map(str, event.get("notes", ()))),
        folds={fold.name: fold for fold in folds},
        message="",
        seconds=None,
    )


def _planned_fold(state: TrainerState, row: Mapping[str, Any]) -> FoldState:
    name = str(row["name"])
    known = state.folds.get(name, FoldState(name))
    return replace(
        known,
        specimens=tuple(map(str, row["specimens"])),
        patterns=tuple(map(str, row["patterns"])),
        n_train=int(row["n_train"]),
        n_test=int(row["n_test"]),
        status="done" if row["done"] else "waiting",
        begun=0.0,
        message="",
    )


def _fold_started(state: TrainerState, event: Event) -> TrainerState:
    fold = state.folds[event["fold"]]
    kept = tuple(point for point in fold.curve if point.epoch <= int(event["epoch"]))
    started = replace(fold, status="running", curve=kept, begun=0.0, message="")
    return _with_fold(state, started)


def _progress(state: TrainerState, event: Event) -> TrainerState:
    fold = state.folds[event["fold"]]
    return _with_fold(
        state, replace(fold, status="running", begun=float(event["share"]))
    )


def _epoch(state: TrainerState, event: Event) -> TrainerState:
    fold = state.folds[event["fold"]]
    point = EpochPoint(
        int(event["epoch"]), float(event["loss"]), float(event["accuracy"])
    )
    curve = fold.curve
    if curve and curve[-1].epoch >= point.epoch:
        curve = tuple(old for old in curve if old.epoch < point.epoch)
    curve = (*curve, point)
    return _with_fold(state, replace(fold, status="running", curve=curve, begun=0.0))


def _fold_done(state: TrainerState, event: Event) -> TrainerState:
    fold = replace(
        state.folds[event["fold"]],
        status="done",
        n=int(event["n"]),
        correct=int(event["correct"]),
        message="",
    )
    return _with_fold(state, fold)


def _fold_failed(state: TrainerState, event: Event) -> TrainerState:
    fold = state.folds[event["fold"]]
    return _with_fold(
        state, replace(fold, status="failed", message=str(event["message"]))
    )


def _metrics(state: TrainerState, event: Event) -> TrainerState:
    mean, interval = event["mean_class_accuracy"], event["interval"]
    metrics = Metrics(
        n=int(event["n"]),
        mean_class_accuracy=None if mean is None else float(mean),
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        rates={
            str(name): None if rate is None else float(rate)
            for name, rate in event["rates"].items()
        },
        specimens={str(name): int(n) for name, n in event["specimens"].items()},
        confusion=tuple(tuple(map(int, row)) for row in event["confusion"]),
    )
    return replace(state, metrics=metrics)


def _stopped(state: TrainerState, _event: Event) -> TrainerState:
    return _with_status(_pause_folds(state), "stopped")


def _run_done(state: TrainerState, event: Event) -> TrainerState:
    return replace(state, status="done", seconds=float(event["seconds"]), message="")


def _run_failed(state: TrainerState, event: Event) -> TrainerState:
    return _with_status(_pause_folds(state), "failed", str(event["message"]))


_HANDLERS: dict[str, Callable[[TrainerState, Event], TrainerState]] = {
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
