"""More specimens, or more cells of each? Two learning curves over one held-out set.

One curve trains on a share of the specimens with all their cells, the other on all
specimens with a share of the cells of each. At one share both train on about as many
cells, so that the difference between them is what whole specimens are worth.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import BadRunError
from training.evaluation.intervals import (
    Interval,
    mean_interval,
    pair,
    percent_range,
    rate_intervals,
)
from training.evaluation.metrics import by_specimen
from training.evaluation.predictions import Predictions
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
        95 % over held-out specimens, or None where they are too few.
    right : (S, K) float64
        Recognised cells of each held-out specimen and pattern, mean over the seeds.
    """

    curve: str
    share: float
    size: float
    specimens: float
    cells: float
    runs: int
    mean_class_accuracy: float
    interval: Interval | None
    right: Floats

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
            "interval": list(self.interval) if self.interval else None,
        }


@dataclass(frozen=True)
class Fitted:
    """A power law through the points of a curve: error = scale * size ** -slope.

    Attributes
    ----------
    slope, scale
        Of the points as measured.
    level, steepness : (S, K) float64
        Sums over the cells of each held-out specimen and pattern, whose mean moves as
        the logarithm of `scale`, and as minus `slope`, when a specimen is changed.
    """

    slope: float
    scale: float
    level: Floats
    steepness: Floats

    def error(self, size: float) -> float:
        """Return the error in 0..1 at a multiple of the full training set."""
        return min(1.0, self.scale * size**-self.slope)

    def moves(self, size: float) -> Floats:
        """Return (S, K) sums whose mean moves as the error at that size."""
        logarithm = self.level + np.log(size) * self.steepness
        moved: Floats = self.error(size) * logarithm
        return moved

    def error_interval(self, size: float, total: Floats) -> Interval | None:
        """Return the 95 % interval of `error`; total : (S, K), the held-out cells."""
        error = self.error(size)
        reach = _reach(self.moves(size) / error, total)
        if reach is None:
            return None
        return error * math.exp(-reach), min(1.0, error * math.exp(reach))


@dataclass(frozen=True)
class Estimate:
    """A difference of accuracies in -1..1, with its 95 % interval over specimens."""

    value: float
    interval: Interval | None

    def words(self) -> str:
        """Return it in points, e.g. ``+1.2 points (95 % +0.3 to +2.1)``."""
        points = f"{100 * self.value:+.1f} points"
        if self.interval is None:
            return f"{points} (no interval: too few specimens)"
        return f"{points} (95 % {percent_range(self.interval, '+')})"

    def content(self) -> dict[str, float | None]:
        """Return it as JSON content."""
        low, high = self.interval or (None, None)
        return {"value": self.value, "low": low, "high": high}


