"""Verbs on what a reviewer says of the open specimen as a whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from psygnal import Signal

from napari_hep2.classify.state import SayingState
from napari_hep2.state import UNSIGNED, SessionState
from training.decisions.specimen_agreement import confusion, confusion_lines
from training.decisions.specimens import (
    Answer,
    answer_of,
    first_answers,
    give_answer,
    known_answers,
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
        hidden = state.blind or bool(self.found.teacher)
        shown = (one for one in found if not hidden or one.reviewer == own)
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

    # -- practice: answer without the known answer, then see it

    def teachers(self) -> tuple[str, ...]:
        """Return the other reviewers who have answered specimens here."""
        folder, own = self.folder(), self._state.reviewer
        try:
            found = read_sayings(folder)
        except Hep2Error as fault:
            self._state.complain(fault)
            return ()
        names = {one.reviewer for said in found.values() for one in said}
        return tuple(sorted(names - {own}))

    def practise(self, teacher: str) -> None:
        """Hide what others and the model say until answered; '' ends it."""
        self.found.teacher = teacher
        self.refresh()

    def hides(self) -> bool:
        """Return whether the open specimen is still to be answered in practice."""
        return bool(self.found.teacher) and self.own() is None

    def told(self) -> list[str]:
        """Return the known answer once there is an own one, and the matrix so far."""
        teacher, folder = self.found.teacher, self.folder()
        if not teacher or folder is None:
            return []
        own, reviewer = self.own(), self._state.reviewer
        try:
            known = known_answers(folder, teacher)
            counts = confusion(known, first_answers(folder, reviewer))
        except Hep2Error as fault:
            self._state.complain(fault)
            return []
        lines = confusion_lines(reviewer, teacher, counts)
        if own is None:
            return ["Answer, then the known answer is shown.", *lines]
        truth = known.get(self._state.specimen)
        words = "none" if truth is None else truth.text
        return [f"Known answer ({teacher}): {words}.", *lines]

    def lines(self) -> list[str]:
        """Return what stands, a line a reviewer, with the time on this machine."""
        return [
            f"{answer_of(one).text}, {one.reviewer}, "
            f"{one.time.astimezone():%Y-%m-%d %H:%M}"
            for one in self.found.sayings
        ]
