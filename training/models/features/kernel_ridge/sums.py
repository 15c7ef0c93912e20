"""Sums over cells from which weighted least squares are solved for any fold.

Targets are +1 for a cell's own pattern and -1 for the others. Patterns weigh alike,
whatever their number of cells, and the weights of all cells sum to 1. The simulated
cells of a pattern count together as some number of real ones: they weigh the less, the
more real ones there are. The equations of a fold are sums over its training cells,
hence the sums over all cells less those that the fold holds out: solving them is the
refit itself, not an approximation of it, and its cost does not depend on the number of
cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from training.splits.samples import Rows

Matrix = npt.NDArray[Any]

_AT_ONCE = 1024
"""Cells whose features are taken to double precision at a time."""

_NO_CELL = 1e-6
"""Counts of simulated cells are no integers, and rounded."""


@dataclass(frozen=True)
class PatternSum:
    """Sums over some cells of one pattern.

    Attributes
    ----------
    square : (D, D) float
        Of the outer products of their features.
    total : (D,) float
        Of their features.
    count
        How many cells; of simulated ones, as how many they count.
    """

    square: Matrix
    total: Matrix
    count: float

    @classmethod
    def of(cls, lifted: Matrix, rows: Rows) -> PatternSum:
        """Sum over some cells, (n,) int64, in double precision.

        They are copied in parts: all together take more memory than their sums.
        """
        size = lifted.shape[1]
        square, total = np.zeros((size, size)), np.zeros(size)
        for start in range(0, len(rows), _AT_ONCE):
            part = lifted[rows[start : start + _AT_ONCE]].astype(np.float64)
            square += part.T @ part
            total += part.sum(axis=0)
        return cls(square, total, len(rows))

    def plus(self, other: PatternSum, factor: float) -> PatternSum:
        """Return the sums with those of other cells, each a factor of a cell."""
        kind = self.square.dtype.type(factor)
        square, total = kind * other.square, kind * other.total
        square += self.square
        total += self.total
        return PatternSum(square, total, self.count + factor * other.count)

    def single(self) -> PatternSum:
        """Return the sums in single precision."""
        return PatternSum(
            self.square.astype(np.float32), self.total.astype(np.float32), self.count
        )


Sums = Mapping[int, PatternSum]
"""Sums by pattern; one without cells is not there."""


def sum_cells(
    lifted: Matrix, patterns: Rows, rows: Rows | None = None
) -> dict[int, PatternSum]:
    """Return the sums over cells.

    Parameters
    ----------
    lifted : (N, D) float32
    patterns : (N,) int64
    rows : (n,) int64
        Which of them; None takes all.
    """
    rows = np.arange(len(lifted)) if rows is None else rows
    present = np.unique(patterns[rows]).tolist()
    return {k: PatternSum.of(lifted, rows[patterns[rows] == k]) for k in present}


def single(sums: Sums) -> dict[int, PatternSum]:
    """Return sums in single precision."""
    return {k: one.single() for k, one in sums.items()}


def less(sums: Sums, held: Sums) -> dict[int, PatternSum]:
    """Return sums without cells that they contain; patterns without cells go."""
    kept = {k: one.plus(held[k], -1) if k in held else one for k, one in sums.items()}
    return {k: one for k, one in kept.items() if one.count > _NO_CELL}


def with_simulated(real: Sums, simulated: Sums, cells: float) -> dict[int, PatternSum]:
    """Return the sums over real and simulated cells together.

    Parameters
    ----------
    real, simulated
        Sums over them.
    cells
        As many real cells of a pattern as its simulated ones count for together.
    """
    together = dict(real)
    for k, one in simulated.items() if cells else ():
        nothing = PatternSum(0 * one.square, 0 * one.total, 0)
        together[k] = real.get(k, nothing).plus(one, cells / one.count)
    return together


@dataclass(frozen=True)
class Equations:
    """Weighted normal equations of some training cells.

    Attributes
    ----------
    matrix : (D, D) float
        Without the penalty.
    totals : (D, C) float
        Weighted sums of the features of each of the patterns.
    patterns : (C,) int64
        That there are cells of, ascending.
    """

    matrix: Matrix
    totals: Matrix
    patterns: Rows

    @classmethod
    def of(cls, sums: Sums) -> Equations:
        """Weigh the patterns alike and sum over them.

        Raises
        ------
        ValueError
            If there is no cell.
        """
        if not sums:
            raise ValueError("there is no cell to train on")
        patterns = sorted(sums)
        first = sums[patterns[0]]
        matrix = np.zeros_like(first.square)
        totals = np.empty((len(first.total), len(patterns)), first.total.dtype)
        for column, k in enumerate(patterns):
            each = first.square.dtype.type(1 / (len(sums) * sums[k].count))
            matrix += each * sums[k].square
            totals[:, column] = each * sums[k].total
        return cls(matrix, totals, np.array(patterns, np.int64))

    def without(self, sums: Sums, held: Sums) -> Equations:
        """Return the equations without some cells.

        Parameters
        ----------
        sums
            Those that the equations were made of.
        held
            Over the cells to leave out.
        """
        if any(sums[k].count - one.count <= _NO_CELL for k, one in held.items()):
            return Equations.of(less(sums, held))
        matrix, totals = self.matrix.copy(), self.totals.copy()
        kind = matrix.dtype.type
        for k, one in held.items():
            column = np.searchsorted(self.patterns, k)
            before = kind(1 / (len(sums) * sums[k].count))
            after = kind(1 / (len(sums) * (sums[k].count - one.count)))
            matrix += (after - before) * sums[k].square
            matrix -= after * one.square
            totals[:, column] += (after - before) * sums[k].total - after * one.total
        return Equations(matrix, totals, self.patterns)

    def solve(
        self, columns: Rows, penalties: npt.NDArray[np.float64], n_patterns: int
    ) -> Matrix:
        """Return the coefficients of each pattern, (D, n_patterns) float.

        Parameters
        ----------
        columns : (C,) int64
            The features that are fitted on; the coefficients of others are 0.
        penalties : (C,) float64
            Of their squared coefficients.
        n_patterns
            Length of the vocabulary; coefficients of patterns without cells are 0.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the penalties are too small for the precision of the matrix.
        """
        # A symmetric matrix is its transpose, which has the order that LAPACK wants.
        matrix = self.matrix[np.ix_(columns, columns)].T
        matrix.flat[:: len(matrix) + 1] += penalties.astype(matrix.dtype)
        right = (2 * self.totals - self.totals.sum(axis=1, keepdims=True))[columns]
        solver = lapack.sposv if matrix.dtype == np.float32 else lapack.dposv
        _, found, fault = solver(matrix, right, lower=1, overwrite_a=1)
        if fault:
            raise np.linalg.LinAlgError("the matrix is not positive definite")
        coefficients = np.zeros((len(self.matrix), n_patterns), matrix.dtype)
        coefficients[np.ix_(columns, self.patterns)] = found
        return coefficients


def decide(lifted: Matrix, coefficients: Matrix, patterns: Rows) -> Matrix:
    """Return decisions, (n, K) float: about +1 for a cell's pattern, -1 for others.

    Parameters
    ----------
    lifted : (n, D) float
    coefficients : (D, K) float
    patterns : (C,) int64
        That were trained on; the decision for any other is -inf.
    """
    decisions = np.full((len(lifted), coefficients.shape[1]), -np.inf, lifted.dtype)
    decisions[:, patterns] = lifted @ coefficients[:, patterns]
    return decisions
