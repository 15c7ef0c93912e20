"""The buttons and keys with which a reviewer decides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.controllers.review import REASONS, ReviewController
from napari_hep2.widgets.parts import button, pattern_icon, row
from training.patterns import Pattern, Vocabulary

KEYS = (
    ("A", "accept"),
    ("R", "reject"),
    ("Shift+R", "reject with a reason"),
    ("C", "clear the decision"),
    ("Z, Ctrl+Z", "undo"),
    ("Shift+Z, Ctrl+Y", "redo"),
    ("N", "next undecided"),
    ("Arrows, Home, End", "move"),
    ("Enter", "show in the viewer"),
)
"""Keys and what they do, as the user reads them; digits name the patterns."""

_MOST_PATTERNS = 9
_REASON_KEYS = {
    "focus": "f",
    "merged": "s",
    "cut": "c",
    "mitotic": "m",
    "debris": "d",
    "dim": "t",
    "other": "o",
}


def add_shortcut(widget: QWidget, keys: str, slot: Callable[[], None]) -> None:
    """Bind keys that act while `widget` or a part of it has the focus."""
    shortcut = QShortcut(QKeySequence(keys), widget)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.activated.connect(slot)


class DecisionBar(QWidget):
    """Accept, reject, relabel, undo, redo, next undecided.

    Parameters
    ----------
    review
        Its verbs are called.
    """

    def __init__(self, review: ReviewController) -> None:
        super().__init__()
        self._review = review
        self.patterns: list[QPushButton] = []
        self._build()
        self._connect()

    def _build(self) -> None:
        self.accept = button("\u2713 Accept", "A", "accept")
        self.reject = button("\u2717 Reject", "R", "reject")
        self.why = QToolButton()
        self.why.setObjectName("why")
        self.why.setArrowType(Qt.ArrowType.DownArrow)
        self.why.setToolTip("Shift+R: reject with a reason")
        self.reasons = QMenu(self)
        for code, text in REASONS.items():
            action = self.reasons.addAction(_with_key(text, _REASON_KEYS[code]))
            action.triggered.connect(partial(self._reject_for, code))
        self.undo = button("Undo", "Z or Ctrl+Z", "undo")
        self.redo = button("Redo", "Shift+Z or Ctrl+Y", "redo")
        self.next = button("Next undecided", "N", "next")
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
        layout.addLayout(row(self.undo, self.redo, self.next, spacing=4))

    def _connect(self) -> None:
        self.accept.clicked.connect(self._accept)
        self.reject.clicked.connect(self._reject)
        self.why.clicked.connect(self._ask_reason)
        self.undo.clicked.connect(self._undo)
        self.redo.clicked.connect(self._redo)
        self.next.clicked.connect(self._next)

    def add_shortcuts(self, widget: QWidget) -> None:
        """Bind the keys of `KEYS` and the digits to `widget`."""
        wanted: list[tuple[str, Callable[[], None]]] = [
            ("A", self._accept),
            ("R", self._reject),
            ("Shift+R", self._ask_reason),
            ("C", self._review.clear),
            ("Z", self._undo),
            ("Ctrl+Z", self._undo),
            ("Shift+Z", self._redo),
            ("Ctrl+Y", self._redo),
            ("Ctrl+Shift+Z", self._redo),
            ("N", self._next),
        ]
        digits = range(_MOST_PATTERNS)
        wanted += [(str(k + 1), partial(self._review.relabel, k)) for k in digits]
        for keys, slot in wanted:
            add_shortcut(widget, keys, slot)

    def show_patterns(self, vocabulary: Vocabulary) -> None:
        """Give each pattern of the vocabulary its button."""
        for old in self.patterns:
            self._pattern_row.removeWidget(old)
            old.deleteLater()
        self.patterns = [self._pattern(k, p) for k, p in enumerate(vocabulary)]
        for made in self.patterns:
            self._pattern_row.addWidget(made, 1)

    def _pattern(self, index: int, pattern: Pattern) -> QPushButton:
        tip = f"Key {index + 1}: the cell shows {pattern.title.lower()}"
        made = button(str(index + 1), tip, f"pattern_{index + 1}")
        made.setIcon(pattern_icon(pattern))
        made.setMinimumWidth(40)
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        made.clicked.connect(partial(self._relabel, index))
        return made

    def set_ready(self, is_ready: bool) -> None:
        """Let cells be decided, or not, where there is none."""
        for part in (self.accept, self.reject, self.why, *self.patterns):
            part.setEnabled(is_ready)

    def _accept(self) -> None:
        self._review.accept()

    def _reject(self) -> None:
        self._review.reject()

    def _reject_for(self, code: str, *_: object) -> None:
        self._review.reject(code)

    def _ask_reason(self) -> None:
        above = QPoint(0, self.reasons.sizeHint().height())
        self.reasons.popup(self.reject.mapToGlobal(QPoint(0, 0)) - above)

    def _relabel(self, index: int, *_: object) -> None:
        self._review.relabel(index)

    def _undo(self) -> None:
        self._review.undo()

    def _redo(self) -> None:
        self._review.redo()

    def _next(self) -> None:
        self._review.next_undecided()


def _with_key(text: str, key: str) -> str:
    """Return a menu text in which the word that starts with `key` has it as its key."""
    place = f" {text}".index(f" {key}")
    marked = f"{text[:place]}&{text[place:]}"
    return marked[0].upper() + marked[1:] if place else f"&{text.capitalize()}"


def keys_text(vocabulary: Vocabulary) -> str:
    """Return the key sheet, one key a line."""
    digits = [(str(k + 1), pattern.title) for k, pattern in enumerate(vocabulary)]
    return "\n".join(f"{key}: {what}" for key, what in (*KEYS, *digits))
