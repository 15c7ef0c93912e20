"""95 % intervals over specimens that hold where specimens are few.

The specimen is the unit: its cells stand or fall together. A pattern's rate is a ratio
over its specimens, and few specimens show their own spread badly, so the patterns lend
each other theirs. How often each interval holds the truth is measured by
``python tests/benchmarks/coverage.py``; docs/methods.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtr, stdtrit

PRIOR = 12.0
"""Degrees of freedom that the spread of all patterns is worth beside a pattern's own.

This, `EDGE_OF_MEAN` and `FITTED` were chosen by the coverage study."""

EDGE, EDGE_OF_MEAN = 0.5, 0.65
"""Trials added at the near end of a rate: 0.5 is Jeffreys' interval, 1 is exact.

Patterns whose specimens are all right show too small a spread all at once, so that a
mean needs more."""

FITTED = 1.0
"""Degrees of freedom taken off in a mean, which moves together with its spread."""

LEAST_FREEDOM = 2.0
"""Degrees of freedom under which there is no interval: it would be of any width."""

NEEDED = "an interval needs three specimens more than patterns"
"""`LEAST_FREEDOM` in words, for specimens of about as many cells."""

_TAIL = 0.975

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class RateIntervals:
    """Intervals of the rates of some patterns and of their mean.

    Attributes
    ----------
    mean : (..., 2) float64 in 0..1
        Of the mean over the tested patterns; nan where there is none.
    each : (..., K, 2) float64 in 0..1
        Of each pattern's rate; nan where it was not tested or there is none.
    borrowed : (..., K) bool
        Whether the interval of a pattern rests on the spread of the others alone, as
        one specimen has none.
    """

    mean: Floats
    each: Floats
    borrowed: npt.NDArray[np.bool_]


def rate_intervals(right: Floats, total: Floats) -> RateIntervals:
    """Return the 95 % intervals of each pattern's rate and of their mean.

    Parameters
    ----------
    right, total : (..., S, K) float64
        Recognised and all cells of each specimen and pattern; see
        `training.evaluation.metrics.by_specimen`. A specimen with cells of two patterns
        counts in each, as if these were two specimens.

    Notes
    -----
    The variance of a pattern's accuracies over specimens is taken as f r (1 - r), with
    r its rate. f is estimated for all patterns together, and for each from its own
    specimens; the former is worth `PRIOR` degrees of freedom beside the latter. One
    specimen then counts as 1 / f trials, and the interval of a rate is that of a
    binomial with so many (Korn and Graubard 1998), its normal quantile replaced by
    Student's at the degrees of freedom of the variance (Satterthwaite 1946). The
    interval of the mean combines those of the rates side by side, so that it stays as
    skew as they are (Zou and Donner 2008, doi:10.1002/sim.3095).

    Where no specimen differs from another, as when all are right, f cannot be
    estimated and a specimen counts as one trial.
    """
    spread = _spread(right, total)
    overall = _mean_tested(spread.mean, spread.tested)[..., None]
    shrunk = (spread.size * spread.mean + overall) / (spread.size + 1)
    pooled = _pool(spread, np.clip(shrunk * (1 - shrunk), 0, None))
    trials = _trials(spread, pooled, total.sum(axis=-2))
    share = spread.tested / np.maximum(spread.tested.sum(axis=-1, keepdims=True), 1)
    freedom = pooled.freedom_of(share**2) - FITTED
    each = _rate_ends(spread.mean, trials, pooled.freedom_each(), EDGE)
    joint = _rate_ends(spread.mean, trials, freedom[..., None], EDGE_OF_MEAN)
    away = np.where(spread.tested, share, 0)[..., None] * (
        joint - spread.mean[..., None]
    )
    reach = np.sqrt((away**2).sum(axis=-2))
    mean = overall + reach * np.array([-1.0, 1.0])
    known = pooled.freedom >= LEAST_FREEDOM
    return RateIntervals(
        np.where(known[..., None], mean, np.nan),
        np.where((known[..., None] & spread.tested)[..., None], each, np.nan),
        spread.tested & (spread.size < 1.5),
    )


def mean_interval(sums: Floats, total: Floats, shares: Floats | None = None) -> Floats:
    """Return the 95 % interval of a mean over patterns of a mean over their cells.

    Parameters
    ----------
    sums : (..., S, K) float64
        Sums over the cells of each specimen and pattern of a value without bounds: what
        one system recognised less what another did, or a loss.
    total : (..., S, K) float64
        Cells.
    shares : (..., K) float64
        Weight of each pattern, 0 where it was not tested; alike where None.

    Returns
    -------
    interval : (..., 2) float64
        nan where there is none.

    Notes
    -----
    As `rate_intervals`, with one variance for all patterns in place of f r (1 - r), and
    Student's interval, even on both sides.
    """
    spread = _spread(sums, total)
    pooled = _pool(spread, np.ones_like(spread.mean))
    if shares is None:
        count = np.maximum(spread.tested.sum(axis=-1, keepdims=True), 1)
        shares = spread.tested / count
    centre = (shares * spread.mean).sum(axis=-1)[..., None]
    deviation = np.sqrt((shares**2 * pooled.variance).sum(axis=-1))
    quantile = stdtrit(np.maximum(pooled.freedom_of(shares**2) - FITTED, 1e-3), _TAIL)
    interval = centre + (quantile * deviation)[..., None] * np.array([-1.0, 1.0])
    known = pooled.freedom >= LEAST_FREEDOM
    return np.where(known[..., None], interval, np.nan)


def loss_interval(sums: Floats, total: Floats) -> Floats:
    """Return the 95 % interval of the mean over cells of a loss, which is above 0.

    Parameters
    ----------
    sums, total : (..., S, K) float64
        Sum of the loss, and number, of the cells of each specimen and pattern.

    Returns
    -------
    interval : (..., 2) float64
        nan where there is none.

    Notes
    -----
    How many cells there are of each pattern is taken as given. The interval is that of
    `mean_interval` for the logarithm of the loss, as a few specimens carry most of it.
    """
    cells = total.sum(axis=(-2, -1))[..., None]
    mean = sums.sum(axis=(-2, -1))[..., None] / np.maximum(cells, 1)
    ends = mean_interval(sums, total, total.sum(axis=-2) / np.maximum(cells, 1))
    positive = np.where(mean > 0, mean, 1)
    return mean * np.exp((ends - mean) / positive)


def pair(interval: Floats) -> Interval | None:
    """Return an interval (2,) as a pair, or None where it is nan."""
    low, high = interval.tolist()
    return None if np.isnan(low) else (low, high)


def percent_range(interval: Interval, sign: str = "") -> str:
    """Return an interval in per cent, e.g. ``64.1 to 80.2``; sign '+' shows signs."""
    return " to ".join(f"{100 * end:{sign}.1f}" for end in interval)


@dataclass(frozen=True)
class _Spread:
    """Patterns, each a ratio over its specimens; (..., K) each.

    `size` is the effective number of specimens, smaller than their number where they
    differ in cells; `variance` is that of a specimen's mean about its pattern's.
    """

    mean: Floats
    variance: Floats
    size: Floats
    tested: npt.NDArray[np.bool_]


def _spread(sums: Floats, total: Floats) -> _Spread:
    cells = total.sum(axis=-2)
    tested = cells > 0
    weight = total / np.maximum(cells, 1)[..., None, :]
    mean = sums.sum(axis=-2) / np.maximum(cells, 1)
    away = weight * (sums / np.maximum(total, 1) - mean[..., None, :])
    inverse = (weight**2).sum(axis=-2)
    # The expected sum of squares in units of the variance, exact for unequal weights.
    expected = (weight**2 * (1 - 2 * weight + inverse[..., None, :])).sum(axis=-2)
    several = expected > 1e-12
    variance = (away**2).sum(axis=-2) / np.where(several, expected, 1)
    size = 1 / np.where(tested, inverse, 1)
    return _Spread(mean, np.where(several, variance, 0), size, tested)


@dataclass(frozen=True)
class _Pooled:
    """Variances of the patterns' means, each of its own specimens and of all.

    Attributes
    ----------
    unit : (..., K)
        Variance of a specimen of the pattern.
    variance : (..., K)
        Of the pattern's mean.
    parts : (..., K, K)
        What each pattern's own estimate (second axis) is multiplied with in it.
    own : (..., K)
        Degrees of freedom of each pattern's own estimate.
    """

    unit: Floats
    variance: Floats
    parts: Floats
    own: Floats

    @property
    def freedom(self) -> Floats:
        """Degrees of freedom of all patterns together, (...)."""
        return np.asarray(self.own.sum(axis=-1))

    def freedom_of(self, weights: Floats) -> Floats:
        """Return Satterthwaite's degrees of freedom of a weighted sum of variances."""
        parts = (weights[..., :, None] * self.parts).sum(axis=-2)
        return self._satterthwaite((weights * self.variance).sum(axis=-1), parts)

    def freedom_each(self) -> Floats:
        """Return those of each pattern's variance, (..., K)."""
        return self._satterthwaite(self.variance, self.parts)

    def _satterthwaite(self, variance: Floats, parts: Floats) -> Floats:
        unit = self.unit if parts.ndim == self.unit.ndim else self.unit[..., None, :]
        own = self.own if parts.ndim == self.own.ndim else self.own[..., None, :]
        noise = ((parts * unit) ** 2 * _inverse(own)).sum(axis=-1)
        every = (
            self.freedom if variance.ndim < self.own.ndim else self.freedom[..., None]
        )
        return np.where(noise > 0, variance**2 / np.where(noise > 0, noise, 1), every)


