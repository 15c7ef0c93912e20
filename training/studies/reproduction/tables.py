"""The tables of a reproduction, as plain rows: ours beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation.calibration import Calibration, measure_calibration
from training.evaluation.comparison import Comparison, together
from training.evaluation.intervals import percent_range
from training.evaluation.metrics import Metrics, measure
from training.evaluation.predictions import Predictions
from training.paper import (
    SET3_CELLS,
    TASK1_CELLS,
    TASK2_AUGMENTED,
    TASK2_AUGMENTED_TOTAL,
    TASK2_CELLS,
    TASK2_TOTAL,
)
from training.patterns import I3A
from training.runs.deviations import paper_figure
from training.runs.execution import load_cells
from training.runs.experiments import EXPERIMENTS
from training.runs.figures import compare_runs
from training.runs.folder import RunConfig, RunFolder
from training.runs.predictions import read_predictions
from training.splits.protocols import PROTOCOLS
from training.splits.sampling import Composition, choose_samples, composition
from training.studies.reproduction.study import TRAINING_SETS


@dataclass(frozen=True)
class StudyRun:
    """A finished run of a study and what was measured in it.

    Attributes
    ----------
    seconds
        Wall time of all its sessions.
    """

    name: str
    run: RunFolder
    config: RunConfig
    predictions: Predictions
    metrics: Metrics
    calibration: Calibration
    seconds: float

    @property
    def leaky(self) -> bool:
        """Return whether its protocol ignores specimens."""
        return self.config.protocol.protocol == "k-fold"


def open_run(name: str, run: RunFolder) -> StudyRun:
    """Read a finished run and measure it.

    Raises
    ------
    BadRunError
        If its files are damaged.
    """
    said = read_predictions(run)
    return StudyRun(
        name,
        run,
        run.config(),
        said,
        measure(said.truth, said.predicted, said.specimens, len(said.patterns)),
        measure_calibration(said.scores, said.truth, said.specimens),
        sum(e["seconds"] for e in run.events() if e["kind"] == "run-done"),
    )


def result_row(one: StudyRun) -> dict[str, Any]:
    """Return the figures of a run, shares in per cent."""
    metrics, experiment = one.metrics, EXPERIMENTS[one.name]
    low, high = [100 * end for end in metrics.interval or ()] or (None, None)
    rates = zip(one.predictions.patterns, metrics.rates, strict=True)
    return {
        "experiment": one.name,
        "title": experiment.title,
        "protocol": one.config.protocol.protocol,
        "folds": one.run.state().count("done"),
        "mean_class_accuracy": 100 * metrics.mean_class_accuracy,
        "low": low,
        "high": high,
        "paper": paper_figure(one.config),
        "cells": metrics.n,
        "specimens": int(metrics.specimens.sum()),
        **{f"rate_{name}": 100 * rate for name, rate in rates},
        "expected_calibration_error": 100 * one.calibration.expected_error,
        "brier": one.calibration.brier,
        "risk_at_80": 100 * one.calibration.risk_at[0.8],
        "seconds": one.seconds,
    }


def optimism_gap(runs: Mapping[str, StudyRun]) -> dict[str, Any] | None:
    """Return k-fold less leave-specimens-out in per cent points, ours and the paper's.

    With the interval of the former, paired over specimens, which hold out the same
    cells either way.

    None where one of the two runs of set-1 is missing; the paper's where one of them is
    not of the recipe.
    """
    honest, leaky = runs.get("set-1"), runs.get("set-1-k-fold")
    if honest is None or leaky is None or honest.leaky:
        return None
    ours = compare_runs(honest.run, leaky.run)
    more, less = paper_figure(leaky.config), paper_figure(honest.config)
    paper = more - less if more is not None and less is not None else None
    interval = percent_range(ours.interval, "+") if ours.interval else ""
    return {"ours": 100 * ours.difference, "interval": interval, "paper": paper}


def compare_all(
    runs: Mapping[str, StudyRun], base: str
) -> list[tuple[str, Comparison]]:
    """Compare every specimen-honest run with one, over the same specimens.

    Returns
    -------
    rows
        (experiment, comparison, its p-value also adjusted for all rows); none where the
        base is missing or leaky.
    """
    if base not in runs or runs[base].leaky:
        return []
    names = [name for name in runs if name != base and not runs[name].leaky]
    found = [compare_runs(runs[base].run, runs[name].run) for name in names]
    return list(zip(names, together(found), strict=True))


def compositions(runs: Mapping[str, StudyRun]) -> dict[str, Composition]:
    """Return what each training set is made of, over all specimens.

    Those of the paper's table of training sets; runs that share one are counted once.
    """
    found: dict[str, Composition] = {}
    seen = set()
    for name in TRAINING_SETS:
        if name not in runs:
            continue
        one = runs[name]
        training_set = one.config.training_set
        key = (training_set, one.config.extra)
        if key in seen:
            continue
        seen.add(key)
        cells, _ = load_cells(one.config)
        everything = np.arange(len(cells))
        seed = one.config.protocol.seed
        found[name] = composition(
            cells, choose_samples(cells, everything, training_set, seed)
        )
    return found


def agreement(name: str, found: Composition) -> str:
    """Return whether a training set has the counts that the paper prints, in words.

    Returns
    -------
    verdict
        ``as printed``, ``differs``, or ``no printed counts``.
    """
    if found.patterns != I3A.names:
        return "no printed counts"
    expected = _printed(name)
    if expected is None:
        return "no printed counts"
    cells, extra, extra_total = expected
    own = found.samples - found.extra_samples
    right = [int(own[k]) == n for k, n in enumerate(cells) if n is not None]
    right += [
        int(found.extra_samples[k]) == n for k, n in enumerate(extra) if n is not None
    ]
    if extra_total is not None:
        right.append(int(found.extra_samples.sum()) == extra_total)
    if name == "set-3":
        right = [bool(np.array_equal(found.samples, SET3_CELLS))]
    return "as printed" if all(right) else "differs"


Counts = tuple[int | None, ...]


def _printed(name: str) -> tuple[Counts, Counts, int | None] | None:
    """Return the paper's own cells, extra samples by pattern, and their total."""
    task1, none = tuple(TASK1_CELLS.tolist()), (None,) * len(I3A)
    return {
        "set-1": (task1, none, None),
        "set-2": (tuple(8 * n for n in TASK1_CELLS.tolist()), none, None),
        "set-3": (none, none, None),
        "pooled": (task1, TASK2_CELLS, TASK2_TOTAL),
        "pooled-augmented": (task1, TASK2_AUGMENTED, TASK2_AUGMENTED_TOTAL),
    }.get(name)


