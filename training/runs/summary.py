"""A run in one line: when, of which experiment, how far, how accurate."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from training.errors import Hep2Error
from training.evaluation.intervals import Interval
from training.runs.figures import load_metrics
from training.runs.folder import RunFolder
from training.runs.replay import observe, replay


@dataclass(frozen=True)
class RunSummary:
    """A run beside others.

    Attributes
    ----------
    path
        The run folder.
    started
        When it was first started, or None where no event tells.
    experiment, protocol
        By name; '' where the configuration is damaged.
    state
        As `training.runs.replay.RunState` has its status, or ``damaged``.
    is_finished
        Whether it is done and has its results.
    folds_done, folds
        Counts.
    leaky
        Whether the protocol ignores specimens, so that the accuracy is optimistic.
    mean_class_accuracy
        Of a finished run, in 0..1, or None.
    interval
        95 % of it over specimens, or None.
    fault
        What is damaged, as a sentence, or ''.
    """

    path: Path
    started: datetime | None = None
    experiment: str = ""
    protocol: str = ""
    state: str = "damaged"
    is_finished: bool = False
    folds_done: int = 0
    folds: int = 0
    leaky: bool = False
    mean_class_accuracy: float | None = None
    interval: Interval | None = None
    fault: str = ""


def summarise_run(run: RunFolder) -> RunSummary:
    """Return a run in one line; a damaged one says what is wrong with it."""
    try:
        return _summary(run)
    except Hep2Error as fault:
        return RunSummary(run.path, fault=str(fault))


def _summary(run: RunFolder) -> RunSummary:
    events = run.events()
    alive = run.is_running()
    state = observe(replay(events), alive=alive, stop_asked=run.stop_file.exists())
    mean, interval = None, None
    finished = run.is_finished
    if finished:
        metrics, _ = load_metrics(run)
        known = math.isfinite(metrics.mean_class_accuracy)
        mean = metrics.mean_class_accuracy if known else None
        interval = metrics.interval
    return RunSummary(
        run.path,
        datetime.fromisoformat(events[0]["time"]) if events else None,
        state.experiment or run.config().experiment,
        state.protocol or run.config().protocol.protocol,
        state.status,
        finished,
        state.count("done"),
        len(state.folds),
        state.leaky,
        mean,
        interval,
    )


def newest_first(runs: list[RunSummary]) -> list[RunSummary]:
    """Return runs with the newest first, and those without a date last."""
    return sorted(runs, key=_moment, reverse=True)


def _moment(run: RunSummary) -> float:
    return run.started.timestamp() if run.started else 0.0


def summary_content(run: RunSummary) -> dict[str, Any]:
    """Return a run in one line as JSON content."""
    return asdict(run) | {
        "path": str(run.path),
        "started": run.started.isoformat() if run.started else None,
    }
