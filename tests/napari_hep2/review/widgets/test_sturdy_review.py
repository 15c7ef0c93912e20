"""Long steps, a mend, a third reader; in napari's window, a small one."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers import decision_session
from napari_hep2.review.widgets.crop_tiles import CAPTION
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.specimen.widgets.widget import SpecimenWidget
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore

LEFT = Qt.MouseButton.LeftButton
NEW = "00001_p0_0008"


@pytest.fixture
def widget(qtbot, viewer, dock, specimens, tmp_path):
    """The cells of a cell folder under review, and their frames open."""
    made = ReviewWidget(viewer)
    dock(made, "Review cells")
    session = made.session
    run_here(session.specimen.open_folder(specimens))
    run_here(session.specimen.write_cells(tmp_path / "cells"))
    run_here(session.review.open_cell_folder(tmp_path / "cells"))
    made.view.setFocus()
    qtbot.waitUntil(made.view.hasFocus)
    yield made
    session.runner.cancel()
    session.review.decision_session.close()


def stored(widget):
    with DecisionStore(widget.state.store / STORE, "reviewer") as store:
        return dict(store.current())


def idle(qtbot, widget):
    qtbot.waitUntil(lambda: not widget.session.runner.is_running)


def test_all_cells_are_decided_by_a_key_and_taken_back(qtbot, widget, monkeypatch):
    monkeypatch.setattr(decision_session, "MANY", 10)
    state, view = widget.state, widget.view
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    n = len(state.selected)
    assert n == len(state.review)
    qtbot.keyClick(view, Qt.Key.Key_A)
    assert widget.progress.saved.text() == "not saved"
    assert state.busy.startswith("Saving")
    assert not widget.status.running.isHidden()
    idle(qtbot, widget)
    assert widget.progress.saved.text() == f"{n} cells accepted, saved (reviewer)"
    assert len(stored(widget)) == len(state.decisions) == n
    assert widget.progress.bar.format() == f"{n} of {n}"
    qtbot.keyClick(view, Qt.Key.Key_Z)
    idle(qtbot, widget)
    assert widget.progress.saved.text() == f"{n} cells undone, saved (reviewer)"
    assert stored(widget) == state.decisions == {}


def test_a_second_step_waits_for_the_first(qtbot, widget, monkeypatch):
    monkeypatch.setattr(decision_session, "MANY", 10)
    view = widget.view
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(view, Qt.Key.Key_A)
    qtbot.keyClick(view, Qt.Key.Key_R)
    assert "Saving is not finished" in widget.status.news.text()
    idle(qtbot, widget)
    assert {one.verdict for one in stored(widget).values()} == {"accepted"}


def test_the_gallery_follows_a_mend(qtbot, viewer, dock, widget):
    mender = SpecimenWidget(viewer)
    dock(mender, "Specimen")
    session, state = widget.session, widget.state
    session.review.select_cell("00001_p0_0003")
    session.review.decisions.accept()
    session.review.select_cell("00001_p0_0002")
    session.review.decisions.reject()
    n = len(state.review)
    mender.mending_fold.toggles[0].click()
    session.mending.remove([2])
    qtbot.waitUntil(lambda: not session.strokes.is_running)
    mask = session.link.mask.layer
    mask.data[170:190, 230:250] = 50
    session.mending.edited(mask.data)
    qtbot.mouseClick(mender.mending.apply, LEFT)
    idle(qtbot, widget)
    assert "The cell folder under review is updated too." in widget.status.news.text()
    assert len(state.review) == n
    assert NEW in state.review.row_of
    assert "00001_p0_0002" not in state.review.row_of
    assert str(state.review.ids[state.current]) == NEW
    model = widget.model
    tiles = [
        model.row_at(model.index(line, column))
        for line in range(model.rowCount())
        for column in range(model.columnCount())
    ]
    assert sorted(row for row in tiles if row is not None) == list(range(n))
    assert widget.progress.bar.format() == f"1 of {n - sum(state.review.dropped)}"
    assert state.decisions["00001_p0_0003"].verdict == "accepted"
    qtbot.waitUntil(lambda: NEW in widget.detail.facts.text())


def test_a_third_reader_settles_what_two_disagree_on(qtbot, widget):
    state, review = widget.state, widget.session.review
    cell = str(state.review.ids[1])
    with DecisionStore(state.store / STORE, "ann") as ann:
        ann.decide([cell], "accepted")
    with DecisionStore(state.store / STORE, "bob") as bob:
        bob.decide([cell], "rejected")
    review.decision_session.refresh()
    box = widget.choosers.filter
    index = [box.itemData(k) for k in range(box.count())].index("disagreed")
    assert box.itemText(index) == "Disagreement, open"
    box.setCurrentIndex(index)
    box.activated.emit(index)
    assert review.state.shown.tolist() == [1]
    qtbot.waitUntil(lambda: "Open: 2 reviewers disagree." in widget.detail.facts.text())
    qtbot.keyClick(widget.view, Qt.Key.Key_R)
    assert review.state.shown.tolist() == []
    box.activated.emit(index + 1)
    assert box.itemText(index + 1) == "Disagreement, consensus"
    assert review.state.shown.tolist() == [1]
    review.navigation.select(1)
    qtbot.waitUntil(
        lambda: "Consensus of 2 of 3 reviewers: rejected." in widget.detail.facts.text()
    )


def test_what_another_wrote_in_bulk_is_read_beside_the_window(
    qtbot, widget, monkeypatch
):
    monkeypatch.setattr(decision_session, "MANY", 10)
    state, review = widget.state, widget.session.review
    qtbot.keyClick(widget.view, Qt.Key.Key_A)
    with DecisionStore(state.store / STORE, "bob") as bob:
        bob.decide(state.review.ids, "rejected")
    review.decision_session.refresh()
    idle(qtbot, widget)
    assert len(review.state.others) == len(state.review)
    assert len(state.decisions) == 1
    qtbot.keyClick(widget.view, Qt.Key.Key_Z)
    assert state.decisions == {}


# --- a small window ---------------------------------------------------------------


@pytest.fixture
def small(viewer, widget):
    window = viewer.window._qt_window
    window.showNormal()
    window.resize(1280, 800)
    QApplication.processEvents()
    return widget


@pytest.mark.window
def test_one_fold_is_open_at_a_time_and_leaves_room_for_tiles(qtbot, viewer, small):
    """Three rows of them, and one beside the matrix; a note makes room for itself."""
    footer, window = small.footer, viewer.window._qt_window
    assert len(footer.toggles) >= 3
    for toggle in footer.toggles:
        qtbot.mouseClick(toggle, LEFT)
        assert [one.isChecked() for one in footer.toggles].count(True) == 1
        assert toggle.isChecked()
        qtbot.wait(50)
        assert (window.width(), window.height()) == (1280, 800), toggle.text()
        tile = small.tiles.side + CAPTION
        rows = 1 if toggle is footer.toggles[-1] else 3
        assert small.view.viewport().height() >= rows * tile, toggle.text()
    qtbot.mouseClick(footer.toggles[-1], LEFT)
    assert not footer.is_open

    qtbot.mouseClick(footer.toggles[1], LEFT)
    assert small.detail.isHidden()
    qtbot.mouseClick(small.decide.note, LEFT)
    assert small.detail.isVisible()
    assert small.detail.note.isVisible()
    assert not footer.is_open


@pytest.mark.window
def test_a_tall_window_shows_the_cell_beside_a_fold(qtbot, viewer, small):
    qtbot.mouseClick(small.footer.toggles[0], LEFT)
    viewer.window._qt_window.resize(1280, 1300)
    qtbot.waitUntil(small.detail.isVisible)
    assert small.footer.is_open


@pytest.mark.window
def test_no_text_of_the_progress_is_cut(qtbot, small):
    progress = small.progress
    qtbot.keyClick(small.view, Qt.Key.Key_A)
    progress.show_pace()
    # As wide as with 50,000 cells.
    progress.bar.setFormat("43,153 of 43,153")
    progress.specimen.setText("Specimen 183: 132 of 174")
    progress.pace.setText("1,309/min, 675 h left")
    progress.saved.setText("43,153 cells relabelled, saved")
    qtbot.wait(50)
    wanted = progress.bar.fontMetrics().horizontalAdvance(progress.bar.text())
    assert progress.bar.width() >= wanted
    for label in (progress.specimen, progress.pace, progress.saved):
        wanted = label.fontMetrics().horizontalAdvance(label.text())
        assert label.text()
        assert label.width() >= wanted, label.text()
