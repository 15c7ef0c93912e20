"""The sheet of keys, and the small form in which one is changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QDialog,
    QGridLayout,
    QKeySequenceEdit,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.parts import (
    WARNING_COLOUR,
    button,
    heading,
    row,
    scrolled,
    text_label,
)
from napari_hep2.review.widgets.keys import KeyTable, Verb, sheet, text_of, verbs_of
from training.errors import BadSettingError
from training.patterns import Vocabulary


class KeySheet(QDialog):
    """Every key and what it does; Escape closes it.

    Parameters
    ----------
    changed
        Called when a key was changed.
    """

    def __init__(
        self,
        table: KeyTable,
        vocabulary: Vocabulary,
        changed: Callable[[], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._table, self._vocabulary, self._changed = table, vocabulary, changed
        self.setWindowTitle("Keys of Review cells")
        self.change = button(
            "Change keys\u2026", "Assign another key to an action", "change"
        )
        self.closing = button("Close", "Escape", "close")
        self.change.clicked.connect(self._change)
        self.closing.clicked.connect(self.accept)
        self._layout = QVBoxLayout(self)
        self._content = QWidget()
        self._layout.addWidget(self._content)
        self._layout.addLayout(row(self.change, 1, self.closing))
        self.closing.setDefault(True)
        self.refresh()

    def refresh(self) -> None:
        """Show the keys as they are now."""
        old, self._content = self._content, self._made()
        self._layout.replaceWidget(old, self._content)
        old.deleteLater()

    def _made(self) -> QWidget:
        made = QWidget()
        grid = QGridLayout(made)
        grid.setHorizontalSpacing(14)
        sections = sheet(self._table, self._vocabulary)
        for place, (title, lines) in enumerate(sections):
            # Two sections stand in each of two columns of pairs.
            column, start = 2 * (place % 2), 30 * (place // 2)
            grid.addWidget(heading(title), start, column, 1, 2)
            for line, (keys, what) in enumerate(lines, start + 1):
                grid.addWidget(_key_label(keys), line, column)
                grid.addWidget(QLabel(what), line, column + 1)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        return made

    def text(self) -> str:
        """Return the sheet as text, one key a line."""
        sections = sheet(self._table, self._vocabulary)
        return "\n".join(f"{k}: {what}" for _, lines in sections for k, what in lines)

    def _change(self) -> None:
        form = KeyForm(self._table, self._vocabulary, self)
        form.exec()
        self.refresh()
        self._changed()


def _key_label(keys: str) -> QLabel:
    made = QLabel(keys)
    font = made.font()
    font.setBold(True)
    made.setFont(font)
    return made


class KeyForm(QDialog):
    """A field for the key of each verb; a key that is taken is refused."""

    def __init__(
        self, table: KeyTable, vocabulary: Vocabulary, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._table = table
        self.setWindowTitle("Change keys")
        self.fields: dict[str, QKeySequenceEdit] = {}
        self.fault = text_label()
        self.fault.setStyleSheet(f"color: {WARNING_COLOUR};")
        content = QWidget()
        grid = QGridLayout(content)
        for line, verb in enumerate(verbs_of(vocabulary)):
            grid.addWidget(QLabel(text_of(verb, vocabulary)), line, 0)
            grid.addWidget(self._field(verb), line, 1)
        self.defaults = button("Defaults", "Give every action its own key", "defaults")
        self.closing = button("Close", "", "close")
        self.defaults.clicked.connect(self._reset)
        self.closing.clicked.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("Click a field and press the new key."))
        layout.addWidget(scrolled(content))
        layout.addWidget(self.fault)
        layout.addLayout(row(self.defaults, 1, self.closing))
        for made in (self.defaults, self.closing):
            made.setAutoDefault(False)
        self.resize(440, 560)

    def _field(self, verb: Verb) -> QKeySequenceEdit:
        made = QKeySequenceEdit(QKeySequence(self._table.keys_of(verb.name)[0]))
        made.editingFinished.connect(partial(self._edited, verb.name))
        self.fields[verb.name] = made
        return made

    def _edited(self, name: str, *_: Any) -> None:
        try:
            self._table.change(name, self.fields[name].keySequence().toString())
        except BadSettingError as fault:
            self.fault.setText(str(fault))
        else:
            self.fault.setText("")
        self._show(name)

    def _show(self, name: str) -> None:
        self.fields[name].setKeySequence(QKeySequence(self._table.keys_of(name)[0]))

    def _reset(self) -> None:
        self._table.reset()
        self.fault.setText("")
        for name in self.fields:
            self._show(name)
