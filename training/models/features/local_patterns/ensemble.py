"""An ensemble of linear SVMs, each calibrated on the specimens that it did not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import log_expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from training.errors import SpecimensError
from training.models.base import Scores
from training.models.features.svm import inner_folds
from training.splits.samples import Rows

Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-3
"""At which liblinear's dual coordinate descent stops."""


@dataclass(frozen=True)
class Sigmoid:
    """Platt's map from a decision to a probability, 1 / (1 + exp(-(slope d + offset))).

    Attributes
    ----------
    slope, offset
        As they are, where there was nothing to fit them on.
    """

    slope: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Member:
    """One SVM of the ensemble with its calibration.

    Attributes
    ----------
    svm
        One against the rest, fitted on all training specimens but one part.
    sigmoids
        One a pattern of `svm.classes_`.
    """

    svm: LinearSVC
    sigmoids: tuple[Sigmoid, ...]

    def scores(self, codes: csr_array, n_patterns: int) -> Scores:
        """Return calibrated scores, (n, n_patterns) float32, rows of sum 1.

        The sigmoids' values are divided by their sum; a pattern that the SVM was not
        fitted on has 0.
        """
        slopes = np.array([sigmoid.slope for sigmoid in self.sigmoids])
        offsets = np.array([sigmoid.offset for sigmoid in self.sigmoids])
        logs = np.full((codes.shape[0], n_patterns), -np.inf)
        decisions = decide(self.svm, codes)
        logs[:, self.svm.classes_] = log_expit(decisions * slopes + offsets)
        return softmax(logs, axis=1).astype(np.float32)


def fit_ensemble(
    codes: csr_array,
    patterns: Rows,
    specimens: npt.NDArray[np.str_],
    *,
    members: int,
    c: float,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> list[Member]:
    """Fit SVMs, each on the training specimens but one part, calibrated on that part.

    Where a part has no cell of a pattern, or its sigmoid would fall, the sigmoid is
    fitted on the decisions of all SVMs, each on its own part: still none of a specimen
    that the SVM was fitted on. Where these do not do either, it is 1 / (1 + exp(-d)).

    Parameters
    ----------
    codes : (n, D) float
    patterns : (n,) int64
    specimens : (n,) str
    members
        Parts that the specimens are dealt into; at most as many as specimens. A part
        whose rest has one pattern only gives no member.
    c
        Penalty of the squared hinge loss.
    seed
        Of the deal and of the order of descent.
    check
        Called before each SVM.

    Raises
    ------
    SpecimensError
        If no rest has two patterns.
    """
    if len(np.unique(specimens)) < 2:
        raise _too_few()
    fitted: list[tuple[LinearSVC, Rows]] = []
    pooled = np.full((len(patterns), int(patterns.max()) + 1), np.nan)
    for rest, part in inner_folds(patterns, specimens, members, seed):
        check()
        if len(np.unique(patterns[rest])) < 2:
            continue
        svm = LinearSVC(C=c, dual=True, tol=TOLERANCE, random_state=seed)
        svm.fit(codes[rest], patterns[rest])
        pooled[np.ix_(part, svm.classes_)] = decide(svm, codes[part])
        fitted.append((svm, part))
    if not fitted:
        raise _too_few()
    return [
        Member(
            svm,
            tuple(
                _calibrate(pooled[:, pattern], patterns == pattern, part)
                for pattern in svm.classes_
            ),
        )
        for svm, part in fitted
    ]


def decide(svm: LinearSVC, codes: csr_array) -> Floats:
    """Return decisions, (n, C) float64, one column a pattern of `svm.classes_`."""
    decisions = svm.decision_function(codes)
    if decisions.ndim == 1:
        return np.stack([-decisions, decisions], axis=1)
    return decisions


def fit_sigmoid(decisions: Floats, positive: npt.NDArray[np.bool_]) -> Sigmoid | None:
    """Fit Platt's sigmoid by logistic regression.

    Parameters
    ----------
    decisions : (n,) float
    positive : (n,) bool
        Whether the cell has the pattern.

    Returns
    -------
    sigmoid
        None if all cells or none have the pattern, or if it would fall. An l2 penalty
        of half the slope's square keeps it finite where decisions separate.
    """
    if positive.all() or not positive.any():
        return None
    platt = LogisticRegression(C=1.0).fit(decisions[:, None], positive)
    slope = float(platt.coef_[0, 0])
    return Sigmoid(slope, float(platt.intercept_[0])) if slope > 0 else None


def _calibrate(
    decisions: Floats, positive: npt.NDArray[np.bool_], part: Rows
) -> Sigmoid:
    """Return the sigmoid of one pattern of the SVM that did not see `part`."""
    known = np.flatnonzero(~np.isnan(decisions))
    for rows in (part, known):
        if sigmoid := fit_sigmoid(decisions[rows], positive[rows]):
            return sigmoid
    return Sigmoid()


def _too_few() -> SpecimensError:
    return SpecimensError(
        "local-patterns",
        "without a part of the training specimens fewer than two patterns are left",
        "train on at least two specimens of each pattern",
    )
