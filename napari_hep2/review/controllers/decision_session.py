"""Decision session: the open store of a reviewer, and its snapshot on the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, TypeVar

from psygnal import Signal

from napari_hep2.jobs import Job, Progress, Work, run_here
from napari_hep2.review.controllers.snapshot import (
    OpenStore,
    Snapshot,
    empty_snapshot,
    is_large,
    open_snapshot,
    read_snapshot,
)
from napari_hep2.review.state import ReviewState
from napari_hep2.state import UNSIGNED, SessionState
from training.curation.review_set import ReviewSet
from training.decisions.applied import STORE
from training.decisions.current import Opinions
from training.decisions.store import DecisionStore
from training.errors import Hep2Error

MANY = 1000
"""So many cells of one step, or to be read, are a worker's: the window cannot wait."""
NOT_SAVED = "not saved"
_PAST = "Shown as of step {}, read-only: press Now first."
_Made = TypeVar("_Made")


class DecisionSession:
    """Store of the decisions on the cells under review, opened for one reviewer.

    Parameters
    ----------
    session, state
        Written with what the store confirmed.
    open_store
        Makes the store of a file for a reviewer; a test may give its own.
    start
        Runs what takes long: a step on many cells, a large store. Without it such work
        is done where it is asked for.
    is_signed
        Returns whether decisions have a name to stand under; it may ask for one.

    Attributes
    ----------
    changed
        Says that another snapshot is shown.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(
        self,
        session: SessionState,
        state: ReviewState,
        open_store: OpenStore = DecisionStore,
        start: Callable[[Job], object] = run_here,
        is_signed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._session, self._state = session, state
        self.open_store = open_store
        self._start, self._is_signed = start, is_signed
        self._now = empty_snapshot(None, session.reviewer)
        self._past: Snapshot | None = None

    @property
    def store(self) -> DecisionStore | None:
        """The open store; None before the first decision."""
        return self._now.store

    @property
    def shown(self) -> Snapshot:
        """The snapshot on the screen: of now, or of an earlier step."""
        return self._past or self._now

    @property
    def last_step(self) -> int:
        """Number of the last step of the store, 0 where there is none."""
        return self._now.step

    # -- which store

    def use(self, folder: Path | None, found: Snapshot | None = None) -> None:
        """Store decisions in this folder; those already there are shown.

        The file is not made before the first decision.

        Parameters
        ----------
        found
            What a worker has read there for the cells under review.
        """
        self.close()
        session = self._session
        session.store, self._state.writable = folder, True
        self._past = self._state.as_of = None
        if (
            found is not None
            and folder is not None
            and self._is_wanted(found, session.review, folder)
        ):
            self._adopt(found)
            return
        nothing = empty_snapshot(session.review, session.reviewer)
        if folder is None or not (folder / STORE).is_file():
            self._show(nothing)
        elif is_large(folder):
            self._show(nothing)
            self._read()
        else:
            try:
                reviewer, review = session.reviewer, session.review
                self._adopt(open_snapshot(self.open_store, folder, reviewer, review))
            except Hep2Error as fault:
                self.close()
                self._refuse(fault)
                self._show(nothing)

    def set_reviewer(self, reviewer: str) -> None:
        """Go on as another reviewer, who decides and undoes for themselves alone."""
        name = reviewer.strip()
        if name and name != self._session.reviewer:
            self._session.reviewer = name
            self.use(self._session.store)

    def close(self) -> None:
        """Close the store."""
        self._now.close()
        self._now = replace(self._now, store=None)
        self._state.saved = ""

    def opened(
        self, folder: Path | None, reviewer: str, review: ReviewSet
    ) -> Snapshot | None:
        """Return what a worker finds in a folder; None where it cannot be read."""
        if folder is None or not (folder / STORE).is_file():
            return None
        try:
            return open_snapshot(self.open_store, folder, reviewer, review)
        except Hep2Error:
            # It is opened again where the fault can be shown.
            return None

    def _is_wanted(
        self, found: Snapshot, review: ReviewSet | None, folder: Path
    ) -> bool:
        """Return whether what was read is still asked for; else close it."""
        session = self._session
        fits = (
            found.store is not None
            and found.store.path == folder / STORE
            and session.review is review
            and session.store == folder
            and session.reviewer == found.reviewer
            and self._past is None
        )
        if not fits:
            found.close()
        return fits

    # -- what is shown

    def _adopt(self, found: Snapshot) -> None:
        """Go on with a store that was read, and with what came after that."""
        self._now.close()
        self._state.writable = found.store is None or not found.store.read_only
        self._now = found
        self._publish()
        self._absorb()

    def _absorb(self) -> None:
        """Show the steps since the last look."""
        self._show(self._now.renewed(self._session.review))

    def _show(self, found: Snapshot) -> None:
        self._now = found
        self._publish()
        self.changed.emit()

    def _publish(self) -> None:
        self._state.marks = self.shown.marks
        self._session.decisions = self.shown.decisions
        self._publish_others()

    def _publish_others(self) -> None:
        """Put what others decided on the screen, or nothing before a blind reviewer."""
        found = Opinions() if self._session.blind else self.shown.opinions
        if found or self._state.others:
            self._state.others = found

    def follow(self, review: ReviewSet) -> None:
        """Count the decisions shown for other cells, which are put under review."""
        self._now = self._now.of(review)
        self._past = None if self._past is None else self._past.of(review)

    def set_blind(self, on: bool) -> None:
        """Hide the decisions of others, and names of specimens and frames, or not."""
        self._session.blind = on
        self._publish_others()
        self.changed.emit()

    def refresh(self) -> None:
        """Show what another window or reviewer has written meanwhile.

        Meant to be called by a timer: it costs one look into the file where nothing is
        new.
        """
        session, folder = self._session, self._session.store
        if folder is None or session.review is None or self._past is not None:
            return
        try:
            if self.store is None:
                if (folder / STORE).is_file() and not session.busy:
                    self.use(folder)
            elif news := self.store.news(self.last_step):
                if news < MANY:
                    self._absorb()
                elif not session.busy:
                    self._read()
        except Hep2Error as fault:
            session.complain(fault)

    # -- the past

    def past_job(self, step: int) -> Job | None:
        """Show decisions and marks as they were after a step, for reading only.

        Parameters
        ----------
        step
            From 0 to `last_step`.
        """
        session, folder = self._session, self._session.store
        review, reviewer = session.review, session.reviewer
        if self.store is None or folder is None or review is None:
            return None
        wanted = min(max(step, 0), self.last_step)

        def work() -> Work[Snapshot]:
            yield Progress(f"loading step {wanted}")
            with self.open_store(folder / STORE, reviewer) as store:
                return read_snapshot(store, review, wanted)

        def done(past: Snapshot) -> None:
            if session.review is review and session.reviewer == reviewer:
                self._past, self._state.as_of = past, past.step
                self._publish()
                self.changed.emit()
                self._state.saved = f"as of step {past.step}"

        return Job("Loading an earlier step", work, done)

    def come_back(self) -> None:
        """Show again what is in force now, with what was done meanwhile."""
        if self._past is None:
            return
        self._past = self._state.as_of = None
        self._state.saved = ""
        self._publish()
        try:
            self._absorb()
        except Hep2Error as fault:
            self._session.complain(fault)

    # -- steps

    def step(
        self,
        act: Callable[[DecisionStore], _Made],
        then: Callable[[_Made, bool], str],
        count: Callable[[DecisionStore], int],
    ) -> None:
        """Do one step and show what the store confirmed.

        Parameters
        ----------
        then
            Takes what `act` returned, and whether the same cells are still selected;
            returns what the screen shows.
        count
            Returns the number of cells of the step: many are a worker's.
        """
        store = self._to_write()
        if store is None:
            return

        def confirmed(made: _Made, stays: bool) -> str:
            self._session.fault = ""
            return then(made, stays)

        try:
            if (n := count(store)) >= MANY:
                self._state.saved = NOT_SAVED
                self._begin("Saving", f"{n:,} cells", act, confirmed, protected=True)
                return
            made = act(store)
        except Hep2Error as fault:
            self._refuse(fault)
            return
        self._absorb()
        self._state.saved = confirmed(made, True)

    def _to_write(self) -> DecisionStore | None:
        session = self._session
        if session.review is None or session.store is None:
            self._refuse("Choose a folder for the decisions first.")
            return None
        if self._past is not None:
            # An earlier snapshot stays as it is.
            self._refuse(_PAST.format(self._past.step))
            return None
        if not self._is_signed():
            self._refuse(UNSIGNED)
            return None
        if session.review.nuclei is not None:
            try:
                session.review.nuclei.keep(session.store)
            except Hep2Error as fault:
                self._refuse(fault)
                return None
        if self.store is None:
            try:
                store = self.open_store(session.store / STORE, session.reviewer)
            except Hep2Error as fault:
                self._refuse(fault)
                return None
            self._now = replace(self._now, store=store, step=0)
            self._state.writable = not store.read_only
        return self.store

    def _refuse(self, fault: object) -> None:
        self._state.saved = NOT_SAVED
        self._session.complain(fault)

    def _read(self) -> None:
        """Read a large store in the worker; nothing is shown of it before the end."""
        self._begin("Decisions", "reading them", lambda _: None, lambda *_: "")

    def _begin(
        self,
        title: str,
        text: str,
        act: Callable[[DecisionStore], _Made],
        then: Callable[[_Made, bool], str],
        protected: bool = False,
    ) -> None:
        """Do something in the worker, with a store of its own, and show that store.

        Where a step is cancelled, the next look at the file shows whether it was done.
        """
        session, chosen = self._session, self._session.selected
        review, folder, reviewer = session.review, session.store, session.reviewer
        if folder is None:
            return

        def work() -> Work[tuple[_Made, Snapshot] | Hep2Error]:
            yield Progress(text)
            try:
                store = self.open_store(folder / STORE, reviewer)
                try:
                    return act(store), read_snapshot(store, review)
                except BaseException:
                    store.close()
                    raise
            except Hep2Error as fault:
                return fault

        def done(result: tuple[_Made, Snapshot] | Hep2Error) -> None:
            if isinstance(result, Hep2Error):
                self._refuse(result)
                return
            made, found = result
            if self._is_wanted(found, review, folder):
                stays = session.selected == chosen
                self._adopt(found)
                self._state.saved = then(made, stays)

        self._start(Job(title, work, done, protected=protected))
