"""Verbs on the cells under review: which ones; the rest is inherited."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review.controllers.decisions import NOT_SAVED, REASONS, ReviewProgress
from napari_hep2.review.controllers.other_reviewers import ReaderVerbs
from napari_hep2.review.controllers.snapshot import Standing, open_standing
from training.curation.review_set import (
    ReviewSet,
    carried,
    frame_review,
    review_of_folder,
    verdict_codes,
)
from training.data.cells.folder import read_cell_folder
from training.data.cells.known import frame_cells
from training.data.cells.pending import pending_decisions, pending_text
from training.decisions.applied import STORE
from training.errors import Hep2Error
from training.patterns import I3A

_Opened = tuple[ReviewSet, str | None, str, Standing | None]
__all__ = ["NOT_SAVED", "REASONS", "ReviewController", "ReviewProgress"]


class ReviewController(ReaderVerbs):
    """Actions on the cells under review; each decision is saved at once."""

    # -- what is reviewed

    def review_frame(self) -> None:
        """Review the cells of the open frame, dropped ones too."""
        state = self._state
        frame = state.cells
        if frame is None:
            return
        folder = self._folder_of_frame()
        try:
            ids, cells, nuclei = frame_cells(self._store_of(folder), frame)
        except Hep2Error:
            # A damaged file is told of by whoever opens the store or writes there.
            ids, cells, nuclei = frame_cells(None, frame)
        name = frame.frame.name
        table = frame_review(cells, ids, state.specimen, state.pattern, name)
        review = ReviewSet(
            frame.cells.crops,
            table,
            state.collection.vocabulary if state.collection else I3A,
            name,
            folder,
            nuclei=nuclei,
        )
        self._take(review)

    def _folder_of_frame(self) -> Path | None:
        state = self._state
        if state.collection is not None:
            return state.collection.root
        if state.cells is not None and state.cells.frame.image.is_file():
            return state.cells.frame.image.parent
        return None

    def open_cell_folder(self, folder: Path) -> Job:
        """Review a cell folder, memory-mapped, with its decisions."""
        store, reviewer = self._store_of(folder), self._state.reviewer

        def work() -> Work[_Opened]:
            yield Progress(f"reading {folder.name}")
            cells = read_cell_folder(folder)
            yield Progress("comparing with the frames")
            stale = cells.stale()
            yield Progress("reading the decisions")
            review = review_of_folder(folder, cells)
            found = self._read(review, store, reviewer)
            return review, stale, _waiting(folder), found

        def done(result: _Opened) -> None:
            review, stale, waiting, found = result
            self._take(review, found)
            if stale:
                self._state.complain(f"{stale} {waiting}".rstrip())
            else:
                opened = f"{len(review):,} cells of {folder.name} opened."
                self._state.tell(f"{opened} {waiting}".rstrip())

        return Job("Opening the cell folder", work, done)

    def _read(
        self, review: ReviewSet, folder: Path | None, reviewer: str
    ) -> Standing | None:
        """Read what stands; None where there is nothing, or it cannot be read."""
        if folder is None or not (folder / STORE).is_file():
            return None
        try:
            return open_standing(self._open_store, folder, reviewer, review)
        except Hep2Error:
            # It is opened again where the fault can be told.
            return None

    def _store_of(self, folder: Path | None) -> Path | None:
        """Return where the decisions on cells of a folder are kept."""
        state = self._state
        previous = state.review
        stays = previous is not None and folder in (None, previous.store)
        return state.store if stays and state.store else folder

    def _take(self, review: ReviewSet, found: Standing | None = None) -> None:
        state = self._state
        store, kept_id = self._store_of(review.store), self._current_id()
        state.current, state.selected = None, ()
        state.shown = np.empty(0, dtype=np.int64)
        self._codes = np.zeros(len(review), dtype=np.int8)
        state.review = review
        self._go_on_with(review, store, found)
        row = review.row_of.get(kept_id or "")
        self.select(row if row is not None else self._first())

    def retake(self, review: ReviewSet) -> None:
        """Go on with a cell folder of which some cells were cut anew.

        Decisions, filters, order and what was measured stay; a new cell is undecided
        and not measured, and one that is gone is not shown.
        """
        state = self._state
        before, kept_id = state.review, self._current_id()
        if before is None or before.store != review.store:
            return
        anchor = None if state.anchor is None else str(before.ids[state.anchor])
        measures = carried(state.measures, before, review)
        state.current, state.selected = None, ()
        state.shown = np.empty(0, dtype=np.int64)
        self._ordered, self._described = review, None
        self._codes = verdict_codes(review, state.decisions)
        state.review = review
        state.measures, state.anchor = measures, review.row_of.get(anchor or "")
        if state.sort == "similarity":
            state.sort = "order"
        self.refresh()
        row = review.row_of.get(kept_id or "")
        self.select(row if row is not None else self._first())

    def _go_on_with(
        self, review: ReviewSet, store: Path | None, found: Standing | None
    ) -> None:
        """Show what was read of the store, or read it now."""
        state = self._state
        if found is None or found.store is None or store is None:
            self.use_store(store)
            return
        self.close()
        state.store, state.as_of = store, None
        if found.store.path == store / STORE and self._fits(found, review, store):
            self._take_standing(found)
        else:
            found.leave()
            self.use_store(store)

    def _current_id(self) -> str | None:
        state = self._state
        if state.review is None or state.current is None:
            return None
        return str(state.review.ids[state.current])


def _waiting(folder: Path) -> str:
    """Return how many decisions wait for a nucleus, or nothing where none does."""
    try:
        return pending_text(pending_decisions(folder))
    except Hep2Error:
        # A damaged store is told of by whoever opens it.
        return ""
