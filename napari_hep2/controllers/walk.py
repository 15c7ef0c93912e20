"""Verbs to go through the cells under review: filter, sort, step, select."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Job, Work
from napari_hep2.review_set import (
    Filter,
    ReviewSet,
    Sort,
    measure_focus,
    passing,
    shown_rows,
    sort_key,
)
from napari_hep2.state import SessionState
from training.data.extraction import cell_id


class CellWalk:
    """What is shown of the cells under review, in which order, and which is current.

    Parameters
    ----------
    state
        Read and written.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._focus: tuple[ReviewSet, npt.NDArray[np.float64]] | None = None
        self._codes = np.zeros(0, dtype=np.int8)

    def refresh(self) -> None:
        """Filter and sort anew; the current cell stays where it is still shown."""
        state, review = self._state, self._state.review
        if review is None:
            return
        key = sort_key(review, state.sort, self.scores(), self._focus_of(review))
        state.shown = shown_rows(passing(review, self._codes, state.filter), key)
        selected = np.array(state.selected, dtype=np.int64)
        still = selected[np.isin(selected, state.shown)]
        state.selected = tuple(still.tolist())
        if state.current is not None and not self.is_shown(state.current):
            state.current = state.selected[0] if state.selected else None

    def is_shown(self, row: int) -> bool:
        """Whether a row passes the filter."""
        return bool(np.any(self._state.shown == row))

    def set_filter(self, which: Filter) -> None:
        """Show only the cells that pass."""
        self._state.filter = which
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

    def set_sort(self, sort: Sort) -> Job | None:
        """Sort the cells; sharpness is measured first where it is not known yet."""
        state, review = self._state, self._state.review
        state.sort = sort
        if sort == "focus" and review is not None and self._focus_of(review) is None:
            return self._focus_job(review)
        self.refresh()
        return None

    def _focus_of(self, review: ReviewSet) -> npt.NDArray[np.float64] | None:
        known = self._focus
        return known[1] if known is not None and known[0] is review else None

    def _focus_job(self, review: ReviewSet) -> Job:
        def work() -> Work[npt.NDArray[np.float64]]:
            parts = []
            for progress, part in measure_focus(review):
                parts.append(part)
                yield progress
            return np.concatenate(parts) if parts else np.empty(0)

        def done(focus: npt.NDArray[np.float64]) -> None:
            self._focus = (review, focus)
            self.refresh()

        return Job("Measuring focus", work, done)

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

    def select(self, row: int | None, rows: Sequence[int] | None = None) -> None:
        """Make `row` the current cell; `rows` are all those selected with it."""
        state = self._state
        chosen = {int(r) for r in rows or ()} | (
            {int(row)} if row is not None else set()
        )
        state.selected = tuple(sorted(chosen))
        state.current = None if row is None else int(row)

    def select_cell(self, cell: str) -> None:
        """Make a cell the current one by its id, in the filter's order or not."""
        review = self._state.review
        row = review.row_of.get(cell) if review else None
        if row is None:
            return
        if not self.is_shown(row):
            self.set_filter("all")
        self.select(row)

    def step(self, step: int) -> None:
        """Go `step` cells on in the order shown; stop at either end."""
        shown, place = self._state.shown, self._place()
        if len(shown) == 0:
            return
        target = 0 if place is None else min(max(place + step, 0), len(shown) - 1)
        self.select(int(shown[target]))

    def next_undecided(self) -> None:
        """Go to the next cell without a decision, from the start after the end."""
        state, review = self._state, self._state.review
        if review is None:
            return
        open_rows = passing(review, self._codes, "undecided")
        place = self._place()
        start = 0 if place is None else place + 1
        order = np.concatenate((state.shown[start:], state.shown[:start]))
        left = order[open_rows[order]]
        if len(left):
            self.select(int(left[0]))
        else:
            state.tell("Every cell shown has a decision.")

    def _place(self) -> int | None:
        found = np.flatnonzero(self._state.shown == self._state.current)
        return int(found[0]) if self._state.current is not None and len(found) else None

    def _rows_after(self) -> list[int]:
        """Return the rows to go to once the selected cells are decided, best first."""
        shown, selected = self._state.shown, self._state.selected
        places = np.flatnonzero(np.isin(shown, selected))
        if not len(places):
            return []
        last = places[-1]
        order = np.concatenate((shown[last + 1 :], shown[last::-1]))
        return [int(row) for row in order]

    def frame_of_current(self) -> str | None:
        """Return the name of the frame that the current cell comes from."""
        state = self._state
        if state.review is None or state.current is None:
            return None
        return str(state.review.table["frame"].iloc[state.current])
