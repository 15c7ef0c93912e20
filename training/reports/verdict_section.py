"""Specimens in the report of a run: track specimen, and apart transductive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from training.errors import BadRunError
from training.evaluation.calibration import Calibration, measure_calibration
from training.evaluation.intervals import percent_range
from training.evaluation.verdict import guarantee
from training.evaluation.verdict_figures import VerdictCalibration
from training.reports.pages import in_own_style, svg
from training.runs.folder import SPECIMENS, VERDICT, RunFolder
from training.runs.verdicts import read_verdict
from training.storage.csv_tables import plain_word


def specimen_section(run: RunFolder) -> dict[str, Any] | None:
    """Return the section *Specimens* of a report; None where no verdict was fitted.

    Raises
    ------
    BadRunError
        If `verdict.json` or `specimens.csv` is damaged.
    """
    fitted = read_verdict(run)
    if fitted is None or fitted.figures is None:
        return None
    table = _table(run, fitted)
    calibration = _calibration(table, fitted)
    wrong = table[table["leading"] != table["pattern"]]
    return {
        "sentences": verdict_sentences(fitted),
        "figure": specimen_figure(calibration),
        "wrong": [
            {
                **row,
                "percent": f"{100 * row['probability']:.0f}",
                "given": "" if row["verdict"] else row["withheld"],
            }
            for row in wrong.sort_values("probability", ascending=False).to_dict(
                "records"
            )
        ],
        "left_out": [
            {"pattern": name, **one.model_dump(), "percent": f"{100 * one.area:.0f}"}
            for name, one in fitted.left_out.items()
        ],
        "left_out_by": fitted.left_out_by,
        "transductive": transductive_sentence(fitted),
    }


def verdict_sentences(fitted: VerdictCalibration) -> list[str]:
    """Return the figures of the specimen track, a sentence each."""
    figures = fitted.figures
    if figures is None:
        return []
    n = figures.specimens
    asked = guarantee(fitted)
    if fitted.threshold is not None:
        asked += f"; this needs a probability of {fitted.threshold:.2f}"
    answered = f"{figures.answered} of {n} specimens are answered"
    if figures.risk_bound is not None:
        share = figures.answered_wrong / figures.answered
        answered += (
            f", {figures.answered_wrong} of them wrongly ({share:.1%}; one-sided 95 % "
            f"bound {figures.risk_bound:.1%})"
        )
    return [
        f"The leading pattern is right in {figures.right} of {n} specimens.",
        f"{asked[0].upper()}{asked[1:]}.",
        f"Judged without itself: {answered}.",
        (
            f"Withheld: {figures.too_few_cells} too few cells, "
            f"{figures.no_clear_pattern} no clear pattern, "
            f"{figures.not_one_of_these} not one of these patterns. "
            f"{figures.mixed} answered as mixed; the data name one pattern for each."
        ),
        (
            f"Brier score {figures.brier:.3f} ({figures.uncalibrated_brier:.3f} "
            f"before), log loss {figures.log_loss:.2f}, expected calibration error "
            f"{figures.expected_error:.1%}."
        ),
        (
            f"Temperature {fitted.temperature:.2f}, correlation between cells "
            f"{fitted.correlation:.2f}: any number of cells of a specimen counts as at "
            f"most {1 / max(fitted.correlation, 1e-3):.1f}."
        ),
    ]


def transductive_sentence(fitted: VerdictCalibration) -> str:
    """Return the figures of the transductive track in a sentence, or ''."""
    one = fitted.transductive
    if one is None:
        return ""
    strict = _percent(one.strict_mean_class_accuracy, one.strict_interval)
    beside = _percent(one.transductive_mean_class_accuracy, one.transductive_interval)
    return (
        f"Mean class accuracy of {one.cells:,} cells: {beside} where each is scored "
        f"beside the unlabelled cells of its specimen, {strict} by itself."
    )


@in_own_style
def specimen_figure(calibration: Calibration) -> str:
    """Return the reliability diagram and the risk over coverage of specimens."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    reliability, risk = figure.subplots(1, 2)
    filled = calibration.bin_n > 0
    confidence = 100 * calibration.bin_confidence[filled]
    right = 100 * calibration.bin_right[filled]
    count = calibration.bin_n[filled]
    reliability.plot([0, 100], [0, 100], color="#9aa5af", linewidth=1)
    reliability.scatter(confidence, right, s=10 + 12 * count, color="#0072b2")
    for x, y, n in zip(confidence, right, count, strict=True):
        reliability.annotate(
            str(n), (x, y), (6, -10), textcoords="offset points", fontsize=8
        )
    reliability.set(
        xlabel="probability of the leading pattern, %",
        ylabel="specimens right, %",
        xlim=(0, 104),
        ylim=(-4, 104),
    )
    risk.step(
        100 * calibration.coverage,
        100 * calibration.risk,
        where="post",
        color="#0072b2",
    )
    risk.set(xlabel="specimens answered, %", ylabel="wrong among them, %")
    risk.set(xlim=(0, 100), ylim=(0, None))
    return svg(figure)


def _table(run: RunFolder, fitted: VerdictCalibration) -> pd.DataFrame:
    path = run.path / SPECIMENS
    words = ("specimen", "pattern", "verdict", "leading", "withheld", "second")
    needed = {*words, "probability", "cells"}
    needed |= {f"probability_{name}" for name in fitted.patterns}
    try:
        table = pd.read_csv(
            path, dtype=dict.fromkeys(words, str), keep_default_na=False
        ).rename(columns=plain_word)
    except (OSError, ValueError) as fault:
        raise _stale(run) from fault
    if not needed <= set(table.columns):
        raise _stale(run)
    for name in words:
        table[name] = table[name].map(plain_word)
    if not {*table["pattern"], *table["leading"]} <= set(fitted.patterns):
        raise _stale(run)
    return table


def _stale(run: RunFolder) -> BadRunError:
    return BadRunError(
        run.path / SPECIMENS,
        f"the table is missing, damaged or does not fit {VERDICT}",
        f"write it again: hep2 verdicts {run.path}",
    )


def _calibration(table: pd.DataFrame, fitted: VerdictCalibration) -> Calibration:
    columns = [f"probability_{name}" for name in fitted.patterns]
    index: Mapping[str, int] = {name: k for k, name in enumerate(fitted.patterns)}
    scores = table[columns].to_numpy(np.float32)
    return measure_calibration(
        scores / scores.sum(axis=1, keepdims=True),
        table["pattern"].map(index).to_numpy().astype(np.int64),
        table["specimen"].to_numpy(np.str_),
    )


def _percent(share: float, interval: tuple[float, float] | None) -> str:
    text = f"{100 * share:.1f} %"
    if interval:
        text += f" (95 % over specimens {percent_range(interval)})"
    return text
