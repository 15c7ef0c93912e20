"""Controller of *Review cells*: which cells are reviewed, and the parts that do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Job, Progress, Work, run_here
from napari_hep2.review.controllers.decision_session import DecisionSession
from napari_hep2.review.controllers.decisions import DecisionVerbs
from napari_hep2.review.controllers.measuring import measure_limits
from napari_hep2.review.controllers.navigation import Navigation
from napari_hep2.review.controllers.other_reviewers import OtherReviewers
from napari_hep2.review.controllers.progress import ProgressCounter
from napari_hep2.review.controllers.snapshot import OpenStore, Snapshot
from napari_hep2.review.controllers.sorting import CellOrder
from napari_hep2.review.state import ReviewState
from napari_hep2.state import SessionState
from training.curation.review_set import ReviewSet, frame_review, review_of_folder
from training.data.cells.folder import read_cell_folder
from training.data.cells.known import frame_cells
from training.data.cells.pending import pending_decisions, pending_text
from training.decisions.store import DecisionStore
from training.errors import Hep2Error
from training.patterns import I3A


class ReviewController:
    """Actions on the cells under review.

    Parameters
    ----------
    session
        Read and written.
    open_store, start, is_signed
        As `DecisionSession` takes them.

    Attributes
    ----------
    state
        What *Review cells* shows.
    decision_session
        Where decisions are kept, and which are shown.
    navigation
        Verbs that move the current and the selected cells.
    order
        Verbs that filter and sort.
    decisions
        Verbs on the selected cells.
    others
        Decisions of other reviewers, and those of the past.
    progress
        Counts of decided cells.
    """

    def __init__(
        self,
        session: SessionState,
        open_store: OpenStore = DecisionStore,
        start: Callable[[Job], object] = run_here,
        is_signed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._session = session
        self.state = ReviewState()
        both = session, self.state
        self.decision_session = DecisionSession(*both, open_store, start, is_signed)
        self.navigation = Navigation(*both, self.decision_session)
        self.order = CellOrder(*both, self.decision_session, self.navigation)
        self.decisions = DecisionVerbs(*both, self.decision_session, self.navigation)
        self.others = OtherReviewers(*both, self.decision_session)
        self.progress = ProgressCounter(session, self.decision_session)

    # -- what is reviewed

    def review_frame(self) -> None:
        """Review the cells of the open frame, dropped ones too."""
        session, frame = self._session, self._session.cells
        if frame is None:
            return
        folder = self._folder_of_frame()
        try:
            ids, cells, nuclei = frame_cells(self._store_of(folder), frame)
        except Hep2Error:
            # A damaged file is told of by whoever opens the store or writes there.
            ids, cells, nuclei = frame_cells(None, frame)
        name = frame.frame.name
        table = frame_review(cells, ids, session.specimen, session.pattern, name)
        review = ReviewSet(
            frame.cells.crops,
            table,
            session.collection.vocabulary if session.collection else I3A,
            name,
            folder,
            nuclei=nuclei,
        )
        self.take(review)

    def _folder_of_frame(self) -> Path | None:
        session = self._session
        if session.collection is not None:
            return session.collection.root
        if session.cells is not None and session.cells.frame.image.exists():
            return session.cells.frame.image.parent
        return None

    def open_cell_folder(self, folder: Path) -> Job:
        """Review a cell folder, memory-mapped, with its decisions."""
        store, reviewer = self._store_of(folder), self._session.reviewer

        def work() -> Work[tuple[ReviewSet, str | None, str, Snapshot | None]]:
            yield Progress(f"reading {folder.name}")
            cells = read_cell_folder(folder)
            yield Progress("comparing with the frames")
            stale = cells.stale()
            yield Progress("reading the decisions")
            review = review_of_folder(folder, cells)
            found = self.decision_session.opened(store, reviewer, review)
            return review, stale, _waiting(folder), found

        def done(result: tuple[ReviewSet, str | None, str, Snapshot | None]) -> None:
            review, stale, waiting, found = result
            self.take(review, found)
            if stale:
                self._session.complain(f"{stale} {waiting}".rstrip())
            else:
                opened = f"{len(review):,} cells of {folder.name} opened."
                self._session.tell(f"{opened} {waiting}".rstrip())

        return Job("Opening the cell folder", work, done)

    def _store_of(self, folder: Path | None) -> Path | None:
        """Return where the decisions on cells of a folder are kept."""
        session = self._session
        previous = session.review
        stays = previous is not None and folder in (None, previous.store)
        return session.store if stays and session.store else folder

    def take(self, review: ReviewSet, found: Snapshot | None = None) -> None:
        """Put cells under review; `found` is what a worker read of their store."""
        store, kept = self._store_of(review.store), self._session.current_cell
        self._replace(review)
        self.decision_session.use(store, found)
        self._select_again(kept)

    def retake(self, review: ReviewSet) -> None:
        """Go on with a cell folder of which some cells were cut anew.

        Decisions, filters, order and what was measured stay; a new cell is undecided
        and not measured, and one that is gone is not shown.
        """
        before, kept = self._session.review, self._session.current_cell
        if before is None or before.store != review.store:
            return
        self._replace(review)
        self.order.carry(before, review)
        self.order.refresh()
        self._select_again(kept)

    def _replace(self, review: ReviewSet) -> None:
        session = self._session
        session.current, session.selected = None, ()
        self.state.shown = np.empty(0, dtype=np.int64)
        self.decision_session.follow(review)
        session.review = review

    def _select_again(self, cell: str | None) -> None:
        """Select a cell by its id, or the first one where it is gone."""
        review = self._session.review
        row = review.row_of.get(cell or "") if review is not None else None
        if row is None:
            self.navigation.select_first()
        else:
            self.navigation.select(row)

    # -- what is seen of them

    def select_cell(self, cell: str) -> None:
        """Make a cell the current one by its id; the filter goes where it hides it."""
        review = self._session.review
        row = review.row_of.get(cell) if review else None
        if row is None:
            return
        if not self.navigation.selection.has(row):
            self.order.set_filter("all")
        self.navigation.select(row)

    def frame_of_current(self) -> str | None:
        """Return the name of the frame that the current cell comes from."""
        review, current = self._session.review, self._session.current
        if review is None or current is None:
            return None
        return str(review.table["frame"].iloc[current])

    def set_contrast_of_specimens(self, wanted: bool) -> Job | None:
        """Stretch crops for the eye as their specimen is, or each by itself."""
        session, state, review = self._session, self.state, self._session.review
        if not wanted or review is None:
            state.contrast = "cell"
            return None
        if state.limits is not None:
            state.contrast = "specimen"
            return None

        def done(limits: npt.NDArray[np.float64]) -> None:
            if session.review is review:
                state.limits, state.contrast = limits, "specimen"

        return Job("Contrast", lambda: measure_limits(review), done)


def _waiting(folder: Path) -> str:
    """Return how many decisions wait for a nucleus, or nothing where none does."""
    try:
        return pending_text(pending_decisions(folder))
    except Hep2Error:
        # A damaged store is told of by whoever opens it.
        return ""
