"""The current cell, larger, what is known of it, and the reviewer's note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_hep2.common.crop_picture import crop_pixmap
from napari_hep2.common.key_fields import EscapableField
from napari_hep2.common.parts import capped, text_label
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.widgets.crop_tiles import limits_of
from napari_hep2.state import SessionState
from napari_hep2.viewer.outlines import context_of
from training.curation.review_set import ReviewSet
from training.data.cells.extraction import DROP_REASONS, FLAGS
from training.decisions.model import REASONS

_SIDE = 96
_AROUND = 3


class CellDetail(QWidget):
    """Shows the state's current cell.

    Attributes
    ----------
    left
        Says that the note was written, or given up.
    """

    left = Signal()

    def __init__(self, state: SessionState, review: ReviewController) -> None:
        super().__init__()
        self._state, self._review = state, review
        self.picture = QLabel()
        self.picture.setFixedSize(QSize(_SIDE, _SIDE))
        self.picture.setStyleSheet("background: #161616;")
        self.facts = text_label()
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.note: QLineEdit = EscapableField()
        self.note.setPlaceholderText("Note: Enter saves it, Escape discards it")
        self.note.setAccessibleName("Note")
        self.note.setVisible(False)
        self.note.returnPressed.connect(self._save_note)
        self.note.escaped.connect(self._leave_note)
        self._lay_out()

    def _lay_out(self) -> None:
        beside = QVBoxLayout()
        beside.setSpacing(2)
        beside.addWidget(capped(self.facts, _SIDE))
        layout = QHBoxLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture)
        layout.addLayout(beside, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(4)
        whole.addLayout(layout)
        whole.addWidget(self.note)

    # -- the note

    def write_note(self) -> None:
        """Open the field for the note on the selected cells."""
        if self._state.current is None:
            return
        self.note.setText(self._review.decisions.note_of_current())
        self.note.setVisible(True)
        self.note.setFocus(Qt.FocusReason.OtherFocusReason)
        self.note.selectAll()

    def _save_note(self) -> None:
        text = self.note.text()
        self._leave_note()
        self._review.decisions.note(text)

    def _leave_note(self) -> None:
        self.note.setVisible(False)
        self.left.emit()

    # -- from the state

    def refresh(self) -> None:
        """Show the current cell."""
        review, current = self._state.review, self._state.current
        if review is None or current is None:
            self.picture.setPixmap(QPixmap())
            hint = "Choose a cell." if review else "Open a specimen or a cell folder."
            self.facts.setText(hint)
            return
        self._draw(review, current)
        self.facts.setText("\n".join(self._facts(review, current)))

    def _draw(self, review: ReviewSet, current: int) -> None:
        limits = limits_of(review, self._review.state, current)
        around = context_of(self._state, current, _AROUND) if self._is_wide() else None
        if around is None:
            self.picture.setPixmap(crop_pixmap(review.crops[current], _SIDE, limits))
            return
        pixmap = crop_pixmap(around, _SIDE, limits)
        painter = QPainter(pixmap)
        painter.setPen(QPen(QColor("#ffffff")))
        side = round(_SIDE * review.crops.shape[1] / around.shape[0])
        start = (_SIDE - side) // 2
        painter.drawRect(QRect(start, start, side, side))
        painter.end()
        self.picture.setPixmap(pixmap)

    def _is_wide(self) -> bool:
        return self._review.state.context

    def _facts(self, review: ReviewSet, current: int) -> list[str]:
        cell = review.table.iloc[current].to_dict()
        lines = self._names(cell)
        flags = [flag for flag in cell["flags"].split(";") if flag]
        if cell["dropped"]:
            lines.append(f"Dropped: {cell['dropped']}")
        if flags:
            lines.append(f"Flags: {', '.join(flags)}")
        meaning = [DROP_REASONS.get(cell["dropped"], ""), *map(FLAGS.get, flags)]
        self.facts.setToolTip("\n".join(text for text in meaning if text))
        lines.append(decision_text(self._state, str(cell["id"])))
        apart = self._review.others.consensus_of_current()
        lines += [*([apart] if apart else []), *self._marks(str(cell["id"]))]
        if self._is_wide() and context_of(self._state, current, 1) is None:
            lines.append("Its frame is not open: show the cell in the viewer first.")
        if len(self._state.selected) > 1:
            lines.append(f"{len(self._state.selected):,} cells selected.")
        return lines + self._past()

    def _names(self, cell: Mapping[Any, Any]) -> list[str]:
        """Return the cell's names, pattern and size; blind, its size alone."""
        if self._state.blind:
            return [f"Names and labels are hidden. {cell['area']:,} px"]
        pattern = cell["pattern"] or "pattern not known"
        return [
            str(cell["id"]),
            f"Specimen {cell['specimen']}, {pattern}, {cell['area']:,} px",
        ]

    def _marks(self, cell: str) -> list[str]:
        mark = self._review.state.marks.get(cell)
        out = ["Flagged."] if mark is not None and mark.flagged else []
        return [*out, f"Note: {mark.note}"] if mark is not None and mark.note else out

    def _past(self) -> list[str]:
        """Return what was done to the cell, newest first, where there is any."""
        lines = self._review.others.history_of_current()
        return ["", "History, newest first:", *reversed(lines)] if lines else []


def decision_text(state: SessionState, cell: str) -> str:
    """Return the decision in force for a cell, as a sentence."""
    decision = state.decisions.get(cell)
    if decision is None or decision.verdict == "cleared":
        return "No decision yet."
    text = decision.verdict.capitalize()
    if decision.pattern:
        text += f" as {decision.pattern}"
    if decision.reason:
        text += f": {REASONS.get(decision.reason, decision.reason)}"
    return f"{text}."
