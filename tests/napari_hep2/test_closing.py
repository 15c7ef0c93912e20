"""The session ends with its window, and not where the window stays."""

import pytest
from qtpy.QtWidgets import QLabel, QMainWindow

from napari_hep2.closing import ClosedWindow, main_window_of
from napari_hep2.jobs import Job, Progress
from napari_hep2.specimen.widgets.widget import SpecimenWidget


class Stubborn(QMainWindow):
    """A window whose user takes the first close back."""

    asked = 0

    def closeEvent(self, event):
        self.asked += 1
        event.setAccepted(self.asked > 1)


@pytest.fixture
def ends():
    return []


@pytest.fixture
def window(qtbot, ends):
    made = Stubborn()
    qtbot.addWidget(made)
    made.watch = ClosedWindow(made, lambda: ends.append(1))
    made.show()
    return made


def test_a_close_that_is_taken_back_ends_nothing(window, ends):
    window.close()
    assert window.isVisible()
    assert ends == []
    window.close()
    assert ends == [1]


def test_a_window_that_hides_and_comes_back_ends_nothing(window, ends):
    window.hide()
    window.show()
    assert ends == []


def test_a_window_that_was_never_shown_ends_as_it_is_destroyed(qtbot, ends):
    made = QMainWindow()
    watch = ClosedWindow(made, lambda: ends.append(1))
    with qtbot.waitSignal(watch.destroyed):
        made.deleteLater()
    assert ends == [1]


def test_the_window_of_a_widget_is_found_and_that_of_a_lone_one_is_none(qtbot):
    window, lone = QMainWindow(), QLabel()
    qtbot.addWidget(window)
    qtbot.addWidget(lone)
    inside = QLabel()
    window.setCentralWidget(inside)
    assert main_window_of(inside) is window
    assert main_window_of(lone) is None


def test_what_a_job_found_is_left_aside_when_the_window_is_gone(
    qtbot, make_napari_viewer
):
    viewer = make_napari_viewer(show=True)
    made = SpecimenWidget(viewer)
    viewer.window.add_dock_widget(made, name="Specimen", area="right")
    qtbot.waitUntil(made.isVisible)
    session, got = made.session, []

    def work():
        while True:
            yield Progress("on and on")

    session.start(Job("Endless", work, got.append))
    worker = session.runner._work._worker
    with qtbot.waitSignal(worker.finished):
        viewer.close()
        assert not session.runner.is_running
    assert got == []
