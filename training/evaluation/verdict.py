"""Verdict on a specimen from the scores of its cells, or none.

A *fitted* verdict has constants that were fitted on held-out specimens (see
`training.evaluation.verdict_fit`): its probabilities are those of specimens, it is
withheld where the risk that was asked for would not be kept, and a specimen unlike
those of the claimed pattern is turned away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.config import VerdictSettings
from training.evaluation.mixture import find_mixture
from training.evaluation.verdict_figures import VerdictCalibration
from training.patterns import Pattern, Vocabulary

TOO_FEW = "too-few-cells"
NO_CLEAR = "no-clear-pattern"
NOT_THESE = "not-one-of-these"
NEGATIVE = "negative"

_FLOOR = 1e-6
_PROFILE_FLOOR = 0.01

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SpecimenVerdict:
    """Verdict on a specimen, from all its cells.

    Attributes
    ----------
    pattern
        The leading pattern, or None where the verdict is withheld.
    second
        The pattern with the next highest score, or None without cells.
    mixed
        Whether there are two patterns, `second` beside `pattern`.
    scores : (K,) float64
        Softmax of the mean log score over cells: a ranking. Cells of one specimen are
        not independent, so this is not a probability.
    shares : (K,) float64
        Share of cells whose highest score is the pattern's.
    n_cells
        Cells that were counted.
    reason
        Why the verdict is what it is, in one sentence.
    probabilities : (K,) float64 or None
        Calibrated on held-out specimens; None where no verdict was fitted.
    withheld : {'', 'too-few-cells', 'no-clear-pattern', 'not-one-of-these', 'negative'}
        Why there is no verdict, as a code.
    distance
        To the nearest held-out specimen of the leading pattern, in nats; infinite where
        none was recognised, None where no verdict was fitted.
    """

    pattern: Pattern | None
    second: Pattern | None
    mixed: bool
    scores: Floats
    shares: Floats
    n_cells: int
    reason: str
    probabilities: Floats | None = None
    withheld: str = ""
    distance: float | None = None


def specimen_verdict(
    scores: npt.NDArray[np.float32],
    vocabulary: Vocabulary,
    settings: VerdictSettings | None = None,
    fitted: VerdictCalibration | None = None,
) -> SpecimenVerdict:
    """Return the verdict on a specimen.

    Parameters
    ----------
    scores : (N, K) float32
        One row a cell, in the order of `vocabulary`; rows sum to 1.
    vocabulary
        The patterns in use.
    settings
        When to withhold a verdict and when to call it mixed.
    fitted
        The constants of the model that scored, where they were fitted. Its risk,
        distance and share of a mixed specimen then hold, and those of `settings` do
        not.

    Notes
    -----
    The score of pattern k is proportional to exp(mean over cells of log p_k), with p
    floored at 1e-6 so that no single cell can veto a pattern.
    """
    settings = settings or VerdictSettings()
    n_cells, n_patterns = len(scores), len(vocabulary)
    if n_cells == 0:
        nothing = np.zeros(n_patterns)
        told = "There are no cells to judge by."
        return SpecimenVerdict(
            None, None, False, nothing, nothing, 0, told, withheld=TOO_FEW
        )
    mean_log = mean_log_score(scores)
    votes = np.bincount(scores.argmax(axis=1), minlength=n_patterns)
    shares = votes / n_cells
    first, second = np.argsort(-mean_log, kind="stable")[:2]
    probabilities, away = None, None
    if fitted is not None:
        probabilities = softmax(mean_log * evidence(n_cells, fitted))
        known = fitted.profiles.get(vocabulary[first].name, ())
        away = nearest(profile(scores), known)
    pair = _two_patterns(scores, vocabulary, settings, fitted)
    if pair is not None:
        first, second = sorted(pair, key=lambda k: -mean_log[k])
    view = _View(vocabulary[first].title, n_cells, float(shares[first]))
    withheld, reason = "", ""
    if pair is None:
        withheld, reason = _withheld(view, settings, fitted, probabilities, away)
    mixed = pair is not None or (
        not withheld and _has_share(float(shares[second]), settings, fitted)
    )
    told = f"{view.title} in {votes[first]} of {n_cells} cells"
    if mixed:
        told += f", {vocabulary[second].title} in {votes[second]}"
    return SpecimenVerdict(
        None if withheld else vocabulary[first],
        vocabulary[second],
        mixed,
        softmax(mean_log),
        shares,
        n_cells,
        reason or f"{told}.",
        probabilities,
        withheld,
        away,
    )


def _two_patterns(
    scores: npt.NDArray[np.float32],
    vocabulary: Vocabulary,
    settings: VerdictSettings,
    fitted: VerdictCalibration | None,
) -> tuple[int, int] | None:
    """Return the two patterns of a mixture, or None where it is none.

    The cells of each pattern must be as near to its held-out specimens as a specimen
    has to be.
    """
    if fitted is None or fitted.mixed_balance is None:
        return None
    found = find_mixture(scores)
    if len(scores) < settings.minimum_cells or found.balance <= fitted.mixed_balance:
        return None
    limit = math.inf if fitted.distance is None else fitted.distance
    for place, group in zip(found.patterns, found.groups(scores), strict=True):
        known = fitted.profiles.get(vocabulary[place].name, ())
        if nearest(profile(group), known) > limit:
            return None
    return found.patterns


def _has_share(
    share: float, settings: VerdictSettings, fitted: VerdictCalibration | None
) -> bool:
    """Return whether the second pattern has enough cells, without a fitted balance."""
    if fitted is None:
        return share >= settings.mixed_share
    return fitted.mixed_balance is None and share >= fitted.mixed_share


def mean_log_score(scores: npt.NDArray[np.float32]) -> Floats:
    """Return the mean over cells of the log score of each pattern, (K,) in nats."""
    logs: Floats = np.log(np.maximum(scores.astype(np.float64), _FLOOR)).mean(axis=0)
    return logs


def evidence(n_cells: int, fitted: VerdictCalibration) -> float:
    """Return what the mean log score of a specimen is multiplied with.

    It is the effective number of cells, n / (1 + (n - 1) c) at correlation c (the
    design effect of a cluster sample, Kish 1965), over the temperature of a cell.
    """
    effective = n_cells / (1 + (n_cells - 1) * fitted.correlation)
    return effective / fitted.temperature


def softmax(logs: Floats) -> Floats:
    """Return exp(logs) over its sum along the last axis, in 0..1."""
    shifted = np.exp(logs - logs.max(axis=-1, keepdims=True))
    total: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return total


def profile(scores: npt.NDArray[np.float32]) -> Floats:
    """Return what a specimen is told from unknown ones by, (K,) in nats.

    It is the mean over cells of the log score, floored at 0.01 so that the smallest
    scores do not decide, less its mean over the patterns.
    """
    floored = np.maximum(scores.astype(np.float64), _PROFILE_FLOOR)
    logs: Floats = np.log(floored).mean(axis=0)
    return logs - logs.mean()


def nearest(one: Floats, known: npt.ArrayLike) -> float:
    """Return the city-block distance to the nearest profile; inf where none is."""
    others = np.asarray(known, np.float64)
    if others.size == 0:
        return math.inf
    return float(np.abs(others - one).sum(axis=1).min())


@dataclass(frozen=True)
class _View:
    title: str
    n_cells: int
    share: float


def _withheld(
    view: _View,
    settings: VerdictSettings,
    fitted: VerdictCalibration | None,
    probabilities: Floats | None,
    away: float | None,
) -> tuple[str, str]:
    """Return why no verdict can be given, as a code and a sentence, or '' twice."""
    if view.n_cells < settings.minimum_cells:
        least = settings.minimum_cells
        return TOO_FEW, f"Too few cells: {view.n_cells} of at least {least}."
    if fitted is None or probabilities is None or away is None:
        return _unfitted(view, settings)
    if fitted.distance is not None and away > fitted.distance:
        return NOT_THESE, _unlike(view, fitted, away)
    top, second = np.sort(probabilities)[::-1][:2]
    if fitted.threshold is None:
        return NO_CLEAR, f"No verdict: {guarantee(fitted)}."
    if top < fitted.threshold:
        return NO_CLEAR, (
            f"No clear pattern: {view.title} has a probability of {top:.0%}, the next "
            f"{second:.0%}; under {fitted.threshold:.0%} more than {fitted.risk:.0%} "
            "of verdicts may be wrong."
        )
    return "", ""


def guarantee(fitted: VerdictCalibration) -> str:
    """Return the risk that was asked for beside what is guaranteed, in words."""
    asked = f"at most {fitted.risk:.0%} wrong verdicts were asked for"
    if fitted.confidence is None:
        kept = (
            "kept on average over fits" if fitted.threshold else "which nothing keeps"
        )
        return f"{asked}, {kept} on {fitted.specimens} held-out specimens"
    sure = f"{fitted.confidence:.0%} confidence"
    if fitted.threshold is not None:
        return (
            f"{asked} and are guaranteed with {sure}, by {fitted.answered} answered of "
            f"{fitted.specimens} held-out specimens, {fitted.answered_wrong} wrong"
        )
    kept = f"{asked}, which {fitted.specimens} held-out specimens do not guarantee"
    least = f"; try a risk of {fitted.least_risk:.0%}" if fitted.least_risk else ""
    return f"{kept} with {sure}{least}"


def _unfitted(view: _View, settings: VerdictSettings) -> tuple[str, str]:
    if view.share < settings.minimum_share:
        return NO_CLEAR, (
            f"No pattern leads clearly: {view.title} has {view.share:.0%} of the "
            f"cells, {settings.minimum_share:.0%} are needed."
        )
    return "", ""


def _unlike(view: _View, fitted: VerdictCalibration, away: float) -> str:
    start = f"Perhaps none of the patterns: {view.title} scores highest, but "
    if math.isinf(away):
        return f"{start}no held-out specimen of it was recognised for comparison."
    return (
        f"{start}the scores are unlike those of its held-out specimens (distance "
        f"{away:.1f}, at most {fitted.distance:.1f})."
    )
