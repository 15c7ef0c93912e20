"""Rates per class, pooled over folds, with an interval over specimens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

_DRAWS = 2000
"""Draws of a bootstrap."""


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
    right = by_specimen(truth == predicted, truth, specimens, n_patterns)
    total = by_specimen(np.ones(len(truth)), truth, specimens, n_patterns)
    return measure_counts(confusion, right, total, seed)


def measure_counts(
    confusion: Counts,
    right: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    seed: int = 0,
) -> Metrics:
    """Measure held-out cells that were counted already.

    Parameters
    ----------
    confusion : (K, K) int64
        Rows are the truth.
    right, total : (S, K) float64
        Recognised and all cells of each specimen and pattern; see `by_specimen`. Each
        specimen has some.
    seed
        Of the bootstrap.
    """
    return Metrics(
        int(confusion.sum()),
        confusion,
        class_rates(confusion),
        mean_class_accuracy(confusion),
        _interval(right, total, np.random.default_rng(seed), _DRAWS),
        np.count_nonzero(total, axis=0).astype(np.int64),
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
    draws: int = _DRAWS,
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
    total = by_specimen(np.ones(len(truth)), truth, specimens, n_patterns)
    right = by_specimen(truth == predicted, truth, specimens, n_patterns)
    return _interval(right, total, rng, draws)


def _interval(
    right: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
    rng: np.random.Generator,
    draws: int,
) -> tuple[float, float] | None:
    if len(total) < 2:
        return None
    weights = draw_within(total.argmax(axis=1), rng, draws)
    rates = drawn_rates(weights, right, total)
    low, high = np.percentile(np.nanmean(rates, axis=1), [2.5, 97.5])
    return float(low), float(high)


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


def drawn_rates(
    weights: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    total: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the (draws, K) rates of drawn specimens; nan where no cell was drawn.

    Parameters
    ----------
    weights : (draws, S) float64
        How often each specimen was drawn.
    right, total : (S, K) float64
        Recognised and all cells of each specimen and pattern.
    """
    drawn_total = weights @ total
    rates = np.full(drawn_total.shape, np.nan)
    np.divide(weights @ right, drawn_total, out=rates, where=drawn_total > 0)
    return rates


def draw_within(
    stratum: npt.NDArray[np.int64], rng: np.random.Generator, draws: int
) -> npt.NDArray[np.float64]:
    """Draw specimens with replacement within each stratum.

    Parameters
    ----------
    stratum : (S,) int64
        The pattern of each specimen.

    Returns
    -------
    weights : (draws, S) float64
        How often each specimen was drawn; each row sums to the size of each stratum.
    """
    weights = np.zeros((draws, len(stratum)))
    for value in np.unique(stratum):
        members = np.flatnonzero(stratum == value)
        even = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), even, size=draws)
    return weights
