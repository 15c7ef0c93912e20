"""Leave-one-specimen-out after each changed label: the folds are solved anew at once.

A changed label moves one cell from the sums of one pattern to those of another. What
was chosen stays. The scores depend on the labels alone, not on the way to them: a
change that is taken back gives the same bits.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from training.models.base import Scores
from training.models.features.base import Floats
from training.models.features.kernel_ridge.choice import Choice
from training.models.features.kernel_ridge.fourier import FourierMap
from training.models.features.kernel_ridge.sums import (
    Equations,
    Matrix,
    PatternSum,
    Sums,
    decide,
    less,
    sum_cells,
    with_simulated,
)
from training.models.features.svm import to_scores
from training.splits.samples import Rows

UNLABELLED = -1
"""Pattern of a cell that is not trained on; its scores are computed all the same."""


class LiveFolds:
    """The folds of leave-one-specimen-out of some cells, solved for any labels.

    Parameters
    ----------
    fourier
        What lifts the features.
    features : (N, P) float32
        Of the families.
    patterns : (N,) int64
        The labels now, or `UNLABELLED`.
    specimens : (N,) str
    choice
        What the folds are fitted with.
    n_patterns
        Length of the vocabulary.
    simulated
        Sums over simulated cells, of the same Fourier features.
    """

    def __init__(
        self,
        fourier: FourierMap,
        features: Floats,
        patterns: Rows,
        specimens: npt.NDArray[np.str_],
        choice: Choice,
        n_patterns: int,
        simulated: Sums | None = None,
    ) -> None:
        columns, shares = fourier.columns(choice.recipe.weights)
        self._lifted = fourier.lift(features)[:, columns]
        self._penalties = choice.recipe.penalty * shares
        self._sharpness = choice.sharpness
        self._n_patterns = n_patterns
        self._start = patterns.copy()
        names, position = np.unique(specimens, return_inverse=True)
        order = np.argsort(position, kind="stable")
        bounds = np.searchsorted(position[order], np.arange(1, len(names)))
        self._rows = np.split(order, bounds)
        drawn = {
            k: PatternSum(
                one.square[np.ix_(columns, columns)], one.total[columns], one.count
            )
            for k, one in (simulated or {}).items()
        }
        labelled = np.flatnonzero(patterns != UNLABELLED)
        self._base = with_simulated(
            self._sum(labelled, patterns), drawn, choice.recipe.simulated
        )
        self._held: dict[int, tuple[Rows, dict[int, PatternSum]]] = {}

    def scores(
        self, patterns: Rows, left_aside: Collection[int] = frozenset()
    ) -> Scores:
        """Return the scores of all cells, each by a fit without its specimen.

        Parameters
        ----------
        patterns : (N,) int64
            The labels, or `UNLABELLED`.
        left_aside
            Specimens that no fold trains on, by their place among the sorted names.

        Returns
        -------
        scores : (N, K) float32
            nan where no pattern would be left to train on.
        """
        sums = self._sums(patterns)
        for number in left_aside:
            sums = less(sums, self._specimen(number, patterns[self._rows[number]]))
        scores = np.full((len(patterns), self._n_patterns), np.nan, np.float32)
        if len(sums) < 2:
            return scores
        whole = Equations.of(sums)
        of_those_aside = self._solved(whole) if left_aside else np.empty((0, 0))
        for number, rows in enumerate(self._rows):
            fold, found = whole, of_those_aside
            if number not in left_aside:
                held = self._specimen(number, patterns[rows])
                if not less_is_left(sums, held):
                    continue
                fold = whole.without(sums, held)
                found = self._solved(fold)
            lifted = self._lifted[rows].astype(np.float64)
            decisions = decide(lifted, found, fold.patterns)
            scores[rows] = to_scores(decisions, self._sharpness)
        return scores

    def _solved(self, fold: Equations) -> Matrix:
        columns = np.arange(len(self._penalties))
        return fold.solve(columns, self._penalties, self._n_patterns)

    def _sums(self, patterns: Rows) -> dict[int, PatternSum]:
        """Return the sums for these labels: those at the start, with what changed."""
        changed = np.flatnonzero(patterns != self._start)
        gone = changed[self._start[changed] != UNLABELLED]
        come = changed[patterns[changed] != UNLABELLED]
        sums = less(self._base, self._sum(gone, self._start))
        for k, one in self._sum(come, patterns).items():
            sums[k] = sums[k].plus(one, 1) if k in sums else one
        return sums

    def _specimen(self, number: int, labels: Rows) -> dict[int, PatternSum]:
        """Return the sums over a specimen, made anew where its labels changed."""
        known = self._held.get(number)
        if known is None or not np.array_equal(known[0], labels):
            rows = self._rows[number][labels != UNLABELLED]
            kept = labels[labels != UNLABELLED]
            sums = sum_cells(self._lifted[rows], kept)
            known = self._held[number] = labels.copy(), sums
        return known[1]

    def _sum(self, rows: Rows, patterns: Rows) -> dict[int, PatternSum]:
        return sum_cells(self._lifted, patterns, rows)


def less_is_left(sums: Sums, held: Sums) -> bool:
    """Return whether two patterns are left without some cells."""
    alone = [k for k, one in held.items() if sums[k].count - one.count < 0.5]
    return len(sums) - len(alone) >= 2
