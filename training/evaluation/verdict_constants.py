"""The constants of a verdict, fitted on held-out specimens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from training.config import VerdictSettings
from training.evaluation.mixture import find_mixture
from training.evaluation.verdict import mean_log_score, nearest, profile, softmax
from training.evaluation.verdict_figures import VerdictCalibration

SIZES = (1, 3, 10, 30)
"""Cells drawn from each specimen to fit how evidence grows with their number."""

DRAWS = 4
"""Draws of each size."""

_START = 1 / 3
"""Share of the specimens that the first threshold tested answers; of drawn specimens
a quarter or a half were answered less often."""

MIXED_QUANTILE = 0.9
"""Share of recognised specimens of one pattern that must not be called mixed."""

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class JudgedSpecimens:
    """Held-out specimens, and what the constants are fitted from.

    Attributes
    ----------
    patterns
        In the order of the scores.
    names : (S,) str
    truth : (S,) int64
    cells
        The scores of each specimen's cells, (n, K) float32.
    mean_log : (S, K) float64
        Mean log score over all cells.
    profiles : (S, K) float64
        See `training.evaluation.verdict.profile`.
    second_share : (S,) float64
        Share of cells of the pattern next to the leading one.
    balance : (S,) float64
        See `training.evaluation.mixture.find_mixture`.
    drawn : (S, R, K) float64
        Mean log score of R draws of cells, and of all.
    drawn_n : (S, R) int64
        Cells of each draw.
    """

    patterns: tuple[str, ...]
    names: npt.NDArray[np.str_]
    truth: Rows
    cells: tuple[npt.NDArray[np.float32], ...]
    mean_log: Floats
    profiles: Floats
    second_share: Floats
    balance: Floats
    drawn: Floats
    drawn_n: Rows

    def __len__(self) -> int:
        return len(self.names)

    @property
    def leading(self) -> Rows:
        """The pattern of the highest mean log score, (S,) int64."""
        return self.mean_log.argmax(axis=1).astype(np.int64)

    @property
    def recognised(self) -> npt.NDArray[np.bool_]:
        """Return whether it is the true one, (S,) bool."""
        return self.leading == self.truth


def judge_specimens(
    scores: npt.NDArray[np.float32],
    truth: npt.NDArray[np.int64],
    specimens: npt.NDArray[np.str_],
    patterns: tuple[str, ...],
    rng: np.random.Generator,
) -> JudgedSpecimens:
    """Gather held-out cells by specimen.

    Parameters
    ----------
    scores : (N, K) float32
        Each cell's by a model that never saw its specimen.
    truth : (N,) int64
        A specimen's is that of most of its cells.
    specimens : (N,) str
    patterns
        In the order of the scores.
    rng
        Draws the cells that show how evidence grows with their number.
    """
    names, unit = np.unique(specimens, return_inverse=True)
    order = np.argsort(unit, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(unit, minlength=len(names)))[:-1])
    cells = tuple(scores[part] for part in parts)
    draws = [_draw(one, rng) for one in cells]
    return JudgedSpecimens(
        patterns,
        names,
        np.asarray([np.bincount(truth[part]).argmax() for part in parts], np.int64),
        cells,
        np.stack([mean_log_score(one) for one in cells]),
        np.stack([profile(one) for one in cells]),
        np.asarray([_second_share(one) for one in cells]),
        np.asarray([find_mixture(one).balance for one in cells]),
        np.stack([drawn for drawn, _ in draws]),
        np.stack([counts for _, counts in draws]),
    )


def _draw(
    scores: npt.NDArray[np.float32], rng: np.random.Generator
) -> tuple[Floats, Rows]:
    counts = [min(size, len(scores)) for size in SIZES for _ in range(DRAWS)]
    drawn = [
        mean_log_score(rng.permutation(scores, axis=0)[:count]) for count in counts
    ]
    drawn += [mean_log_score(scores)] * DRAWS
    counts += [len(scores)] * DRAWS
    return np.stack(drawn), np.asarray(counts, np.int64)


def _second_share(scores: npt.NDArray[np.float32]) -> float:
    second = np.argsort(-mean_log_score(scores), kind="stable")[1]
    return float(np.mean(scores.argmax(axis=1) == second))


def fit_constants(
    judged: JudgedSpecimens, rows: Rows, settings: VerdictSettings, **origin: Any
) -> VerdictCalibration:
    """Fit the constants on some of the specimens; no other is looked at.

    Parameters
    ----------
    judged
        All specimens.
    rows : (m,) int64
        Those to fit on.
    settings
        The risk, and the share that may be turned away.
    origin
        Other fields of the result, as `run`.
    """
    temperature, correlation = fit_temperature(
        judged.drawn[rows], judged.drawn_n[rows], judged.truth[rows]
    )
    count = np.asarray([len(judged.cells[row]) for row in rows])
    scale = count / (1 + (count - 1) * correlation) / temperature
    top = softmax(judged.mean_log[rows] * scale[:, None]).max(axis=1)
    right = judged.recognised[rows]
    away = _distances(judged, rows)
    limit = _upper_limit(away[right], settings.turned_away)
    known = away <= limit if limit is not None else np.ones(len(rows), bool)
    chosen = choose_threshold(
        top[known], right[known], settings.risk, settings.confidence
    )
    shares = judged.second_share[rows][right]
    usual = float(np.quantile(shares, MIXED_QUANTILE)) if len(shares) else 0.0
    return VerdictCalibration(
        patterns=judged.patterns,
        specimens=len(rows),
        temperature=temperature,
        correlation=correlation,
        risk=settings.risk,
        threshold=chosen and chosen.probability,
        confidence=settings.confidence,
        answered=chosen.answered if chosen else 0,
        answered_wrong=chosen.wrong if chosen else 0,
        turned_away=settings.turned_away,
        distance=limit,
        profiles=_known_profiles(judged, rows[right]),
        mixed_share=max(settings.mixed_share, usual),
        mixed_balance=_upper_limit(judged.balance[rows], settings.called_mixed),
        least_risk=least_risk(top[known], right[known], settings.confidence),
        **origin,
    )


def fit_temperature(drawn: Floats, counts: Rows, truth: Rows) -> tuple[float, float]:
    """Fit the temperature of a cell and the correlation between cells.

    Parameters
    ----------
    drawn : (S, R, K) float64
        Mean log score of each draw of cells from each specimen.
    counts : (S, R) int64
        Cells of each draw.
    truth : (S,) int64

    Returns
    -------
    temperature, correlation
        Of the smallest log loss, each specimen counting the same.

    Notes
    -----
    The true pattern's target is (S + 1) / (S + 2), the others share the rest, as Platt
    (1999) does: without it, specimens that are all right would ask for a probability of
    1, which no number of them supports.
    """
    n_specimens, _, n_patterns = drawn.shape
    target = np.full((n_specimens, 1, n_patterns), 1 / (n_specimens + 2))
    target /= max(n_patterns - 1, 1)
    target[np.arange(n_specimens), 0, truth] = (n_specimens + 1) / (n_specimens + 2)

    def loss(free: Floats) -> tuple[float, Floats]:
        """Return the mean loss of the draws and its gradient."""
        correlation = 1 / (1 + np.exp(-free[1]))
        dilution = 1 + (counts - 1) * correlation
        scale = counts / dilution / np.exp(free[0])
        logits = drawn * scale[:, :, None]
        logits -= logits.max(axis=2, keepdims=True)
        shares = np.exp(logits)
        total = shares.sum(axis=2)
        value = (np.log(total) - (target * logits).sum(axis=2)).mean()
        shares /= total[:, :, None]
        per_scale = ((shares - target) * drawn).sum(axis=2) * scale
        per_correlation = per_scale * (counts - 1) / dilution
        slope = correlation * (1 - correlation)
        gradient = [-per_scale.mean(), -slope * per_correlation.mean()]
        return float(value), np.asarray(gradient)

    found = scipy.optimize.minimize(
        loss,
        np.zeros(2),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-4.0, 4.0), (-7.0, 7.0)],
    )
    return float(np.exp(found.x[0])), float(1 / (1 + np.exp(-found.x[1])))


@dataclass(frozen=True)
class Threshold:
    """Least probability of a verdict, and the specimens that it answers."""

    probability: float
    answered: int
    wrong: int


def choose_threshold(
    top: Floats, right: npt.NDArray[np.bool_], risk: float, confidence: float
) -> Threshold | None:
    """Return the lowest threshold that guarantees the risk with some confidence.

    Parameters
    ----------
    top : (m,) float64
        The highest probability of each specimen.
    right : (m,) bool
    risk
        Share of wrong verdicts accepted among those given.
    confidence
        That the share of wrong ones among all that the threshold answers, also of
        specimens to come, is not above `risk`; None where no threshold has it.

    Notes
    -----
    Thresholds are tested from the highest down to the first that fails, each against
    the hypothesis that more than `risk` of its verdicts are wrong, by the exact
    binomial tail. In such a fixed sequence each test may use the whole error of
    1 - `confidence` (Angelopoulos et al. 2021, Learn then test, arXiv:2110.01052). It
    starts with a third of the specimens, so that one error at the top is not the end,
    and where an answer without errors could pass: at 10 % and 90 %, 22 specimens.
    """
    values, group = np.unique(-top, return_inverse=True)
    size = len(values)
    wrong = np.cumsum(np.bincount(group, weights=~right, minlength=size))
    answered = np.cumsum(np.bincount(group, minlength=size))
    tail = scipy.special.bdtr(wrong, answered, risk)
    least = math.log1p(-confidence) / math.log1p(-risk)
    enough = answered >= max(least, _START * len(top))
    failed = np.flatnonzero(enough & (tail > 1 - confidence))
    passed = np.flatnonzero(enough[: failed[0] if len(failed) else size])
    if not len(passed):
        return None
    last = passed[-1]
    return Threshold(float(-values[last]), int(answered[last]), int(wrong[last]))


def least_risk(
    top: Floats, right: npt.NDArray[np.bool_], confidence: float
) -> float | None:
    """Return the least risk, in whole per cent below 50, that a threshold guarantees.

    It is looked for after the fact and is a hint what to ask for, not a guarantee.
    """
    risks = (percent / 100 for percent in range(1, 50))
    kept = (risk for risk in risks if choose_threshold(top, right, risk, confidence))
    return next(kept, None)


def _distances(judged: JudgedSpecimens, rows: Rows) -> Floats:
    """Return each specimen's distance to the nearest other of its leading pattern."""
    leading, right = judged.leading, judged.recognised
    found = []
    for row in rows:
        alike = rows[right[rows] & (leading[rows] == leading[row]) & (rows != row)]
        found.append(nearest(judged.profiles[row], judged.profiles[alike]))
    return np.asarray(found)


def _upper_limit(values: Floats, beyond: float) -> float | None:
    """Return the value that so small a share of the next specimens exceeds.

    It is the split-conformal quantile; where too few specimens give one, or it is
    infinite, the largest finite value.
    """
    finite = np.sort(values[np.isfinite(values)])
    if not len(finite):
        return None
    rank = int(np.ceil((len(values) + 1) * (1 - beyond)))
    return float(finite[min(rank, len(finite)) - 1])


def _known_profiles(
    judged: JudgedSpecimens, rows: Rows
) -> dict[str, tuple[tuple[float, ...], ...]]:
    return {
        name: tuple(
            tuple(np.round(judged.profiles[row], 4).tolist())
            for row in rows
            if judged.truth[row] == k
        )
        for k, name in enumerate(judged.patterns)
    }
