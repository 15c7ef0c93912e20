"""The docks of the plugin: found, opened from one another, and put together."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QWidget

_WIDTH, _TEXT = 320, 15
"""Least width of a widget, at this height of a line of text; in pixels."""
_WIDEST = 480
_STRIP = 240
"""Width that is left to the picture beside a dock in the middle, in pixels."""


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
    # Opened from the menu, from here or by a script, a dock has other words behind.
    widget = next(
        (one for name, one in window.dock_widgets.items() if _is_named(name, title)),
        None,
    )
    if widget is None:
        _, widget = window.add_plugin_dock_widget("napari-hep2", title, tabify=True)
    dock = dock_of(widget)
    if dock is not None:
        dock.show()
        dock.raise_()
    return widget


def _is_named(name: str, title: str) -> bool:
    return name.partition(" (")[0] == title


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock that a widget lies in, or None."""
    part: QWidget | None = widget
    while part is not None and not isinstance(part, QDockWidget):
        part = part.parentWidget()
    return part


class MiddleOfWindow:
    """Gives a dock the middle of its window, and takes it back.

    Parameters
    ----------
    widget
        That lies in the dock.
    """

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget
        self._hidden: list[QDockWidget] = []
        self._width: int | None = None

    def turn(self) -> None:
        """Give the dock all but a strip for the picture, or what it had before."""
        dock, window = dock_of(self._widget), self._widget.window()
        if dock is None or not isinstance(window, QMainWindow) or dock.isFloating():
            return
        if self._width is None:
            self._width = dock.width()
            self._hidden = [one for one in _apart_from(dock, window) if one.isVisible()]
            wanted = window.width() - _STRIP
        else:
            wanted, self._width = self._width, None
        for other in self._hidden:
            other.setVisible(self._width is None)
        window.resizeDocks([dock], [wanted], Qt.Orientation.Horizontal)


def _apart_from(dock: QDockWidget, window: QMainWindow) -> list[QDockWidget]:
    """Return the docks that stand elsewhere in a window than one of them."""
    area = window.dockWidgetArea(dock)
    docks = window.findChildren(QDockWidget)
    return [
        one
        for one in docks
        if window.dockWidgetArea(one) != area and not one.isFloating()
    ]


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
