"""Tells the session that its window is gone, before anything else can reach it."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QWidget


class ClosedWindow(QObject):
    """Calls `ended` once, as the main window closes.

    A close that the user takes back in napari's question is none: the window hides
    only where it closes, and that in the same breath, so that no worker's signal
    comes between.

    Parameters
    ----------
    window
        It is watched, and owns this object.
    ended
        Called without arguments.
    """

    def __init__(self, window: QMainWindow, ended: Callable[[], None]) -> None:
        super().__init__(window)
        self._ended: Callable[[], None] | None = ended
        self._is_closing = False
        window.installEventFilter(self)
        window.destroyed.connect(self._end)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """See the window close; no event is kept from it."""
        kind = event.type()
        if kind == QEvent.Type.Close:
            self._is_closing = True
        elif kind == QEvent.Type.Hide and self._is_closing:
            self._end()
        elif kind == QEvent.Type.Show:
            self._is_closing = False
        return False

    def _end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


def main_window_of(widget: QWidget) -> QMainWindow | None:
    """Return the main window in which a widget stands, floating or not, or None."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QMainWindow):
        parent = parent.parent()
    return parent
