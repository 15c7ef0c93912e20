"""Verbs that choose what is shown of the cells under review, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_hep2.crop_measures import (
    distances,
    measure_descriptors,
    measure_limits,
    measure_looks,
)
from napari_hep2.jobs import Job, Work
from napari_hep2.review_order import (
    Filter,
    Group,
    PatternChoice,
    Sort,
    disagreed,
    headings,
    others_opinions,
    own_patterns,
    passing,
    shown_rows,
    sort_key,
)
from napari_hep2.review_set import ReviewSet
from napari_hep2.state import SessionState
from training.data.extraction import cell_id

if TYPE_CHECKING:
    from training.data.curation import Decision

_LOOKS = ("focus", "brightness")


class CellOrder:
    """Filters, sorts and groups of the cells under review.

    Parameters
    ----------
    state
        Read and written.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._codes = np.zeros(0, dtype=np.int8)
        self._ordered: ReviewSet | None = None
        self._described: npt.NDArray[np.float32] | None = None
        self._theirs: tuple[object, npt.NDArray[np.int64]] | None = None
        self._disputed = np.empty(0, dtype=np.int64)

    def refresh(self) -> None:
        """Filter and sort anew; the current cell stays where it is still shown."""
        state, review = self._state, self._state.review
        if review is None:
            return
        self._forget_another(review)
        scores = self.scores() if self._needs_scores() else None
        groups = self._groups(review)
        state_key = sort_key(review, state.sort, scores, self._measures(review))
        passes = self._passing(review, scores)
        rows = shown_rows(passes, state_key, state.descending, groups)
        state.headings = () if groups is None else headings(rows, groups, self._codes)
        state.shown = rows
        self._keep_selection()

    def _keep_selection(self) -> None:
        state = self._state
        selected = np.array(state.selected, dtype=np.int64)
        still = selected[np.isin(selected, state.shown)]
        state.selected = tuple(still.tolist())
        if state.current is not None and not self.is_shown(state.current):
            state.current = state.selected[0] if state.selected else None

    def _forget_another(self, review: ReviewSet) -> None:
        """Leave behind what was chosen for, and measured of, another review."""
        state = self._state
        if self._ordered is review:
            return
        if self._ordered is not None:
            state.measures, state.limits, state.anchor = {}, None, None
            state.pattern_filter, state.specimen_filter = None, ""
            state.contrast = "cell"
            if state.sort in (*_LOOKS, "similarity"):
                state.sort = "order"
        self._ordered, self._described = review, None

    # -- what passes

    def _needs_scores(self) -> bool:
        state = self._state
        chosen = state.pattern_filter
        return state.sort in ("uncertainty", "suspicion") or (
            chosen is not None and chosen.kind == "predicted"
        )

    def _passing(
        self, review: ReviewSet, scores: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[np.bool_]:
        out = self._passing_verdict(review)
        specimen, chosen = self._state.specimen_filter, self._state.pattern_filter
        if specimen:
            found = review.specimen_names.index(specimen)
            out = out & (review.specimen_index == found)
        if chosen is not None and chosen.kind == "own":
            out = out & (self._own(review) == chosen.index)
        elif chosen is not None:
            out = out & (called(review, scores) == chosen.index)
        return out

    def _passing_verdict(self, review: ReviewSet) -> npt.NDArray[np.bool_]:
        state = self._state
        if state.filter == "flagged":
            out = np.zeros(len(review), dtype=np.bool_)
            rows = (review.row_of.get(c) for c, m in state.marks.items() if m.flagged)
            out[[row for row in rows if row is not None]] = True
            return out
        if state.filter == "disagreed" and state.blind:
            # Which cells is told, what was said of them is not.
            return np.isin(np.arange(len(review)), self._disputed)
        if state.filter == "disagreed":
            own, theirs = self._own(review), self._others(review)
            return disagreed(review, self._codes, own, theirs)
        return passing(review, self._codes, state.filter)

    def _own(self, review: ReviewSet) -> npt.NDArray[np.int64]:
        return own_patterns(review, self._codes, self._state.decisions)

    def _others(self, review: ReviewSet) -> npt.NDArray[np.int64]:
        others: Mapping[str, tuple[Decision, ...]] = self._state.others
        known = self._theirs
        if known is None or known[0] is not others or len(known[1]) != len(review):
            known = self._theirs = (others, others_opinions(review, others))
        return known[1]

    def _groups(self, review: ReviewSet) -> npt.NDArray[np.int64] | None:
        group = self._state.group
        if group == "specimen":
            return review.specimen_index
        if group == "pattern":
            return self._own(review)
        return self._codes.astype(np.int64) if group == "decision" else None

    def is_shown(self, row: int) -> bool:
        """Whether a row passes the filters."""
        return bool(np.any(self._state.shown == row))

    # -- verbs

    def set_filter(self, which: Filter) -> None:
        """Show only the cells that pass."""
        if which == "disagreed" and self._state.blind:
            self._disputed = self.disagreements()
        self._state.filter = which
        self._show_anew()

    def disagreements(self) -> npt.NDArray[np.int64]:
        """Return (m,) int64, the rows that two reviewers say different things of."""
        review = self._state.review
        if review is None:
            return np.empty(0, dtype=np.int64)
        own, theirs = self._own(review), self._others(review)
        return np.flatnonzero(disagreed(review, self._codes, own, theirs))

    def set_pattern_filter(self, chosen: PatternChoice | None) -> None:
        """Show only cells of a pattern, or called it by the model; None: of any."""
        self._state.pattern_filter = chosen
        self._show_anew()

    def set_specimen_filter(self, specimen: str) -> None:
        """Show only the cells of a specimen; an empty name: of all."""
        self._state.specimen_filter = specimen
        self._show_anew()

    def set_group(self, group: Group) -> None:
        """Put the cells shown together by specimen, pattern or decision."""
        self._state.group = group
        self._show_anew()

    def set_descending(self, descending: bool) -> None:
        """Turn the order round."""
        self._state.descending = descending
        self.refresh()

    def set_sort(self, sort: Sort) -> Job | None:
        """Sort the cells; what is not measured yet is measured first.

        ``similarity`` is to the cell that is current now.
        """
        state, review = self._state, self._state.review
        if sort == "similarity":
            if state.current is None:
                state.complain("Choose a cell first: the others are compared with it.")
                return None
            state.anchor = state.current
        state.sort = sort
        if review is not None and not self._can_doubt(review):
            state.tell(
                "There are no scores to sort by yet: classify the frame, or load a run."
            )
        if review is not None and sort == "similarity" and self._described is None:
            return self._describing(review)
        if review is not None and sort in _LOOKS and sort not in state.measures:
            return self._measuring(review)
        self.refresh()
        return None

    def _can_doubt(self, review: ReviewSet) -> bool:
        """Tell whether the sort needs no scores, or has them."""
        sort = self._state.sort
        if sort not in ("uncertainty", "suspicion"):
            return True
        return sort in self._measures(review) or self.scores() is not None

    def _show_anew(self) -> None:
        self.refresh()
        if self._state.current is None:
            self.select(self._first())

    def _first(self) -> int | None:
        """Return the first row shown that the extraction kept, else the first."""
        review, shown = self._state.review, self._state.shown
        if review is None or not len(shown):
            return None
        kept = shown[~review.dropped[shown]]
        return int(kept[0]) if len(kept) else int(shown[0])

    def select(self, row: int | None, rows: Sequence[int] | None = None) -> None:
        """Make `row` the current cell; `rows` are all those selected with it."""
        state = self._state
        chosen = {int(r) for r in rows or ()} | (
            {int(row)} if row is not None else set()
        )
        state.selected = tuple(sorted(chosen))
        state.current = None if row is None else int(row)

    # -- what is measured

    def _measures(self, review: ReviewSet) -> dict[str, npt.NDArray[Any]]:
        """Return the measures of the state, and the distances from the anchor."""
        out = {n: v for n, v in self._state.measures.items() if len(v) == len(review)}
        anchor, described = self._state.anchor, self._described
        is_wanted = self._state.sort == "similarity"
        if is_wanted and anchor is not None and described is not None:
            out["similarity"] = distances(described, anchor)
        return out

    def _measuring(self, review: ReviewSet) -> Job:
        def done(found: Mapping[str, npt.NDArray[Any]]) -> None:
            if self._state.review is review:
                self._state.measures = {**self._state.measures, **found}
                self.refresh()

        return Job("Sorting", lambda: measure_looks(review), done)

    def _describing(self, review: ReviewSet) -> Job:
        def done(found: npt.NDArray[np.float32]) -> None:
            if self._state.review is review:
                self._described = found
                self.refresh()

        return Job("Sorting", lambda: measure_descriptors(review), done)

    def set_contrast_of_specimens(self, wanted: bool) -> Job | None:
        """Stretch crops for the eye as their specimen is, or each by itself."""
        state, review = self._state, self._state.review
        if not wanted or review is None:
            state.contrast = "cell"
            return None
        if state.limits is not None:
            state.contrast = "specimen"
            return None

        def done(limits: npt.NDArray[np.float64]) -> None:
            if state.review is review:
                state.limits = limits
                state.contrast = "specimen"

        def work() -> Work[npt.NDArray[np.float64]]:
            return measure_limits(review)

        return Job("Contrast", work, done)

    def scores(self) -> npt.NDArray[np.float32] | None:
        """Return (N, K) scores of the cells under review, nan where there is none."""
        state, review = self._state, self._state.review
        if review is None or state.prediction is None or state.cells is None:
            return None
        prediction, name = state.prediction, state.cells.frame.name
        columns = [prediction.vocabulary.find(p.name) for p in review.vocabulary]
        known = [k for k, column in enumerate(columns) if column is not None]
        taken = [column for column in columns if column is not None]
        out = np.full((len(review), len(columns)), np.nan, np.float32)
        labels = state.cells.cells.table["label"].to_numpy()[prediction.rows]
        for label, scores in zip(labels, prediction.scores, strict=True):
            row = review.row_of.get(cell_id(name, int(label)))
            if row is not None:
                out[row] = 0
                out[row, known] = scores[taken]
        return out


def called(
    review: ReviewSet, scores: npt.NDArray[np.float32] | None
) -> npt.NDArray[np.int64]:
    """Return (N,) int64, the pattern that a model calls each cell, -1 not scored."""
    if scores is None:
        return np.full(len(review), -1, dtype=np.int64)
    best = np.nan_to_num(scores, nan=-1.0).argmax(axis=1)
    return np.where(np.isnan(scores[:, 0]), -1, best)
