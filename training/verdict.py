"""From the scores of cells to one verdict on their specimen, or to none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.config import VerdictSettings
from training.patterns import Pattern, Vocabulary

_FLOOR = 1e-6


@dataclass(frozen=True)
class SpecimenVerdict:
    """What the cells of one specimen say together.

    Attributes
    ----------
    pattern
        The leading pattern, or None where the verdict is withheld.
    second
        The pattern with the next highest score, or None without cells.
    mixed
        Whether the second pattern has enough cells to be shown beside the first.
    scores : (K,) float64
        Softmax of the mean log score over cells: a ranking. Cells of one specimen are
        not independent, so this is not a probability.
    shares : (K,) float64
        Share of cells whose highest score is the pattern's.
    n_cells
        Cells that were counted.
    reason
        Why the verdict is what it is, in one sentence.
    """

    pattern: Pattern | None
    second: Pattern | None
    mixed: bool
    scores: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    n_cells: int
    reason: str


def specimen_verdict(
    scores: npt.NDArray[np.float32],
    vocabulary: Vocabulary,
    settings: VerdictSettings | None = None,
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

    Notes
    -----
    The score of pattern k is proportional to exp(mean over cells of log p_k), with p
    floored at 1e-6 so that no single cell can veto a pattern.
    """
    settings = settings or VerdictSettings()
    n_cells, n_patterns = len(scores), len(vocabulary)
    if n_cells == 0:
        nothing = np.zeros(n_patterns)
        return SpecimenVerdict(
            None, None, False, nothing, nothing, 0, "There is no cell to judge by."
        )
    mean_log = np.log(np.maximum(scores.astype(np.float64), _FLOOR)).mean(axis=0)
    pooled = np.exp(mean_log - mean_log.max())
    pooled /= pooled.sum()
    votes = np.bincount(scores.argmax(axis=1), minlength=n_patterns)
    shares = votes / n_cells
    first, second = np.argsort(-pooled, kind="stable")[:2]
    withheld = _withheld(n_cells, float(shares[first]), vocabulary[first], settings)
    mixed = not withheld and bool(shares[second] >= settings.mixed_share)
    title = vocabulary[first].title
    told = f"{title} in {votes[first]} of {n_cells} cells"
    if mixed:
        told += f", {vocabulary[second].title} in {votes[second]}"
    return SpecimenVerdict(
        None if withheld else vocabulary[first],
        vocabulary[second],
        mixed,
        pooled,
        shares,
        n_cells,
        withheld or f"{told}.",
    )


def _withheld(
    n_cells: int, share: float, leading: Pattern, settings: VerdictSettings
) -> str:
    """Return why no verdict can be given, or an empty string."""
    if n_cells < settings.minimum_cells:
        return f"Too few cells: {n_cells} of at least {settings.minimum_cells}."
    if share < settings.minimum_share:
        return (
            f"No pattern leads clearly: {leading.title} has {share:.0%} of the cells, "
            f"{settings.minimum_share:.0%} are needed."
        )
    return ""