def _pool(spread: _Spread, model: Floats) -> _Pooled:
    """Pool variances that are proportional to `model` (..., K)."""
    own = np.where(spread.tested, spread.size - 1, 0)
    own = np.where(own > 1e-9, own, 0)
    expected = (own * model).sum(axis=-1, keepdims=True)
    scale = (own * spread.variance).sum(axis=-1, keepdims=True) / np.where(
        expected > 0, expected, 1
    )
    lent = PRIOR / (PRIOR + own)
    unit = lent * scale * model + (1 - lent) * spread.variance
    from_all = (lent * model / spread.size)[..., :, None] * (
        own / np.where(expected > 0, expected, 1)
    )[..., None, :]
    alone = ((1 - lent) / spread.size)[..., None] * np.eye(own.shape[-1])
    return _Pooled(unit, unit / spread.size, from_all + alone, own)


def _trials(spread: _Spread, pooled: _Pooled, cells: Floats) -> Floats:
    """Return how many independent trials the specimens of each pattern count as.

    At most as many as it has cells: specimens that seem alike may be so by chance.
    """
    overall = _mean_tested(spread.mean, spread.tested)[..., None]
    shrunk = (spread.size * spread.mean + overall) / (spread.size + 1)
    model = shrunk * (1 - shrunk)
    seen = (model > 0) & (pooled.variance > 0)
    trials = np.where(seen, model / np.where(seen, pooled.variance, 1), np.inf)
    alike = model.max(axis=-1, keepdims=True) <= 0
    return np.minimum(np.where(alike, spread.size, trials), np.maximum(cells, 1))


def _rate_ends(rate: Floats, trials: Floats, freedom: Floats, edge: float) -> Floats:
    """Return both ends of a rate (..., K, 2) after so many trials."""
    tail = ndtr(-stdtrit(np.maximum(freedom, 1e-3), _TAIL))
    right, wrong = rate * trials, (1 - rate) * trials
    low = betaincinv(np.maximum(right + 1 - edge, 1e-9), wrong + edge, tail)
    high = betaincinv(right + edge, np.maximum(wrong + 1 - edge, 1e-9), 1 - tail)
    low = np.where(right > 0, np.minimum(low, rate), 0)
    high = np.where(wrong > 0, np.maximum(high, rate), 1)
    return np.stack([low, high], axis=-1)


def _mean_tested(mean: Floats, tested: npt.NDArray[np.bool_]) -> Floats:
    return (mean * tested).sum(axis=-1) / np.maximum(tested.sum(axis=-1), 1)


def _inverse(freedom: Floats) -> Floats:
    return np.where(freedom > 0, 1 / np.where(freedom > 0, freedom, 1), 0)
