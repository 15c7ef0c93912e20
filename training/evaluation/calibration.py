"""Reliability of scores: calibration, and the risk when cells are refused.

The scores of held-out cells are taken as probabilities and compared with what happened:
by the expected calibration error of the top score (Guo et al. 2017, arXiv:1706.04599),
by two proper scores (Brier; negative log-likelihood), and by the curve of risk over
coverage (Geifman and El-Yaniv 2017, arXiv:1705.08500).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import BadRunError
from training.evaluation.intervals import Interval, loss_interval, pair
from training.evaluation.metrics import by_specimen

BINS = 15
"""Equal-width bins of the top score, as Guo et al. (2017) take."""

RISK_COVERAGES = (0.5, 0.8, 0.9, 1.0)
"""Shares of cells answered at which the risk is told."""

CURVE_POINTS = 101
"""Most points kept of the curve of risk over coverage."""

SCORE_FLOOR = 1e-6
"""Least score a logarithm is taken of: a float32 softmax may be 0."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Agreement of the scores of held-out cells with the truth.

    Attributes
    ----------
    n
        Held-out cells.
    specimens
        Specimens they are of.
    expected_error
        Expected calibration error of the top score, in 0..1.
    brier
        Mean over cells of the squared distance between the scores and the truth, 0..2.
    log_loss
        Mean over cells of minus the natural logarithm of the true pattern's score.
    brier_interval, log_loss_interval
        95 % over specimens, or None where they are too few.
    balanced_brier, balanced_log_loss
        Mean over the tested patterns of the mean over a pattern's cells.
    bin_confidence, bin_right : (15,) float64
        Mean top score, and share right, of the cells of each bin; nan where empty.
    bin_n : (15,) int64
        Cells of each bin. Bin b holds top scores in (b / 15, (b + 1) / 15].
    coverage, risk : (P,) float64
        At most 101 points of the curve: share of cells answered, and share wrong among
        them.
    area
        Mean risk over all coverages 1/N, 2/N, ..., 1: the area under the whole curve.
    risk_at
        Risk at each coverage of `RISK_COVERAGES`.

    Notes
    -----
    What is not there (no cell) is nan.

    A pattern's cells are not equally many. The Brier score and the log loss are means
    of a loss that each cell has by itself, so they have a balanced version, which
    stands to them as mean class accuracy to accuracy. The calibration error and the
    curve have none: what a score of 0.8 promises, it promises for the cells as they
    come, and a reader refuses cells by their score without knowing their pattern.

    The calibration error has no interval: it is a sum of absolute values, which is the
    higher the fewer specimens there are.
    """

    n: int
    specimens: int
    expected_error: float
    brier: float
    log_loss: float
    brier_interval: Interval | None
    log_loss_interval: Interval | None
    balanced_brier: float
    balanced_log_loss: float
    bin_confidence: Floats
    bin_right: Floats
    bin_n: npt.NDArray[np.int64]
    coverage: Floats
    risk: Floats
    area: float
    risk_at: dict[float, float]


def measure_calibration(
    scores: npt.NDArray[np.float32],
    truth: npt.NDArray[np.int64],
    specimens: npt.NDArray[np.str_],
) -> Calibration:
    """Measure the scores of held-out cells pooled over all folds.

    Parameters
    ----------
    scores : (N, K) float32
        One row a cell, in the order of the vocabulary; rows sum to 1.
    truth : (N,) int64
        Indices in the order of the vocabulary.
    specimens : (N,) str

    Raises
    ------
    BadRunError
        A row of scores is no distribution.
    """
    scores64 = _distributions(scores)
    top = scores64.max(axis=1)
    right = scores64.argmax(axis=1) == truth
    brier, log_loss = _losses(scores64, truth)
    confidence, share, count = reliability(top, right)
    curve = risk_curve(top, right)
    kept = _thin(len(curve))
    k = scores.shape[1]
    intervals = [_interval(loss, truth, specimens, k) for loss in (brier, log_loss)]
    return Calibration(
        n=len(truth),
        specimens=len(np.unique(specimens)),
        expected_error=_expected_error(confidence, share, count),
        brier=_mean(brier),
        log_loss=_mean(log_loss),
        brier_interval=intervals[0],
        log_loss_interval=intervals[1],
        balanced_brier=_balanced(brier, truth, k),
        balanced_log_loss=_balanced(log_loss, truth, k),
        bin_confidence=confidence,
        bin_right=share,
        bin_n=count,
        coverage=(kept + 1) / max(len(curve), 1),
        risk=curve[kept],
        area=_mean(curve),
        risk_at={coverage: risk_at(curve, coverage) for coverage in RISK_COVERAGES},
    )


def reliability(
    top: Floats, right: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Return mean top score, share right and number of cells of each bin.

    Parameters
    ----------
    top : (N,) float64
        The highest score of each cell.
    right : (N,) bool
        Whether its pattern is the true one.

    Returns
    -------
    confidence, share : (15,) float64
        nan where the bin is empty.
    count : (15,) int64
    """
    inner_edges = np.arange(1, BINS) / BINS
    bins = np.searchsorted(inner_edges, top, side="left")
    count = np.bincount(bins, minlength=BINS).astype(np.int64)
    confidence, share = np.full((2, BINS), np.nan)
    filled = count > 0
    for values, means in ((top, confidence), (right, share)):
        sums = np.bincount(bins, weights=values, minlength=BINS)
        np.divide(sums, count, out=means, where=filled)
    return confidence, share, count


