"""Common parts of the SVM systems: inner folds of specimens, calibrated scores.

scikit-learn's own probabilities come from folds that ignore specimens, hence from
cells that look like those the SVM was fitted on. Here decisions are calibrated on
whole specimens that the SVM did not see.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from training.errors import SpecimensError
from training.models.base import Scores
from training.splits.samples import Rows

Floats = npt.NDArray[np.float64]


def inner_folds(
    patterns: Rows, specimens: npt.NDArray[np.str_], folds: int, seed: int
) -> Iterator[tuple[Rows, Rows]]:
    """Yield rows to fit and rows to choose by; no specimen stands in both.

    Parameters
    ----------
    patterns : (n,) int64
    specimens : (n,) str
        Of training cells alone.
    folds
        At most as many as there are specimens, or cells of the commonest pattern.
    seed
        Of the deal.

    Raises
    ------
    SpecimensError
        If there are too few to deal.
    """
    count = min(folds, len(np.unique(specimens)), int(np.bincount(patterns).max()))
    if count < 2:
        raise SpecimensError(
            "the training cells",
            "they are too few for inner folds of specimens",
            "train on two specimens or more, with several cells of a pattern",
        )
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    yield from splitter.split(np.zeros(len(patterns)), patterns, specimens)


def fit_sharpness(decisions: Floats, patterns: Rows) -> float:
    """Return the factor on decisions that makes their softmax most likely.

    Parameters
    ----------
    decisions : (n, K) float
        Of cells whose specimens the SVM did not see; the larger the more likely, and
        -inf for a pattern that the SVM does not know.
    patterns : (n,) int64
        Their truth; none is one that the SVM does not know.

    Returns
    -------
    sharpness
        The inverse of a temperature, in 0.01..100 (Guo et al. 2017,
        arXiv:1706.04599).
    """

    def loss(log_sharpness: float) -> float:
        scores = log_softmax(decisions * np.exp(log_sharpness), axis=1)
        return -float(scores[np.arange(len(patterns)), patterns].mean())

    found = minimize_scalar(loss, bounds=(np.log(0.01), np.log(100)), method="bounded")
    return float(np.exp(found.x))


def to_scores(decisions: Floats, sharpness: float) -> Scores:
    """Return the softmax of sharpened decisions, (n, K) float32."""
    return softmax(decisions * sharpness, axis=1).astype(np.float32)


def all_patterns(decisions: Floats, classes: Rows, n_patterns: int) -> Floats:
    """Return decisions with a column a pattern of the vocabulary.

    Parameters
    ----------
    decisions : (n,) or (n, C) float
        As scikit-learn gives them: one column where there are two classes.
    classes : (C,) int64
        The patterns that were trained on, ascending.
    n_patterns
        Length of the vocabulary.

    Returns
    -------
    whole : (n, n_patterns) float
        -inf for patterns that were not trained on: their scores are 0, however blunt.
    """
    if decisions.ndim == 1:
        decisions = np.stack([-decisions, decisions], axis=1)
    whole = np.full((len(decisions), n_patterns), -np.inf)
    whole[:, classes] = decisions
    return whole
