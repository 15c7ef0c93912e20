"""The page of two learning curves: one file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.evaluation.intervals import Interval, percent_range
from training.inference.cards import NOTICE
from training.reports.pages import in_own_style, render, svg
from training.runs.deviations import rerun_command
from training.splits.protocols import PROTOCOLS
from training.storage.writing import write_json, write_text
from training.studies.learning_curves import (
    CURVES,
    TITLES,
    CurveStudy,
    Floats,
    Point,
)

_COLOURS = {"specimens": "#0072b2", "cells": "#d55e00"}
_MARKERS = {"specimens": "o", "cells": "s"}
_OFFSETS = {"specimens": 0.985, "cells": 1.015}
"""Bars of both curves at one size stand side by side."""


def write_curves(out: Path, study: CurveStudy) -> Path:
    """Write `learning-curve.html` and `learning-curve.json`; return the page.

    Raises
    ------
    StorageError
        If they cannot be written.
    """
    content = study.content()
    write_json(out / "learning-curve.json", content)
    first = study.measured[0]
    config, description = first.config, first.run.description()
    versions = ", ".join(f"{k} {v}" for k, v in description["versions"].items())
    page = render(
        "learning_curve.html",
        {
            "experiment": config.experiment,
            "protocol": PROTOCOLS[config.protocol.protocol],
            "folds": config.protocol.folds,
            "notice": NOTICE,
            "simulated": study.simulated,
            "sentence": study.sentence(),
            "comparison": study.comparison(),
            "n": study.n,
            "held_out": study.held_out,
            "figure": curve_figure(study),
            "titles": TITLES,
            "rows": _rows(study),
            "runs": [
                {"path": one.run.path.name, "command": rerun_command(one.config)}
                for one in study.measured
            ],
            "provenance": (
                f"{versions}, Python {description['python']} on "
                f"{description['machine']}; data {description['data_fingerprint']}."
            ),
        },
    )
    path = out / "learning-curve.html"
    write_text(path, page)
    return path


def _rows(study: CurveStudy) -> list[dict[str, str]]:
    return [
        {
            "curve": TITLES[point.curve],
            "share": f"{100 * point.size:.0f}",
            "specimens": f"{point.specimens:.1f}",
            "cells": f"{point.cells:,.0f}",
            "each": f"{point.cells / point.specimens:.0f}",
            "runs": str(point.runs),
            "mca": f"{100 * point.mean_class_accuracy:.1f}",
            "interval": _range(point),
        }
        for point in study.points
    ]


def _range(point: Point) -> str:
    if point.interval is None:
        return "too few specimens"
    return percent_range(point.interval)


@in_own_style
def curve_figure(study: CurveStudy) -> str:
    """Return both curves with their intervals as one SVG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    shares = sorted({round(point.size, 2) for point in study.points})
    for curve in CURVES:
        points, fit = study.of(curve), study.fits[curve]
        x = np.array([point.size for point in points]) * _OFFSETS[curve]
        y = 100 * np.array([point.mean_class_accuracy for point in points])
        bounds = 100 * _ends([point.interval for point in points])
        colour = _COLOURS[curve]
        axes.errorbar(
            x,
            y,
            yerr=[y - bounds[0], bounds[1] - y],
            fmt=_MARKERS[curve],
            color=colour,
            capsize=3,
            label=TITLES[curve],
        )
        sizes = np.geomspace(shares[0], 2, 60)
        axes.plot(
            sizes, [100 * (1 - fit.error(size)) for size in sizes], "--", color=colour
        )
        band = _ends([fit.error_interval(size, study.total) for size in sizes])
        axes.fill_between(sizes, *100 * (1 - band), color=colour, alpha=0.1, lw=0)
    axes.axvline(1, color="#9aa5af", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([*shares, 2]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{100 * size:.0f} %" for size in (*shares, 2)])
    axes.set(xlabel="training set, as a share of what there is")
    axes.set(ylabel="mean class accuracy, %", ylim=(None, 100))
    axes.legend(loc="upper left", frameon=False)
    return svg(figure)


def _ends(intervals: Sequence[Interval | None]) -> Floats:
    """Return the lower and upper ends (2, n); nan where there is no interval."""
    return np.array([one or (np.nan, np.nan) for one in intervals]).T
