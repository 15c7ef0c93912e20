"""Verbs on what a reviewer says of the open specimen as a whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from psygnal import Signal

from napari_hep2.classify.state import SayingState
from napari_hep2.state import UNSIGNED, SessionState
from training.decisions.specimens import (
    Answer,
    answer_of,
    give_answer,
    read_sayings,
    take_back,
)
from training.decisions.store import now
from training.errors import Hep2Error


class SayingController:
    """Records what the open specimen is under the reviewer's name.

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

    Attributes
    ----------
    asked
        Says that the next key belongs to the answer.
    answered
        Says that one was recorded.
    """

    asked: ClassVar[Signal] = Signal()
    answered: ClassVar[Signal] = Signal()

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

    def own(self) -> Answer | None:
        """Return what the reviewer said of the open specimen, or None."""
        for one in self.found.sayings:
            if one.reviewer == self._state.reviewer:
                return answer_of(one)
        return None

    def say(self, answer: Answer) -> None:
        """Record what the open specimen is."""
        state = self._state
        is_saved = self._do(
            lambda folder: give_answer(
                folder, state.specimen, state.reviewer, answer, self._clock
            ),
            "saved",
        )
        if is_saved:
            self.answered.emit()

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

    def _do(self, act: Callable[[Path], None], text: str) -> bool:
        state, folder = self._state, self.folder()
        if state.cells is None or folder is None or not state.specimen:
            state.complain("Open a specimen first, from a folder or with a file.")
            return False
        if not self._is_signed():
            state.complain(UNSIGNED)
            return False
        try:
            act(folder)
        except Hep2Error as fault:
            state.complain(fault)
            return False
        self.refresh()
        name = "the specimen" if state.blind else f"specimen {state.specimen}"
        state.tell(f"The decision of {state.reviewer} on {name} is {text}.")
        return True

    def lines(self) -> list[str]:
        """Return what stands, a line a reviewer, with the time on this machine."""
        return [
            f"{answer_of(one).text}, {one.reviewer}, "
            f"{one.time.astimezone():%Y-%m-%d %H:%M}"
            for one in self.found.sayings
        ]
