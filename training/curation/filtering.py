"""The cells of a review that are shown: chosen, put in order, and told in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from training.curation.ordering import (
    OPEN,
    SETTLED,
    Filter,
    Group,
    Heading,
    PatternChoice,
    Sort,
    called,
    headings,
    own_patterns,
    passing,
    shown_rows,
    sort_key,
)
from training.curation.review_set import VERDICTS, ReviewSet
from training.decisions.model import REASONS

if TYPE_CHECKING:
    from training.decisions.store import Decision, Mark

FILTERS: dict[Filter, str] = {
    "all": "All cells",
    "undecided": "Undecided",
    "mine": "Decided by me",
    "disagreed": "Disagreement, open",
    "settled": "Disagreement, consensus",
    "flagged": "Flagged",
    "proposed": "Proposed",
    "accepted": "Accepted",
    "rejected": "Rejected",
    "relabelled": "Relabelled",
    "dropped": "Dropped by extraction",
}
SORTS: dict[Sort, str] = {
    "order": "In order",
    "size": "Smallest",
    "focus": "Blurriest",
    "brightness": "Dimmest",
    "uncertainty": "Uncertain",
    "suspicion": "Suspicious",
    "similarity": "Like this cell",
}
GROUPS: dict[Group, str] = {
    "none": "No groups",
    "specimen": "By specimen",
    "pattern": "By pattern",
    "decision": "By decision",
    "reason": "By reason",
}
PROPOSED = "proposed"
"""Measure of the cells whose rejection is proposed: the index of the reason."""

_FIRST: dict[Sort, tuple[str, str]] = {
    "order": ("as in the cell folder", "as in the cell folder, last first"),
    "size": ("smallest first", "largest first"),
    "focus": ("blurriest first", "sharpest first"),
    "brightness": ("dimmest first", "brightest first"),
    "uncertainty": ("most uncertain first", "most certain first"),
    "suspicion": ("most suspicious first", "least suspicious first"),
    "similarity": ("most like {} first", "least like {} first"),
}


@dataclass(frozen=True)
class Choice:
    """Filter, order and grouping of the cells shown.

    Attributes
    ----------
    filter, pattern, specimen, reason
        What a cell shown has to be; they combine. No pattern is None, no specimen and
        no reason of a rejection ''.
    sort, descending
        What comes first within a group; `descending` turns it round.
    like
        Id of the cell that a sort by similarity compares with.
    """

    filter: Filter = "all"
    pattern: PatternChoice | None = None
    specimen: str = ""
    reason: str = ""
    sort: Sort = "order"
    descending: bool = False
    group: Group = "none"
    like: str = ""

    def filter_words(self, review: ReviewSet) -> str:
        """Return what a cell shown has to be, as ``rejected, pattern Golgi``."""
        words = [FILTERS[self.filter].lower()]
        if self.reason:
            words.append(f"rejected for: {REASONS.get(self.reason, self.reason)}")
        if self.pattern is not None:
            before = "pattern" if self.pattern.kind == "own" else "called"
            words.append(f"{before} {review.vocabulary[self.pattern.index].title}")
        if self.specimen:
            words.append(f"specimen {self.specimen}")
        return ", ".join(words)

    def order_words(self) -> str:
        """Return what comes first, as ``smallest first, by specimen``."""
        words = _FIRST[self.sort][self.descending].format(self.like)
        return f"{words}, {GROUPS[self.group].lower()}"


@dataclass(frozen=True)
class Said:
    """Decisions on the cells under review when they are filtered.

    Attributes
    ----------
    codes : (N,) int8
        The reviewer's verdicts, as `verdict_codes` returns them.
    decisions, marks
        Of the reviewer, by cell id.
    apart : (N,) int8 or None
        As `apart` returns it; the filters ``disagreed`` and ``settled`` need it.
    """

    review: ReviewSet
    codes: npt.NDArray[np.int8]
    decisions: Mapping[str, Decision]
    marks: Mapping[str, Mark]
    apart: npt.NDArray[np.int8] | None = None

    @cached_property
    def own(self) -> npt.NDArray[np.int64]:
        """(N,) int64, the pattern that each cell counts as, -1 unknown."""
        return own_patterns(self.review, self.codes, self.decisions)

    def reason_of(self, cell: str) -> str:
        """Return why a cell was rejected, '' where it was not or nothing was said."""
        found = self.decisions.get(cell)
        rejected = found is not None and found.verdict == "rejected"
        return (found.reason or "") if found is not None and rejected else ""


def choose(
    said: Said,
    choice: Choice,
    measures: Mapping[str, npt.NDArray[Any]],
    scores: npt.NDArray[np.float32] | None = None,
) -> tuple[npt.NDArray[np.int64], tuple[Heading, ...]]:
    """Return the cells shown and the headings over their groups.

    Parameters
    ----------
    measures
        (N,) values by name, as `sort_key` takes them; `PROPOSED` for the filter and
        the group by reason.
    scores : (N, K) float32 or None
        Of a model, in the order of the vocabulary; nan where a cell has none.

    Returns
    -------
    rows : (M,) int64
    headings
        None, as an empty tuple, where there is no group.
    """
    key = sort_key(said.review, choice.sort, scores, measures)
    proposed = _proposed(said.review, measures)
    groups = _groups(said, choice.group, proposed)
    passes = _passing(said, choice, scores)
    if choice.filter == "proposed":
        passes &= (proposed >= 0) & (said.codes == 0)
    rows = shown_rows(passes, key, choice.descending, groups)
    return rows, () if groups is None else headings(rows, groups, said.codes)


def _passing(
    said: Said, choice: Choice, scores: npt.NDArray[np.float32] | None
) -> npt.NDArray[np.bool_]:
    review = said.review
    out = _passing_verdict(said, choice.filter)
    if choice.specimen:
        found = review.specimen_names.index(choice.specimen)
        out = out & (review.specimen_index == found)
    if choice.reason:
        reasons = [said.reason_of(str(cell)) == choice.reason for cell in review.ids]
        out = out & np.array(reasons, dtype=np.bool_)
    if choice.pattern is not None:
        own = choice.pattern.kind == "own"
        patterns = said.own if own else called(review, scores)
        out = out & (patterns == choice.pattern.index)
    return out


def _passing_verdict(said: Said, which: Filter) -> npt.NDArray[np.bool_]:
    review = said.review
    if which == "flagged":
        out = np.zeros(len(review), dtype=np.bool_)
        rows = (review.row_of.get(c) for c, m in said.marks.items() if m.flagged)
        out[[row for row in rows if row is not None]] = True
        return out
    if which in ("disagreed", "settled"):
        if said.apart is None:
            return np.zeros(len(review), dtype=np.bool_)
        return said.apart == (OPEN if which == "disagreed" else SETTLED)
    if which == "proposed":  # what is proposed is a measure, not a decision
        return np.ones(len(review), dtype=np.bool_)
    return passing(review, said.codes, which)


def _proposed(
    review: ReviewSet, measures: Mapping[str, npt.NDArray[Any]]
) -> npt.NDArray[np.int64]:
    """Return (N,) int64, the reason for which a rejection is proposed, -1 none."""
    known = measures.get(PROPOSED, np.full(len(review), np.nan))
    return np.nan_to_num(known, nan=-1).astype(np.int64)


def _groups(
    said: Said, group: Group, proposed: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64] | None:
    if group == "reason":
        return proposed
    if group == "specimen":
        return said.review.specimen_index
    if group == "pattern":
        return said.own
    return said.codes.astype(np.int64) if group == "decision" else None


def heading_name(review: ReviewSet, group: Group, key: int) -> str:
    """Return what a heading says of its group, as ``Specimen 7``."""
    if group == "decision":
        return VERDICTS[key].capitalize() or "Undecided"
    if group == "reason":
        return [*REASONS.values(), "no reason"][key].capitalize()
    if group == "pattern":
        return review.vocabulary[key].title if key >= 0 else "Pattern not known"
    return f"Specimen {review.specimen_names[key]}"


def heading_count(group: Group, heading: Heading) -> str:
    """Return how many cells a group has, and how many of them are decided."""
    count = f"{heading.count:,} cell{'' if heading.count == 1 else 's'}"
    return count if group == "decision" else f"{count}, {heading.decided:,} decided"
