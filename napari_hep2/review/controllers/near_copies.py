"""Verbs on near copies: find pairs, go from one to the next, decide on either cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from psygnal import Signal

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.state import SessionState
from training.config import NearCopySettings
from training.config.commands import command_line
from training.curation.named_copies import cells_to_compare, named_copies
from training.curation.near_copies import in_order, view_of
from training.curation.review_set import ReviewSet

KEPT = "no copy of"
"""With the id of the other cell after it: the note on the first of a pair kept."""


@dataclass(frozen=True)
class CopyPair:
    """Two cells that show nearly the same picture.

    Attributes
    ----------
    first, second
        Rows of the review.
    likeness
        Pearson's correlation in the best view and shift.
    view
        Of `training.curation.near_copies.VIEWS`: in it the second is as the first.
    shift
        dy and dx in pixels: the place in that view of the second of what is in the
        middle of the first, from its middle.
    """

    first: int
    second: int
    likeness: float
    view: int
    shift: tuple[int, int]


def as_first(crop: npt.NDArray[Any], pair: CopyPair) -> npt.NDArray[Any]:
    """Return the crop of the second turned and moved as it matches the first.

    Pixels that the crop does not hold are those of its edge.
    """
    turned, (dy, dx) = view_of(crop, pair.view), pair.shift
    reach = max(abs(dy), abs(dx))
    wide = np.pad(turned, reach, mode="edge")
    height, width = turned.shape
    top, left = reach + dy, reach + dx
    return wide[top : top + height, left : left + width]


class CopiesController:
    """Finds near copies among the cells under review, and goes through their pairs.

    Parameters
    ----------
    session
        Read, and written with news alone.
    review
        Decides, notes and selects.

    Attributes
    ----------
    changed
        Says that other pairs are there, or that another one is looked at.
    settings
        The limits by which pairs are found next.
    within
        Whether two cells of one specimen are looked for as well.
    pairs
        Of the cells under review, the most alike first.
    place
        Of the pair that is looked at.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(self, session: SessionState, review: ReviewController) -> None:
        self.settings = NearCopySettings()
        self.within = False
        self.pairs: tuple[CopyPair, ...] = ()
        self.place = 0
        self._session, self._review = session, review
        self._of: ReviewSet | None = None
        self._kept: set[CopyPair] = set()
        session.events.review.connect(self._forget)

    def _forget(self) -> None:
        self.pairs, self.place, self._of = (), 0, None
        self._kept = set()
        self.changed.emit()

    @property
    def is_searched(self) -> bool:
        """Return whether the cells under review were searched for pairs."""
        return self._of is not None

    @property
    def current(self) -> CopyPair | None:
        """The pair that is looked at, or None."""
        return self.pairs[self.place] if self.pairs else None

    # -- find

    def find_job(self) -> Job | None:
        """Find near copies among the cells of the folder that training would use."""
        review, settings, within = self._session.review, self.settings, self.within
        if review is None or not review.is_folder or review.store is None:
            self._session.complain(
                "Near copies are searched for in a cell folder: open one first."
            )
            return None
        folder = review.store

        def work() -> Work[pd.DataFrame]:
            yield Progress("reading the cells")
            cells = cells_to_compare(folder)
            parts = []
            for share, part in named_copies(folder, cells, within, settings):
                parts.append(part)
                yield Progress("comparing cells", share)
            return in_order(parts)

        def done(found: pd.DataFrame) -> None:
            if self._session.review is not review:
                self._session.complain("Other cells are under review now.")
                return
            self._take(review, found)

        return Job("Finding copies", work, done)

    def _take(self, review: ReviewSet, found: pd.DataFrame) -> None:
        names = (*("first", "second"), "correlation", "view", "dy", "dx")
        columns = (found[name].tolist() for name in names)
        rows = review.row_of
        self.pairs = tuple(
            CopyPair(rows[a], rows[b], likeness, view, (dy, dx))
            for a, b, likeness, view, dy, dx in zip(*columns, strict=True)
            if a in rows and b in rows
        )
        self._of, self.place = review, 0
        count = f"{len(self.pairs):,} pair{'' if len(self.pairs) == 1 else 's'}"
        self._session.tell(f"{count} of near copies found.")
        self.changed.emit()

    def command(self) -> str:
        """Return the command that lists the same pairs, or '': no cell folder."""
        review = self._session.review
        if review is None or not review.is_folder:
            return ""
        return command_line(
            "copies", review.store, within=self.within, changed=[self.settings]
        )

    # -- go

    def go(self, step: int) -> None:
        """Go some pairs on, or back; stop at either end."""
        self.go_to(self.place + step)

    def go_to(self, place: int) -> None:
        """Look at the pair at a place; at the first or last beyond the ends."""
        self.place = max(0, min(place, len(self.pairs) - 1))
        self.changed.emit()

    def next_open(self) -> None:
        """Go to the next pair without a decision, from the start after the end.

        Where none is left the same pair stays.
        """
        n = len(self.pairs)
        ahead = ((self.place + k) % n for k in range(1, n + 1))
        place = next((k for k in ahead if self.is_open(self.pairs[k])), None)
        if place is None:
            self._session.tell("Every pair has been decided on.")
        else:
            self.place = place
        self.changed.emit()

    def open_count(self) -> int:
        """Return how many pairs have no decision yet."""
        return sum(self.is_open(pair) for pair in self.pairs)

    def is_open(self, pair: CopyPair) -> bool:
        """Return whether a pair is undecided: neither cell rejected, nor both kept."""
        return not (
            self.is_rejected(pair.first)
            or self.is_rejected(pair.second)
            or self.is_kept(pair)
        )

    def is_rejected(self, row: int) -> bool:
        """Return whether the reviewer has rejected a cell."""
        decision = self._session.decisions.get(self._id(row))
        return decision is not None and decision.verdict == "rejected"

    def is_kept(self, pair: CopyPair) -> bool:
        """Return whether a note on the first cell records that both are used."""
        if pair in self._kept:
            return True
        mark = self._review.state.marks.get(self._id(pair.first))
        notes = mark.note.split("; ") if mark is not None else []
        return f"{KEPT} {self._id(pair.second)}" in notes

    # -- decide

    def reject(self, which: int) -> None:
        """Reject the first (0) or the second (1) of the pair as a copy of the other.

        The reason names the other cell, unless names are hidden.
        """
        pair = self.current
        if pair is None:
            return
        rows = (pair.first, pair.second)
        before = self._session.decisions
        self._select(rows[which])
        other = "another cell" if self._session.blind else self._id(rows[1 - which])
        self._review.decisions.reject(f"copy of {other}")
        if self._session.decisions is not before:
            self.next_open()

    def keep_both(self) -> None:
        """Note on the first that it is no copy of the second, behind its note.

        A note names the other cell: while names are hidden it is remembered until
        other cells are reviewed, and not in the store.
        """
        pair = self.current
        if pair is None or self.is_kept(pair):
            return
        if self._session.blind:
            self._kept.add(pair)
        else:
            self._select(pair.first)
            said = (
                self._review.decisions.note_of_current(),
                f"{KEPT} {self._id(pair.second)}",
            )
            self._review.decisions.note("; ".join(filter(None, said)))
        if self.is_kept(pair):
            self.next_open()

    def undo(self) -> None:
        """Undo the reviewer's last action, and select the pair it was on."""
        before = self._session.decisions, self._review.state.marks
        self._review.decisions.undo()
        row = self._session.current
        if (
            self._session.decisions,
            self._review.state.marks,
        ) != before and row is not None:
            places = enumerate(self.pairs)
            on_it = [k for k, one in places if row in (one.first, one.second)]
            self.place = on_it[0] if on_it else self.place
        self.changed.emit()

    def show_both(self) -> None:
        """Select both cells in the gallery, without a filter where it hides one."""
        pair = self.current
        if pair is not None:
            self._select(pair.first, pair.second)

    def _select(self, row: int, *others: int) -> None:
        """Make a row current, and let the filters hide none of those chosen."""
        review, state = self._review, self._review.state
        rows = (row, *others)
        if not all(review.navigation.selection.has(one) for one in rows):
            state.specimen_filter, state.pattern_filter = "", None
            review.order.set_filter("all")
        review.navigation.select(row, rows)

    def _id(self, row: int) -> str:
        review = self._session.review
        return "" if review is None else str(review.ids[row])
