"""A run in plain sentences: where it stands, what it measured, what to beware of."""

from __future__ import annotations

from datetime import datetime

from napari_hep2.trainer.process import StopStep
from napari_hep2.trainer.state import RunPair
from training.evaluation.comparison import comparison_words
from training.evaluation.intervals import percent_range
from training.runs.replay import Metrics, RunState
from training.runs.summary import RunSummary

LEAKY = (
    "This protocol ignores specimens: cells of one specimen are trained on and tested "
    "on, so the accuracy is optimistic."
)


def duration(seconds: float) -> str:
    """Return a time as a person says it, e.g. ``2 h 5 min``."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours / 24:.1f} days"


def status_sentence(state: RunState, step: StopStep | None = None) -> str:
    """Return the progress of a run as a sentence."""
    done, folds = state.count("done"), len(state.folds)
    so_far = f"{done} of {folds} folds are done"
    words = f" Last message: {state.message}" if state.message else ""
    sentences = {
        "starting": "The trainer is starting and reading the cells.",
        "running": f"{so_far}, {state.count('running')} in training.",
        "stopping": "The trainer is stopping; it ends within one batch.",
        "stopped": f"{so_far}. Resume continues from the last complete epoch.",
        "done": f"{so_far}{_in_time(state)}.",
        "failed": state.message or "The trainer has ended; its log gives the reason.",
        "vanished": (
            f"The trainer was killed or crashed; {so_far}. Resume continues from the "
            f"last complete epoch.{words}"
        ),
    }
    if state.status == "stopping" and step in {"terminated", "killed"}:
        return "The trainer did not stop and is being terminated."
    return sentences[state.status]


def _in_time(state: RunState) -> str:
    return f" in {duration(state.seconds)}" if state.seconds is not None else ""


def warnings(state: RunState, unreadable: int = 0) -> list[str]:
    """Return what the reader of the numbers must know."""
    told = [LEAKY] if state.leaky else []
    failed = state.count("failed")
    if failed:
        folds = "1 fold" if failed == 1 else f"{failed} folds"
        told.append(f"{folds} failed and not included, see the tiles with a cross.")
    if unreadable:
        lines = "1 line" if unreadable == 1 else f"{unreadable} lines"
        told.append(f"{lines} of the events could not be read and were skipped.")
    return [*told, *(f"{note.rstrip('.')}." for note in state.notes)]


def accuracy_sentence(metrics: Metrics) -> str:
    """Return the mean class accuracy with its interval and its basis."""
    specimens = sum(metrics.specimens.values())
    if not metrics.n:
        return "No fold is finished yet: there are no figures."
    rests = f"{metrics.n:,} held-out cells of {_specimens(specimens)}"
    if metrics.mean_class_accuracy is None:
        lacking = [name for name, rate in metrics.rates.items() if rate is None]
        names = ", ".join(lacking)
        return f"Not defined yet: no held-out cell of {names}; {rests} so far."
    interval = "too few specimens for an interval"
    if metrics.interval is not None:
        interval = f"95 % interval over specimens {percent_range(metrics.interval)} %"
    tested = sum(rate is not None for rate in metrics.rates.values())
    if tested < len(metrics.rates):
        rests += f", over {tested} of {len(metrics.rates)} patterns"
    return f"{interval}; {rests}."


def _specimens(n: int) -> str:
    return "1 specimen" if n == 1 else f"{n} specimens"


def run_columns(run: RunSummary) -> tuple[str, str, str, str]:
    """Return a run of a list: name, date, experiment, accuracy or how far it is."""
    day = ""
    if run.started is not None:
        local = run.started.astimezone()
        day = f"{local.day} {local:%b}"
        if local.year != datetime.now().astimezone().year:
            day += f" {local.year}"
    folds = f"{run.folds_done} of {run.folds} folds"
    how_far = f"{run.state}, {folds}" if run.folds else run.state
    mean = run.mean_class_accuracy
    if run.is_finished and mean is not None:
        how_far = f"{100 * mean:.1f}"
        if run.interval:
            low, high = run.interval
            how_far += f" ({100 * low:.0f} to {100 * high:.0f})"
        if run.leaky:
            how_far += ", optimistic"
    return run.path.name, day, run.experiment, how_far


def run_tip(run: RunSummary) -> str:
    """Return all that a row of the list stands for, one line each."""
    if run.fault:
        return run.fault
    when = f"{run.started.astimezone():%Y-%m-%d %H:%M}" if run.started else "no date"
    lines = [str(run.path), f"{run.experiment}, {run.protocol}, started {when}"]
    if run.mean_class_accuracy is not None:
        bounds = percent_range(run.interval) if run.interval else "too few specimens"
        mean = f"mean class accuracy {100 * run.mean_class_accuracy:.1f} %"
        lines.append(f"{mean}, 95 % over specimens: {bounds}")
    return "\n".join([*lines, *([LEAKY] if run.leaky else [])])


def pair_sentence(pair: RunPair) -> str:
    """Return the difference of two runs, with its interval and p-value."""
    return (
        f"{pair.second} less {pair.first}: {comparison_words(pair.difference)} of a "
        "sign-flip test over specimens, for this pair alone."
    )
