"""Verbs on the cells under review: which ones; the rest is inherited."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_hep2.controllers.decisions import NOT_SAVED, REASONS, ReviewProgress
from napari_hep2.controllers.readers import ReaderVerbs
from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review_set import ReviewSet, frame_review
from training.data.cell_folder import CellFolder, read_cell_folder
from training.data.extraction import cell_id
from training.patterns import I3A, vocabulary_for

__all__ = ["NOT_SAVED", "REASONS", "ReviewController", "ReviewProgress"]


class ReviewController(ReaderVerbs):
    """What can be done with cells under review; each decision is saved at once."""

    # -- what is reviewed

    def review_frame(self) -> None:
        """Take the cells of the open frame, dropped ones too."""
        state = self._state
        frame = state.cells
        if frame is None:
            return
        ids = [cell_id(frame.frame.name, int(k)) for k in frame.cells.table["label"]]
        table = frame_review(
            frame.cells.table, ids, state.specimen, state.pattern, frame.frame.name
        )
        review = ReviewSet(
            frame.cells.crops,
            table,
            state.collection.vocabulary if state.collection else I3A,
            frame.frame.name,
            self._folder_of_frame(),
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
        """Take the cells of a cell folder, memory-mapped."""

        def work() -> Work[tuple[CellFolder, str | None]]:
            yield Progress(f"reading {folder.name}")
            cells = read_cell_folder(folder)
            yield Progress("comparing with the frames")
            return cells, cells.stale()

        def done(result: tuple[CellFolder, str | None]) -> None:
            cells, stale = result
            self._take(review_of_folder(folder, cells))
            if stale:
                self._state.complain(stale)
            else:
                self._state.tell(f"{len(cells.table):,} cells of {folder.name} opened.")

        return Job("Opening the cell folder", work, done)

    def _take(self, review: ReviewSet) -> None:
        state = self._state
        previous = state.review
        kept_id = self._current_id()
        state.current, state.selected = None, ()
        state.shown = np.empty(0, dtype=np.int64)
        self._codes = np.zeros(len(review), dtype=np.int8)
        state.review = review
        stays = previous is not None and review.store in (None, previous.store)
        self.use_store(state.store if stays and state.store else review.store)
        row = review.row_of.get(kept_id or "")
        self.select(row if row is not None else self._first())

    def _current_id(self) -> str | None:
        state = self._state
        if state.review is None or state.current is None:
            return None
        return str(state.review.ids[state.current])


def review_of_folder(folder: Path, cells: CellFolder) -> ReviewSet:
    """Return the cells of a cell folder for review; decisions are kept in it."""
    names = [str(name) for name in cells.table["pattern"].dropna().unique() if name]
    table = cells.table.fillna({"pattern": "", "flags": "", "dropped": ""})
    return ReviewSet(
        cells.crops,
        table,
        vocabulary_for(names, folder),
        folder.name,
        folder,
        is_folder=True,
        root=cells.root,
    )
