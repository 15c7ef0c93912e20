"""Verbs on the cells under review: choose, decide, undo, filter, sort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hep2.agreement import agreement_text, compare
from napari_hep2.controllers.walk import CellWalk
from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review_set import (
    VERDICTS,
    ReviewSet,
    frame_review,
    verdict_codes,
    with_decisions,
)
from napari_hep2.state import SessionState
from training.data.cell_folder import CellFolder, read_cell_folder
from training.data.curation import DecisionStore
from training.data.extraction import cell_id
from training.data.reviewed import STORE
from training.errors import Hep2Error
from training.patterns import I3A, vocabulary_for

NOT_SAVED = "not saved"

REASONS = {
    "focus": "out of focus",
    "merged": "several nuclei",
    "cut": "nucleus cut off",
    "mitotic": "mitotic cell",
    "debris": "debris or artefact",
    "dim": "too dim",
    "other": "other reason",
}
"""Why a reviewer rejects a cell: code in the store, words on the screen."""


@dataclass(frozen=True)
class ReviewProgress:
    """Decided cells of those that the extraction kept, and how they were decided."""

    decided: int
    total: int
    accepted: int
    rejected: int
    relabelled: int


class ReviewController(CellWalk):
    """What can be done with cells under review; each decision is saved at once.

    Parameters
    ----------
    state
        Read and written.
    open_store
        Makes the store of a file for a reviewer; a test may give its own.
    """

    def __init__(
        self,
        state: SessionState,
        open_store: Callable[[Path, str], DecisionStore] = DecisionStore,
    ) -> None:
        super().__init__(state)
        self._open_store = open_store
        self._store: DecisionStore | None = None

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

    # -- where decisions are kept

    def use_store(self, folder: Path | None) -> None:
        """Keep decisions in this folder; those already there are shown.

        The file is not made before the first decision.
        """
        self.close()
        state = self._state
        state.writable = True
        state.store = folder
        if folder is not None and (folder / STORE).is_file():
            self._connect(folder)
        self._reload()

    def set_reviewer(self, reviewer: str) -> None:
        """Go on as another reviewer, who sees only their own decisions."""
        name = reviewer.strip()
        if name and name != self._state.reviewer:
            self._state.reviewer = name
            self.use_store(self._state.store)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()
        self._store = None
        self._state.saved = ""

    def _connect(self, folder: Path) -> DecisionStore | None:
        try:
            store = self._open_store(folder / STORE, self._state.reviewer)
        except Hep2Error as fault:
            self._state.saved = NOT_SAVED
            self._state.complain(fault)
            return None
        self._store = store
        self._state.writable = not store.read_only
        return store

    def _reload(self) -> None:
        state, review = self._state, self._state.review
        decisions = self._store.current() if self._store else {}
        if review is not None:
            self._codes = verdict_codes(review, decisions)
        state.decisions = decisions
        self.refresh()

    def _writable(self) -> DecisionStore | None:
        state = self._state
        if state.review is None or state.store is None:
            state.saved = NOT_SAVED
            state.complain("Choose a folder for the decisions first.")
            return None
        return self._store or self._connect(state.store)

    # -- decisions

    def accept(self) -> None:
        """Say that the selected cells are good and show the specimen's pattern."""
        self._decide("accepted")

    def reject(self, reason: str | None = None) -> None:
        """Say that the selected cells are not to be used; `reason` is in `REASONS`."""
        self._decide("rejected", reason=reason)

    def relabel(self, index: int) -> None:
        """Say that the selected cells show pattern `index` of the vocabulary."""
        review = self._state.review
        if review is not None and 0 <= index < len(review.vocabulary):
            self._decide("relabelled", pattern=review.vocabulary[index].name)

    def clear(self) -> None:
        """Take the decisions on the selected cells back."""
        self._decide("cleared")

    def _decide(
        self, verdict: Any, pattern: str | None = None, reason: str | None = None
    ) -> None:
        state, store = self._state, self._writable()
        if store is None or state.review is None or not state.selected:
            return
        cells = [str(state.review.ids[row]) for row in state.selected]
        following = self._rows_after()
        try:
            store.decide(cells, verdict, pattern=pattern, reason=reason)
        except Hep2Error as fault:
            state.saved = NOT_SAVED
            state.complain(fault)
            return
        self._committed(store, cells, f"{_noun(len(cells))} {verdict}, saved")
        self.select(next((row for row in following if self.is_shown(row)), None))

    def undo(self) -> None:
        """Take the reviewer's last action back."""
        self._travel("undo", "taken back, saved")

    def redo(self) -> None:
        """Do again what was taken back."""
        self._travel("redo", "done again, saved")

    def _travel(self, verb: str, text: str) -> None:
        store = self._store
        if store is None:
            return
        try:
            touched: Sequence[str] = store.undo() if verb == "undo" else store.redo()
        except Hep2Error as fault:
            self._state.saved = NOT_SAVED
            self._state.complain(fault)
            return
        if not touched:
            self._state.saved = f"nothing to {verb}"
            return
        self._committed(store, touched, f"{_noun(len(touched))} {text}")
        review = self._state.review
        row = review.row_of.get(touched[0]) if review else None
        if row is not None:
            self.select(row)

    def _committed(self, store: DecisionStore, cells: Sequence[str], text: str) -> None:
        """Show what the store confirmed; only the cells touched are read again."""
        state = self._state
        decisions = dict(state.decisions)
        for cell in cells:
            decision = store.decision_on(cell)
            if decision is None:
                decisions.pop(cell, None)
            else:
                decisions[cell] = decision
        if state.review is not None:
            self._codes = with_decisions(self._codes, state.review, decisions, cells)
        state.decisions = decisions
        self.refresh()
        state.fault = ""
        state.saved = text

    def compare_reviewers(self) -> list[str]:
        """Return, for each other reviewer, how far both agree, as a sentence."""
        store, name = self._store, self._state.reviewer
        if store is None:
            return []
        others = [other for other in store.reviewers() if other != name]
        return [
            agreement_text(name, other, compare(store.current(), store.current(other)))
            for other in others
        ]

    def count(self) -> ReviewProgress:
        """Count the decisions on the cells under review."""
        review = self._state.review
        if review is None:
            return ReviewProgress(0, 0, 0, 0, 0)
        accepted, rejected, relabelled = (
            int(n) for n in np.bincount(self._codes, minlength=len(VERDICTS))[1:]
        )
        total = int(((self._codes > 0) | ~review.dropped).sum())
        decided = accepted + rejected + relabelled
        return ReviewProgress(decided, total, accepted, rejected, relabelled)


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


def _noun(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"
