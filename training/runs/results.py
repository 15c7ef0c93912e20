"""Pooled results of the finished folds of a run, and their files."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.data.cells.cell_set import CellSet
from training.errors import BadRunError
from training.evaluation.calibration import calibration_content, measure_calibration
from training.evaluation.intervals import Interval
from training.evaluation.metrics import Metrics, measure
from training.runs.fold_result import (
    damaged_result,
    has_result,
    read_result,
)
from training.runs.folder import (
    CALIBRATION,
    CONFUSION,
    METRICS,
    RunFolder,
)
from training.runs.predictions import HeldOut, finished_file, write_predictions
from training.splits.protocols import PROTOCOLS, FoldPlan
from training.storage.csv_tables import csv_text
from training.storage.reading import read_json
from training.storage.writing import write_json, write_text


def pool_folds(run: RunFolder, plan: FoldPlan, n_patterns: int) -> HeldOut:
    """Pool the results of all finished folds, in the order of the plan.

    Raises
    ------
    BadRunError
        If a result is damaged, or is of other cells than its fold holds out.
    """
    results = {}
    for fold in plan.folds:
        folder = run.fold_folder(fold.name)
        if has_result(folder):
            results[fold.name] = read_result(folder, patterns=n_patterns)
            if not np.array_equal(results[fold.name].rows, fold.test):
                raise damaged_result(folder)
    if not results:
        nothing = np.zeros((0, n_patterns), np.float32)
        empty = np.zeros(0, np.float32)
        return HeldOut(np.zeros(0, np.int64), nothing, empty, np.zeros(0, "U1"), {})
    return HeldOut(
        np.concatenate([result.rows for result in results.values()]),
        np.concatenate([result.scores for result in results.values()]),
        np.concatenate([result.disagreement for result in results.values()]),
        np.repeat(list(results), [len(result.rows) for result in results.values()]),
        results,
    )


def measure_held_out(cells: CellSet, held_out: HeldOut) -> Metrics:
    """Measure the pooled held-out cells."""
    return measure(
        cells.patterns[held_out.rows],
        held_out.predicted,
        cells.specimens[held_out.rows],
        len(cells.vocabulary),
    )


def metrics_content(metrics: Metrics, names: tuple[str, ...]) -> dict[str, Any]:
    """Return metrics as JSON content; what was not tested is None."""
    return {
        "n": metrics.n,
        "mean_class_accuracy": _number(metrics.mean_class_accuracy),
        "interval": _pair(metrics.interval),
        "rate_intervals": dict(
            zip(names, map(_pair, metrics.rate_intervals), strict=True)
        ),
        "borrowed": [
            name for name, one in zip(names, metrics.borrowed, strict=True) if one
        ],
        "rates": dict(zip(names, map(_number, metrics.rates), strict=True)),
        "specimens": dict(zip(names, metrics.specimens.tolist(), strict=True)),
        "confusion": metrics.confusion.tolist(),
    }


def write_results(
    run: RunFolder, cells: CellSet, plan: FoldPlan, held_out: HeldOut
) -> Metrics:
    """Write `calibration.json`, `confusion.csv`, `predictions.csv`, `metrics.json`.

    Returns
    -------
    metrics
        As written.
    """
    metrics = measure_held_out(cells, held_out)
    names = cells.vocabulary.names
    content = {
        "protocol": plan.protocol,
        "leaky": plan.leaky,
        "folds": len(plan.folds),
        "folds_done": len(held_out.results),
        "patterns": list(names),
        **metrics_content(metrics, names),
    }
    calibration = measure_calibration(
        held_out.scores, cells.patterns[held_out.rows], cells.specimens[held_out.rows]
    )
    write_json(run.path / CALIBRATION, calibration_content(calibration))
    write_text(run.path / CONFUSION, confusion_table(metrics, names))
    write_predictions(run, cells, held_out)
    write_json(run.path / METRICS, content)
    return metrics


_Count = Annotated[int, Field(ge=0, lt=2**53)]


class MeasuredContent(BaseModel):
    """Contents of `metrics.json`; see `write_results`.

    Earlier versions wrote no intervals of rates, and a narrower one of the mean.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    protocol: str
    leaky: bool
    folds: _Count
    folds_done: _Count
    patterns: list[str]
    n: _Count
    mean_class_accuracy: float | None
    interval: tuple[float, float] | None
    rates: dict[str, float | None]
    rate_intervals: dict[str, tuple[float, float] | None] | None = None
    borrowed: list[str] = []
    specimens: dict[str, _Count]
    confusion: list[list[_Count]]

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        k = len(self.patterns)
        names = set(self.patterns)
        sizes = {len(names), len(self.confusion), *map(len, self.confusion)}
        if sizes != {k} or not names == self.rates.keys() == self.specimens.keys():
            raise ValueError("the figures are not of its patterns")
        if self.protocol not in PROTOCOLS:
            raise ValueError("there is no such protocol")
        return self


def read_metrics(run: RunFolder) -> dict[str, Any]:
    """Return the content of `metrics.json` of a finished run.

    Raises
    ------
    BadRunError
        If the run is not finished, or the file damaged.
    """
    path = finished_file(run, METRICS)
    try:
        content = MeasuredContent.model_validate(read_json(path))
    except (OSError, ValueError) as fault:
        raise BadRunError(path, "the file is damaged", "resume the run") from fault
    return content.model_dump(mode="json")


def confusion_table(metrics: Metrics, names: tuple[str, ...]) -> str:
    """Return the confusion as CSV with a header; rows are the truth."""
    table = [["truth", *names]]
    table += [
        [name, *map(str, row)]
        for name, row in zip(names, metrics.confusion, strict=True)
    ]
    return csv_text(table)


def _pair(interval: Interval | None) -> list[float] | None:
    return list(interval) if interval else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
