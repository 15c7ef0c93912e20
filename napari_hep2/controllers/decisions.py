"""Verbs that say something of cells: decide, flag, note, undo; each saved at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from napari_hep2.controllers.walk import CellWalk
from napari_hep2.review_set import VERDICTS, ReviewSet, verdict_codes, with_decisions
from napari_hep2.state import SessionState
from training.data.curation import Decision, DecisionStore, Mark, Verdict
from training.data.decisions import REASONS
from training.data.reviewed import STORE
from training.errors import Hep2Error

__all__ = ["NOT_SAVED", "REASONS", "DecisionVerbs", "ReviewProgress"]

NOT_SAVED = "not saved"
_Said = TypeVar("_Said")
_PAST = "This is how it stood after step {}, for reading only: go back to now first."


@dataclass(frozen=True)
class ReviewProgress:
    """Decided cells of those that the extraction kept, and how they were decided."""

    decided: int
    total: int
    accepted: int
    rejected: int
    relabelled: int


class DecisionVerbs(CellWalk):
    """What a reviewer can say of the selected cells, and where it is kept.

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
        self._seen = 0
        self._opinions: Mapping[str, tuple[Decision, ...]] = {}

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
        self._seen = store.last_step if store else 0
        decisions = store.current() if store else {}
        self._state.marks = store.marks() if store else {}
        self._opinions = self._said_by_others(store) if store else {}
        self._show_decisions(decisions)
        self._show_others()

    def _show_decisions(self, decisions: Mapping[str, Decision]) -> None:
        if self._state.review is not None:
            self._codes = verdict_codes(self._state.review, decisions)
        self._state.decisions = decisions

    def _show_others(self) -> None:
        """Put what others said on the screen, or nothing before a blind reviewer."""
        shown = {} if self._state.blind else self._opinions
        if shown or self._state.others:
            self._state.others = shown

    def _said_by_others(
        self, store: DecisionStore, cells: Sequence[str] | None = None
    ) -> dict[str, tuple[Decision, ...]]:
        found: dict[str, tuple[Decision, ...]] = {}
        for name in store.reviewers():
            if name != self._state.reviewer:
                for cell, decision in store.current(name, cells).items():
                    found[cell] = (*found.get(cell, ()), decision)
        return found

    def _writable(self) -> DecisionStore | None:
        state = self._state
        if state.review is None or state.store is None:
            self._refused("Choose a folder for the decisions first.")
            return None
        if state.as_of is not None:
            self._refused(_PAST.format(state.as_of))
            return None
        return self._store or self._connect(state.store)

    def _refused(self, fault: object) -> None:
        self._state.saved = NOT_SAVED
        self._state.complain(fault)

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

    def accept_prediction(self) -> None:
        """Say of the selected cells what the model says, as one step.

        A cell is accepted where the model calls it as its specimen, else relabelled;
        one without a prediction is left as it is.
        """
        state, review, scores = self._state, self._state.review, self.scores()
        if review is None or scores is None or state.prediction is None:
            state.complain("Classify the frame first: there is no prediction to take.")
            return
        rows = [row for row in state.selected if not np.isnan(scores[row]).any()]
        if not rows:
            state.complain("The model has not scored the cells selected.")
            return
        reason = f"prediction of {state.prediction.card.name}"
        called = scores[rows].argmax(axis=1).tolist()
        said = [
            (str(review.ids[row]), *_as_called(review, row, best), reason)
            for row, best in zip(rows, called, strict=True)
        ]
        left = len(state.selected) - len(rows)
        text = f"{_noun(len(rows))} as predicted, saved"
        text += f"; {left} without a prediction" if left else ""
        self._save(lambda store: store.decide_each(said), text, moves_on=True)

    def _decide(
        self, verdict: Verdict, pattern: str | None = None, reason: str | None = None
    ) -> None:
        cells = self._selected_ids()
        self._save(
            lambda store: store.decide(cells, verdict, pattern=pattern, reason=reason),
            f"{_noun(len(cells))} {verdict}, saved",
            moves_on=True,
        )

    # -- marks

    def flag(self, on: bool | None = None) -> None:
        """Flag the selected cells or take the flags off; without `on` in turns."""
        cells, marks = self._selected_ids(), self._state.marks
        if on is None:
            on = not all(marks.get(cell, Mark()).flagged for cell in cells)
        text = "flagged" if on else "without a flag"
        self._save(
            lambda store: store.flag(cells, on), f"{_noun(len(cells))} {text}, saved"
        )

    def note(self, text: str) -> None:
        """Put a note on the selected cells; an empty one takes it off."""
        cells, words = self._selected_ids(), text.strip()
        done = "on" if words else "taken off"
        self._save(
            lambda store: store.note(cells, words),
            f"note {done} {_noun(len(cells))}, saved",
        )

    @property
    def has_selection(self) -> bool:
        """Whether there is a cell to say something of."""
        return self._state.review is not None and bool(self._state.selected)

    def note_of_current(self) -> str:
        """Return the note on the current cell, or an empty string."""
        state = self._state
        if state.review is None or state.current is None:
            return ""
        cell = str(state.review.ids[state.current])
        return state.marks.get(cell, Mark()).note

    def _selected_ids(self) -> list[str]:
        review = self._state.review
        rows = self._state.selected if review is not None else ()
        return [str(review.ids[row]) for row in rows] if review is not None else []

    def _save(
        self, act: Callable[[DecisionStore], int], text: str, moves_on: bool = False
    ) -> None:
        """Do one step on the selected cells and show what the store confirmed."""
        if self._state.review is not None and not self._state.selected:
            return
        store = self._writable()
        if store is None:
            return
        following = self._rows_after()
        try:
            act(store)
        except Hep2Error as fault:
            self._refused(fault)
            return
        self._committed(store, text)
        if moves_on:
            self.select(self._first_shown(following))

    # -- undo

    def undo(self) -> None:
        """Take the reviewer's last action back."""
        self._travel("undo", "taken back, saved")

    def redo(self) -> None:
        """Do again what was taken back."""
        self._travel("redo", "done again, saved")

    def _travel(self, verb: str, text: str) -> None:
        store, state = self._store, self._state
        if store is None:
            return
        if state.as_of is not None:
            self._refused(_PAST.format(state.as_of))
            return
        try:
            touched: Sequence[str] = store.undo() if verb == "undo" else store.redo()
        except Hep2Error as fault:
            self._refused(fault)
            return
        if not touched:
            state.saved = f"nothing to {verb}"
            return
        self._committed(store, f"{_noun(len(touched))} {text}")
        row = state.review.row_of.get(touched[0]) if state.review else None
        if row is not None:
            self.select(row)

    # -- what the store confirmed

    def _committed(self, store: DecisionStore, text: str) -> None:
        self._absorb(store)
        self._state.fault = ""
        self._state.saved = text

    def _absorb(self, store: DecisionStore) -> None:
        """Take in the steps since the last look; only cells they touched are read."""
        state, last = self._state, store.last_step
        cells = store.changed_since(self._seen)
        self._seen = last
        state.marks = _renewed(state.marks, cells, store.marks(cells=cells))
        theirs = self._said_by_others(store, cells)
        self._opinions = _renewed(self._opinions, cells, theirs)
        self._show_others()
        decisions = _renewed(state.decisions, cells, store.current(cells=cells))
        if state.review is not None:
            self._codes = with_decisions(self._codes, state.review, decisions, cells)
        state.decisions = decisions
        self.refresh()

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


def _renewed(
    known: Mapping[str, _Said], cells: Sequence[str], found: Mapping[str, _Said]
) -> Mapping[str, _Said]:
    """Return what is known with some cells as they were found, or without them.

    Where nothing changed it is the same object, so that nothing is drawn anew.
    """
    if all(known.get(cell) == found.get(cell) for cell in cells):
        return known
    out = dict(known)
    for cell in cells:
        out.pop(cell, None)
    out.update(found)
    return out


def _as_called(review: ReviewSet, row: int, best: int) -> tuple[Verdict, str | None]:
    if best == review.pattern_index[row]:
        return "accepted", None
    return "relabelled", review.vocabulary[best].name


def _noun(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"
