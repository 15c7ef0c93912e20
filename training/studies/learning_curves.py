"""More specimens, or more cells of each? Two learning curves over one held-out set.

One curve trains on a share of the specimens with all their cells, the other on all
specimens with a share of the cells of each. At one share both train on about as many
cells, so that the difference between them is what whole specimens are worth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import BadRunError
from training.evaluation.metrics import by_specimen, draw_within, drawn_rates
from training.runs.folder import RunFolder
from training.studies.measured_runs import (
    Measured,
    check_alike,
    is_simulated,
    measured_run,
)

Floats = npt.NDArray[np.float64]

CURVES = ("specimens", "cells")
TITLES = {
    "specimens": "a share of the specimens, all their cells",
    "cells": "all specimens, a share of the cells of each",
}

DRAWS = 2000
_ALIKE = 0.1
"""Training sets whose sizes differ by this share at most are compared."""

_LEAST_ERROR = 1e-4
"""An error of 0 has no logarithm; one cell in 10,000 is put in its place."""


@dataclass(frozen=True)
class Point:
    """Held-out accuracy at one size of the training set, runs of all seeds together.

    Attributes
    ----------
    curve : {'specimens', 'cells'}
    share
        Of what the curve varies, as it was asked for.
    size
        The same as it was drawn: specimens, or cells, as a share of those of the runs
        that trained on all.
    specimens, cells
        That a fold trained on, mean over folds and seeds.
    runs
        How many seeds.
    mean_class_accuracy
        In 0..1.
    interval
        95 % of a bootstrap over held-out specimens.
    draws : (DRAWS,) float64
        The same draws of specimens at all points.
    """

    curve: str
    share: float
    size: float
    specimens: float
    cells: float
    runs: int
    mean_class_accuracy: float
    interval: tuple[float, float]
    draws: Floats

    def content(self) -> dict[str, Any]:
        """Return it as JSON content."""
        return {
            "curve": self.curve,
            "share": self.share,
            "size": round(self.size, 4),
            "specimens": round(self.specimens, 2),
            "cells": round(self.cells, 1),
            "runs": self.runs,
            "mean_class_accuracy": self.mean_class_accuracy,
            "interval": list(self.interval),
        }


@dataclass(frozen=True)
class Fitted:
    """A power law through the points of a curve: error = scale * size ** -slope.

    Attributes
    ----------
    slope, scale
        Of the points as measured.
    slopes, scales : (DRAWS,) float64
        Of each draw of specimens.
    """

    slope: float
    scale: float
    slopes: Floats
    scales: Floats

    def error(self, size: float) -> float:
        """Return the error in 0..1 at a multiple of the full training set."""
        return min(1.0, self.scale * size**-self.slope)

    def errors(self, size: float) -> Floats:
        """Return (DRAWS,) errors at a multiple of the full training set."""
        return np.minimum(1.0, self.scales * size**-self.slopes)


@dataclass(frozen=True)
class CurveStudy:
    """Both curves with what follows from them.

    Attributes
    ----------
    points
        Of the curve of specimens, then of cells, each by size.
    fits
        By name of the curve.
    n, held_out
        Cells and specimens that were held out.
    measured
        The runs.
    simulated
        Whether the cells are simulated.
    """

    points: tuple[Point, ...]
    fits: dict[str, Fitted]
    n: int
    held_out: int
    measured: tuple[Measured, ...]
    simulated: bool

    def of(self, curve: str) -> list[Point]:
        """Return the points of a curve, smallest first."""
        return [point for point in self.points if point.curve == curve]

    def gain(self, curve: str) -> tuple[float, float, float]:
        """Return what twice as much is expected to buy: points in 0..1, low, high."""
        fit = self.fits[curve]
        low, high = np.percentile(fit.errors(1) - fit.errors(2), [2.5, 97.5])
        return fit.error(1) - fit.error(2), float(low), float(high)

    def difference(self) -> tuple[float, float, float]:
        """Return the gain of specimens less that of cells, low, high; in -1..1."""
        one, other = (self.fits[curve] for curve in CURVES)
        draws = one.errors(1) - one.errors(2) - other.errors(1) + other.errors(2)
        low, high = np.percentile(draws, [2.5, 97.5])
        value = self.gain("specimens")[0] - self.gain("cells")[0]
        return value, float(low), float(high)

    def sentence(self) -> str:
        """Return a sentence on which helps more."""
        _, low, high = self.difference()
        verdict = "the runs do not show which helps more"
        if low > 0:
            verdict = "more specimens help more than more cells of each"
        elif high < 0:
            verdict = "more cells of each specimen help more than more specimens"
        words = {c: _signed(self.gain(c)) for c in CURVES}
        return (
            f"{verdict[0].upper()}{verdict[1:]}: by the fitted curves twice the "
            f"specimens change the mean class accuracy by {words['specimens']}, "
            f"twice the cells of each by {words['cells']}, a difference of "
            f"{_signed(self.difference())}."
        )

    def comparison(self) -> str:
        """Return the measured difference where both curves train on as many cells."""
        pairs = [
            (one, other)
            for one, other in product(self.of("specimens"), self.of("cells"))
            if one.share < 1 and other.share < 1 and _as_large(one.cells, other.cells)
        ]
        if not pairs:
            return ""
        one, other = pairs[0]
        low, high = np.percentile(other.draws - one.draws, [2.5, 97.5])
        gain = other.mean_class_accuracy - one.mean_class_accuracy
        return (
            "Measured with about as many training cells: "
            f"{100 * one.mean_class_accuracy:.1f} % with {one.cells:,.0f} cells of "
            f"{one.specimens:.0f} specimens, {100 * other.mean_class_accuracy:.1f} % "
            f"with {other.cells:,.0f} cells of {other.specimens:.0f}, a "
            f"difference of {_signed((gain, float(low), float(high)))}."
        )

    def content(self) -> dict[str, Any]:
        """Return it as JSON content."""
        names = ("value", "low", "high")
        return {
            "sentence": self.sentence(),
            "comparison": self.comparison(),
            "simulated": self.simulated,
            "held_out_cells": self.n,
            "held_out_specimens": self.held_out,
            "points": [point.content() for point in self.points],
            "slopes": {curve: fit.slope for curve, fit in self.fits.items()},
            "gain_of_twice": {
                curve: dict(zip(names, self.gain(curve), strict=True))
                for curve in CURVES
            },
            "difference": dict(zip(names, self.difference(), strict=True)),
            "runs": [str(one.run.path) for one in self.measured],
        }


def study_runs(runs: Sequence[RunFolder]) -> CurveStudy:
    """Draw both curves through finished runs.

    Parameters
    ----------
    runs
        That differ in what share of the specimens or of the cells they train on, and
        in their seeds, and in nothing else.

    Raises
    ------
    BadRunError
        If a run is not finished, ignored specimens, differs in more, held out other
        cells, or a curve has fewer than two sizes.
    """
    return study_measured([measured_run(run) for run in runs])


def study_measured(runs: Sequence[Measured]) -> CurveStudy:
    """Draw both curves through runs that were read; see `study_runs`."""
    measured = tuple(runs)
    check_alike(measured)
    names, patterns, sums = _counts(measured)
    weights = draw_within(patterns, np.random.default_rng(0), DRAWS)
    points = []
    for curve in CURVES:
        its = _of_curve(measured, curve)
        if len(its) < 2 or 1.0 not in its:
            raise BadRunError(
                "the runs",
                f"they do not give a curve over {curve}",
                "give one that trained on all, one with --set specimen_share=0.5 and "
                "one with --set cell_share=0.5",
            )
        for share in sorted(its):
            points.append(_point(curve, share, its, sums, weights, measured))
    fits = {
        curve: _fit([point for point in points if point.curve == curve])
        for curve in CURVES
    }
    said = measured[0].said
    simulated = is_simulated(measured[0].run)
    return CurveStudy(
        tuple(points), fits, len(said.ids), len(names), measured, simulated
    )


def _of_curve(measured: Sequence[Measured], curve: str) -> dict[float, list[int]]:
    """Return the numbers of the runs of a curve, by what share they train on."""
    place = CURVES.index(curve)
    found: dict[float, list[int]] = defaultdict(list)
    for number, one in enumerate(measured):
        if one.share[1 - place] == 1:
            found[one.share[place]].append(number)
    return found


def _counts(
    measured: Sequence[Measured],
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64], list[tuple[Floats, Floats]]]:
    """Return specimens, the pattern of each, and right and all cells of each run."""
    said = measured[0].said
    names = np.unique(said.specimens)
    sums = []
    for one in measured:
        truth, count = one.said.truth, len(one.said.patterns)
        right = (one.said.predicted == truth).astype(np.float64)
        sums.append(
            (
                by_specimen(right, truth, one.said.specimens, count),
                by_specimen(np.ones(len(truth)), truth, one.said.specimens, count),
            )
        )
    return names, sums[0][1].argmax(axis=1).astype(np.int64), sums


def _point(
    curve: str,
    share: float,
    its: dict[float, list[int]],
    sums: list[tuple[Floats, Floats]],
    weights: Floats,
    measured: Sequence[Measured],
) -> Point:
    right, total = (
        np.sum([sums[number][k] for number in its[share]], axis=0) for k in (0, 1)
    )
    whole = drawn_rates(np.ones((1, len(total))), right, total)
    draws = np.nanmean(drawn_rates(weights, right, total), axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    sizes, full = (
        np.mean([(measured[k].specimens, measured[k].cells) for k in some], axis=0)
        for some in (its[share], its[1.0])
    )
    return Point(
        curve,
        share,
        float((sizes / full)[CURVES.index(curve)]),
        float(sizes[0]),
        float(sizes[1]),
        len(its[share]),
        float(np.nanmean(whole)),
        (float(low), float(high)),
        draws,
    )


def _fit(points: Sequence[Point]) -> Fitted:
    """Fit error = scale * size ** -slope by least squares of the logarithms.

    All draws are fitted at the same sizes, so that their spread is that of the
    specimens.
    """
    size = np.log([point.size for point in points])
    errors = 1 - np.array([point.mean_class_accuracy for point in points])
    drawn = 1 - np.stack([point.draws for point in points])
    slope, level = np.polyfit(size, np.log(np.maximum(errors, _LEAST_ERROR)), 1)
    slopes, levels = np.polyfit(size, np.log(np.maximum(drawn, _LEAST_ERROR)), 1)
    return Fitted(-float(slope), float(np.exp(level)), -slopes, np.exp(levels))


def _as_large(one: float, other: float) -> bool:
    return abs(one - other) <= _ALIKE * max(one, other)


def _signed(value: tuple[float, float, float]) -> str:
    middle, low, high = (100 * number for number in value)
    return f"{middle:+.1f} points (95 % {low:+.1f} to {high:+.1f})"
