"""The strip that says what runs, in napari's window."""

import threading

import pytest
from qtpy.QtCore import QEvent, QObject

from napari_hep2.jobs import Job, Progress
from napari_hep2.specimen.widgets.widget import SpecimenWidget


class Paints(QObject):
    """Counts how often a window is painted."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def eventFilter(self, _, event):
        self.count += event.type() == QEvent.Type.UpdateRequest
        return False


@pytest.fixture
def widget(viewer, dock):
    made = SpecimenWidget(viewer)
    dock(made, "Specimen")
    yield made
    made.session.runner.cancel()


@pytest.fixture
def asleep(widget, qtbot):
    """Return a function that starts a job, which says something and then waits."""
    ended = threading.Event()

    def start(*said):
        def work():
            yield Progress(*said)
            ended.wait(30)

        widget.session.start(Job("Cutting", work, lambda _: None))
        qtbot.waitUntil(lambda: said[0] in widget.session.state.busy)
        qtbot.wait(200)

    yield start
    ended.set()
    qtbot.waitUntil(lambda: not widget.session.runner.is_running)


@pytest.mark.window
def test_a_job_that_waits_paints_nothing(widget, asleep, viewer, qtbot):
    """A moving bar would paint the whole window, with its canvas, many times."""
    asleep("Cutting nuclei")
    assert widget.status.running.isVisible()
    paints = Paints()
    viewer.window._qt_window.installEventFilter(paints)
    qtbot.wait(500)
    viewer.window._qt_window.removeEventFilter(paints)
    assert paints.count <= 2


def test_a_known_share_is_a_bar(widget, asleep):
    asleep("Cutting nuclei", 0.25)
    assert widget.status.bar.isVisible()
    assert widget.status.bar.value() == 250
