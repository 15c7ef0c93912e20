"""Which cells of a review are shown, in which order and under which headings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from napari_hep2.review_set import VERDICTS, ReviewSet

if TYPE_CHECKING:
    from training.data.curation import Decision

Filter = Literal[
    "all",
    "undecided",
    "mine",
    "disagreed",
    "flagged",
    "accepted",
    "rejected",
    "relabelled",
    "dropped",
]
Sort = Literal[
    "order", "size", "focus", "brightness", "uncertainty", "suspicion", "similarity"
]
Group = Literal["none", "specimen", "pattern", "decision"]

_RELABELLED = VERDICTS.index("relabelled")
_REJECTED = VERDICTS.index("rejected")
_SPLIT = -2
_NO_OPINION = -1


@dataclass(frozen=True)
class PatternChoice:
    """A pattern that cells are narrowed down to.

    Attributes
    ----------
    kind
        Whether a cell counts as the pattern, or is called it by a model.
    index
        In the vocabulary of the review.
    """

    kind: Literal["own", "predicted"]
    index: int


@dataclass(frozen=True)
class Heading:
    """What stands over a group of the cells shown.

    Attributes
    ----------
    key
        Index of the specimen, of the pattern (-1 unknown) or of the verdict.
    start, count
        The group's place among the cells shown, and how many they are.
    decided
        How many of them have a decision.
    """

    key: int
    start: int
    count: int
    decided: int


def own_patterns(
    review: ReviewSet,
    codes: npt.NDArray[np.int8],
    decisions: Mapping[str, Decision],
) -> npt.NDArray[np.int64]:
    """Return (N,) int64, the pattern each cell counts as, -1 unknown.

    That is the specimen's pattern, or the one that the reviewer gave the cell.
    """
    out = review.pattern_index.copy()
    for row in np.flatnonzero(codes == _RELABELLED):
        decision = decisions.get(str(review.ids[row]))
        if decision is not None:
            out[row] = _index_of(review, decision)
    return out


def _index_of(review: ReviewSet, decision: Decision) -> int:
    found = review.vocabulary.find(decision.pattern or "")
    return -1 if found is None else found


def others_opinions(
    review: ReviewSet, others: Mapping[str, tuple[Decision, ...]]
) -> npt.NDArray[np.int64]:
    """Return (N,) int64, what the other reviewers say of each cell.

    An opinion is the number of patterns for a rejected cell, else the index of the
    pattern that the cell counts as, plus 1 (0: not known); -1 is none, -2 that they
    disagree among themselves.
    """
    out = np.full(len(review), _NO_OPINION, dtype=np.int64)
    for cell, decisions in others.items():
        row = review.row_of.get(cell)
        if row is None:
            continue
        said = {_opinion(review, row, d) for d in decisions if d.verdict != "cleared"}
        if said:
            out[row] = said.pop() if len(said) == 1 else _SPLIT
    return out


def _opinion(review: ReviewSet, row: int, decision: Decision) -> int:
    if decision.verdict == "rejected":
        return len(review.vocabulary) + 1
    if decision.verdict == "relabelled":
        return _index_of(review, decision) + 1
    return int(review.pattern_index[row]) + 1


def disagreed(
    review: ReviewSet,
    codes: npt.NDArray[np.int8],
    own: npt.NDArray[np.int64],
    theirs: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Return (N,) bool, the cells that two reviewers do not say the same of.

    Parameters
    ----------
    codes : (N,) int8
        As `verdict_codes` returns them.
    own : (N,) int64
        As `own_patterns` returns them.
    theirs : (N,) int64
        As `others_opinions` returns them.
    """
    mine = np.where(codes == _REJECTED, len(review.vocabulary) + 1, own + 1)
    return (theirs == _SPLIT) | ((codes > 0) & (theirs >= 0) & (mine != theirs))


def passing(
    review: ReviewSet, codes: npt.NDArray[np.int8], which: Filter
) -> npt.NDArray[np.bool_]:
    """Return (N,) bool, the rows that a filter by the reviewer's verdict lets through.

    ``undecided`` are kept cells without a decision: what is left to do.

    Parameters
    ----------
    codes : (N,) int8
        As `verdict_codes` returns them.
    which
        Neither ``disagreed`` nor ``flagged``, which rest on more than verdicts.
    """
    if which == "all":
        return np.ones(len(review), dtype=np.bool_)
    if which == "mine":
        return codes > 0
    if which == "dropped":
        return review.dropped
    if which == "undecided":
        return (codes == 0) & ~review.dropped
    return codes == VERDICTS.index(which)


def sort_key(
    review: ReviewSet,
    sort: Sort,
    scores: npt.NDArray[np.float32] | None,
    measures: Mapping[str, npt.NDArray[Any]],
) -> npt.NDArray[Any] | None:
    """Return (N,) values, the cell to look at first has the lowest; None: as it came.

    Parameters
    ----------
    scores : (N, K) float32 or None
        In the order of the vocabulary; nan where a cell has none.
    measures
        (N,) values by name, nan where not known.

    Notes
    -----
    A measured ``uncertainty`` or ``suspicion`` is high for a cell to look at. Without
    one, ``uncertainty`` goes by the highest score and ``suspicion`` by the score of
    the specimen's own pattern. Cells that are not known come last.
    """
    if sort == "order":
        return None
    if sort == "size":
        return review.table["area"].to_numpy()
    if sort in ("uncertainty", "suspicion"):
        known = measures.get(sort)
        return -known if known is not None else _doubt(review, sort, scores)
    return measures.get(sort)


def _doubt(
    review: ReviewSet, sort: Sort, scores: npt.NDArray[np.float32] | None
) -> npt.NDArray[Any] | None:
    if scores is None:
        return None
    if sort == "uncertainty":
        return scores.max(axis=1)
    own = scores[np.arange(len(review)), np.maximum(review.pattern_index, 0)]
    return np.where(review.pattern_index < 0, np.nan, own)


def shown_rows(
    passes: npt.NDArray[np.bool_],
    key: npt.NDArray[Any] | None,
    descending: bool = False,
    groups: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.int64]:
    """Return (M,) int64, the rows that pass: by group, by `key`, then as they came.

    Parameters
    ----------
    descending
        Whether the highest come first; what is nan comes last either way.
    groups : (N,) int64 or None
        The group of each row, lowest first; -1 comes last.
    """
    rows = np.flatnonzero(passes)
    if key is None and descending:
        rows = rows[::-1]
    elif key is not None:
        values = key[rows].astype(np.float64)
        rows = rows[np.argsort(-values if descending else values, kind="stable")]
    if groups is None:
        return rows
    places = groups[rows]
    last = np.where(places < 0, np.iinfo(np.int64).max, places)
    return rows[np.argsort(last, kind="stable")]


def headings(
    rows: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int8],
) -> tuple[Heading, ...]:
    """Return the headings over rows that `shown_rows` put in groups."""
    if not len(rows):
        return ()
    keys = groups[rows]
    starts = np.concatenate(([0], np.flatnonzero(np.diff(keys)) + 1))
    counts = np.diff(np.append(starts, len(rows)))
    decided = np.add.reduceat((codes[rows] > 0).astype(np.int64), starts)
    return tuple(
        Heading(int(keys[start]), int(start), int(count), int(done))
        for start, count, done in zip(starts, counts, decided, strict=True)
    )
