"""Rows of a review that are shown, in order, with their headings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from training.curation.review_set import VERDICTS, ReviewSet
from training.decisions.current import words_of

if TYPE_CHECKING:
    from training.decisions.store import Decision

Filter = Literal[
    "all",
    "undecided",
    "mine",
    "disagreed",
    "settled",
    "flagged",
    "proposed",
    "accepted",
    "rejected",
    "relabelled",
    "dropped",
]
Sort = Literal[
    "order", "size", "focus", "brightness", "uncertainty", "suspicion", "similarity"
]
Group = Literal["none", "specimen", "pattern", "decision", "reason"]

_RELABELLED = VERDICTS.index("relabelled")
_REJECTED = VERDICTS.index("rejected")
OPEN, SETTLED = 1, 2
"""Codes of a cell that reviewers disagree on: no word, or one, has more than half."""


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
    """Heading of a group of the cells shown.

    Attributes
    ----------
    key
        Index of the specimen, of the pattern (-1 unknown), of the verdict or of the
        reason for which a rejection is proposed (-1 none).
    start, count
        The group's place among the cells shown, and how many they are.
    decided
        How many of them have a decision.
    """

    key: int
    start: int
    count: int
    decided: int


@dataclass(frozen=True, eq=False)
class Votes:
    """Decisions of the other reviewers on the cells of a review, one entry each.

    Attributes
    ----------
    rows : (V,) int64
        Rows of the review.
    said : (V,) int64
        The number of patterns plus 1 for a rejected cell, else the index of the pattern
        that the cell counts as, plus 1 (0: not known).
    """

    rows: npt.NDArray[np.int64]
    said: npt.NDArray[np.int64]


def own_patterns(
    review: ReviewSet,
    codes: npt.NDArray[np.int8],
    decisions: Mapping[str, Decision],
) -> npt.NDArray[np.int64]:
    """Return (N,) int64, the pattern each cell counts as, -1 unknown.

    That is the specimen's pattern, or the one that the reviewer gave the cell.
    """
    out = review.pattern_index.copy()
    index, row_of = _PatternIndex(review), review.row_of
    for cell, verdict, pattern in words_of(decisions):
        row = row_of.get(cell) if verdict == "relabelled" else None
        if row is not None and codes[row] == _RELABELLED:
            out[row] = index[pattern or ""]
    return out


class _PatternIndex(dict[str, int]):
    """The index of each pattern by its name, -1 for one not known; each found once."""

    def __init__(self, review: ReviewSet) -> None:
        super().__init__()
        self._find = review.vocabulary.find

    def __missing__(self, name: str) -> int:
        found = self._find(name)
        self[name] = -1 if found is None else found
        return self[name]


def votes_of(review: ReviewSet, readers: Iterable[Mapping[str, Decision]]) -> Votes:
    """Return the decisions of the other reviewers on the cells of a review.

    Parameters
    ----------
    readers
        The standing decisions of each by cell.
    """
    index, row_of = _PatternIndex(review), review.row_of
    accepted = -1
    fixed = {"accepted": accepted, "rejected": len(review.vocabulary) + 1}
    rows: list[int] = []
    said: list[int] = []
    for cell, verdict, pattern in chain.from_iterable(map(words_of, readers)):
        row = row_of.get(cell)
        if row is None or verdict == "cleared":
            continue
        rows.append(row)
        word = fixed.get(verdict)
        said.append(index[pattern or ""] + 1 if word is None else word)
    places, words = np.array(rows, np.int64), np.array(said, np.int64)
    own = review.pattern_index[places] + 1
    return Votes(places, np.where(words == accepted, own, words))


def apart(
    review: ReviewSet,
    codes: npt.NDArray[np.int8],
    own: npt.NDArray[np.int64],
    votes: Votes,
) -> npt.NDArray[np.int8]:
    """Return (N,) int8, 0 where reviewers do not disagree, else `OPEN` or `SETTLED`.

    Parameters
    ----------
    codes : (N,) int8
        As `verdict_codes` returns them; without a verdict the reviewer has no vote.
    own : (N,) int64
        As `own_patterns` returns them.
    votes
        As `votes_of` returns them.

    See Also
    --------
    training.decisions.consensus
        The rule, one cell at a time.
    """
    mine = np.flatnonzero(codes > 0)
    rejected = codes[mine] == _REJECTED
    words = np.where(rejected, len(review.vocabulary) + 1, own[mine] + 1)
    n, width = len(review), len(review.vocabulary) + 2
    rows = np.concatenate((votes.rows, mine))
    keys = rows * width + np.concatenate((votes.said, words))
    each, counts = np.unique(keys, return_counts=True)
    kinds = np.bincount(each // width, minlength=n)
    most = np.zeros(n, np.int64)
    np.maximum.at(most, each // width, counts)
    by_most = 2 * most > np.bincount(rows, minlength=n)
    out = np.where(by_most, SETTLED, OPEN)
    return np.where(kinds > 1, out, 0).astype(np.int8)


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
        Not ``disagreed``, ``settled``, ``flagged`` or ``proposed``: they rest on more
        than verdicts.
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


def called(
    review: ReviewSet, scores: npt.NDArray[np.float32] | None
) -> npt.NDArray[np.int64]:
    """Return (N,) int64, the pattern that a model calls each cell, -1 not scored."""
    if scores is None:
        return np.full(len(review), -1, dtype=np.int64)
    best = np.nan_to_num(scores, nan=-1.0).argmax(axis=1)
    return np.where(np.isnan(scores[:, 0]), -1, best)
