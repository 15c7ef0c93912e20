"""Agreement of two readers on whole specimens: result, grade and pattern.

A reader is a person, or a model whose verdicts are taken as answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.decisions.agreement import Kappa, kappa_on_specimens, kappa_text
from training.decisions.model import GRADES
from training.decisions.specimens import Answer
from training.icap import numbers

LADDER = ("negative", "borderline", *GRADES)
"""What is a step from one to the next when grades are compared."""

WEIGHTS = "linear weights"


@dataclass(frozen=True)
class SpecimenAgreement:
    """Agreement of two readers on the specimens that both answered.

    Attributes
    ----------
    result
        Positive or negative, where neither said borderline.
    borderline
        Specimens of which one did.
    grade
        Weighted kappa on `LADDER`: a difference weighs as many steps as it has.
    within_one
        Of these, specimens at most one step apart.
    pattern
        On the specimens to which both gave a pattern; all patterns of a specimen
        together are one word, as fine as both readers tell them apart.
    """

    result: Kappa
    borderline: int
    grade: Kappa
    within_one: int
    pattern: Kappa


def compare_answers(
    one: Mapping[str, Answer], other: Mapping[str, Answer]
) -> SpecimenAgreement:
    """Compare two readers' answers, by specimen.

    Notes
    -----
    Weighted kappa is 1 minus the mean difference over the one expected by chance, with
    the difference in steps (linear weights; Cohen 1968, doi:10.1037/h0026256). The
    intervals are those of `training.decisions.agreement.compare`, over specimens.
    """
    pairs = [(one[name], other[name]) for name in one if name in other]
    results = [(a.result, b.result) for a, b in pairs if a.result and b.result]
    clear = [both for both in results if "borderline" not in both]
    steps = [(_step(a), _step(b)) for a, b in pairs]
    graded = [both for both in steps if all(both)]
    places = np.arange(len(LADDER), dtype=np.float64)
    apart = np.abs(places[:, None] - places)
    named = _words([(a.patterns, b.patterns) for a, b in pairs])
    return SpecimenAgreement(
        kappa_on_specimens("result", clear, ("negative", "positive")),
        len(results) - len(clear),
        kappa_on_specimens("grade", graded, LADDER, apart),
        _within_one(graded, apart),
        kappa_on_specimens(
            "pattern", named, sorted({w for both in named for w in both})
        ),
    )


def agreement_lines(one: str, other: str, found: SpecimenAgreement) -> list[str]:
    """Return the agreement of two readers as sentences."""
    parts = (
        ("positive or negative", found.result, f"; {found.borderline} borderline"),
        (f"grade, {WEIGHTS}", found.grade, f"; {found.within_one} within one step"),
        ("pattern", found.pattern, ""),
    )
    return [
        f"{one} and {other}, {of}: {kappa.alike} of {kappa.n} specimens alike{more}, "
        f"kappa {kappa_text(kappa)}."
        for of, kappa, more in parts
    ]


def confusion(
    truth: Mapping[str, Answer], said: Mapping[str, Answer]
) -> dict[tuple[str, str], int]:
    """Return how often a specimen that is one thing was called another.

    Words are the patterns of a positive or borderline specimen, else the result.
    """
    both = [(truth[name], said[name]) for name in said if name in truth]
    return dict(Counter((_called(a), _called(b)) for a, b in both))


def confusion_lines(
    reviewer: str, teacher: str, counts: Mapping[tuple[str, str], int]
) -> list[str]:
    """Return a confusion matrix as lines: a sum, then a line a known answer."""
    total = sum(counts.values())
    if not total:
        return [f"{reviewer} has answered no specimen that {teacher} has."]
    alike = sum(n for (known, said), n in counts.items() if known == said)
    lines = [f"{reviewer}, first answers: {alike} of {total} as {teacher}."]
    for known in sorted({known for known, _ in counts}):
        said = {word: n for (one, word), n in counts.items() if one == known}
        ranked = sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))
        lines.append(f"{known}: " + ", ".join(f"{word} {n}" for word, n in ranked))
    return lines


def _called(answer: Answer) -> str:
    return " + ".join(answer.patterns) or answer.result or "not said"


def _step(answer: Answer) -> str:
    """Return where an answer stands on `LADDER`, or '' for a positive without grade."""
    return answer.grade if answer.result == "positive" else answer.result or ""


def _within_one(
    graded: Iterable[tuple[str, str]], apart: npt.NDArray[np.float64]
) -> int:
    place = LADDER.index
    return sum(bool(apart[place(a), place(b)] <= 1) for a, b in graded)


def _words(
    pairs: Sequence[tuple[tuple[str, ...], tuple[str, ...]]],
) -> list[tuple[str, str]]:
    """Return both readers' patterns of each specimen as comparable words.

    Codes that one reader uses as a group, such as AC-4/5, are one group for both.
    """
    kept = [both for both in pairs if all(both)]
    group: dict[int, frozenset[int]] = {}
    for code in {code for both in kept for codes in both for code in codes}:
        together = numbers(code).union(*(group.get(k, ()) for k in numbers(code)))
        group |= dict.fromkeys(together, together)

    def word(codes: tuple[str, ...]) -> str:
        found = {min(group[k]) for code in codes for k in numbers(code)}
        return " + ".join(f"AC-{k}" for k in sorted(found))

    return [(word(a), word(b)) for a, b in kept]
