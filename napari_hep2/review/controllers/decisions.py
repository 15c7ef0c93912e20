"""Verbs that say something of cells: decide, flag, note, undo; each saved at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_hep2.review.controllers.saving import NOT_SAVED, StoreKeeper
from napari_hep2.review.controllers.snapshot import MANY
from training.curation.review_set import VERDICTS, ReviewSet
from training.decisions.model import REASONS
from training.decisions.store import DecisionStore, Mark, Verdict
from training.errors import Hep2Error

__all__ = ["NOT_SAVED", "REASONS", "DecisionVerbs", "ReviewProgress"]


@dataclass(frozen=True)
class ReviewProgress:
    """Decided cells of those that the extraction kept, and how they were decided."""

    decided: int
    total: int
    accepted: int
    rejected: int
    relabelled: int


class DecisionVerbs(StoreKeeper):
    """Decisions on the selected cells; see `StoreKeeper`."""

    # -- decisions

    def accept(self) -> None:
        """Accept the selected cells as good ones of the specimen's pattern."""
        self._decide("accepted")

    def reject(self, reason: str | None = None) -> None:
        """Reject the selected cells; `reason` is in `REASONS`."""
        self._decide("rejected", reason=reason)

    def relabel(self, index: int) -> None:
        """Relabel the selected cells as pattern `index` of the vocabulary."""
        review = self._state.review
        if review is not None and 0 <= index < len(review.vocabulary):
            self._decide("relabelled", pattern=review.vocabulary[index].name)

    def clear(self) -> None:
        """Clear the decisions on the selected cells."""
        self._decide("cleared")

    def accept_prediction(self) -> None:
        """Decide on the selected cells as the model predicts, in one step.

        A cell is accepted where the model calls it as its specimen, else relabelled;
        one without a prediction is left as it is.
        """
        state, review, scores = self._state, self._state.review, self.scores()
        if review is None or scores is None or state.prediction is None:
            state.complain("Classify the frame first: there is no prediction to use.")
            return
        rows = np.array(state.selected, dtype=np.int64)
        rows = rows[~np.isnan(scores[rows]).any(axis=1)]
        if not len(rows):
            state.complain(
                "The model has not scored the selected cells, or predicts patterns "
                "outside their vocabulary."
            )
            return
        said = _as_called(review, rows, scores[rows].argmax(axis=1))
        reason = f"prediction of {state.prediction.card.name}"
        left = len(state.selected) - len(rows)
        text = f"{_noun(len(rows))} as predicted, saved"
        text += f"; {left} without a prediction" if left else ""
        self._save(
            lambda store: store.decide_each((*one, reason) for one in said),
            text,
            moves_on=True,
        )

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
        """Set the note of the selected cells; an empty one removes it."""
        cells, words = self._selected_ids(), text.strip()
        done = "on" if words else "removed from"
        self._save(
            lambda store: store.note(cells, words),
            f"note {done} {_noun(len(cells))}, saved",
        )

    @property
    def has_selection(self) -> bool:
        """Return whether there is a cell to decide on."""
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

        def then(_step: object, stays: bool) -> str:
            if moves_on and stays:
                self.select(self._first_shown(following))
            return text

        if len(self._state.selected) >= MANY:
            self._begin(act, then)
            return
        try:
            act(store)
        except Hep2Error as fault:
            self._refused(fault)
            return
        self._committed(store)
        self._state.saved = then(None, True)

    # -- undo

    def undo(self) -> None:
        """Undo the reviewer's last action."""
        self._travel("undo", "undone, saved")

    def redo(self) -> None:
        """Do again what was taken back."""
        self._travel("redo", "redone, saved")

    def _travel(self, verb: Literal["undo", "redo"], text: str) -> None:
        store, state = self._store, self._state
        if store is None:
            return
        if self._is_past():
            return

        def act(of: DecisionStore) -> Sequence[str]:
            return of.undo() if verb == "undo" else of.redo()

        def then(touched: Sequence[str], stays: bool) -> str:
            row = state.review.row_of.get(touched[0]) if state.review else None
            if row is not None and stays:
                self.select(row)
            return f"{_noun(len(touched))} {text}"

        try:
            count = store.turns(verb)
            if count >= MANY:
                self._begin(act, then)
                return
            touched = act(store)
        except Hep2Error as fault:
            self._refused(fault)
            return
        if not touched:
            state.saved = f"nothing to {verb}"
            return
        self._committed(store)
        state.saved = then(touched, True)

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


def _as_called(
    review: ReviewSet, rows: npt.NDArray[np.int64], called: npt.NDArray[np.int64]
) -> list[tuple[str, Verdict, str | None]]:
    """Return cell, verdict and pattern of rows that a model calls as patterns."""
    names = [pattern.name for pattern in review.vocabulary]
    as_own = (called == review.pattern_index[rows]).tolist()
    cells = map(str, review.ids[rows])
    said: list[tuple[Verdict, str | None]] = [
        ("accepted", None) if own else ("relabelled", names[best])
        for own, best in zip(as_own, called.tolist(), strict=True)
    ]
    return [(cell, *one) for cell, one in zip(cells, said, strict=True)]


def _noun(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"
