"""Storage of decisions, and the display of what the store confirms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_hep2.jobs import Job, Progress, Work, run_here
from napari_hep2.review.controllers.navigation import CellWalk
from napari_hep2.review.controllers.snapshot import (
    OpenStore,
    Standing,
    is_large,
    nothing_standing,
    open_standing,
    read_standing,
    renewed_marks,
    said_by_others,
)
from napari_hep2.state import SessionState
from training.curation.review_set import ReviewSet, with_decisions
from training.decisions.applied import STORE
from training.decisions.current import Decisions, Opinions
from training.decisions.store import DecisionStore
from training.errors import Hep2Error

NOT_SAVED = "not saved"
_PAST = "Shown as of step {}, read-only: press Now first."


class StoreKeeper(CellWalk):
    """Opens the store of a reviewer, and shows what stands in it.

    Parameters
    ----------
    state
        Read and written.
    open_store
        Makes the store of a file for a reviewer; a test may give its own.
    start
        Runs what takes long: a step on many cells, a large store. Without it such work
        is done where it is asked for.
    """

    def __init__(
        self,
        state: SessionState,
        open_store: OpenStore = DecisionStore,
        start: Callable[[Job], None] = run_here,
    ) -> None:
        super().__init__(state)
        self._open_store = open_store
        self._start = start
        self._store: DecisionStore | None = None
        self._seen = 0
        self._standing = Decisions(state.reviewer, {})

    # -- where decisions are kept

    def use_store(self, folder: Path | None) -> None:
        """Store decisions in this folder; those already there are shown.

        The file is not made before the first decision.
        """
        self.close()
        state = self._state
        state.writable = True
        state.store = folder
        if folder is not None and is_large(folder):
            self._show(nothing_standing(state.review, state.reviewer))
            self.refresh()
            self._start(self._reading(folder))
            return
        if folder is not None and (folder / STORE).is_file():
            self._connect(folder)
        self._reload()

    def set_reviewer(self, reviewer: str) -> None:
        """Go on as another reviewer, who decides and undoes for themselves alone."""
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
            self._refused(fault)
            return None
        self._store = store
        self._seen = 0
        self._state.writable = not store.read_only
        return store

    def _reload(self) -> None:
        """Show what stands now, of everybody."""
        state = self._state
        state.as_of = None
        try:
            self._show_store(self._store)
        except Hep2Error as fault:
            self.close()
            self._refused(fault)
            self._show_store(None)
        self.refresh()

    def _show_store(self, store: DecisionStore | None) -> None:
        state = self._state
        if store is None or state.review is None:
            self._show(nothing_standing(state.review, state.reviewer))
        else:
            self._show(read_standing(store, state.review))

    def _show(self, found: Standing) -> None:
        state, self._seen = self._state, found.step
        self._opinions, self._codes = found.opinions, found.codes
        state.marks = found.marks
        self._standing = state.decisions = found.decisions
        self._show_others()

    def _take_standing(self, found: Standing) -> None:
        """Go on with a store that a worker has read, and with what came after that."""
        assert found.store is not None
        if self._store is not None:
            self._store.close()
        self._store = found.store
        self._state.writable = not found.store.read_only
        self._state.as_of = None
        self._show(found)
        self._absorb(found.store)

    def _fits(self, found: Standing, review: ReviewSet, folder: Path) -> bool:
        """Return whether what was read is still what is wanted; else leave it."""
        state = self._state
        fits = (
            state.review is review
            and state.store == folder
            and state.reviewer == found.reviewer
            and state.as_of is None
        )
        if not fits:
            found.leave()
        return fits

    def _reading(self, folder: Path) -> Job:
        """Read a large store; nothing is shown of it before the end."""
        review, reviewer = self._state.review, self._state.reviewer

        def work() -> Work[Standing | Hep2Error | None]:
            yield Progress("reading them")
            if review is None:
                return None
            try:
                return open_standing(self._open_store, folder, reviewer, review)
            except Hep2Error as fault:
                return fault

        def done(found: Standing | Hep2Error | None) -> None:
            if isinstance(found, Hep2Error):
                self._refused(found)
            elif found is None or review is None:
                return
            elif self._fits(found, review, folder):
                self._state.saved = ""
                self._take_standing(found)

        return Job("Decisions", work, done)

    def _show_others(self) -> None:
        """Put what others said on the screen, or nothing before a blind reviewer."""
        shown = Opinions() if self._state.blind else self._opinions
        if shown or self._state.others:
            self._state.others = shown

    def _writable(self) -> DecisionStore | None:
        state = self._state
        if state.review is None or state.store is None:
            self._refused("Choose a folder for the decisions first.")
            return None
        if self._is_past():
            return None
        if state.review.nuclei is not None:
            try:
                state.review.nuclei.keep(state.store)
            except Hep2Error as fault:
                self._refused(fault)
                return None
        return self._store or self._connect(state.store)

    def _is_past(self) -> bool:
        """Tell, and say, whether an earlier state is shown, which stays as it is."""
        step = self._state.as_of
        if step is not None:
            self._refused(_PAST.format(step))
        return step is not None

    def _refused(self, fault: object) -> None:
        self._state.saved = NOT_SAVED
        self._state.complain(fault)

    def _begin(
        self, act: Callable[[DecisionStore], Any], then: Callable[[Any, bool], str]
    ) -> None:
        """Do a step on many cells in the worker, with a store of its own.

        Until it is through, the screen says that it is not saved. Where it is
        cancelled, the next look at the file tells whether it was.

        Parameters
        ----------
        then
            Takes what `act` gave, and whether the same cells are still selected; it
            returns what the screen says.
        """
        state = self._state
        chosen = state.selected
        review, folder, reviewer = state.review, state.store, state.reviewer
        if review is None or folder is None:
            return

        def work() -> Work[tuple[Any, Standing] | Hep2Error]:
            yield Progress(f"{len(state.selected):,} cells")
            try:
                store = self._open_store(folder / STORE, reviewer)
                try:
                    return act(store), read_standing(store, review)
                except BaseException:
                    store.close()
                    raise
            except Hep2Error as fault:
                return fault

        def done(result: tuple[Any, Standing] | Hep2Error) -> None:
            if isinstance(result, Hep2Error):
                self._refused(result)
                return
            made, found = result
            if self._fits(found, review, folder):
                stays = state.selected == chosen
                self._take_standing(found)
                state.fault = ""
                state.saved = then(made, stays)

        state.saved = NOT_SAVED
        self._start(Job("Saving", work, done, protected=True))

    # -- what the store confirmed

    def _committed(self, store: DecisionStore) -> None:
        self._absorb(store)
        self._state.fault = ""

    def _absorb(self, store: DecisionStore) -> None:
        """Take in the steps since the last look; only cells they touched are read."""
        state, last = self._state, store.last_step
        cells = store.changed_since(self._seen)
        self._seen = last
        state.marks = renewed_marks(state.marks, cells, store.marks(cells=cells))
        self._opinions = self._opinions.renewed(cells, said_by_others(store, cells))
        self._show_others()
        decisions = self._standing.renewed(cells, store.current(cells=cells))
        if state.review is not None:
            self._codes = with_decisions(self._codes, state.review, decisions, cells)
        self._standing = state.decisions = decisions
        self.refresh()