def specimen_rows(
    runs: Mapping[str, StudyRun],
) -> list[tuple[str, str, int, dict[str, float]]]:
    """Return the share of right cells of each specimen in each specimen-honest run.

    Returns
    -------
    rows
        (specimen, pattern, cells, share by experiment), lowest mean share first.
    """
    table: dict[str, tuple[str, int, dict[str, float]]] = {}
    for name, one in runs.items():
        if one.leaky:
            continue
        said = one.predictions
        for specimen in np.unique(said.specimens):
            rows = said.specimens == specimen
            pattern = said.patterns[np.bincount(said.truth[rows]).argmax()]
            share = float((said.predicted[rows] == said.truth[rows]).mean())
            entry = table.setdefault(str(specimen), (pattern, int(rows.sum()), {}))
            entry[2][name] = share
    rows_found = [(s, pattern, n, shares) for s, (pattern, n, shares) in table.items()]
    return sorted(rows_found, key=lambda row: (np.mean(list(row[3].values())), row[0]))


def percent_rows(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return a confusion matrix in per cent of its rows; nan where a row is empty."""
    totals = confusion.sum(axis=1, keepdims=True)
    rows = np.full(confusion.shape, np.nan)
    np.divide(100.0 * confusion, totals, out=rows, where=totals > 0)
    return rows


def protocol_title(one: StudyRun) -> str:
    """Return the protocol of a run in words."""
    return PROTOCOLS[one.config.protocol.protocol].split(":")[0]
