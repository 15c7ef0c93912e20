"""How far two reviewers, who read blind, agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.data.curation import Decision


@dataclass(frozen=True)
class Agreement:
    """Two reviewers' decisions on the cells that both decided.

    Attributes
    ----------
    n
        Cells that both decided.
    alike
        Cells on which both said the same, the other pattern included.
    kappa
        Cohen's kappa, from -1 to 1; nan where it is not defined.
    """

    n: int
    alike: int
    kappa: float


def compare(one: Mapping[str, Decision], other: Mapping[str, Decision]) -> Agreement:
    """Compare two reviewers' standing decisions.

    Notes
    -----
    Kappa is (p - q) / (1 - q), with p the share of cells decided alike and q the share
    expected if both decided at random with their own frequencies.

    References
    ----------
    Cohen 1960, doi:10.1177/001316446002000104
    """
    pairs = [
        (_said(one[cell]), _said(other[cell]))
        for cell in one.keys() & other.keys()
        if "cleared" not in (one[cell].verdict, other[cell].verdict)
    ]
    n = len(pairs)
    if n == 0:
        return Agreement(0, 0, float("nan"))
    alike = sum(a == b for a, b in pairs)
    firsts, seconds = (Counter(said) for said in zip(*pairs, strict=True))
    chance = sum(firsts[what] * seconds[what] for what in firsts) / n**2
    kappa = (alike / n - chance) / (1 - chance) if chance < 1 else float("nan")
    return Agreement(n, alike, kappa)


def _said(decision: Decision) -> tuple[str, str | None]:
    return decision.verdict, decision.pattern


def agreement_text(reviewer: str, other: str, found: Agreement) -> str:
    """Return the agreement as a sentence."""
    if found.n == 0:
        return f"{reviewer} and {other} have no decided cell in common."
    share = found.alike / found.n
    kappa = "not defined" if found.kappa != found.kappa else f"{found.kappa:.2f}"
    return (
        f"{reviewer} and {other}: {found.alike} of {found.n} cells alike "
        f"({share:.0%}), Cohen's kappa {kappa}."
    )
