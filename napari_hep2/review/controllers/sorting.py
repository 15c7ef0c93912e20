"""Verbs that choose what is shown of the cells under review, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Job, Work
from napari_hep2.review.controllers.measuring import (
    measure_descriptors,
    measure_limits,
    measure_looks,
)
from napari_hep2.state import SessionState
from training.curation.crop_measures import distances
from training.curation.filtering import Choice, Said, choose
from training.curation.ordering import (
    OPEN,
    Filter,
    Group,
    PatternChoice,
    Sort,
    Votes,
    apart,
    own_patterns,
    votes_of,
)
from training.curation.review_set import ReviewSet, frame_ids
from training.decisions.current import Opinions

_LOOKS = ("focus", "brightness")
_APART: tuple[Filter, ...] = ("disagreed", "settled")


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
        self._opinions = Opinions()
        self._counted: tuple[object, object, Votes] | None = None
        self._frozen = np.zeros(0, dtype=np.int8)

    def refresh(self) -> None:
        """Filter and sort anew; the current cell stays where it is still shown."""
        state, review = self._state, self._state.review
        if review is None:
            return
        self._forget_another(review)
        scores = self.scores() if self._needs_scores() else None
        said = Said(
            review, self._codes, state.decisions, state.marks, self._apart_now()
        )
        measures = self._measures(review)
        rows, state.headings = choose(said, self.choice(), measures, scores)
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

    def choice(self) -> Choice:
        """Return what is chosen now: filters, order and groups."""
        state, review = self._state, self._state.review
        anchor = state.anchor if state.sort == "similarity" else None
        return Choice(
            state.filter,
            state.pattern_filter,
            state.specimen_filter,
            sort=state.sort,
            descending=state.descending,
            group=state.group,
            like="" if anchor is None or review is None else str(review.ids[anchor]),
        )

    def _apart_now(self) -> npt.NDArray[np.int8] | None:
        """Return what the filters by disagreement go by, or None without one."""
        state, review = self._state, self._state.review
        if review is None or state.filter not in _APART:
            return None
        if state.blind:
            # Which cells is told, what was said of them is not.
            is_known = len(self._frozen) == len(review)
            return self._frozen if is_known else np.zeros(len(review), np.int8)
        return self._apart(review, self._codes)

    def _apart(
        self, review: ReviewSet, codes: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int8]:
        """Return (N,) int8, as `apart`, for these verdicts of the reviewer."""
        own = own_patterns(review, codes, self._state.decisions)
        return apart(review, codes, own, self._votes(review))

    def _votes(self, review: ReviewSet) -> Votes:
        """Return what the others say as arrays, which are made once."""
        known = self._counted
        if known is None or known[0] is not self._opinions or known[1] is not review:
            made = votes_of(review, self._opinions.readers)
            known = self._counted = self._opinions, review, made
        return known[2]

    def is_shown(self, row: int) -> bool:
        """Return whether a row passes the filters."""
        return bool(np.any(self._state.shown == row))

    # -- verbs

    def set_filter(self, which: Filter) -> None:
        """Show only the cells that pass."""
        review = self._state.review
        if review is not None and which in _APART and self._state.blind:
            # That a word of one's own settles a cell would tell what the others said.
            own = self._codes if which == "disagreed" else np.zeros_like(self._codes)
            self._frozen = self._apart(review, own)
        self._state.filter = which
        self._show_anew()

    def disagreements(self) -> npt.NDArray[np.int64]:
        """Return (m,) int64, the rows that reviewers disagree on, and none settles.

        It tells which cells and not what was said, so a blind reviewer may use it.
        """
        review = self._state.review
        if review is None:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(self._apart(review, self._codes) == OPEN)

    def set_pattern_filter(self, chosen: PatternChoice | None) -> None:
        """Show only cells of a pattern, or called it by the model; None: of any."""
        self._state.pattern_filter = chosen
        self._show_anew()

    def set_specimen_filter(self, specimen: str) -> None:
        """Show only the cells of a specimen; an empty name: of all."""
        self._state.specimen_filter = specimen
        self._show_anew()

    def set_group(self, group: Group) -> None:
        """Group the cells shown by specimen, pattern or decision."""
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
        """Return whether the sort needs no scores, or has them."""
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
        """Return (N, K) scores of the cells under review, nan where there is none.

        A cell that the model calls by a pattern which these cells do not know has
        none: the best of the others is not what the model says.
        """
        state, review = self._state, self._state.review
        if review is None or state.prediction is None or state.cells is None:
            return None
        prediction, name = state.prediction, state.cells.frame.name
        columns = [prediction.vocabulary.find(p.name) for p in review.vocabulary]
        known = [k for k, column in enumerate(columns) if column is not None]
        taken = [column for column in columns if column is not None]
        out = np.full((len(review), len(columns)), np.nan, np.float32)
        labels = state.cells.cells.table["label"].to_numpy()[prediction.rows]
        ids = frame_ids(review, name, labels.tolist())
        for cell, scores in zip(ids, prediction.scores, strict=True):
            row = review.row_of.get(cell)
            if row is not None and int(scores.argmax()) in taken:
                out[row] = 0
                out[row, known] = scores[taken]
        return out
