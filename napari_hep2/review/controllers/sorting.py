"""Order of the cells under review: which are shown, sorted and grouped by what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Job
from napari_hep2.review.controllers.decision_session import DecisionSession
from napari_hep2.review.controllers.measuring import (
    measure_descriptors,
    measure_looks,
)
from napari_hep2.review.controllers.navigation import Navigation
from napari_hep2.review.controllers.scores import scores_of
from napari_hep2.review.state import ReviewState
from napari_hep2.state import SessionState
from training.curation.crop_measures import distances
from training.curation.filtering import Choice, Said, choose
from training.curation.ordering import (
    Filter,
    Group,
    PatternChoice,
    Sort,
    Votes,
    apart,
    own_patterns,
    votes_of,
)
from training.curation.review_set import ReviewSet, carried

_LOOKS = ("focus", "brightness")
_BY_SCORES = ("uncertainty", "suspicion")
_APART: tuple[Filter, ...] = ("disagreed", "settled")


class CellOrder:
    """Filters, sorts and groups of the cells under review.

    Parameters
    ----------
    session, state
        Read and written.
    decisions
        What the filters go by.
    navigation
        Keeps the selection among the cells shown.
    """

    def __init__(
        self,
        session: SessionState,
        state: ReviewState,
        decisions: DecisionSession,
        navigation: Navigation,
    ) -> None:
        self._session, self._state = session, state
        self._decisions, self._navigation = decisions, navigation
        self._ordered: ReviewSet | None = None
        self._described: npt.NDArray[np.float32] | None = None
        self._counted: tuple[object, object, Votes] | None = None
        self._frozen = np.zeros(0, dtype=np.int8)
        decisions.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Filter and sort anew; the current cell stays where it is still shown."""
        session, state, review = self._session, self._state, self._session.review
        if review is None:
            return
        self._forget_another(review)
        if not self._can_doubt(review, state.sort):
            state.sort = "order"
        scores = scores_of(session, state) if self._needs_scores() else None
        codes = self._decisions.shown.codes
        said = Said(review, codes, session.decisions, state.marks, self._apart_now())
        measures = self._measures(review)
        rows, state.headings = choose(said, self.choice(), measures, scores)
        state.shown = rows
        self._navigation.take(self._navigation.selection.among(rows))

    def _forget_another(self, review: ReviewSet) -> None:
        """Leave behind what was chosen for, and measured of, another review."""
        state = self._state
        if self._ordered is review:
            return
        if self._ordered is not None:
            state.measures, state.limits, state.anchor = {}, None, None
            state.scores = state.wanted = None
            state.pattern_filter, state.specimen_filter = None, ""
            state.contrast = "cell"
            if state.sort in (*_LOOKS, "similarity"):
                state.sort = "order"
        self._ordered, self._described = review, None

    def carry(self, before: ReviewSet, review: ReviewSet) -> None:
        """Go on with cells of which some were cut anew, as they were chosen.

        What was measured stays; a new cell is not measured.
        """
        state = self._state
        anchor = None if state.anchor is None else str(before.ids[state.anchor])
        # First of all: who follows the measures sorts anew, and must not forget them.
        self._ordered, self._described = review, None
        state.anchor = review.row_of.get(anchor or "")
        state.measures = carried(state.measures, before, review)
        if state.scores is not None:
            state.scores = state.scores.carried(before, review)
        if state.sort == "similarity":
            state.sort = "order"

    # -- what passes

    def _needs_scores(self) -> bool:
        state = self._state
        chosen = state.pattern_filter
        return state.sort in _BY_SCORES or (
            chosen is not None and chosen.kind == "predicted"
        )

    def choice(self) -> Choice:
        """Return what is chosen now: filters, order and groups."""
        state, review = self._state, self._session.review
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
        state, review = self._state, self._session.review
        if review is None or state.filter not in _APART:
            return None
        if self._session.blind:
            # Which cells is shown, what others decided on them is not.
            is_known = len(self._frozen) == len(review)
            return self._frozen if is_known else np.zeros(len(review), np.int8)
        return self._apart(review, self._decisions.shown.codes)

    def _apart(
        self, review: ReviewSet, codes: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int8]:
        """Return (N,) int8, as `apart`, for these codes of the reviewer's decisions."""
        own = own_patterns(review, codes, self._session.decisions)
        return apart(review, codes, own, self._votes(review))

    def _votes(self, review: ReviewSet) -> Votes:
        """Return what the others decided as arrays, which are made once."""
        known, opinions = self._counted, self._decisions.shown.opinions
        if known is None or known[0] is not opinions or known[1] is not review:
            made = votes_of(review, opinions.readers)
            known = self._counted = opinions, review, made
        return known[2]

    # -- verbs

    def set_filter(self, which: Filter) -> None:
        """Show only the cells that pass."""
        review, codes = self._session.review, self._decisions.shown.codes
        if review is not None and which in _APART and self._session.blind:
            # A consensus with one's own decision would show what the others decided.
            own = codes if which == "disagreed" else np.zeros_like(codes)
            self._frozen = self._apart(review, own)
        if which == "proposed":
            self._state.group = "reason"
        elif self._state.group == "reason":
            self._state.group = "none"
        self._state.filter = which
        self._show_anew()

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
        """Turn the order round, and show what is first then."""
        self._state.descending = descending
        self._show_top()

    def set_sort(self, sort: Sort) -> Job | None:
        """Sort the cells; what is not measured yet is measured first.

        ``similarity`` is to the cell that is current now.
        """
        session, state, review = self._session, self._state, self._session.review
        if sort == "similarity":
            if session.current is None:
                session.complain(
                    "Choose a cell first: the others are compared with it."
                )
                return None
            if review is not None and self._described is None:
                return self._describing(review, session.current)
            state.anchor = session.current
        if review is not None and not self._can_doubt(review, sort):
            state.wanted = sort
            session.complain(
                "There are no scores to sort by yet: classify the frame, score all "
                "cells, or load a run."
            )
            return None
        if review is not None and sort in _LOOKS and sort not in state.measures:
            return self._measuring(review, sort)
        self._sorted_by(sort)
        return None

    def _sorted_by(self, sort: Sort) -> None:
        """Sort by what is known; only then is the order named, and its top shown."""
        self._state.sort, self._state.wanted = sort, None
        self._show_top()

    def _show_top(self) -> None:
        self.refresh()
        self._navigation.select_first()

    def _can_doubt(self, review: ReviewSet, sort: Sort) -> bool:
        """Return whether a sort needs no scores, or has them."""
        if sort not in _BY_SCORES:
            return True
        if sort in self._measures(review):
            return True
        return scores_of(self._session, self._state) is not None

    def _show_anew(self) -> None:
        self.refresh()
        if self._session.current is None:
            self._navigation.select_first()

    # -- what is measured

    def _measures(self, review: ReviewSet) -> dict[str, npt.NDArray[Any]]:
        """Return the measures of the state, and the distances from the anchor."""
        out = {n: v for n, v in self._state.measures.items() if len(v) == len(review)}
        anchor, described = self._state.anchor, self._described
        is_wanted = self._state.sort == "similarity"
        if is_wanted and anchor is not None and described is not None:
            out["similarity"] = distances(described, anchor)
        return out

    def _measuring(self, review: ReviewSet, sort: Sort) -> Job:
        def done(found: Mapping[str, npt.NDArray[Any]]) -> None:
            if self._session.review is review:
                self._state.measures = {**self._state.measures, **found}
                self._sorted_by(sort)

        return Job("Sorting", lambda: measure_looks(review), done)

    def _describing(self, review: ReviewSet, anchor: int) -> Job:
        def done(found: npt.NDArray[np.float32]) -> None:
            if self._session.review is review:
                self._described, self._state.anchor = found, anchor
                self._sorted_by("similarity")

        return Job("Sorting", lambda: measure_descriptors(review), done)
