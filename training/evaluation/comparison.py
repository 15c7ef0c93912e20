"""Paired comparison of two systems on the same held-out cells.

The unit is the specimen: its cells stand or fall together, so cells are neither drawn
nor flipped one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import BadRunError
from training.evaluation.intervals import (
    Interval,
    mean_interval,
    pair,
    percent_range,
)
from training.evaluation.metrics import (
    by_specimen,
    confusion_matrix,
    mean_class_accuracy,
)

EXACT_SPECIMENS = 16
"""Most specimens on which the systems differ for which all 2^m flips are counted."""

_TOLERANCE = 1e-12
"""Two sums of the same terms in another order are equal within this."""

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same held-out cells.

    Attributes
    ----------
    n
        Cells.
    specimens
        Specimens they are of.
    first, second
        Mean class accuracy of each system, in 0..1.
    difference
        Second less first, in -1..1.
    interval
        95 % of the difference, paired over specimens, or None where they are too few.
    first_better, second_better, equal
        Specimens of which the first or the second recognised more cells, or both as
        many.
    p_value
        Of the two-sided sign-flip test over specimens, above 0.
    exact
        Whether all flips were counted; else they were sampled.
    p_holm
        The p-value adjusted for all comparisons made together; see `together`.
    """

    n: int
    specimens: int
    first: float
    second: float
    difference: float
    interval: Interval | None
    first_better: int
    second_better: int
    equal: int
    p_value: float
    exact: bool
    p_holm: float | None = None


def compare(
    truth: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    specimens: npt.NDArray[np.str_],
    n_patterns: int,
    seed: int = 0,
    draws: int = 2000,
) -> Comparison:
    """Compare what two systems said of the same cells.

    Parameters
    ----------
    truth, first, second : (N,) int64
        The pattern of each cell, and what each system said; indices in the order of
        the vocabulary. `matched` brings two runs into one order.
    specimens : (N,) str
    n_patterns
        Length of the vocabulary.
    seed, draws
        Of sampled flips.

    Raises
    ------
    BadRunError
        There is no cell, or the arrays are not of one length.

    Notes
    -----
    The test asks how often a difference as large arises when, in each specimen, it is
    left to chance which system is which. With the number of cells of each pattern
    fixed, the difference of mean class accuracy is a sum of one term a specimen, and a
    flip turns the term's sign. It takes specimens as independent, which holds only in
    part under cross-validation: folds share training cells.
    """
    _check_lengths(truth, first, second, specimens)
    rng = np.random.default_rng(seed)
    total = by_specimen(np.ones(len(truth)), truth, specimens, n_patterns)
    right = [
        by_specimen(predicted == truth, truth, specimens, n_patterns)
        for predicted in (first, second)
    ]
    accuracies = [
        mean_class_accuracy(confusion_matrix(truth, predicted, n_patterns))
        for predicted in (first, second)
    ]
    gained = right[1] - right[0]
    more = gained.sum(axis=1)
    p_value, exact = sign_flip_test(_terms(gained, total), rng, draws)
    return Comparison(
        n=len(truth),
        specimens=len(total),
        first=accuracies[0],
        second=accuracies[1],
        difference=accuracies[1] - accuracies[0],
        interval=pair(mean_interval(gained, total)),
        first_better=int(np.count_nonzero(more < 0)),
        second_better=int(np.count_nonzero(more > 0)),
        equal=int(np.count_nonzero(more == 0)),
        p_value=p_value,
        exact=exact,
    )


def sign_flip_test(
    terms: Floats, rng: np.random.Generator, draws: int
) -> tuple[float, bool]:
    """Test whether a sum of terms differs from 0, were each term's sign chance.

    Parameters
    ----------
    terms : (S,) float64
        One a specimen. A term of 0 has no sign and is left out.
    rng
        For sampled flips.
    draws
        How many flips are sampled where more than 16 terms are left.

    Returns
    -------
    p_value
        Two-sided, above 0. All flips: the share of them whose sum is as large, among
        which is the one observed. Sampled: (1 + k) / (1 + draws), with k of them as
        large (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).
    exact
        Whether all flips were counted.
    """
    terms = terms[np.abs(terms) > _TOLERANCE]
    observed = abs(terms.sum()) - _TOLERANCE
    exact = len(terms) <= EXACT_SPECIMENS
    if exact:
        flips = np.arange(2 ** len(terms))[:, None] >> np.arange(len(terms)) & 1
    else:
        flips = rng.integers(0, 2, (draws, len(terms)))
    as_large = int(np.count_nonzero(np.abs((1 - 2 * flips) @ terms) >= observed))
    if exact:
        return as_large / len(flips), True
    return (1 + as_large) / (1 + draws), False


def together(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return comparisons that are looked at together, their p-values adjusted by it."""
    adjusted = holm([one.p_value for one in comparisons])
    return [
        replace(one, p_holm=float(p))
        for one, p in zip(comparisons, adjusted, strict=True)
    ]


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Adjust the p-values of several comparisons (Holm 1979).

    Parameters
    ----------
    p_values : (M,) float
        In 0..1.

    Returns
    -------
    adjusted : (M,) float64
        In the order given. Those at most alpha can be claimed together, with a chance
        of alpha at most that any of them is false, however they depend on each other.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    raised = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return adjusted


def matched(
    first_ids: npt.NDArray[np.str_], second_ids: npt.NDArray[np.str_]
) -> tuple[Rows, Rows]:
    """Bring the cells of two runs into one order.

    Parameters
    ----------
    first_ids, second_ids : (N,) str
        What tells a cell from all others, in any order.

    Returns
    -------
    first_rows, second_rows : (N,) int64
        Such that ``first_ids[first_rows]`` and ``second_ids[second_rows]`` are equal
        and sorted.

    Raises
    ------
    BadRunError
        An id stands twice in a run, or a cell in one of them only.
    """
    for ids in (first_ids, second_ids):
        names, counts = np.unique(ids, return_counts=True)
        if (counts > 1).any():
            raise BadRunError(
                "the compared runs",
                f"the id {names[counts > 1][0]} stands for more than one cell",
                "compare runs of cells that each have an id of their own",
            )
    alone = len(np.setxor1d(first_ids, second_ids))
    if alone:
        raise BadRunError(
            "the compared runs",
            f"{alone} cells were held out in only one of them",
            "compare runs that held out the same cells",
        )
    return np.argsort(first_ids), np.argsort(second_ids)


def comparison_words(one: Comparison) -> str:
    """Return how much more or less a second system recognises, and how sure it is."""
    bounds = percent_range(one.interval, "+") if one.interval else "too few"
    return (
        f"{100 * one.difference:+.2f} points (95 % over specimens: {bounds}), "
        f"better on {one.second_better}, worse on {one.first_better} of "
        f"{one.specimens} specimens, p {one.p_value:.3f}"
    )


def comparison_content(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON content."""
    content = asdict(comparison)
    content["interval"] = list(comparison.interval) if comparison.interval else None
    return content


def _check_lengths(*arrays: npt.NDArray[Any]) -> None:
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise BadRunError(
            "the compared runs",
            f"they have {', '.join(map(str, lengths))} cells",
            "compare runs that held out the same cells",
        )
    if lengths[0] == 0:
        raise BadRunError(
            "the compared runs", "no cell was held out", "finish a fold first"
        )


def _terms(gained: Floats, total: Floats) -> Floats:
    """Return what each specimen adds to the difference of mean class accuracy, (S,)."""
    cells = total.sum(axis=0)
    tested = cells > 0
    return (gained[:, tested] / cells[tested]).sum(axis=1) / np.count_nonzero(tested)
