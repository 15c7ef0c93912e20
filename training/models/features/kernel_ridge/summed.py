"""The cells of a set, lifted to Fourier features and summed once for all folds."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from training.data.cells.cell_set import CellSet
from training.models.features.base import Floats
from training.models.features.kernel_ridge.choice import Specimen
from training.models.features.kernel_ridge.fourier import FourierMap
from training.models.features.kernel_ridge.sums import (
    PatternSum,
    less,
    single,
    sum_cells,
)
from training.splits.samples import Rows


class SummedCells:
    """Lifted cells and the sums over them.

    Parameters
    ----------
    fourier
        What lifts them.
    features : (N, P) float32
        Of the families.
    cells
        The cell set.
    """

    def __init__(self, fourier: FourierMap, features: Floats, cells: CellSet) -> None:
        self.fourier = fourier
        self.lifted = fourier.lift(features)
        self._cells = cells
        self._simulated = cells.simulated
        self._specimens: dict[str, tuple[Rows, Specimen]] = {}

    def real(self, rows: Rows) -> dict[int, PatternSum]:
        """Return the sums over the real ones of some cells, (n,) int64, ascending."""
        everything = np.flatnonzero(~self._simulated)
        return self._less(rows[~self._simulated[rows]], everything, self._real)

    def simulated(self, rows: Rows) -> dict[int, PatternSum]:
        """Return the sums over the simulated ones of some cells."""
        everything = np.flatnonzero(self._simulated)
        return self._less(rows[self._simulated[rows]], everything, self._drawn)

    def specimens(self, rows: Rows, most: int) -> list[Specimen]:
        """Return the specimens that are left out in turn, summed once for all folds.

        Parameters
        ----------
        rows : (n,) int64
            Training cells; the simulated ones are never left out.
        most
            Of more specimens, so many are drawn over all patterns.
        """
        rows = rows[~self._simulated[rows]]
        names, position = np.unique(self._cells.specimens[rows], return_inverse=True)
        order = np.argsort(position, kind="stable")
        bounds = np.searchsorted(position[order], np.arange(len(names) + 1))
        found = []
        first = rows[order[bounds[:-1]]]
        for k in _over_patterns(self._cells.patterns[first], most).tolist():
            its, name = rows[order[bounds[k] : bounds[k + 1]]], str(names[k])
            known = self._specimens.get(name)
            if known is None or not np.array_equal(known[0], its):
                known = self._specimens[name] = its, self._specimen(its)
            found.append(known[1])
        return found

    @cached_property
    def _real(self) -> dict[int, PatternSum]:
        return self._sum(np.flatnonzero(~self._simulated))

    @cached_property
    def _drawn(self) -> dict[int, PatternSum]:
        return self._sum(np.flatnonzero(self._simulated))

    def _sum(self, rows: Rows) -> dict[int, PatternSum]:
        return sum_cells(self.lifted, self._cells.patterns, rows)

    def _less(
        self, rows: Rows, everything: Rows, sums: dict[int, PatternSum]
    ) -> dict[int, PatternSum]:
        """Return the sums over cells: of everything less those not among them."""
        others = np.setdiff1d(everything, rows, assume_unique=True)
        return (
            self._sum(rows)
            if len(others) > len(rows)
            else less(sums, self._sum(others))
        )

    def _specimen(self, rows: Rows) -> Specimen:
        patterns = self._cells.patterns[rows]
        return Specimen(single(self._sum(rows)), self.lifted, rows, patterns)


def _over_patterns(patterns: Rows, most: int) -> npt.NDArray[np.int64]:
    """Return at most so many of the specimens, over their patterns, (n,) int64."""
    shuffled = np.random.default_rng(0).permutation(len(patterns))
    turn = np.zeros(len(patterns), np.int64)
    for k in np.unique(patterns):
        its = shuffled[patterns[shuffled] == k]
        turn[its] = np.arange(len(its))
    return np.sort(shuffled[np.argsort(turn[shuffled], kind="stable")][:most])
