"""Effect of each change of a recipe: finished runs against a first one, paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.config import as_typed
from training.config.commands import command_line
from training.errors import BadRunError
from training.evaluation.comparison import (
    Comparison,
    comparison_content,
    together,
)
from training.evaluation.intervals import Interval, percent_range
from training.evaluation.metrics import Metrics, measure
from training.evaluation.predictions import Predictions
from training.evaluation.verdict import mean_log_score
from training.runs.deviations import changed_settings
from training.runs.figures import compare_runs
from training.runs.folder import RunConfig, RunFolder
from training.runs.predictions import read_predictions
from training.shown_words import shown

TOGETHER = (
    "p is of a sign-flip test over specimens, adjusted for all rows by Holm's method. "
    "Measure a row that was chosen for its figure here on folds that did not choose it."
)


@dataclass(frozen=True)
class ChangeRow:
    """One run beside the first of the table.

    Attributes
    ----------
    name
        Of the run folder.
    command
        That does the run again.
    metrics
        Track: strict. Pooled over all held-out cells.
    specimens_right, specimens
        Track: specimen. Whose highest mean log score is that of their pattern.
    difference
        This run less the first, on the same cells; None for the first.
    """

    name: str
    command: str
    metrics: Metrics
    specimens_right: int
    specimens: int
    difference: Comparison | None


def change_table(runs: Sequence[RunFolder]) -> list[ChangeRow]:
    """Measure finished runs of the same cells, each beside the first.

    Raises
    ------
    BadRunError
        If there are none, one is not finished, or they held out other cells.
    """
    if not runs:
        raise BadRunError("the table", "no run was given", "give finished runs")
    found = together([compare_runs(runs[0], run) for run in runs[1:]])
    return [_row(run, one) for run, one in zip(runs, [None, *found], strict=True)]


def _row(run: RunFolder, difference: Comparison | None) -> ChangeRow:
    said = read_predictions(run)
    count = len(said.patterns)
    metrics = measure(said.truth, said.predicted, said.specimens, count)
    right, specimens = _specimens_right(said)
    return ChangeRow(
        run.path.name,
        run_command(run.config()),
        metrics,
        right,
        specimens,
        difference,
    )


def _specimens_right(said: Predictions) -> tuple[int, int]:
    names = np.unique(said.specimens)
    right = 0
    for name in names:
        its = said.specimens == name
        pattern = np.bincount(said.truth[its]).argmax()
        right += int(mean_log_score(said.scores[its]).argmax() == pattern)
    return right, len(names)


def run_command(config: RunConfig) -> str:
    """Return the command of a run with DATA for its folder, shortest first."""
    extra = "EXTRA" if config.extra else ""
    changed = {key: as_typed(value) for key, value in changed_settings(config).items()}
    return command_line(
        "run", config.experiment, data="DATA", extra=extra, out="RUN", changed=changed
    )


def change_content(row: ChangeRow) -> dict[str, Any]:
    """Return a row as JSON content."""
    difference = row.difference
    return {
        "run": row.name,
        "command": row.command,
        "mean_class_accuracy": row.metrics.mean_class_accuracy,
        "interval": list(row.metrics.interval) if row.metrics.interval else None,
        "specimens_right": row.specimens_right,
        "specimens": row.specimens,
        "difference": None if difference is None else comparison_content(difference),
    }


def markdown_table(rows: Sequence[ChangeRow], patterns: Sequence[str]) -> str:
    """Return the table as Markdown; rates in per cent, differences in points.

    Parameters
    ----------
    rows
        As `change_table` returns them.
    patterns
        Their names, in the order of the vocabulary.
    """
    head = ["run", "mean class accuracy", "less the first", "p, Holm", *patterns]
    head += ["specimens right", "command"]
    lines = [head, ["---"] * len(head)]
    lines += [_cells(row) for row in rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
    return table if len(rows) == 1 else f"{table}\n{TOGETHER}\n"


def _cells(row: ChangeRow) -> list[str]:
    metrics = row.metrics
    told = f"{100 * metrics.mean_class_accuracy:.1f}"
    told += f" ({_range(metrics.interval)})"
    rates = ["" if np.isnan(r) else f"{100 * r:.0f}" for r in metrics.rates]
    right = f"{row.specimens_right} of {row.specimens}"
    p = "" if row.difference is None else f"{row.difference.p_holm:.3f}"
    return [
        shown(row.name),
        told,
        _difference(row),
        p,
        *rates,
        right,
        f"`{row.command}`",
    ]


def _difference(row: ChangeRow) -> str:
    if row.difference is None:
        return ""
    told = f"{100 * row.difference.difference:+.1f}"
    return f"{told} ({_range(row.difference.interval, '+')})"


def _range(interval: Interval | None, sign: str = "") -> str:
    return percent_range(interval, sign) if interval else "no interval"
