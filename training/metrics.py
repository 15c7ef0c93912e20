"""Rates per class, pooled over folds, with an interval over specimens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Metrics:
    """What a run measured, pooled over its finished folds.

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
        95 % of a bootstrap over specimens, or None under two specimens.
    specimens : (K,) int64
        Specimens tested of each class.
    """

    n: int
    confusion: Counts
    rates: npt.NDArray[np.float64]
    mean_class_accuracy: float
    interval: tuple[float, float] | None
    specimens: Counts


def measure(
    truth: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    specimens: npt.NDArray[np.str_],
    n_patterns: int,
    seed: int = 0,
) -> Metrics:
    """Measure held-out cells pooled over all folds.

    Parameters
    ----------
    truth, predicted : (N,) int64
        Indices in the order of the vocabulary.
    specimens : (N,) str
    n_patterns
        Length of the vocabulary.
    seed
        Of the bootstrap.
    """
    confusion = confusion_matrix(truth, predicted, n_patterns)
    rng = np.random.default_rng(seed)
    interval = specimen_interval(truth, predicted, specimens, n_patterns, rng)
    tested = [len(np.unique(specimens[truth == k])) for k in range(n_patterns)]
    return Metrics(
        len(truth),
        confusion,
        class_rates(confusion),
        mean_class_accuracy(confusion),
        interval,
        np.asarray(tested, np.int64),
    )


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


def specimen_interval(
    truth: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    specimens: npt.NDArray[np.str_],
    n_patterns: int,
    rng: np.random.Generator,
    draws: int = 2000,
) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean class accuracy over specimens.

    Specimens are drawn with replacement within each class, since how many of a class
    there are was decided by whoever collected them; all cells of a drawn specimen come
    with it.

    Returns
    -------
    interval
        (2.5th, 97.5th) percentile in 0..1, or None under two specimens.
    """
    names, unit = np.unique(specimens, return_inverse=True)
    if len(names) < 2:
        return None
    shape = (len(names), n_patterns)
    total = np.zeros(shape)
    right = np.zeros(shape)
    np.add.at(total, (unit, truth), 1)
    np.add.at(right, (unit, truth), truth == predicted)
    weights = _draw_within(total.argmax(axis=1), rng, draws)
    drawn_total = weights @ total
    rates = np.full(drawn_total.shape, np.nan)
    np.divide(weights @ right, drawn_total, out=rates, where=drawn_total > 0)
    low, high = np.percentile(np.nanmean(rates, axis=1), [2.5, 97.5])
    return float(low), float(high)


def _draw_within(
    stratum: npt.NDArray[np.int64], rng: np.random.Generator, draws: int
) -> npt.NDArray[np.float64]:
    """Return (draws, specimens) multiplicities, drawn within each stratum."""
    weights = np.zeros((draws, len(stratum)))
    for value in np.unique(stratum):
        members = np.flatnonzero(stratum == value)
        even = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), even, size=draws)
    return weights
