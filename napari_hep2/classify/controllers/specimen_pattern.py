"""Verbs on what a reviewer says of the open specimen as a whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from napari_hep2.classify.state import SayingState
from napari_hep2.state import UNSIGNED, SessionState
from training.decisions.specimens import (
    read_sayings,
    say_pattern,
    saying_text,
    take_back,
)
from training.decisions.store import now
from training.errors import Hep2Error


class SayingController:
    """Records the pattern of the open specimen under the reviewer's name.

    Parameters
    ----------
    state
        Read; sentences are written.
    found
        Written.
    is_signed
        Returns whether a decision has a name to stand under; it may ask for one.
    clock
        Gives the time that is recorded.
    """

    def __init__(
        self,
        state: SessionState,
        found: SayingState,
        is_signed: Callable[[], bool] = lambda: True,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._state, self.found = state, found
        self._is_signed, self._clock = is_signed, clock
        events = state.events
        for signal in (events.cells, events.specimen, events.store, events.reviewer):
            signal.connect(self.refresh)
        events.blind.connect(self.refresh)

    def folder(self) -> Path | None:
        """Return where it is kept: with the decisions on the cells of the frame."""
        state, review = self._state, self._state.review
        is_frame = review is None or not review.is_folder
        if is_frame and state.store is not None:
            return state.store
        return state.collection.root if state.collection is not None else None

    def refresh(self) -> None:
        """Read what stands of the open specimen; of others only if not blind."""
        state, folder = self._state, self.folder()
        if state.cells is None or folder is None or not state.specimen:
            self.found.sayings = ()
            return
        try:
            found = read_sayings(folder, [state.specimen]).get(state.specimen, ())
        except Hep2Error as fault:
            self.found.sayings = ()
            state.complain(fault)
            return
        own = state.reviewer
        shown = (one for one in found if not state.blind or one.reviewer == own)
        self.found.sayings = tuple(shown)

    def own(self) -> str | None:
        """Return the pattern that the reviewer gave, '' for none of them, or None."""
        for one in self.found.sayings:
            if one.reviewer == self._state.reviewer:
                return one.pattern or ""
        return None

    def say(self, pattern: str | None) -> None:
        """Record that the open specimen has a pattern; None: none of them."""
        state = self._state
        self._do(
            lambda folder: say_pattern(
                folder, state.specimen, state.reviewer, pattern, self._clock
            ),
            "saved",
        )

    def take_back(self) -> None:
        """Record that what the reviewer said of the open specimen does not stand."""
        state = self._state
        if self.own() is None:
            return
        self._do(
            lambda folder: take_back(
                folder, state.specimen, state.reviewer, self._clock
            ),
            "withdrawn",
        )

    def _do(self, act: Callable[[Path], None], text: str) -> None:
        state, folder = self._state, self.folder()
        if state.cells is None or folder is None or not state.specimen:
            state.complain("Open a specimen first, from a folder or with a file.")
            return
        if not self._is_signed():
            state.complain(UNSIGNED)
            return
        try:
            act(folder)
        except Hep2Error as fault:
            state.complain(fault)
            return
        self.refresh()
        name = "the specimen" if state.blind else f"specimen {state.specimen}"
        state.tell(f"The decision of {state.reviewer} on {name} is {text}.")

    def lines(self) -> list[str]:
        """Return what stands, a line a reviewer, with the time on this machine."""
        patterns = self._state.vocabulary
        return [
            f"{saying_text(one, patterns)}, {one.reviewer}, "
            f"{one.time.astimezone():%Y-%m-%d %H:%M}"
            for one in self.found.sayings
        ]