@dataclass(frozen=True)
class CurveStudy:
    """Both curves with what follows from them.

    Attributes
    ----------
    points
        Of the curve of specimens, then of cells, each by size.
    fits
        By name of the curve.
    total : (S, K) float64
        Held-out cells of each specimen and pattern.
    measured
        The runs.
    simulated
        Whether the cells are simulated.
    """

    points: tuple[Point, ...]
    fits: dict[str, Fitted]
    total: Floats
    measured: tuple[Measured, ...]
    simulated: bool

    @property
    def n(self) -> int:
        """Held-out cells."""
        return int(self.total.sum())

    @property
    def held_out(self) -> int:
        """Held-out specimens."""
        return len(self.total)

    def of(self, curve: str) -> list[Point]:
        """Return the points of a curve, smallest first."""
        return [point for point in self.points if point.curve == curve]

    def gain(self, curve: str) -> Estimate:
        """Return what twice as much is expected to buy, in 0..1."""
        fit = self.fits[curve]
        return self._estimate(fit.error(1) - fit.error(2), _gained(fit))

    def difference(self) -> Estimate:
        """Return the gain of specimens less that of cells, in -1..1."""
        one, other = (self.fits[curve] for curve in CURVES)
        value = self.gain("specimens").value - self.gain("cells").value
        return self._estimate(value, _gained(one) - _gained(other))

    def _estimate(self, value: float, moves: Floats) -> Estimate:
        reach = _reach(moves, self.total)
        return Estimate(
            value, None if reach is None else (value - reach, value + reach)
        )

    def sentence(self) -> str:
        """Return a sentence on which helps more."""
        low, high = self.difference().interval or (0.0, 0.0)
        verdict = "the runs do not show which helps more"
        if low > 0:
            verdict = "more specimens help more than more cells of each"
        elif high < 0:
            verdict = "more cells of each specimen help more than more specimens"
        words = {c: self.gain(c).words() for c in CURVES}
        return (
            f"{verdict[0].upper()}{verdict[1:]}: by the fitted curves twice the "
            f"specimens change the mean class accuracy by {words['specimens']}, "
            f"twice the cells of each by {words['cells']}, a difference of "
            f"{self.difference().words()}."
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
        gain = self._estimate(
            other.mean_class_accuracy - one.mean_class_accuracy, other.right - one.right
        )
        return (
            "Measured with about as many training cells: "
            f"{100 * one.mean_class_accuracy:.1f} % with {one.cells:,.0f} cells of "
            f"{one.specimens:.0f} specimens, {100 * other.mean_class_accuracy:.1f} % "
            f"with {other.cells:,.0f} cells of {other.specimens:.0f}, a "
            f"difference of {gain.words()}."
        )

    def content(self) -> dict[str, Any]:
        """Return it as JSON content."""
        return {
            "sentence": self.sentence(),
            "comparison": self.comparison(),
            "simulated": self.simulated,
            "held_out_cells": self.n,
            "held_out_specimens": self.held_out,
            "points": [point.content() for point in self.points],
            "slopes": {curve: fit.slope for curve, fit in self.fits.items()},
            "gain_of_twice": {curve: self.gain(curve).content() for curve in CURVES},
            "difference": self.difference().content(),
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
    rights, total = _counts(measured)
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
            points.append(_point(curve, share, its, rights, total, measured))
    fits = {
        curve: _fit([point for point in points if point.curve == curve])
        for curve in CURVES
    }
    simulated = is_simulated(measured[0].run)
    return CurveStudy(tuple(points), fits, total, measured, simulated)


def _of_curve(measured: Sequence[Measured], curve: str) -> dict[float, list[int]]:
    """Return the numbers of the runs of a curve, by what share they train on."""
    place = CURVES.index(curve)
    found: dict[float, list[int]] = defaultdict(list)
    for number, one in enumerate(measured):
        if one.share[1 - place] == 1:
            found[one.share[place]].append(number)
    return found


def _counts(measured: Sequence[Measured]) -> tuple[list[Floats], Floats]:
    """Return the recognised cells of each run (S, K), and all held-out cells (S, K)."""

    def sums(said: Predictions, values: Any) -> Floats:
        return by_specimen(values, said.truth, said.specimens, len(said.patterns))

    said = [one.said for one in measured]
    rights = [sums(one, one.predicted == one.truth) for one in said]
    return rights, sums(said[0], np.ones(len(said[0].truth)))


def _point(
    curve: str,
    share: float,
    its: dict[float, list[int]],
    rights: list[Floats],
    total: Floats,
    measured: Sequence[Measured],
) -> Point:
    right: Floats = np.mean([rights[number] for number in its[share]], axis=0)
    cells = total.sum(axis=0)
    rates = right.sum(axis=0)[cells > 0] / cells[cells > 0]
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
        float(rates.mean()),
        pair(rate_intervals(right, total).mean),
        right,
    )


def _fit(points: Sequence[Point]) -> Fitted:
    """Fit error = scale * size ** -slope by least squares of the logarithms.

    A change of the accuracy at a point moves the logarithm of its error by minus the
    change over the error, and the line by a share of that.
    """
    size = np.log([point.size for point in points])
    errors = 1 - np.array([point.mean_class_accuracy for point in points])
    errors = np.maximum(errors, _LEAST_ERROR)
    steepness, level = np.polyfit(size, np.diag(np.ones(len(size))), 1)
    moved = np.stack(
        [-point.right / error for point, error in zip(points, errors, strict=True)]
    )
    return Fitted(
        -float(steepness @ np.log(errors)),
        float(np.exp(level @ np.log(errors))),
        np.tensordot(level, moved, axes=1),
        np.tensordot(steepness, moved, axes=1),
    )


def _gained(fit: Fitted) -> Floats:
    return fit.moves(1) - fit.moves(2)


def _reach(moves: Floats, total: Floats) -> float | None:
    """Return half the 95 % interval of a mean that moves as `moves`, or None."""
    interval = pair(mean_interval(moves, total))
    return None if interval is None else (interval[1] - interval[0]) / 2


def _as_large(one: float, other: float) -> bool:
    return abs(one - other) <= _ALIKE * max(one, other)
