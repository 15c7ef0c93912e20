"""The buttons and keys with which a reviewer decides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.parts import button, pattern_icon, row, shared_row
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.widgets.keys import (
    MOST_PATTERNS,
    VERBS,
    KeyTable,
)
from training.decisions.model import REASONS
from training.patterns import Pattern, Vocabulary

_REASON_KEYS = {
    "focus": "f",
    "merged": "s",
    "cut": "c",
    "mitotic": "m",
    "debris": "d",
    "dim": "t",
    "other": "o",
}


class DecisionBar(QWidget):
    """Accept, reject, relabel, take the prediction, flag, note, undo, redo, next.

    `note_wanted` asks for the field in which a note is written.

    Parameters
    ----------
    review
        Its verbs are called.
    table
        The keys that are named and bound; those of the program if not given.
    """

    note_wanted = Signal()

    def __init__(self, review: ReviewController, table: KeyTable | None = None) -> None:
        super().__init__()
        self._review = review
        self._table = table or KeyTable()
        self.patterns: list[QPushButton] = []
        self._build()
        self._connect()
        self.show_keys()

    def _build(self) -> None:
        self.accept = button("\u2713 Accept", "", "accept")
        self.reject = button("\u2717 Reject", "", "reject")
        self.why = QToolButton()
        self.why.setObjectName("why")
        self.why.setArrowType(Qt.ArrowType.DownArrow)
        self.reasons = QMenu(self)
        for code, text in REASONS.items():
            action = self.reasons.addAction(_with_key(text, _REASON_KEYS[code]))
            action.triggered.connect(partial(self._reject_for, code))
        self.take = button("Predicted", "", "take")
        self.flag = button("Flag", "", "flag")
        self.note = button("Note\u2026", "", "note")
        self.undo = button("Undo", "", "undo")
        self.redo = button("Redo", "", "redo")
        self.next = button("Next", "", "next")
        self._lay_out()

    def _lay_out(self) -> None:
        self._pattern_row = QHBoxLayout()
        self._pattern_row.setContentsMargins(0, 0, 0, 0)
        self._pattern_row.setSpacing(4)
        decide = row(self.accept, self.reject, self.why, spacing=4)
        decide.setStretch(0, 1)
        decide.setStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(decide)
        layout.addLayout(self._pattern_row)
        marks, turns = (self.take, self.flag, self.note), (self.undo, self.redo)
        layout.addLayout(shared_row(*marks, *turns, self.next))

    def _buttons(self) -> dict[str, tuple[QAbstractButton, Callable[[], Any]]]:
        """Return each button and what it does, by the name of its key."""
        decisions = self._review.decisions
        return {
            "accept": (self.accept, decisions.accept),
            "reject": (self.reject, self._reject),
            "reject_why": (self.why, self._ask_reason),
            "take": (self.take, decisions.accept_prediction),
            "flag": (self.flag, decisions.flag),
            "note": (self.note, self._want_note),
            "undo": (self.undo, decisions.undo),
            "redo": (self.redo, decisions.redo),
            "next": (self.next, self._review.navigation.next_undecided),
        }

    def _connect(self) -> None:
        for part, verb in self._buttons().values():
            part.clicked.connect(verb)

    def actions(self) -> dict[str, Callable[[], Any]]:
        """Return what each verb of the table of keys calls here."""
        decisions = self._review.decisions
        return {
            **{name: verb for name, (_, verb) in self._buttons().items()},
            **{
                f"pattern_{k + 1}": partial(decisions.relabel, k)
                for k in range(MOST_PATTERNS)
            },
            "clear": decisions.clear,
        }

    def show_keys(self) -> None:
        """Name the keys in force in the tips of the buttons."""
        parts = self._buttons()
        for verb in VERBS:
            if verb.name in parts:
                keys = self._table.shown(verb.name)
                parts[verb.name][0].setToolTip(f"{keys}: {verb.text}")

    def show_patterns(self, vocabulary: Vocabulary) -> None:
        """Give each pattern of the vocabulary its button."""
        for old in self.patterns:
            self._pattern_row.removeWidget(old)
            old.hide()  # it is deleted later, and would cover the bar until then
            old.deleteLater()
        self.patterns = [self._pattern(k, p) for k, p in enumerate(vocabulary)]
        for made in self.patterns:
            self._pattern_row.addWidget(made, 1)

    def _pattern(self, index: int, pattern: Pattern) -> QPushButton:
        keys = self._table.shown(f"pattern_{index + 1}")
        tip = f"Key {keys}: the cell shows {pattern.title.lower()}"
        made = button(str(index + 1), tip, f"pattern_{index + 1}")
        made.setIcon(pattern_icon(pattern))
        made.setMinimumWidth(40)
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        made.clicked.connect(partial(self._relabel, index))
        return made

    def set_ready(self, is_ready: bool) -> None:
        """Let cells be decided, or not, where there is none."""
        marks = (self.take, self.flag, self.note)
        for part in (self.accept, self.reject, self.why, *marks, *self.patterns):
            part.setEnabled(is_ready)

    def _reject(self) -> None:
        self._review.decisions.reject()

    def _reject_for(self, code: str, *_: object) -> None:
        self._review.decisions.reject(code)

    def _ask_reason(self) -> None:
        above = QPoint(0, self.reasons.sizeHint().height())
        self.reasons.popup(self.reject.mapToGlobal(QPoint(0, 0)) - above)

    def _relabel(self, index: int, *_: object) -> None:
        self._review.decisions.relabel(index)

    def _want_note(self) -> None:
        if self._review.decisions.has_selection:
            self.note_wanted.emit()


def _with_key(text: str, key: str) -> str:
    """Return a menu text in which the word that starts with `key` has it as its key."""
    place = f" {text}".index(f" {key}")
    marked = f"{text[:place]}&{text[place:]}"
    return marked[0].upper() + marked[1:] if place else f"&{text.capitalize()}"
