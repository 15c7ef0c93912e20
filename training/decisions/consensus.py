"""Consensus of the reviewers of a cell: unanimous, by majority, or open.

The rule: what more than half of the reviewers who decided on a cell say of it is taken.
Where no word has more than half, the cell is open, and no rule of ours decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from training.decisions.model import Decision

REJECTED = "rejected"
_ON_CELLS = ("accepted", REJECTED, "relabelled")

Together = Literal["undecided", "alike", "settled", "open"]


@dataclass(frozen=True)
class Settled:
    """Consensus of some reviewers on a cell.

    Attributes
    ----------
    together
        ``alike`` where all say the same, ``settled`` where more than half do, ``open``
        where they disagree and no word has more than half.
    word
        As `said` returns it; empty where it is open or undecided.
    votes, readers
        How many say the word most said, of how many who decided.
    decision
        One that says the word, an acceptance where there is one; None without a word.
    """

    together: Together
    word: str = ""
    votes: int = 0
    readers: int = 0
    decision: Decision | None = None


def said(decision: Decision, pattern: str | None = None) -> str:
    """Return what a decision comes to: a pattern's name, rejected, or accepted.

    Parameters
    ----------
    pattern
        The specimen's; empty or None where it is not known.
    """
    if decision.verdict == "accepted" and pattern:
        return pattern
    return decision.pattern or decision.verdict


def settle(decisions: Iterable[Decision], pattern: str | None = None) -> Settled:
    """Return what reviewers say of a cell together, by the rule of this module.

    Parameters
    ----------
    decisions
        The standing one of each reviewer; a cleared one counts as none.
    pattern
        As `said` takes it.
    """
    made = [one for one in decisions if one.verdict in _ON_CELLS]
    if not made:
        return Settled("undecided")
    words = [said(one, pattern) for one in made]
    (word, votes), *others = Counter(words).most_common()
    if 2 * votes <= len(made):
        return Settled("open", "", votes, len(made))
    saying = [one for one, own in zip(made, words, strict=True) if own == word]
    accepted = [one for one in saying if one.verdict == "accepted"]
    together: Together = "settled" if others else "alike"
    return Settled(together, word, votes, len(made), (accepted or saying)[0])


def settled_text(found: Settled) -> str:
    """Return a disagreement as a sentence, '' where there is none."""
    if found.together == "open":
        return f"Open: {found.readers} reviewers disagree."
    if found.together == "settled":
        how = f"{found.votes} of {found.readers} reviewers"
        return f"Consensus of {how}: {found.word}."
    return ""


def apart_text(settled: int, left: int) -> str:
    """Return how many cells reviewers disagree on, as a sentence."""
    count = settled + left
    noun = "1 cell is" if count == 1 else f"{count:,} cells are"
    parts = f": {settled:,} with a consensus, {left:,} open" if count else ""
    return f"{noun} disagreed on{parts}."
