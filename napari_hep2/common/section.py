"""A collapsible section of a form."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QToolButton,
    QVBoxLayout,
    QWidget,
)


class CollapsibleSection(QWidget):
    """A heading that shows and hides what is under it."""

    def __init__(self, title: str, content: QWidget, shown: bool) -> None:
        super().__init__()
        self._content = content
        self.button = QToolButton(text=title, checkable=True, checked=shown)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setAutoRaise(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.button.toggled.connect(self._toggled)
        self._toggled(shown)

    def _toggled(self, shown: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow
        self.button.setArrowType(arrow)
        self._content.setVisible(shown)

    def unfold(self, shown: bool) -> None:
        """Show or hide the content."""
        self.button.setChecked(shown)
