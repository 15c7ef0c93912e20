"""The reviewer's name: asked for once, remembered, one field in all widgets."""

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QInputDialog, QLineEdit

from napari_hep2.classify.widgets.widget import ClassifyWidget
from napari_hep2.common.reviewer_field import ask_reviewer
from napari_hep2.jobs import run_here
from napari_hep2.remembered import remember, remembered
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.session import ViewerSession
from napari_hep2.state import UNNAMED


@pytest.fixture
def answers(monkeypatch):
    """What is answered when the name is asked for, the last first."""
    given = []
    monkeypatch.setattr("napari_hep2.session.ask_reviewer", lambda _: given.pop())
    return given


@pytest.mark.window
def test_the_name_is_asked_for_once_and_remembered(
    qtbot, viewer, dock, specimens, answers
):
    review, classify = ReviewWidget(viewer), ClassifyWidget(viewer)
    for widget, name in ((review, "Review cells"), (classify, "Classify")):
        dock(widget, name)
    session, state = review.session, review.state
    run_here(session.specimen.open_folder(specimens))
    assert classify.saying.reviewer.text() == ""
    qtbot.waitUntil(review.isVisible)
    answers += ["Anna", ""]
    session.review.decisions.accept()
    assert state.decisions == {}
    assert "carries the name of its reviewer" in state.fault
    assert review.progress.saved.text() == "not saved"
    session.review.decisions.accept()
    session.review.decisions.accept()
    assert {one.reviewer for one in state.decisions.values()} == {"Anna"}
    assert review.progress.saved.text() == "1 cell accepted, saved (Anna)"
    assert answers == []
    for field in (review.reviewers.reviewer, classify.saying.reviewer):
        assert field.text() == "Anna"
    assert remembered("reviewer", "") == "Anna"
    session.review.decision_session.close()


def test_a_new_window_begins_with_the_name(viewer):
    assert ViewerSession(viewer).state.reviewer == UNNAMED
    remember("reviewer", "Bert")
    assert ViewerSession(viewer).state.reviewer == "Bert"


@pytest.mark.parametrize(("key", "name"), [("Return", "ara"), ("Escape", "")])
def test_the_question_takes_real_keys(qtbot, keys, dock, key, name):
    window = QLineEdit()
    dock(window, "window")
    asked = []

    def answer() -> bool:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QInputDialog) or not dialog.isActiveWindow():
            return False
        if not asked:
            asked.append(dialog)
            keys.press("Control_L", "a")
            for letter in "ara":
                keys.press(letter)
        if dialog.textValue() != "ara":
            return False
        keys.press(key)
        return True

    timer = QTimer()
    timer.timeout.connect(lambda: answer() and timer.stop())
    timer.start(20)
    assert ask_reviewer(window) == name
