"""The RBF SVM on shape-index histograms, and the choice of its penalty and width."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from training.config import ShapeIndexSettings
from training.errors import InterruptedRunError, SpecimensError
from training.models.features.base import Bag, Floats
from training.models.features.svm import all_patterns, fit_sharpness, inner_folds
from training.splits.samples import Rows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Decisions = npt.NDArray[np.float64]

_KERNEL_CACHE = 500
"""Megabytes that libsvm may keep of the kernel."""


@dataclass(frozen=True)
class Choice:
    """Choice made on the inner folds.

    Attributes
    ----------
    c, gamma
        Of the SVM.
    sharpness
        Of its decisions.
    accuracy
        Mean class accuracy of the choice, pooled over the inner folds, 0..1.
    """

    c: float
    gamma: float
    sharpness: float
    accuracy: float


def choose(
    train: Bag,
    settings: ShapeIndexSettings,
    n_patterns: int,
    seed: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Choice:
    """Choose C and gamma by mean class accuracy on specimens that were not seen.

    Cells whose pattern an inner fold did not see are left out: nothing makes them
    right. Of equal choices the smallest C, then the smallest gamma is taken.

    Raises
    ------
    SpecimensError
        If no inner fold has two patterns to fit on and a cell to choose by.
    InterruptedRunError
        If `should_stop` said so.
    """
    length = train.features.shape[1]
    factors = sorted(settings.gamma_factors)
    grid = list(itertools.product(sorted(settings.c_values), factors))
    decisions: list[list[Decisions]] = [[] for _ in grid]
    truths: list[Rows] = []
    for fitted, held in inner_folds(
        train.patterns, train.specimens, settings.inner_folds, seed
    ):
        seen = np.unique(train.patterns[fitted])
        known = held[np.isin(train.patterns[held], seen)]
        if len(seen) < 2 or not len(known):
            continue
        truths.append(train.patterns[known])
        for (c, factor), found in zip(grid, decisions, strict=True):
            ask(should_stop)
            svm = fit_svm(
                train.features[fitted], train.patterns[fitted], c, factor / length
            )
            found.append(decide(svm, train.features[known], n_patterns))
    if not truths:
        raise SpecimensError(
            "shape-index",
            "no inner fold of the training specimens has two patterns to fit on",
            "train on at least two specimens of a pattern and one of another",
        )
    truth = np.concatenate(truths)
    pooled = [np.concatenate(found) for found in decisions]
    accuracies = [_mean_class_accuracy(found.argmax(1), truth) for found in pooled]
    best = int(np.argmax(accuracies))
    c, factor = grid[best]
    sharpness = fit_sharpness(pooled[best], truth)
    return Choice(c, factor / length, sharpness, accuracies[best])


def fit_svm(features: Floats, patterns: Rows, c: float, gamma: float) -> Pipeline:
    """Fit the scaler (mean 0, variance 1 of each feature) and the SVM.

    Parameters
    ----------
    features : (n, D) float32
    patterns : (n,) int64
        Two or more of them.
    c
        Penalty.
    gamma
        Of the kernel ``exp(-gamma |a - b|^2)``.
    """
    # Loaded for the fit alone: it takes a second, and others use what is above.
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    svm = SVC(C=c, gamma=gamma, decision_function_shape="ovo", cache_size=_KERNEL_CACHE)
    return make_pipeline(StandardScaler(), svm).fit(features, patterns)


def decide(svm: Pipeline, features: Floats, n_patterns: int) -> Decisions:
    """Return decisions, (n, n_patterns) float64: the mean margin of a pattern.

    scikit-learn's own decisions are votes of the pairs, which say little on how sure
    they are: most cells win all their pairs. The margins do.
    """
    margins, classes = svm.decision_function(features), svm.classes_
    if len(classes) == 2:
        return all_patterns(margins, classes, n_patterns)
    sums = np.zeros((len(features), len(classes)))
    for column, (one, other) in enumerate(
        itertools.combinations(range(len(classes)), 2)
    ):
        sums[:, one] += margins[:, column]
        sums[:, other] -= margins[:, column]
    return all_patterns(sums / (len(classes) - 1), classes, n_patterns)


def _mean_class_accuracy(found: Rows, truth: Rows) -> float:
    """Return the mean over the patterns of the share of their cells that is right."""
    rates = [
        (found[truth == pattern] == pattern).mean() for pattern in np.unique(truth)
    ]
    return float(np.mean(rates))


def ask(should_stop: Callable[[], bool]) -> None:
    """Go on, or raise InterruptedRunError where `should_stop` says so."""
    if should_stop():
        raise InterruptedRunError(
            "the run", "it was stopped", "continue with: hep2 resume RUN"
        )
