"""Verbs of a reviewer on the selected cells: decide, flag, note, undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_hep2.review.controllers.decision_session import DecisionSession
from napari_hep2.review.controllers.navigation import Navigation
from napari_hep2.review.controllers.scores import scores_of
from napari_hep2.review.state import ReviewState
from napari_hep2.state import SessionState
from training.curation.review_set import ReviewSet
from training.decisions.store import DecisionStore, Mark, Verdict


class DecisionVerbs:
    """Decisions, flags and notes on the selected cells; each is saved at once."""

    def __init__(
        self,
        session: SessionState,
        state: ReviewState,
        decisions: DecisionSession,
        navigation: Navigation,
    ) -> None:
        self._session, self._state = session, state
        self._decisions, self._navigation = decisions, navigation

    # -- decisions

    def accept(self) -> None:
        """Accept the selected cells as good ones of the specimen's pattern."""
        self._decide("accepted")

    def reject(self, reason: str | None = None) -> None:
        """Reject the selected cells; `reason` is in `REASONS`."""
        self._decide("rejected", reason=reason)

    def relabel(self, index: int) -> None:
        """Relabel the selected cells as pattern `index` of the vocabulary."""
        review = self._session.review
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
        session, review = self._session, self._session.review
        scores = scores_of(session, self._state)
        known, prediction = self._state.scores, session.prediction
        if review is None or scores is None:
            session.complain("Classify the frame first: there is no prediction to use.")
            return
        rows = np.array(session.selected, dtype=np.int64)
        rows = rows[~np.isnan(scores[rows]).any(axis=1)]
        if not len(rows):
            session.complain(
                "The model has not scored the selected cells, or predicts patterns "
                "outside their vocabulary."
            )
            return
        called = _as_called(review, rows, scores[rows].argmax(axis=1))
        known = self._state.scores
        models = [known.model] if known is not None else []
        models += [prediction.card.name] if prediction is not None else []
        reason = f"prediction of {' and '.join(dict.fromkeys(models))}"
        left = len(session.selected) - len(rows)
        text = f"{_noun(len(rows))} as predicted, saved"
        text += f"; {left} without a prediction" if left else ""
        self._save(
            lambda store: store.decide_each((*one, reason) for one in called),
            text,
            moves_on=True,
        )

    def _decide(
        self, verdict: Verdict, pattern: str | None = None, reason: str | None = None
    ) -> None:
        cells, known = self._session.selected_cells, self._session.decisions
        before = [known[cell] for cell in cells if cell in known]
        other = sum((one.verdict, one.pattern) != (verdict, pattern) for one in before)
        text = f"{_noun(len(cells))} {verdict}"
        if other and len(cells) > 1:
            text += f", {other} of them decided otherwise before"
        self._save(
            lambda store: store.decide(cells, verdict, pattern=pattern, reason=reason),
            f"{text}, saved",
            moves_on=True,
        )

    # -- marks

    def flag(self) -> None:
        """Flag the selected cells, or take the flags off where all have one."""
        cells, marks = self._session.selected_cells, self._state.marks
        on = not all(marks.get(cell, Mark()).flagged for cell in cells)
        text = "flagged" if on else "without a flag"
        self._save(
            lambda store: store.flag(cells, on), f"{_noun(len(cells))} {text}, saved"
        )

    def note(self, text: str) -> None:
        """Set the note of the selected cells; an empty one removes it."""
        cells, words = self._session.selected_cells, text.strip()
        done = "on" if words else "removed from"
        self._save(
            lambda store: store.note(cells, words),
            f"note {done} {_noun(len(cells))}, saved",
        )

    @property
    def has_selection(self) -> bool:
        """Return whether there is a cell to decide on."""
        return self._session.review is not None and bool(self._session.selected)

    def note_of_current(self) -> str:
        """Return the note on the current cell, or an empty string."""
        cell = self._session.current_cell
        return "" if cell is None else self._state.marks.get(cell, Mark()).note

    def _save(
        self, act: Callable[[DecisionStore], int], text: str, moves_on: bool = False
    ) -> None:
        session, navigation = self._session, self._navigation
        if session.review is not None and not session.selected:
            return
        following, n = navigation.selection.following(), len(session.selected)

        def then(_step: int, stays: bool) -> str:
            if moves_on and stays:
                navigation.select(navigation.selection.first_of(following))
            return text

        self._decisions.step(act, then, lambda _: n)

    # -- undo

    def undo(self) -> None:
        """Undo the reviewer's last action."""
        self._travel(lambda store: store.undo(), "undo", "undone, saved")

    def redo(self) -> None:
        """Do again what was taken back."""
        self._travel(lambda store: store.redo(), "redo", "redone, saved")

    def _travel(
        self,
        act: Callable[[DecisionStore], Sequence[str]],
        verb: Literal["undo", "redo"],
        text: str,
    ) -> None:
        if self._decisions.store is None:
            return

        def then(touched: Sequence[str], stays: bool) -> str:
            if not touched:
                return f"nothing to {verb}"
            review = self._session.review
            row = review.row_of.get(touched[0]) if review is not None else None
            if row is not None and stays:
                self._navigation.select(row)
            return f"{_noun(len(touched))} {text}"

        self._decisions.step(act, then, lambda store: store.turns(verb))


def _as_called(
    review: ReviewSet, rows: npt.NDArray[np.int64], called: npt.NDArray[np.int64]
) -> list[tuple[str, Verdict, str | None]]:
    """Return cell, kind of decision and pattern of rows that a model calls."""
    names = [pattern.name for pattern in review.vocabulary]
    as_own = (called == review.pattern_index[rows]).tolist()
    cells = map(str, review.ids[rows])
    return [
        (cell, "accepted", None) if own else (cell, "relabelled", names[best])
        for cell, own, best in zip(cells, as_own, called.tolist(), strict=True)
    ]


def _noun(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"
