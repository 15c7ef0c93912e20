"""Verbs to go through the cells under review: step, select, come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_hep2.review.controllers.sorting import CellOrder
from napari_hep2.state import SessionState
from training.curation.ordering import passing

_VISITED = 1000


@dataclass(frozen=True)
class SpecimenProgress:
    """Decided cells of one specimen, of those that the extraction kept."""

    specimen: str
    decided: int
    total: int


class CellWalk(CellOrder):
    """Current cell and selection, and how keys move them.

    Parameters
    ----------
    state
        Read and written.
    """

    def __init__(self, state: SessionState) -> None:
        super().__init__(state)
        self._from: int | None = None
        self._visited: list[int] = []
        state.events.current.connect(self._remember)
        state.events.review.connect(self._forget_visited)

    def _remember(self, now: int | None, before: int | None) -> None:
        """Keep the cell that was left, for `back`."""
        if before is not None and now is not None:
            self._visited = [*self._visited[-_VISITED:], before]

    def _forget_visited(self) -> None:
        self._visited, self._from = [], None

    def back(self) -> None:
        """Go back to the cell that was current before this one."""
        while self._visited:
            row = self._visited.pop()
            if self.is_shown(row):
                kept = self._visited
                self.select(row)
                self._visited = kept
                return
        self._state.tell("There is no cell to go back to.")

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

    def extend(self, step: int) -> None:
        """Go `step` cells on and select all from where the range was begun."""
        state, place = self._state, self._place()
        if place is None:
            self.step(step)
            return
        target = min(max(place + step, 0), len(state.shown) - 1)
        self.select_range(int(state.shown[target]))

    def select_range(self, row: int) -> None:
        """Select all cells shown between the one the range was begun at and `row`."""
        state = self._state
        begun = self._from
        is_range = begun in state.selected and len(state.selected) > 1
        first = begun if is_range and begun is not None else state.current
        if first is None:
            self.select(row)
            return
        ends = [int(np.flatnonzero(state.shown == r)[0]) for r in (first, row)]
        chosen = state.shown[min(ends) : max(ends) + 1]
        self.select(row, chosen.tolist())
        self._from = first

    def select_all(self) -> None:
        """Select every cell shown."""
        state = self._state
        if len(state.shown):
            current = state.current
            row = int(state.shown[0]) if current is None else current
            self.select(row, state.shown.tolist())

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

    def _rows_after(self) -> npt.NDArray[np.int64]:
        """Return the rows to go to once the selected cells are decided, best first."""
        shown, selected = self._state.shown, self._state.selected
        places = np.flatnonzero(np.isin(shown, selected))
        if not len(places):
            return shown[:0]
        last = places[-1]
        return np.concatenate((shown[last + 1 :], shown[last::-1]))

    def _first_shown(self, rows: npt.NDArray[np.int64]) -> int | None:
        """Return the first of some rows that passes the filter, or None."""
        left = rows[np.isin(rows, self._state.shown)]
        return int(left[0]) if len(left) else None

    def frame_of_current(self) -> str | None:
        """Return the name of the frame that the current cell comes from."""
        state = self._state
        if state.review is None or state.current is None:
            return None
        return str(state.review.table["frame"].iloc[state.current])

    def progress_of_specimens(self) -> list[SpecimenProgress]:
        """Return how far each specimen is, in the order of their first cells."""
        review = self._state.review
        if review is None:
            return []
        n = len(review.specimen_names)
        counts = (self._codes > 0) | ~review.dropped
        total = np.bincount(review.specimen_index[counts], minlength=n)
        decided = np.bincount(review.specimen_index[self._codes > 0], minlength=n)
        return [
            SpecimenProgress(name, int(done), int(of))
            for name, done, of in zip(
                review.specimen_names, decided, total, strict=True
            )
        ]

    def progress_of_current(self) -> SpecimenProgress | None:
        """Return how far the current cell's specimen is."""
        review, current = self._state.review, self._state.current
        if review is None or current is None:
            return None
        place = review.specimen_index[current]
        rows = review.specimen_index == place
        decided = self._codes[rows] > 0
        total = int((decided | ~review.dropped[rows]).sum())
        name = review.specimen_names[place]
        return SpecimenProgress(name, int(decided.sum()), total)
