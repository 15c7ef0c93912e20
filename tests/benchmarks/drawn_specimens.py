"""Specimens drawn from known populations, to see how often an interval holds the truth.

A specimen's accuracy is drawn from a beta distribution with the mean of its pattern
and a common concentration: 1 is a heap at each end, 2 is wide, 6 has one hump. Its
cells are then drawn with that accuracy. Everything is drawn many times at once: R
repeats, S specimens, K patterns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROWS = {
    "16, 16, 16, 16, 15, 4 (Task-1)": (16, 16, 16, 16, 15, 4),
    "11, 11, 11, 11, 9, 3": (11, 11, 11, 11, 9, 3),
    "6 each": (6,) * 6,
    "3 each": (3,) * 6,
    "2 each": (2,) * 6,
    "11, 11, 11, 11, 9, 1": (11, 11, 11, 11, 9, 1),
}
"""Specimens of each pattern."""

CONCENTRATIONS = (1.0, 2.0, 6.0)
MEANS = (0.6, 0.654, 0.708, 0.762, 0.816, 0.87)
"""Of the six patterns, in another order in each repeat."""

CELLS = (60, 250)
"""Fewest and most cells of a specimen."""


@dataclass(frozen=True)
class Drawn:
    """Specimens of a population, and its truth.

    Attributes
    ----------
    means : (R, K) float64
        The true rate of each pattern.
    pattern : (S,) int64
    accuracy : (R, S) float64
        Of each specimen.
    cells : (R, S) int64
    """

    means: Floats
    pattern: npt.NDArray[np.int64]
    accuracy: Floats
    cells: npt.NDArray[np.int64]

    def spread(self, values: npt.NDArray[np.generic]) -> Floats:
        """Return (R, S) values as (R, S, K), each in the column of its pattern."""
        return values[..., None] * np.eye(self.means.shape[1])[self.pattern]

    def right(self, rng: np.random.Generator, accuracy: Floats | None = None) -> Floats:
        """Draw the recognised cells of each specimen, (R, S, K)."""
        chance = self.accuracy if accuracy is None else accuracy
        return self.spread(rng.binomial(self.cells, chance))

    @property
    def total(self) -> Floats:
        """All cells of each specimen, (R, S, K)."""
        return self.spread(self.cells)


def draw(
    counts: tuple[int, ...],
    concentration: float,
    repeats: int,
    rng: np.random.Generator,
) -> Drawn:
    """Draw `repeats` collections with so many specimens of each pattern."""
    means = rng.permuted(np.tile(MEANS, (repeats, 1)), axis=1)
    pattern = np.repeat(np.arange(len(counts)), counts)
    cells = rng.integers(*CELLS, (repeats, len(pattern)), endpoint=True)
    accuracy = beta(means[:, pattern], concentration, rng)
    return Drawn(means, pattern, accuracy, cells)


def beta(means: Floats, concentration: float, rng: np.random.Generator) -> Floats:
    """Draw a beta variable about each mean."""
    return rng.beta(means * concentration, (1 - means) * concentration)


def held(intervals: Floats, truth: npt.ArrayLike) -> float:
    """Return the share of intervals (..., 2) that hold the truth (...)."""
    low, high = np.moveaxis(intervals, -1, 0)
    given = ~np.isnan(low)
    inside = (low <= truth) & (truth <= high)
    return float(inside[given].mean()) if given.any() else float("nan")
