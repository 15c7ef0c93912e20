"""The widget in a real window, driven by keys and clicks."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_hep2.jobs import run_here
from napari_hep2.widgets.review import ReviewWidget
from training.data.curation import DecisionStore
from training.data.reviewed import STORE


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def widget(qtbot, viewer, specimens):
    made = ReviewWidget(viewer)
    viewer.window.add_dock_widget(made, name="Review cells", area="right")
    run_here(made.session.specimen.open_folder(specimens))
    viewer.window._qt_window.activateWindow()
    made.view.setFocus()
    qtbot.waitUntil(made.view.hasFocus)
    yield made
    made.session.runner.cancel()
    made.session.review.close()


def click(qtbot, part):
    qtbot.mouseClick(part, Qt.MouseButton.LeftButton)


def stored(folder):
    store = DecisionStore(folder / STORE, "reviewer")
    found = {
        cell: (d.verdict, d.pattern, d.reason) for cell, d in store.current().items()
    }
    store.close()
    return found


def test_a_review_by_keys(qtbot, widget, specimens):
    state = widget.state
    assert state.current == 1
    qtbot.keyClick(widget.view, Qt.Key.Key_Left)
    qtbot.keyClick(widget.view, Qt.Key.Key_Right)
    assert state.current == 1
    qtbot.keyClick(widget.view, Qt.Key.Key_A)
    assert stored(specimens) == {"00001_p0_0002": ("accepted", None, None)}
    assert widget.saved.text() == "1 cell accepted, saved"
    assert widget.progress.value() == 1
    assert state.current == 2

    qtbot.keyClick(widget.view, Qt.Key.Key_R)
    qtbot.keyClick(widget.view, Qt.Key.Key_6)
    assert stored(specimens)["00001_p0_0003"][0] == "rejected"
    assert stored(specimens)["00001_p0_0004"][:2] == ("relabelled", "Golgi")
    assert widget.progress.format() == "3 of 6"

    qtbot.keyClick(widget.view, Qt.Key.Key_Z)
    assert state.current == 3
    qtbot.keyClick(widget.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert widget.progress.format() == "1 of 6"
    qtbot.keyClick(widget.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(widget.view, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert widget.progress.format() == "3 of 6"
    assert "Relabelled as Golgi." in widget.detail.facts.text()

    qtbot.keyClick(widget.view, Qt.Key.Key_N)
    assert state.current == 4
    qtbot.keyClick(widget.view, Qt.Key.Key_Home)
    assert state.current == 0
    assert "Dropped: border" in widget.detail.facts.text()
    assert "touches the edge" in widget.detail.facts.toolTip()
    qtbot.keyClick(widget.view, Qt.Key.Key_R, Qt.KeyboardModifier.ShiftModifier)
    assert widget.decide.reasons.isVisible()
    qtbot.keyClick(widget.decide.reasons, Qt.Key.Key_F)
    assert stored(specimens)["00001_p0_0001"] == ("rejected", None, "focus")


def test_gallery_and_viewer_follow_each_other(qtbot, viewer, widget):
    link, state = widget.session.link, widget.state
    tile = widget.view.visualRect(widget.model.index_of(4)).center()
    qtbot.mouseClick(widget.view.viewport(), Qt.MouseButton.LeftButton, pos=tile)
    assert state.current == 4
    assert link.boxes.border_width.argmax() == 4
    zoom = viewer.scene.camera.zoom
    qtbot.keyClick(widget.view, Qt.Key.Key_Return)
    assert viewer.scene.camera.zoom > zoom
    assert tuple(viewer.scene.camera.center[-2:]) == pytest.approx((180, 60))

    widget.session.review.select(6)
    assert tuple(viewer.scene.camera.center[-2:]) == pytest.approx((180, 300))

    viewer.window._qt_viewer.setFocus()
    link._on_cell("00001_p0_0006")
    assert state.current == 5
    assert widget.view.currentIndex() == widget.model.index_of(5)
    assert widget.view.hasFocus()


def test_buttons_filters_and_a_cell_folder(
    qtbot, monkeypatch, viewer, widget, specimens, tmp_path
):
    session, state = widget.session, widget.state
    click(qtbot, widget.decide.next)
    click(qtbot, widget.decide.accept)
    click(qtbot, widget.decide.patterns[2])
    assert widget.progress.format() == "2 of 6"
    index = widget.filter.findData("relabelled")
    widget.filter.setCurrentIndex(index)
    widget.filter.activated.emit(index)
    assert widget.model.rowCount() == 1
    click(qtbot, widget.decide.undo)
    assert widget.model.rowCount() == 0

    widget.reviewer.setText("second")
    qtbot.keyClick(widget.reviewer, Qt.Key.Key_Return)
    assert state.reviewer == "second"
    assert widget.progress.format() == "0 of 6"

    run_here(session.specimen.write_cells(tmp_path / "cells"))
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "cells")
    )
    click(qtbot, widget.open_cells)
    qtbot.waitUntil(lambda: state.review.is_folder)
    session.review.set_filter("all")
    assert widget.title.text() == "cells"
    assert "36" in widget.progress.format()
    session.review.select(state.review.row_of["00003_p0_0004"])
    widget.view.setFocus()
    qtbot.keyClick(widget.view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: state.cells.frame.name == "00003_p0")
    assert state.review.is_folder
    assert widget.session.link.boxes.border_width.argmax() == 3
    click(qtbot, widget.use_frame)
    assert widget.title.text() == "00003_p0"


def test_each_reason_has_its_own_key(widget):
    texts = [action.text() for action in widget.decide.reasons.actions()]
    keys = [text[text.index("&") + 1].lower() for text in texts]
    assert len(set(keys)) == len(texts) == 7
    assert texts[:2] == ["Out of &focus", "&Several nuclei"]


def test_letters_typed_into_a_field_are_no_decisions(qtbot, widget):
    click(qtbot, widget.footer.toggles[1])
    widget.reviewer.setFocus()
    widget.reviewer.clear()
    qtbot.keyClicks(widget.reviewer, "ara")
    assert widget.reviewer.text() == "ara"
    assert widget.state.decisions == {}
