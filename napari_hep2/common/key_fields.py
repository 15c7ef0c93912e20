"""Fields that a reviewer enters and leaves with keys alone."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QLineEdit, QSizePolicy


class EscapableField(QLineEdit):
    """A line of text that Escape leaves."""

    escaped = Signal()

    def keyPressEvent(self, event: Any) -> None:
        """Signal Escape; other keys are entered."""
        if event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
            return
        super().keyPressEvent(event)


class Chooser(QComboBox):
    """A list to choose from, that a key can open.

    Attributes
    ----------
    opened, closed
        Say that its list was opened, and closed, chosen from or not.
    """

    opened = Signal()
    closed = Signal()

    def __init__(self, tip: str) -> None:
        super().__init__()
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setMinimumContentsLength(4)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMaxVisibleItems(24)

    def showPopup(self) -> None:
        """Open the list."""
        self.opened.emit()
        super().showPopup()

    def hidePopup(self) -> None:
        """Close the list."""
        super().hidePopup()
        self.closed.emit()

    def show_data(self, data: object) -> None:
        """Show the entry with this data, the first where there is none."""
        found = [k for k in range(self.count()) if self.itemData(k) == data]
        self.setCurrentIndex(found[0] if found else 0)