def risk_curve(top: Floats, right: npt.NDArray[np.bool_]) -> Floats:
    """Return the share wrong among the m cells of the highest top scores.

    Parameters
    ----------
    top : (N,) float64
    right : (N,) bool

    Returns
    -------
    risks : (N,) float64
        Entry m - 1 is the risk at coverage m / N.

    Notes
    -----
    Cells of one top score have no order among them. Each counts with their share of
    wrong cells, which is the mean of the curve over all their orders.
    """
    _, group = np.unique(-top, return_inverse=True)
    wrong = np.bincount(group, weights=~right)
    share = wrong / np.bincount(group)
    so_far = np.cumsum(share[np.sort(group)])
    return so_far / np.arange(1, len(top) + 1)


def risk_at(curve: Floats, coverage: float) -> float:
    """Return the risk when at least a share `coverage` of the cells is answered.

    Parameters
    ----------
    curve : (N,) float64
        From `risk_curve`.
    coverage
        Above 0, at most 1, in whole per cent.
    """
    if len(curve) == 0:
        return math.nan
    answered = -(-round(100 * coverage) * len(curve) // 100)
    return float(curve[answered - 1])


def calibration_content(calibration: Calibration) -> dict[str, Any]:
    """Return a calibration as JSON content; what is not there is None."""
    bins = zip(
        calibration.bin_confidence,
        calibration.bin_right,
        calibration.bin_n,
        strict=True,
    )
    return {
        "n": calibration.n,
        "specimens": calibration.specimens,
        "expected_calibration_error": _number(calibration.expected_error),
        "brier": _number(calibration.brier),
        "brier_interval": _pair(calibration.brier_interval),
        "balanced_brier": _number(calibration.balanced_brier),
        "log_loss": _number(calibration.log_loss),
        "log_loss_interval": _pair(calibration.log_loss_interval),
        "balanced_log_loss": _number(calibration.balanced_log_loss),
        "bins": [
            {
                "above": b / BINS,
                "to": (b + 1) / BINS,
                "confidence": _number(confidence),
                "right": _number(share),
                "n": int(count),
            }
            for b, (confidence, share, count) in enumerate(bins)
        ],
        "coverage": calibration.coverage.tolist(),
        "risk": calibration.risk.tolist(),
        "area_under_risk_curve": _number(calibration.area),
        "risk_at_coverage": {
            f"{coverage:g}": _number(risk)
            for coverage, risk in calibration.risk_at.items()
        },
    }


def _distributions(scores: npt.NDArray[np.float32]) -> Floats:
    scores64 = scores.astype(np.float64)
    sums_to_one = np.abs(scores64.sum(axis=1) - 1) < 1e-3
    fit = sums_to_one & (scores64 >= 0).all(axis=1)
    if not fit.all():
        raise BadRunError(
            "the scores of the run",
            f"{np.count_nonzero(~fit)} of {len(fit)} cells have scores that are "
            "negative, not finite or do not sum to 1",
            "run the folds again",
        )
    return scores64


def _losses(scores: Floats, truth: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the Brier and the log loss of each cell, (N,) each."""
    cell = np.arange(len(truth))
    distance = scores.copy()
    distance[cell, truth] -= 1
    log_loss = -np.log(np.maximum(scores[cell, truth], SCORE_FLOOR))
    return (distance**2).sum(axis=1), log_loss


def _expected_error(
    confidence: Floats, share: Floats, count: npt.NDArray[np.int64]
) -> float:
    if not count.any():
        return math.nan
    return float(np.nansum(count * np.abs(share - confidence)) / count.sum())


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _balanced(values: Floats, truth: npt.NDArray[np.int64], n_patterns: int) -> float:
    """Return the mean over the tested patterns of the mean over their cells."""
    sums = np.bincount(truth, weights=values, minlength=n_patterns)
    count = np.bincount(truth, minlength=n_patterns)
    return _mean(sums[count > 0] / count[count > 0])


def _interval(
    loss: Floats,
    truth: npt.NDArray[np.int64],
    specimens: npt.NDArray[np.str_],
    n_patterns: int,
) -> Interval | None:
    """Return the 95 % interval of the mean over cells of a loss (N,), or None."""
    sums, total = (
        by_specimen(values, truth, specimens, n_patterns)
        for values in (loss, np.ones(len(truth)))
    )
    return pair(loss_interval(sums, total))


def _thin(count: int) -> npt.NDArray[np.int64]:
    """Return at most `CURVE_POINTS` positions of 0..count - 1, with both ends."""
    spread = np.linspace(0, count - 1, min(count, CURVE_POINTS))
    return np.rint(spread).astype(np.int64)


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return list(interval) if interval else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
