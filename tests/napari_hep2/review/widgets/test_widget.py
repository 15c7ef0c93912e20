"""The widget driven by keys and clicks, alone and in napari's window."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_hep2.jobs import run_here
from napari_hep2.review.widgets.crop_tiles import heading_text, limits_of
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.viewer.outlines import context_of
from training.curation.ordering import PatternChoice
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore


@pytest.fixture
def widget(qtbot, viewer, dock, specimens):
    made = ReviewWidget(viewer)
    dock(made, "Review cells")
    run_here(made.session.specimen.open_folder(specimens))
    made.view.setFocus()
    qtbot.waitUntil(made.view.hasFocus)
    yield made
    made.session.runner.cancel()
    made.session.review.decision_session.close()


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
    assert widget.progress.saved.text() == "1 cell accepted, saved (reviewer)"
    assert widget.progress.bar.value() == 1
    assert state.current == 2

    qtbot.keyClick(widget.view, Qt.Key.Key_R)
    qtbot.keyClick(widget.view, Qt.Key.Key_6)
    assert stored(specimens)["00001_p0_0003"][0] == "rejected"
    assert stored(specimens)["00001_p0_0004"][:2] == ("relabelled", "Golgi")
    assert widget.progress.bar.format() == "3 of 6"

    qtbot.keyClick(widget.view, Qt.Key.Key_Z)
    assert state.current == 3
    qtbot.keyClick(widget.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert widget.progress.bar.format() == "1 of 6"
    qtbot.keyClick(widget.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(widget.view, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert widget.progress.bar.format() == "3 of 6"
    facts(qtbot, widget, "Relabelled as Golgi.")

    qtbot.keyClick(widget.view, Qt.Key.Key_N)
    assert state.current == 4
    qtbot.keyClick(widget.view, Qt.Key.Key_Home)
    assert state.current == 0
    facts(qtbot, widget, "Dropped: border")
    assert "touches the edge" in widget.detail.facts.toolTip()
    qtbot.keyClick(widget.view, Qt.Key.Key_R, Qt.KeyboardModifier.ShiftModifier)
    assert widget.decide.reasons.isVisible()
    qtbot.keyClick(widget.decide.reasons, Qt.Key.Key_F)
    assert stored(specimens)["00001_p0_0001"] == ("rejected", None, "focus")


@pytest.mark.window
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

    widget.session.review.navigation.select(6)
    assert tuple(viewer.scene.camera.center[-2:]) == pytest.approx((180, 300))

    viewer.window._qt_viewer.setFocus()
    link._on_cell("00001_p0_0006")
    assert state.current == 5
    assert widget.view.currentIndex() == widget.model.index_of(5)
    assert widget.view.hasFocus()


@pytest.mark.window
def test_a_real_enter_in_a_list_belongs_to_the_list(qtbot, viewer, widget, keys):
    keys.press("Shift_L", "o")
    popup = widget.choosers.sort.view()
    qtbot.waitUntil(popup.isVisible)
    zoom = viewer.scene.camera.zoom
    for key in ("Down", "Return"):
        keys.press(key)
    qtbot.waitUntil(lambda: not popup.isVisible())
    qtbot.waitUntil(widget.view.hasFocus)
    qtbot.waitUntil(lambda: not widget._closed.isActive())
    assert viewer.scene.camera.zoom == zoom
    keys.press("Return")
    qtbot.waitUntil(lambda: viewer.scene.camera.zoom > zoom)


@pytest.mark.window
def test_keys_on_the_canvas_decide_over_the_boxes_and_leave_them(
    qtbot, viewer, widget, keys, specimens
):
    """Over another layer they decide nothing; over the boxes real keys do."""
    link, canvas = widget.session.link, viewer.window._qt_viewer.canvas.native
    viewer.layers.selection.active = link.mask.layer
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus)
    for key in (Qt.Key.Key_A, Qt.Key.Key_R, Qt.Key.Key_6, Qt.Key.Key_F):
        qtbot.keyClick(canvas, key)
    assert widget.state.decisions == {}
    assert widget.session.review.state.marks == {}
    assert not (specimens / STORE).exists()

    viewer.layers.selection.active = link.boxes
    places = link.boxes.data.copy()
    for key in ("a", "Delete", "6"):
        done = len(widget.state.decisions)
        keys.press(key)
        qtbot.waitUntil(lambda n=done: len(widget.state.decisions) > n)
    kinds = [verdict for verdict, _, _ in stored(specimens).values()]
    assert kinds == ["accepted", "rejected", "relabelled"]
    np.testing.assert_array_equal(link.boxes.data, places)
    assert "saved" in widget.status.news.text()


def test_buttons_filters_and_a_cell_folder(
    qtbot, monkeypatch, viewer, widget, specimens, tmp_path
):
    session, state = widget.session, widget.state
    click(qtbot, widget.decide.next)
    click(qtbot, widget.decide.accept)
    click(qtbot, widget.decide.patterns[2])
    assert widget.progress.bar.format() == "2 of 6"
    index = widget.choosers.filter.findData("relabelled")
    widget.choosers.filter.setCurrentIndex(index)
    widget.choosers.filter.activated.emit(index)
    assert widget.model.rowCount() == 1
    click(qtbot, widget.decide.undo)
    assert widget.model.rowCount() == 0

    widget.reviewers.reviewer.setText("second")
    qtbot.keyClick(widget.reviewers.reviewer, Qt.Key.Key_Return)
    assert state.reviewer == "second"
    assert widget.progress.bar.format() == "0 of 6"

    run_here(session.specimen.write_cells(tmp_path / "cells"))
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "cells")
    )
    click(qtbot, widget.open_cells)
    qtbot.waitUntil(lambda: state.review.is_folder)
    session.review.order.set_filter("all")
    assert widget.title.text() == "cells"
    assert "36" in widget.progress.bar.format()
    session.review.navigation.select(state.review.row_of["00003_p0_0004"])
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
    widget.reviewers.reviewer.setFocus()
    widget.reviewers.reviewer.clear()
    qtbot.keyClicks(widget.reviewers.reviewer, "ara")
    assert widget.reviewers.reviewer.text() == "ara"
    assert widget.state.decisions == {}


def choose(box, data):
    index = [box.itemData(k) for k in range(box.count())].index(data)
    box.setCurrentIndex(index)
    box.activated.emit(index)


def facts(qtbot, widget, text):
    qtbot.waitUntil(lambda: text in widget.detail.facts.text())


@pytest.fixture
def folder(qtbot, widget, tmp_path):
    """The cells of all three specimens under review."""
    session = widget.session
    run_here(session.specimen.write_cells(tmp_path / "cells"))
    run_here(session.review.open_cell_folder(tmp_path / "cells"))
    widget.view.setFocus()
    qtbot.waitUntil(widget.view.hasFocus)
    return tmp_path / "cells"


def test_filters_combine_and_groups_have_headings(qtbot, widget, folder):
    state, choosers = widget.state, widget.choosers
    choose(choosers.specimen, "2")
    assert len(widget.session.review.state.shown) == 14
    choose(choosers.filter, "undecided")
    assert len(widget.session.review.state.shown) == 12
    qtbot.keyClick(widget.view, Qt.Key.Key_6)
    choose(choosers.filter, "all")
    choose(choosers.specimen, "")
    golgi = PatternChoice("own", state.review.vocabulary.index("Golgi"))
    choose(choosers.pattern, golgi)
    assert len(widget.session.review.state.shown) == 15
    choose(choosers.group, "specimen")
    assert [(h.count, h.decided) for h in widget.session.review.state.headings] == [
        (1, 1),
        (14, 0),
    ]
    assert widget.model.lines.heading_lines[0] == 0
    qtbot.keyClick(widget.view, Qt.Key.Key_Home)
    assert state.current == widget.session.review.state.shown[0]
    qtbot.keyClick(widget.view, Qt.Key.Key_Down)
    assert state.current == widget.session.review.state.shown[1]
    qtbot.keyClick(widget.view, Qt.Key.Key_Up)
    assert state.current == widget.session.review.state.shown[0]
    heading = widget.model.index(0, 0)
    text = heading_text(state, "specimen", widget.model.heading_at(heading))
    assert text == "Specimen 2   1 cell, 1 decided"
    place = widget.view.visualRect(heading).center()
    qtbot.mouseClick(widget.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert state.current == widget.session.review.state.shown[0]
    choose(choosers.group, "decision")
    assert len(widget.session.review.state.headings) == 2


def test_ranges_and_bulk_steps_by_keys(qtbot, widget, folder):
    state, view = widget.state, widget.view
    qtbot.keyClick(view, Qt.Key.Key_Home)
    for _ in range(3):
        qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert state.selected == (0, 1, 2, 3)
    qtbot.keyClick(view, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert state.selected == (0, 1, 2)
    assert view.chosen_rows() == [0, 1, 2]
    tile = view.visualRect(widget.model.index_of(5)).center()
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, shift, tile)
    assert state.selected == (0, 1, 2, 3, 4, 5)
    qtbot.keyClick(view, Qt.Key.Key_R)
    assert len(stored(folder)) == 6
    qtbot.keyClick(view, Qt.Key.Key_Z)
    assert stored(folder) == {}
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(state.selected) == len(state.review) == 42


def test_sorts_are_measured_and_turned_round(qtbot, widget, folder):
    state = widget.state
    for sort in ("focus", "brightness", "similarity"):
        widget.session.review.navigation.select(20)
        choose(widget.choosers.sort, sort)
        qtbot.waitUntil(lambda: not state.busy)
    assert widget.session.review.state.shown[0] == 20
    assert set(widget.session.review.state.measures) >= {"focus", "brightness"}
    qtbot.keyClick(widget.view, Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    assert widget.session.review.state.descending
    assert widget.session.review.state.shown[-1] == 20
    choose(widget.choosers.sort, "uncertainty")
    assert "classify the frame" in state.fault
    assert widget.choosers.sort.currentData() == "similarity"


def test_flags_notes_and_history(qtbot, widget, folder):
    state = widget.state
    cell = str(state.review.ids[state.current])
    qtbot.keyClick(widget.view, Qt.Key.Key_F)
    assert widget.session.review.state.marks[cell].flagged
    qtbot.keyClick(widget.view, Qt.Key.Key_T)
    qtbot.keyClicks(widget.detail.note, "a ring, r")
    qtbot.keyClick(widget.detail.note, Qt.Key.Key_Return)
    assert widget.session.review.state.marks[cell].note == "a ring, r"
    assert state.decisions == {}
    assert widget.view.hasFocus()
    qtbot.keyClick(widget.view, Qt.Key.Key_T)
    qtbot.keyClick(widget.detail.note, Qt.Key.Key_Escape)
    assert widget.session.review.state.marks[cell].note == "a ring, r"
    facts(qtbot, widget, "Flagged.\nNote: a ring, r")
    facts(qtbot, widget, "History, newest first:")
    choose(widget.choosers.filter, "flagged")
    assert widget.session.review.state.shown.tolist() == [state.current]
    qtbot.keyClick(widget.view, Qt.Key.Key_A)
    facts(qtbot, widget, "Accepted.")


def test_back_goes_to_the_cell_before(qtbot, widget, folder):
    before = widget.state.current
    qtbot.keyClick(widget.view, Qt.Key.Key_A)
    qtbot.keyClick(widget.view, Qt.Key.Key_Right)
    qtbot.keyClick(widget.view, Qt.Key.Key_B)
    qtbot.keyClick(widget.view, Qt.Key.Key_B)
    assert widget.state.current == before


def test_the_look_of_tiles_is_changed_by_keys(qtbot, widget, folder, viewer):
    state, view = widget.state, widget.view
    columns = widget.model.columns
    for _ in range(4):
        qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert widget.model.columns < columns
    qtbot.keyClick(view, Qt.Key.Key_Minus)
    before = state.review.crops[:].copy()
    qtbot.keyClick(view, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: widget.session.review.state.contrast == "specimen")
    assert "specimen" in widget.choosers.contrast.text()
    assert limits_of(state.review, widget.session.review.state, 0) is not None
    qtbot.keyClick(view, Qt.Key.Key_M)
    view.grab()
    qtbot.waitUntil(lambda: bool(widget.tiles.contours.get(1)))
    qtbot.keyClick(view, Qt.Key.Key_V)
    widget.session.review.navigation.select(30)
    facts(qtbot, widget, "Its frame is not open")
    qtbot.keyClick(view, Qt.Key.Key_K)
    assert widget.session.review.state.contrast == "cell"
    assert (state.review.crops[:] == before).all()


def test_a_blind_reviewer_sees_no_names_and_no_others(qtbot, widget, folder):
    state, review = widget.state, widget.session.review
    review.decision_session.set_reviewer("second")
    qtbot.keyClick(widget.view, Qt.Key.Key_R)
    other = state.review.ids[1]
    review.decision_session.set_reviewer("reviewer")
    review.navigation.select(1)
    qtbot.keyClick(widget.view, Qt.Key.Key_A)
    assert other in review.state.others
    choose(widget.choosers.filter, "disagreed")
    assert review.state.shown.tolist() == [1]
    choose(widget.choosers.filter, "all")
    review.order.set_group("specimen")
    qtbot.keyClick(widget.view, Qt.Key.Key_B, Qt.KeyboardModifier.ShiftModifier)
    assert state.blind
    assert review.state.others == {}
    facts(qtbot, widget, "Names and labels are hidden.")
    assert "Homogeneous" not in widget.detail.facts.text()
    names = [layer.name for layer in widget.viewer.layers]
    assert names == ["frame", "frame mask", "frame cells"]
    shown = [widget.detail.facts.text(), widget.progress.specimen.text()]
    shown += [widget.choosers.specimen.itemText(k) for k in range(2)]
    shown += [heading_text(state, "specimen", h) for h in review.state.headings]
    shown += [
        str(widget.model.data(widget.model.index(1, 0), Qt.ItemDataRole.ToolTipRole))
    ]
    text = "\n".join(shown)
    assert "0000" not in text
    assert "Specimen 1" not in text
    assert "second" not in text
    choose(widget.choosers.filter, "disagreed")
    assert review.state.shown.tolist() == [1]


def test_lists_are_opened_by_keys_and_take_letters(qtbot, widget, folder):
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(widget.view, Qt.Key.Key_F, shift)
    view = widget.choosers.filter.view()
    qtbot.waitUntil(view.isVisible)
    qtbot.keyClick(view, Qt.Key.Key_R)
    assert widget.state.decisions == {}
    qtbot.keyClick(view, Qt.Key.Key_Return)
    qtbot.waitUntil(widget.view.hasFocus)
    assert widget.session.review.state.filter == "rejected"


def test_the_sheet_of_keys_opens_and_changed_keys_act(qtbot, widget, folder):
    qtbot.keyClick(widget.view, Qt.Key.Key_F1)
    assert widget.sheet.isVisible()
    assert "R: reject" in widget.sheet.text()
    widget.sheet.accept()
    widget.key_table.change("reject", "X")
    widget._keys_changed()
    widget.view.setFocus()
    qtbot.keyClick(widget.view, Qt.Key.Key_R)
    assert widget.state.decisions == {}
    qtbot.keyClick(widget.view, Qt.Key.Key_X)
    assert len(widget.state.decisions) == 1
    assert widget.decide.reject.toolTip().startswith("X")


def test_progress_is_told_per_specimen_and_with_the_time_left(qtbot, widget, folder):
    for _ in range(4):
        qtbot.keyClick(widget.view, Qt.Key.Key_A)
    widget.progress.show_pace()
    assert widget.progress.bar.format() == "4 of 36"
    assert widget.progress.pace.text() == "4/min, 8 min left"
    qtbot.waitUntil(lambda: widget.progress.specimen.text() == "Specimen 1: 4 of 12")
    click(qtbot, widget.footer.toggles[0])
    assert widget.specimens.text().splitlines() == [
        "Specimen 1: 4 of 12",
        "Specimen 2: 0 of 12",
        "Specimen 3: 0 of 12",
    ]


def test_the_context_is_cut_from_the_open_frame(qtbot, widget):
    state = widget.state
    plain = widget.detail.picture.pixmap().toImage()
    qtbot.keyClick(widget.view, Qt.Key.Key_V)
    qtbot.waitUntil(lambda: widget.detail.picture.pixmap().toImage() != plain)
    assert context_of(state, state.current).shape == (231, 231)
