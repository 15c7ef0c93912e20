"""Walks: a person at the real window, with real keys and clicks, which are counted."""

import time

import napari.settings
import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog, QScrollArea

WAIT = 20_000


class Person:
    """Moves the pointer, clicks and presses keys by the X server, and counts them.

    Parameters
    ----------
    keys
        Of the X server.
    qtbot
        Waits for what is to come.
    """

    def __init__(self, keys, qtbot):
        self._keys, self._qtbot = keys, qtbot
        self.clicks = self.presses = self.drops = 0
        self._began = time.monotonic()

    def press(self, *names):
        """Press a key, all but the last held."""
        self._keys.press(*names)
        self.presses += 1

    def click(self, part, place=None, held=""):
        """Click a part of the window, at a place of its own or in its middle."""
        self._qtbot.waitUntil(lambda: part.isVisible() and part.isEnabled())
        self._scroll_to(part)
        where = part.mapToGlobal(part.rect().center() if place is None else place)
        if held:
            self._keys.hold(held, True)
        self._keys.click(where.x(), where.y())
        if held:
            self._keys.hold(held, False)
        self.clicks += 1
        self._qtbot.wait(30)

    def _scroll_to(self, part):
        """Turn the wheel until a part is seen; that is not counted."""
        area = part.parentWidget()
        while area is not None:
            if isinstance(area, QScrollArea):
                area.ensureWidgetVisible(part)
            area = area.parentWidget()
        self._qtbot.wait(30)

    def drop(self, path, part):
        """Drop a file or folder on a part of the window."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        event = QDropEvent(
            QPointF(part.rect().center()),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        part.dropEvent(event)
        self.drops += 1

    def sees(self, what):
        """Wait until something is to be seen."""
        self._qtbot.waitUntil(what, timeout=WAIT)

    def count(self):
        """Return what it took, in words."""
        seconds = time.monotonic() - self._began
        return (
            f"{self.clicks} clicks, {self.presses} keys, {self.drops} drops, "
            f"{seconds:.1f} s"
        )


@pytest.fixture
def person(keys, qtbot, request, capsys):
    """A person whose clicks and keys are printed at the end."""
    made = Person(keys, qtbot)
    yield made
    with capsys.disabled():
        print(f"\n{request.node.name}: {made.count()}")


@pytest.fixture
def chosen(monkeypatch):
    """What is chosen in the system's dialogs, which cannot be driven; put it here."""
    paths = {"folder": "", "file": ""}
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_: str(paths["folder"])
    )
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(paths["file"]), "")
    )
    return paths


@pytest.fixture
def window(make_napari_viewer, monkeypatch):
    """A viewer of napari in a window of 1280 x 800."""
    monkeypatch.setattr(
        napari.settings.get_settings().application, "confirm_close_window", False
    )
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    viewer.window._qt_window.move(0, 0)
    viewer.window._qt_window.activateWindow()
    return viewer
