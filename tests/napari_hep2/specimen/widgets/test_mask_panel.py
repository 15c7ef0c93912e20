"""A mask mended in a real window: brush, line and click, buttons and keys."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_hep2.jobs import run_here
from napari_hep2.session import session_of
from napari_hep2.specimen.widgets.widget import SpecimenWidget
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore

LEFT = Qt.MouseButton.LeftButton
in_window = pytest.mark.window


@pytest.fixture
def widget(qtbot, viewer, dock, specimens):
    made = SpecimenWidget(viewer)
    dock(made, "Specimen")
    run_here(made.session.specimen.open_folder(specimens))
    click(qtbot, made.mending_fold.toggles[0])
    yield made
    made.session.runner.cancel()
    made.session.review.decision_session.close()


def click(qtbot, part):
    qtbot.mouseClick(part, LEFT)


def apply(qtbot, widget):
    click(qtbot, widget.mending.apply)
    qtbot.waitUntil(lambda: not widget.session.runner.is_running)


def ids(widget):
    return widget.state.review.table["id"].tolist()


def on_screen(viewer, place):
    """Where a pixel (y, x) of the frame is seen in the canvas."""
    canvas = viewer.window._qt_viewer.canvas
    camera = viewer.scene.camera
    height, width = canvas.native.height(), canvas.native.width()
    y = height / 2 + (place[0] - camera.center[-2]) * camera.zoom
    x = width / 2 + (place[1] - camera.center[-1]) * camera.zoom
    return canvas.native, QPoint(round(x), round(y))


def press(qtbot, viewer, *places, held=Qt.KeyboardModifier.NoModifier):
    """Press at the first place, go over all of them, let go at the last."""
    native, start = on_screen(viewer, places[0])
    qtbot.mouseMove(native, start)
    qtbot.mousePress(native, LEFT, held, start)
    for place in places[1:]:
        # The canvas leaves out moves that come within 10 ms.
        qtbot.wait(15)
        drag(native, on_screen(viewer, place)[1])
    qtbot.mouseRelease(native, LEFT, held, on_screen(viewer, places[-1])[1])
    painted(qtbot, session_of(viewer))


def painted(qtbot, session):
    """Wait until the strokes that were asked for are painted; the first loads torch."""
    qtbot.waitUntil(lambda: not session.strokes.is_running, timeout=30_000)


def drag(native, point):
    at = QPointF(point)
    everywhere = QPointF(native.mapToGlobal(point))
    none = Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(QEvent.Type.MouseMove, at, everywhere, LEFT, LEFT, none)
    QApplication.sendEvent(native, event)


@in_window
def test_a_missed_nucleus_is_painted_and_all_decisions_stay(
    qtbot, viewer, widget, specimens
):
    session, state, panel = widget.session, widget.state, widget.mending
    session.review.select_cell("00001_p0_0003")
    session.review.decisions.accept()
    before, crops = ids(widget), state.review.crops
    mask = session.link.mask.layer

    assert not panel.apply.isEnabled()
    click(qtbot, panel.paint)
    assert viewer.layers.selection.active is mask
    assert (mask.visible, mask.mode, mask.selected_label) == (True, "paint", 8)
    mask.brush_size = 24
    press(qtbot, viewer, (120, 120), (122, 122), (122, 118))
    assert mask.data[120, 120] == 8
    assert panel.status.text() == "Painted, not applied yet."
    assert ids(widget) == before
    mask.undo()
    assert not panel.apply.isEnabled()
    mask.redo()

    apply(qtbot, widget)
    assert ids(widget) == [*before, "00001_p0_0008"]
    np.testing.assert_array_equal(state.review.crops[:7], crops)
    assert state.decisions["00001_p0_0003"].verdict == "accepted"
    assert state.review.ids[state.current] == "00001_p0_0008"
    assert "Edited by reviewer" in panel.status.text()
    assert len(session.link.boxes.data) == 8
    assert (specimens / "mended" / "00001_p0" / "mends.json").is_file()


@in_window
def test_a_line_splits_and_the_old_decision_stays_in_the_history(
    qtbot, viewer, widget, specimens
):
    session, state, panel = widget.session, widget.state, widget.mending
    session.review.select_cell("00001_p0_0005")
    session.review.decisions.relabel(1)

    click(qtbot, panel.tools["split"])
    assert panel.tools["split"].isChecked()
    centre = viewer.scene.camera.center
    press(qtbot, viewer, (150, 62), (180, 62), (210, 62))
    assert tuple(viewer.scene.camera.center) == pytest.approx(tuple(centre))
    assert state.message == "Nucleus split in 2: not applied yet."
    apply(qtbot, widget)
    assert not panel.tools["split"].isChecked()
    table = state.cells.cells.table.set_index("label")
    # Both halves lie against each other: the line between them is a person's word.
    assert table.loc[[8, 9], "dropped"].tolist() == ["", ""]
    assert ids(widget) == [f"00001_p0_000{k}" for k in (1, 2, 3, 4, 6, 7, 8, 9)]
    with DecisionStore(specimens / STORE, "reviewer") as store:
        (event,) = store.history("00001_p0_0005")
        assert event.decision.verdict == "relabelled"

    click(qtbot, panel.undo)
    qtbot.waitUntil(lambda: not session.runner.is_running)
    assert "00001_p0_0005" in ids(widget)
    assert state.decisions["00001_p0_0005"].verdict == "relabelled"
    assert panel.redo.isEnabled()
    assert not panel.original.isEnabled()


@in_window
def test_two_clicks_are_a_line_and_a_click_adds_or_removes(qtbot, viewer, widget):
    state, panel = widget.state, widget.mending
    click(qtbot, panel.tools["split"])
    press(qtbot, viewer, (60, 55))
    assert state.message == "Now click on its other side."
    press(qtbot, viewer, (60, 66))
    assert "split in 2" in state.message
    click(qtbot, panel.tools["remove"])
    press(qtbot, viewer, (60, 180))
    assert state.message == "1 nucleus removed: not applied yet."
    click(qtbot, panel.tools["add"])
    press(qtbot, viewer, (62, 182))
    assert state.message == "Nucleus added: not applied yet."
    apply(qtbot, widget)
    # The nucleus that was put back with other pixels is a new one.
    assert len(ids(widget)) == 8
    assert "00001_p0_0003" not in ids(widget)


@in_window
def test_keys_act_on_the_masks_layer(qtbot, viewer, widget):
    session, panel = widget.session, widget.mending
    click(qtbot, panel.paint)
    native = viewer.window._qt_viewer.canvas.native
    native.setFocus()
    qtbot.keyClick(native, Qt.Key.Key_K)
    assert session.tool.current == "remove"
    press(qtbot, viewer, (60, 60))
    qtbot.keyClick(native, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(ids(widget)) == 6)
    qtbot.waitUntil(lambda: not session.runner.is_running)
    assert session.tool.current == ""
    qtbot.keyClick(native, Qt.Key.Key_U)
    qtbot.waitUntil(lambda: len(ids(widget)) == 7)


def test_discard_brings_the_mask_back(qtbot, viewer, widget):
    session, panel = widget.session, widget.mending
    session.mending.remove([2])
    painted(qtbot, session)
    assert not (session.link.mask.layer.data == 2).any()
    click(qtbot, panel.discard)
    assert (session.link.mask.layer.data == 2).any()
    assert not panel.discard.isEnabled()


def test_a_draft_is_shown_again_when_its_frame_is(qtbot, viewer, widget):
    session, panel = widget.session, widget.mending
    session.mending.remove([2])
    painted(qtbot, session)
    run_here(session.specimen.step_frame(1))
    assert (session.link.mask.layer.data == 2).any()
    assert not panel.apply.isEnabled()
    run_here(session.specimen.step_frame(-1))
    assert not (session.link.mask.layer.data == 2).any()
    assert panel.apply.isEnabled()
    session.link.mask.layer.visible = True
    session.link.mask.layer.undo()
    assert panel.apply.isEnabled()
    apply(qtbot, widget)
    assert "00001_p0_0002" not in ids(widget)


def test_without_a_folder_nothing_is_offered(qtbot, viewer):
    made = SpecimenWidget(viewer)
    qtbot.addWidget(made)
    assert not made.mending.paint.isEnabled()
    assert "Open a folder" in made.mending.status.text()


@in_window
def test_clicks_edit_without_a_tool_and_drags_do_not(qtbot, viewer, widget):
    session, state = widget.session, widget.state
    mask, keys = session.link.mask.layer, Qt.KeyboardModifier
    press(qtbot, viewer, (120, 120))
    assert mask.data[120, 120] == 8
    assert "disc of the usual size" in state.message
    press(qtbot, viewer, (60, 180), held=keys.ControlModifier)
    assert mask.data[60, 180] == 0
    press(qtbot, viewer, (60, 60), held=keys.AltModifier)
    assert "no other nucleus is near" in state.fault.lower()
    press(qtbot, viewer, (60, 180), held=keys.ShiftModifier)
    assert mask.data[60, 180] == 9
    for _ in range(3):
        click(qtbot, widget.mending.undo)
    assert not session.mending.pending
    click(qtbot, widget.mending.redo)
    assert mask.data[120, 120] == 8
    before, camera = mask.data.copy(), viewer.scene.camera
    centre = tuple(camera.center)
    press(qtbot, viewer, (120, 240), (110, 260), (100, 280))
    # The canvas tells of the new centre when it is drawn.
    qtbot.waitUntil(lambda: tuple(camera.center) != centre)
    np.testing.assert_array_equal(mask.data, before)


@in_window
def test_a_click_picks_cells_once_no_tool_is_on_and_two_clicks_zoom(
    qtbot, viewer, widget
):
    session = widget.session
    click(qtbot, widget.mending.tools["add"])
    assert not session.link.picking
    click(qtbot, widget.mending.tools["add"])
    assert session.link.picking
    press(qtbot, viewer, (180, 180))
    assert session.state.review.ids[session.state.current] == "00001_p0_0006"

    native, place = on_screen(viewer, (120, 120))
    zoom = viewer.scene.camera.zoom
    press(qtbot, viewer, (120, 120))
    assert session.mending.pending
    qtbot.mouseDClick(native, LEFT, pos=place)
    painted(qtbot, session)
    assert viewer.scene.camera.zoom == pytest.approx(2 * zoom)
    assert not session.mending.pending
