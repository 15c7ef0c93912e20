"""The docks of the plugin: found, opened from one another, and put together."""

from __future__ import annotations

from typing import Any

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QWidget

_WIDTH, _TEXT = 320, 15
"""Least width of a widget, at this height of a line of text; in pixels."""
_WIDEST = 480


def opened_widget(viewer: Any, title: str) -> Any:
    """Return a widget of the plugin, opened and in front.

    Parameters
    ----------
    viewer
        A viewer, or napari's proxy of it.
    title
        As the plugin's menu names it.
    """
    window = getattr(viewer, "__wrapped__", viewer).window
    _, widget = window.add_plugin_dock_widget("napari-hep2", title, tabify=True)
    dock = dock_of(widget)
    if dock is not None:
        dock.show()
        dock.raise_()
    return widget


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget lies in, or None."""
    part: QWidget | None = widget
    while part is not None and not isinstance(part, QDockWidget):
        part = part.parentWidget()
    return part


class DockedWidget(QWidget):
    """A widget whose dock joins, when it is first shown, those that are there already.

    One above the other they would be higher than a screen.
    """

    _is_placed = False

    def showEvent(self, event: QShowEvent) -> None:
        """Make the dock a tab of another one in its area, as wide as its font needs."""
        super().showEvent(event)
        label = QLabel(self)
        label.ensurePolished()
        wanted = _WIDTH * label.fontMetrics().height() // _TEXT
        label.deleteLater()
        self.setMinimumWidth(min(max(wanted, _WIDTH), _WIDEST))
        if not self._is_placed:
            self._is_placed = True
            self._name_parts()
            self._join()

    def _name_parts(self) -> None:
        """Name fields that have no text by their tips, for those who hear a screen."""
        for part in self.findChildren(QWidget):
            if part.toolTip() and not part.accessibleName():
                part.setAccessibleName(part.toolTip().splitlines()[0])

    def _join(self) -> None:
        own, window = dock_of(self), self.window()
        if own is None or not isinstance(window, QMainWindow):
            return
        if window.tabifiedDockWidgets(own):
            return
        area = window.dockWidgetArea(own)
        for other in map(dock_of, window.findChildren(DockedWidget)):
            if other is None or other is own or window.dockWidgetArea(other) != area:
                continue
            if other.isVisible() and not other.isFloating():
                window.tabifyDockWidget(other, own)
                own.raise_()
                return
