"""What the command line draws: progress with time left, tables, JSON."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

if TYPE_CHECKING:
    from training.metrics import Metrics

console = Console(stderr=True)
"""Progress and notes go to stderr, so that stdout holds the answer alone."""

Event = dict[str, Any]


def print_metrics(metrics: "Metrics", patterns: list[str]) -> None:
    """Print the rate of each pattern and the mean class accuracy."""
    table = Table("pattern", "rate %", "cells", "specimens")
    for k, name in enumerate(patterns):
        cells = int(metrics.confusion[k].sum())
        rate = f"{100 * metrics.rates[k]:.1f}" if cells else "not tested"
        table.add_row(name, rate, str(cells), str(metrics.specimens[k]))
    Console().print(table)
    interval = ""
    if metrics.interval:
        low, high = (100 * bound for bound in metrics.interval)
        interval = f" (95 % over specimens: {low:.1f} to {high:.1f})"
    print(
        f"mean class accuracy {100 * metrics.mean_class_accuracy:.2f} %{interval}, "
        f"{metrics.n} held-out cells"
    )


@contextmanager
def run_progress() -> Iterator[Callable[[Event], None]]:
    """Yield a function that shows each event; the bar counts epochs of all folds."""
    with _bar() as bar:
        task = bar.add_task("training", total=None)
        total = 0
        started: set[str] = set()

        def show(event: Event) -> None:
            nonlocal total
            kind = event["kind"]
            if kind == "run-started":
                for note in event["notes"]:
                    bar.console.print(note, highlight=False)
                done = sum(fold["done"] for fold in event["folds"])
                total = event["epochs"] * (len(event["folds"]) - done)
                bar.update(task, total=total)
            elif kind == "fold-started":
                # What an earlier session trained is not ahead of this one; a fold
                # that starts anew after its worker died was counted already.
                if event["fold"] not in started:
                    total -= event["epoch"]
                started.add(event["fold"])
                bar.update(task, total=total)
            elif kind == "epoch":
                bar.update(task, advance=1, description=f"fold {event['fold']}")
            elif kind == "fold-failed":
                bar.console.print(f"fold {event['fold']} failed: {event['message']}")
            elif kind == "run-done" and event["folds_failed"]:
                bar.console.print(
                    f"{event['folds_failed']} folds failed and are not in the figures; "
                    "python -m training resume RUN tries them again",
                    highlight=False,
                )
            elif kind == "metrics":
                mca = 100 * event["mean_class_accuracy"]
                done = f"{event['folds_done']} of {event['folds']} folds"
                bar.console.print(f"{done}: mean class accuracy {mca:.2f} %")

        yield show


def progress(steps: Iterable[Any], total: int, unit: str) -> Iterator[Any]:
    """Yield each of `total` steps and draw how many are done and the time left."""
    with _bar() as bar:
        task = bar.add_task(unit, total=total)
        for step in steps:
            bar.advance(task)
            yield step


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        console=console,
    )


def tell(content: Any, as_json: bool) -> None:
    """Print an answer: JSON for machines, else a line a key."""
    if as_json:
        print(json.dumps(content, indent=2))
        return
    for key, value in content.items():
        shown = value if isinstance(value, (str, int, float)) else json.dumps(value)
        print(f"{key}: {shown}")
