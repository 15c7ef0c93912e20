"""Rates per class, pooled over folds, with an interval over specimens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.evaluation.intervals import Interval, pair, rate_intervals

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Metrics:
    """Metrics of a run, pooled over its finished folds.

    Attributes
    ----------
    n
        Held-out cells.
    confusion : (K, K) int64
        Rows are the truth.
    rates : (K,) float
        Share of each class's cells that were recognised; nan where none was tested.
    mean_class_accuracy
        Mean of `rates` over the tested classes, in 0..1.
    interval
        95 % over specimens; None where they are too few, see
        `training.evaluation.intervals`.
    specimens : (K,) int64
        Specimens tested of each class.
    rate_intervals
        95 % over specimens of each class's rate, or None.
    borrowed : (K,) bool
        Whether a class has one specimen and the width of its interval is that of the
        others.
    """

    n: int
    confusion: Counts
    rates: npt.NDArray[np.float64]
    mean_class_accuracy: float
    interval: Interval | None
    specimens: Counts
    rate_intervals: tuple[Interval | None, ...]
    borrowed: npt.NDArray[np.bool_]


def measure(
    truth: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    specimens: npt.NDArray[np.str_],
    n_patterns: int,
) -> Metrics:
    """Measure held-out cells pooled over all folds.

    Parameters
    ----------
    truth, predicted : (N,) int64
        Indices in the order of the vocabulary.
    specimens : (N,) str
    n_patterns
        Length of the vocabulary.
    """
    confusion = confusion_matrix(truth, predicted, n_patterns)
    right = by_specimen(truth == predicted, truth, specimens, n_patterns)
    total = by_specimen(np.ones(len(truth)), truth, specimens, n_patterns)
    return measure_counts(confusion, right, total)


def measure_counts(
    confusion: Counts,
    right: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
) -> Metrics:
    """Measure held-out cells that were counted already.

    Parameters
    ----------
    confusion : (K, K) int64
        Rows are the truth.
    right, total : (S, K) float64
        Recognised and all cells of each specimen and pattern; see `by_specimen`.
    """
    intervals = rate_intervals(right, total)
    return Metrics(
        int(confusion.sum()),
        confusion,
        class_rates(confusion),
        mean_class_accuracy(confusion),
        pair(intervals.mean),
        np.count_nonzero(total, axis=0).astype(np.int64),
        tuple(pair(one) for one in intervals.each),
        intervals.borrowed,
    )


def basis_words(metrics: Metrics) -> str:
    """Return over how many patterns the mean is, or '' where it is over all."""
    tested = int(np.isfinite(metrics.rates).sum())
    of = len(metrics.rates)
    return "" if tested == of else f"over {tested} of {of} patterns"


def borrowed_words(metrics: Metrics, names: Sequence[str]) -> str:
    """Return of which patterns an interval takes its width from the others, or ''."""
    lone = [name for name, one in zip(names, metrics.borrowed, strict=True) if one]
    if not lone or metrics.interval is None:
        return ""
    has = "has one specimen" if len(lone) == 1 else "have one specimen each"
    return f"{', '.join(lone)} {has}: how far specimens differ is taken from the others"


def confusion_matrix(
    truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], n_patterns: int
) -> Counts:
    """Return the (K, K) counts; rows are the truth, columns the predicted pattern."""
    flat = np.bincount(truth * n_patterns + predicted, minlength=n_patterns**2)
    return flat.reshape(n_patterns, n_patterns).astype(np.int64)


def class_rates(confusion: Counts) -> npt.NDArray[np.float64]:
    """Return the recall of each class, (K,) in 0..1; nan where it has no cell."""
    totals = confusion.sum(axis=1)
    rates = np.full(len(confusion), np.nan)
    np.divide(np.diag(confusion), totals, out=rates, where=totals > 0)
    return rates


def mean_class_accuracy(confusion: Counts) -> float:
    """Return the mean recall over the classes that have cells, in 0..1."""
    rates = class_rates(confusion)
    return float(np.nanmean(rates)) if np.isfinite(rates).any() else float("nan")


def by_specimen(
    values: npt.NDArray[np.float64] | npt.NDArray[np.bool_],
    truth: npt.NDArray[np.int64],
    specimens: npt.NDArray[np.str_],
    n_patterns: int,
) -> npt.NDArray[np.float64]:
    """Sum `values` over the cells of each specimen and pattern.

    Parameters
    ----------
    values : (N,) float64 or bool
        One a cell.

    Returns
    -------
    sums : (S, K) float64
        Specimens in the order of their sorted ids; a specimen whose cells are of one
        pattern has one entry in its row.
    """
    names, unit = np.unique(specimens, return_inverse=True)
    sums = np.zeros((len(names), n_patterns))
    np.add.at(sums, (unit, truth), values)
    return sums
