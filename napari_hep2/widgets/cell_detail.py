"""The current cell, larger, and what is known of it."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from napari_hep2.controllers.review import REASONS
from napari_hep2.review_set import ReviewSet
from napari_hep2.state import SessionState
from napari_hep2.widgets.crop_tiles import crop_pixmap
from napari_hep2.widgets.parts import capped, text_label
from training.data.extraction import DROP_REASONS, FLAGS

_SIDE = 96


class CellDetail(QWidget):
    """Shows the state's current cell."""

    def __init__(self, state: SessionState) -> None:
        super().__init__()
        self._state = state
        self.picture = QLabel()
        self.picture.setFixedSize(QSize(_SIDE, _SIDE))
        self.picture.setStyleSheet("background: #161616;")
        self.facts = text_label()
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture)
        layout.addWidget(capped(self.facts, _SIDE), 1)

    def refresh(self) -> None:
        """Show the current cell."""
        review, current = self._state.review, self._state.current
        if review is None or current is None:
            self.picture.setPixmap(QPixmap())
            hint = "Choose a cell." if review else "Open a specimen or a cell folder."
            self.facts.setText(hint)
            return
        self.picture.setPixmap(crop_pixmap(review.crops[current], _SIDE))
        self.facts.setText("\n".join(self._facts(review, current)))

    def _facts(self, review: ReviewSet, current: int) -> list[str]:
        cell = review.table.iloc[current].to_dict()
        pattern = cell["pattern"] or "pattern not known"
        lines = [
            str(cell["id"]),
            f"Specimen {cell['specimen']}, {pattern}, {cell['area']:,} px",
        ]
        flags = [flag for flag in cell["flags"].split(";") if flag]
        if cell["dropped"]:
            lines.append(f"Dropped: {cell['dropped']}")
        if flags:
            lines.append(f"Flags: {', '.join(flags)}")
        meaning = [DROP_REASONS.get(cell["dropped"], ""), *map(FLAGS.get, flags)]
        self.facts.setToolTip("\n".join(text for text in meaning if text))
        lines.append(decision_text(self._state, str(cell["id"])))
        if len(self._state.selected) > 1:
            lines.append(f"{len(self._state.selected)} cells selected.")
        return lines


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
