"""A verdict in plain sentences: what, how sure, why not, and at what measured risk."""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.evaluation.verdict import (
    NO_CLEAR,
    NOT_THESE,
    TOO_FEW,
    SpecimenVerdict,
    guarantee,
)
from training.inference.cards import ModelCard
from training.patterns import Pattern, Vocabulary

WITHHELD = {
    TOO_FEW: "too few cells",
    NO_CLEAR: "no clear pattern",
    NOT_THESE: "perhaps not one of these patterns",
}
UNFITTED = (
    "This model has no calibrated probability; shares of cells are not probabilities."
)
CORRECTED = (
    "The probability was calibrated without decisions and is not validated with them."
)


@dataclass(frozen=True)
class VerdictWords:
    """A verdict as a person reads it; an empty text is not shown.

    Attributes
    ----------
    pattern
        The one named in the title, or None where the verdict is withheld.
    title
        The pattern or the two of a mixed verdict, or that there is none and why.
    probability, second, group, cells, reason
        A sentence each.
    """

    pattern: Pattern | None
    title: str
    probability: str
    second: str
    group: str
    cells: str
    reason: str


def tell_verdict(
    verdict: SpecimenVerdict, vocabulary: Vocabulary, simulated: bool = False
) -> VerdictWords:
    """Return a verdict in words.

    Parameters
    ----------
    simulated
        Whether the model is of simulated cells: no probability is told as one of a
        patient.
    """
    pattern, odds = verdict.pattern, _probability(verdict, vocabulary)
    if simulated:
        odds = _of_simulated(verdict)
        verdict = replace(verdict, probabilities=None)
    return VerdictWords(
        pattern,
        _title(verdict),
        odds,
        _second(verdict, vocabulary),
        _group(verdict),
        f"{verdict.n_cells:,} cell{'' if verdict.n_cells == 1 else 's'} counted.",
        verdict.reason,
    )


def risk_text(card: ModelCard | None) -> str:
    """Return how often verdicts of a model were wrong on held-out specimens.

    It is of the track *specimen*; figures of single cells are never told beside it.
    """
    if card is None:
        return ""
    fitted = card.verdict
    if fitted is None or fitted.figures is None:
        return "Risk of a wrong verdict: not measured for this model."
    figures = fitted.figures
    if not figures.answered:
        return (
            f"Risk: {guarantee(fitted)}. None of {figures.specimens} held-out "
            "specimens received a verdict. Track: specimen."
        )
    bound = figures.risk_bound
    most = "" if bound is None else f" (with 95 % confidence at most {percent(bound)})"
    wrong = f"{figures.answered_wrong} of these {_were(figures.answered_wrong)} wrong"
    return (
        f"Risk: {guarantee(fitted)}. Judged without itself, {figures.answered} of "
        f"{figures.specimens} received a verdict, {wrong}{most}. Track: specimen."
    )


def _were(n: int) -> str:
    return "was" if n == 1 else "were"


def _title(verdict: SpecimenVerdict) -> str:
    if verdict.pattern is None:
        why = WITHHELD.get(verdict.withheld, "")
        return f"No verdict: {why}" if why else "No verdict"
    second = verdict.second if verdict.mixed else None
    return verdict.pattern.title + (f" with {second.title.lower()}" if second else "")


def _probability(verdict: SpecimenVerdict, vocabulary: Vocabulary) -> str:
    odds = verdict.probabilities
    if not verdict.n_cells:
        return ""
    if odds is None:
        return UNFITTED
    best = int(odds.argmax())
    if verdict.pattern is None:
        return (
            f"Most likely {vocabulary[best].title} ({percent(odds[best])}), too "
            "uncertain for a verdict."
        )
    return f"Probability {percent(odds[best])}."


def _of_simulated(verdict: SpecimenVerdict) -> str:
    odds = verdict.probabilities
    if odds is None or verdict.pattern is None:
        return ""
    return f"Right for {percent(odds.max())} of simulated specimens like this."


def _second(verdict: SpecimenVerdict, vocabulary: Vocabulary) -> str:
    if verdict.second is None:
        return ""
    place = vocabulary.index(verdict.second.name)
    n = round(float(verdict.shares[place]) * verdict.n_cells)
    if not n:
        return ""
    odds = verdict.probabilities
    chance = "" if odds is None else f", probability {percent(odds[place])}"
    named = "Mixed: second is" if verdict.mixed else "Second:"
    return f"{named} {verdict.second.title}, {n} of {verdict.n_cells} cells{chance}."


def _group(verdict: SpecimenVerdict) -> str:
    if verdict.pattern is None:
        return ""
    second = verdict.second if verdict.mixed else None
    mixed = f" with {second.icap}" if second else ""
    return f"ICAP group {verdict.pattern.icap}{mixed}"


def percent(share: float) -> str:
    """Return a share in percent; neither 0 nor 100 where it is not exactly that."""
    if 0.995 < share < 1:
        return "over 99 %"
    if 0 < share < 0.005:
        return "under 1 %"
    return f"{100 * share:.0f} %"
