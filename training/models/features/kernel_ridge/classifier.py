"""Kernel ridge regression as a classifier: summed once, solved in each fold."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.config import KernelRidgeSettings
from training.data.cells.cell_set import CellSet
from training.errors import SpecimensError
from training.models.base import (
    INNER_ACCURACY,
    Classifier,
    EpochRecord,
    Fit,
    HeldOutScores,
    Scores,
)
from training.models.features.base import Floats, refuse_drawn_cells
from training.models.features.kernel_ridge.choice import Choice, choose, recipes
from training.models.features.kernel_ridge.fourier import draw_fourier
from training.models.features.kernel_ridge.summed import SummedCells
from training.models.features.kernel_ridge.sums import (
    Equations,
    decide,
    single,
    with_simulated,
)
from training.models.features.shape_index.choice import ask
from training.models.features.store import FeatureStore
from training.models.features.svm import to_scores
from training.splits.samples import Rows, Samples

_TOLD = 500
"""Training cells, evenly spaced, from which loss and accuracy are told."""


@dataclass(frozen=True)
class Fitted:
    """A fitted kernel ridge regression, linear in Fourier features.

    Attributes
    ----------
    coefficients : (D, K) float64
    patterns : (C,) int64
        That were trained on.
    choice
        What it was fitted with.
    """

    coefficients: npt.NDArray[np.float64]
    patterns: Rows
    choice: Choice

    def scores(self, lifted: Floats) -> Scores:
        """Return scores, (n, K) float32, of Fourier features, (n, D) float32."""
        decisions = decide(lifted.astype(np.float64), self.coefficients, self.patterns)
        return to_scores(decisions, self.choice.sharpness)


class KernelRidge(Classifier):
    """Kernel ridge regression bound to a cell set.

    Parameters
    ----------
    settings
        The recipe, and what is chosen among.
    cells
        With masks.
    store
        Of the families' features.
    """

    epochs = KernelRidgeSettings.epochs

    def __init__(
        self, settings: KernelRidgeSettings, cells: CellSet, store: FeatureStore
    ) -> None:
        self.fourier = draw_fourier(settings)
        self._settings = settings
        self._cells = cells
        self._store = store

    def prepare(self, views: int) -> None:  # noqa: ARG002 - all views are alike
        """Compute the features that are not on the disk yet."""
        self._store.view(0)

    def fit(
        self,
        train: Samples,
        test: Rows,
        *,
        seed: int,  # noqa: ARG002 - nothing is random
        folder: Path | None = None,  # noqa: ARG002 - a fit starts anew
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Fit:
        """Fit on `train` and score `test`; see `Classifier.fit`."""
        started = time.perf_counter()
        refuse_drawn_cells(train)
        rows = np.unique(train.rows)
        choice = self.choose(rows, lambda: ask(should_stop))
        fitted = self.solve(rows, choice)
        yield self.record(fitted, rows, started)
        scores = fitted.scores(self._summed.lifted[test])
        alone = np.zeros(len(test), np.float32)
        return HeldOutScores(scores, alone, self.chosen(choice))

    def choose(self, rows: Rows, check: Callable[[], None] = lambda: None) -> Choice:
        """Choose by the specimens of training cells, each left out in turn.

        Parameters
        ----------
        rows : (n,) int64
            Ascending; simulated ones among them.
        check
            Called often; may raise.

        Raises
        ------
        SpecimensError
            If the real cells have one pattern, or no specimen can be left out.
        """
        some = self._chosen_on
        real, simulated = single(some.real(rows)), single(some.simulated(rows))
        if len(real) < 2:
            raise SpecimensError(
                "kernel-ridge",
                "the training cells have one pattern only",
                "train on two patterns or more",
            )
        return choose(
            recipes(self._settings, bool(simulated)),
            some.fourier,
            some.specimens(rows, self._settings.inner_specimens),
            real,
            simulated,
            len(self._cells.vocabulary),
            check,
        )

    def solve(self, rows: Rows, choice: Choice) -> Fitted:
        """Fit what was chosen, on all Fourier features, in double precision."""
        recipe, summed = choice.recipe, self._summed
        columns, penalties = self.fourier.columns(recipe.weights)
        real, simulated = summed.real(rows), summed.simulated(rows)
        equations = Equations.of(with_simulated(real, simulated, recipe.simulated))
        coefficients = equations.solve(
            columns, recipe.penalty * penalties, len(self._cells.vocabulary)
        )
        return Fitted(coefficients, equations.patterns, choice)

    @cached_property
    def _summed(self) -> SummedCells:
        return SummedCells(self.fourier, self._store.view(0), self._cells)

    @cached_property
    def _chosen_on(self) -> SummedCells:
        few = self.fourier.first(self._settings.chosen_on)
        return SummedCells(few, self._store.view(0), self._cells)

    def chosen(self, choice: Choice) -> dict[str, float]:
        """Return a choice as reports and cards show it."""
        recipe = choice.recipe
        weights = zip(self._settings.families, recipe.weights, strict=True)
        return {
            "penalty": recipe.penalty,
            "simulated cells": recipe.simulated,
            **dict(weights),
            INNER_ACCURACY: round(choice.accuracy, 4),
        }

    def record(self, fitted: Fitted, rows: Rows, started: float) -> EpochRecord:
        """Return loss and accuracy on some training cells, and the seconds since."""
        chosen = np.unique(np.linspace(0, len(rows) - 1, _TOLD).astype(np.int64))
        some = rows[chosen]
        scores = fitted.scores(self._summed.lifted[some])
        truth = self._cells.patterns[some]
        right = np.maximum(scores[np.arange(len(some)), truth], 1e-12)
        loss = -float(np.log(right).mean())
        accuracy = float((scores.argmax(1) == truth).mean())
        return EpochRecord(1, loss, accuracy, time.perf_counter() - started)
