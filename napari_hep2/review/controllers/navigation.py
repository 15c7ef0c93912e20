"""Navigation through the cells under review: step, select, come back."""

from __future__ import annotations

from collections.abc import Sequence

from napari_hep2.review.controllers.decision_session import DecisionSession
from napari_hep2.review.controllers.selection import Selection
from napari_hep2.review.state import ReviewState
from napari_hep2.state import SessionState
from training.curation.ordering import passing

_VISITED = 1000


class Navigation:
    """Verbs that move the current and the selected cells.

    Parameters
    ----------
    session
        Its ``current`` and ``selected`` are written.
    state
        Its ``shown`` is read.
    decisions
        Which cells are undecided.
    """

    def __init__(
        self, session: SessionState, state: ReviewState, decisions: DecisionSession
    ) -> None:
        self._session, self._state, self._decisions = session, state, decisions
        self._anchor: int | None = None
        self._visited: list[int] = []
        session.events.current.connect(self._remember)
        session.events.review.connect(self._forget)

    @property
    def selection(self) -> Selection:
        """What is shown, current and selected now."""
        session = self._session
        return Selection(
            self._state.shown, session.current, session.selected, self._anchor
        )

    def take(self, selection: Selection) -> None:
        """Show a selection."""
        self._session.selected, self._anchor = selection.selected, selection.anchor
        self._session.current = selection.current

    def _remember(self, now: int | None, before: int | None) -> None:
        """Keep the cell that was left, for `back`."""
        if before is not None and now is not None:
            self._visited = [*self._visited[-_VISITED:], before]

    def _forget(self) -> None:
        self._visited, self._anchor = [], None

    def select(self, row: int | None, rows: Sequence[int] | None = None) -> None:
        """Make `row` the current cell; `rows` are all those selected with it."""
        self.take(self.selection.at(row, rows or ()))

    def select_first(self) -> None:
        """Select the first row shown that the extraction kept, else the first."""
        review, shown = self._session.review, self._state.shown
        if review is None or not len(shown):
            self.select(None)
            return
        kept = shown[~review.dropped[shown]]
        self.select(int(kept[0]) if len(kept) else int(shown[0]))

    def back(self) -> None:
        """Go back to the cell that was current before this one."""
        while self._visited:
            row = self._visited.pop()
            if self.selection.has(row):
                kept = self._visited
                self.select(row)
                self._visited = kept
                return
        self._session.tell("There is no cell to go back to.")

    def step(self, step: int) -> None:
        """Go `step` cells on in the order shown; stop at either end."""
        self.take(self.selection.step(step))

    def extend(self, step: int) -> None:
        """Go `step` cells on and select all from where the range was begun."""
        self.take(self.selection.extend(step))

    def select_range(self, row: int) -> None:
        """Select all cells shown between the one the range was begun at and `row`."""
        self.take(self.selection.range_to(row))

    def select_all(self) -> None:
        """Select every cell shown."""
        self.take(self.selection.all())

    def next_undecided(self) -> None:
        """Go to the next cell without a decision, from the start after the end."""
        review = self._session.review
        if review is None:
            return
        codes = self._decisions.shown.codes
        row = self.selection.next_of(passing(review, codes, "undecided"))
        if row is None:
            self._session.tell("Every cell shown has a decision.")
        else:
            self.select(row)
