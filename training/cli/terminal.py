"""Output of the command line: progress with time left, tables, JSON."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from training.runs.events import Event
from training.runs.replay import RunState, replay
from training.shown_words import shown

if TYPE_CHECKING:
    from training.evaluation.comparison import Comparison
    from training.evaluation.metrics import Metrics


class Screen(Console):
    """A terminal on which words are words: no markup in them, and no controls."""

    def render_str(self, text: str, **settings: Any) -> Text:
        """Return words as they are shown, in tables and lines alike."""
        plain = {"markup": False, "emoji": False, "highlight": False}
        return super().render_str(shown(text), **{**settings, **plain})


console = Screen(stderr=True)
"""Progress and notes go to stderr, so that stdout holds the answer alone."""


def show_line(words: object) -> None:
    """Print a line of the answer."""
    print(shown(words))


def show_table(table: Table) -> None:
    """Print a table of the answer."""
    Screen().print(table)


_AT_ONCE = 0.2
"""Seconds from the start in which steps were done before it."""


def remark(*sentences: str) -> None:
    """Print sentences beside the answer, each in one line."""
    for sentence in sentences:
        console.print(sentence, soft_wrap=True)


def print_metrics(metrics: "Metrics", patterns: list[str]) -> None:
    """Print the rate of each pattern and the mean class accuracy."""
    from training.evaluation.intervals import NEEDED, percent_range
    from training.evaluation.metrics import basis_words, borrowed_words

    table = Table("pattern", "rate %", "95 %", "cells", "specimens")
    for k, name in enumerate(patterns):
        cells = int(metrics.confusion[k].sum())
        rate = f"{100 * metrics.rates[k]:.1f}" if cells else "not tested"
        bounds = metrics.rate_intervals[k]
        words = percent_range(bounds) if bounds else ""
        table.add_row(name, rate, words, str(cells), str(metrics.specimens[k]))
    show_table(table)
    over = (
        f"95 % over specimens: {percent_range(metrics.interval)}"
        if metrics.interval
        else f"no interval: {NEEDED}"
    )
    tested = basis_words(metrics)
    show_line(
        f"mean class accuracy {100 * metrics.mean_class_accuracy:.2f} % ({over})"
        f"{tested and f', {tested}'}, {metrics.n} held-out cells"
    )
    if lone := borrowed_words(metrics, patterns):
        show_line(lone)


def print_comparison(title: str, one: "Comparison") -> None:
    """Print how much more or less a run recognises than another, and how sure."""
    from training.evaluation.comparison import comparison_words

    show_line(
        f"{title}: {comparison_words(one)}, {one.p_holm:.3f} adjusted for all that "
        "are compared here (Holm)"
    )


def print_results(rows: list[dict[str, str]]) -> None:
    """Print our figure of each experiment beside the paper's."""
    table = Table("experiment", "protocol", "ours %", "95 %", "paper %", "specimens")
    for row in rows:
        table.add_row(
            row["experiment"],
            row["protocol"],
            f"{float(row['mean_class_accuracy']):.2f}",
            _range(row),
            f"{float(row['paper']):.2f}" if row["paper"] else "-",
            row["specimens"],
        )
    show_table(table)


def _range(row: dict[str, str]) -> str:
    if not row["low"]:
        return "too few specimens"
    return f"{float(row['low']):.1f} to {float(row['high']):.1f}"


@contextmanager
def run_progress() -> Iterator[Callable[[Event], None]]:
    """Yield a function that shows each event of a run, or of one run after another.

    The bar is the share of the work that is done; beside it the epochs of all folds.
    """
    run = _RunBar()
    with run.bar:
        yield run.show


class _RunBar:
    """Moves a bar with the events of a run, and prints what has to be read."""

    def __init__(self) -> None:
        self._state = RunState()
        self.bar = _bar(TextColumn("{task.fields[epochs]} epochs"), _LeftColumn())
        self._task = self.bar.add_task(
            "training", total=None, epochs="0/0", left=self._state.left
        )

    def show(self, event: Event) -> None:
        if event["kind"] == "run-started":
            self._state = RunState()
            self.bar.reset(self._task, total=1.0)
        elif event["kind"] == "epoch" or event["kind"] == "progress":
            fold = shown(f"fold {event['fold']}")
            self.bar.update(self._task, description=fold)
        self._state = state = replay([event], self._state)
        self.bar.update(
            self._task,
            completed=state.left.share,
            epochs=f"{state.epochs_done}/{state.epochs * len(state.folds)}",
            left=state.left,
        )
        for sentence in _sentences(event):
            self.bar.console.print(sentence)


class _LeftColumn(ProgressColumn):
    """The time left, as hours, minutes and seconds."""

    def render(self, task: Task) -> Text:
        seconds = task.fields["left"].seconds_left(time.time())
        if seconds is None:
            return Text("-:--:--", style="progress.remaining")
        minutes, seconds = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}:{minutes:02}:{seconds:02}"
        return Text(text, style="progress.remaining")


def _sentences(event: Event) -> list[str]:
    """Return what a person should read of an event."""
    if event["kind"] == "run-started":
        return event.get("notes", [])
    if event["kind"] == "fold-failed":
        return [f"fold {event['fold']} failed: {event['message']}"]
    if event["kind"] == "run-failed":
        return [event["message"]]
    if event["kind"] == "run-done" and event.get("folds_failed"):
        failed = f"{event['folds_failed']} folds failed and are not in the figures"
        return [f"{failed}; hep2 resume RUN tries them again"]
    if event["kind"] == "metrics":
        done = f"{event['folds_done']} of {event['folds']} folds"
        mean = event["mean_class_accuracy"]
        return (
            [] if mean is None else [f"{done}: mean class accuracy {100 * mean:.2f} %"]
        )
    return []


def progress(steps: Iterable[Any], total: int, unit: str) -> Iterator[Any]:
    """Yield each of `total` steps and draw how many are done and the time left."""
    pace = Pace(total)
    with _bar(MofNCompleteColumn(), _LeftColumn()) as bar:
        task = bar.add_task(unit, total=total, left=pace)
        for step in steps:
            pace.count()
            bar.advance(task)
            yield step


class Pace:
    """Time left of some steps, by the mean of those that were waited for.

    Steps may come in pairs, and those of an earlier session come at once; these tell no
    pace.

    Parameters
    ----------
    total
        Number of steps.
    clock
        Seconds since some moment, as `seconds_left` is given them.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.time) -> None:
        self._total, self._clock = total, clock
        self._made = self._start = self._last = clock()
        self._kept = self._done = 0

    def count(self) -> None:
        """Note that a step is done."""
        self._done, self._last = self._done + 1, self._clock()
        if self._last - self._made < _AT_ONCE:
            self._kept, self._start = self._done, self._last

    def seconds_left(self, now: float) -> float | None:
        """Return the time left, or None before a step was waited for."""
        if self._done == self._kept:
            return None
        pace = (self._last - self._start) / (self._done - self._kept)
        return max(0.0, pace * (self._total - self._done) - (now - self._last))


def _bar(count: ProgressColumn, left: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        count,
        TimeElapsedColumn(),
        TextColumn("left"),
        left,
        console=console,
    )


def tell(content: Any, as_json: bool) -> None:
    """Print an answer: JSON for machines, else a line a key."""
    if as_json:
        print(json.dumps(content, indent=2))
        return
    for key, value in content.items():
        text = value if isinstance(value, (str, int, float)) else json.dumps(value)
        show_line(f"{key}: {text}")
