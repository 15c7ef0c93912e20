"""The widget driven by clicks, alone and in napari's window."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_hep2.jobs import run_here
from napari_hep2.reader import read
from napari_hep2.session import session_of
from napari_hep2.specimen.widgets.widget import SpecimenWidget

CENTRES = ((60, 60), (60, 180), (60, 300), (180, 60), (180, 180), (180, 300))
"""Where the whole nuclei of `frame` are, (y, x), in the order of their labels."""


@pytest.fixture
def widget(viewer, dock):
    made = SpecimenWidget(viewer)
    dock(made, "Specimen")
    yield made
    made.session.runner.cancel()
    made.session.review.decision_session.close()


def click(qtbot, part):
    qtbot.mouseClick(part, Qt.MouseButton.LeftButton)


def idle(session):
    return lambda: not session.runner.is_running


def choose_folder(monkeypatch, folder):
    """Answer the folder dialog with `folder`."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))


def test_layers_are_offered_by_the_names_they_have_now(viewer, dock, frame):
    widget = SpecimenWidget(viewer)
    dock(widget, "Specimen")
    layer = viewer.add_image(frame[0], name="before")
    layer.name = "after"
    offered = [widget.image.itemText(k) for k in range(widget.image.count())]
    assert offered == ["after"]


def test_a_blind_reviewer_is_shown_no_names(viewer, dock, specimens):
    widget = SpecimenWidget(viewer)
    dock(widget, "Specimen")
    run_here(widget.session.specimen.open_folder(specimens))
    widget.state.blind = True
    run_here(widget.session.specimen.step_frame(1))
    assert widget.specimen.text() == "hidden"
    assert widget.pattern.currentIndex() == -1
    assert widget.frames.tree.isHidden()
    assert widget.status.news.text().startswith("The frame: 6 of 7")
    widget.state.blind = False
    assert widget.specimen.text() == "1"
    assert not widget.frames.tree.isHidden()


@pytest.mark.window
def test_from_the_folder_to_boxes_and_a_cell_folder(
    qtbot, monkeypatch, viewer, widget, specimens, tmp_path
):
    session, state = widget.session, widget.state
    assert session is session_of(viewer)
    assert not widget.command.isVisible()

    choose_folder(monkeypatch, specimens)
    click(qtbot, widget.open)
    qtbot.waitUntil(lambda: state.cells is not None)
    assert widget.frames.tree.topLevelItemCount() == 3
    assert widget.count.text() == "6 of 7 cells kept"
    assert widget.dropped.text() == "Dropped: 1 border"
    assert "touches the edge" in widget.dropped.toolTip()
    assert widget.read_as.text() == "binary mask, 7 nuclei"
    assert [layer.name for layer in viewer.layers][-1] == "00001_p0 cells"
    assert not widget.frames.back.isEnabled()

    click(qtbot, widget.frames.forth)
    qtbot.waitUntil(lambda: state.position == (0, 1))
    assert widget.frames.frame.text() == "00001_p1  (2 of 2)"

    item = widget.frames.tree.topLevelItem(2)
    place = widget.frames.tree.visualItemRect(item).center()
    qtbot.mouseClick(
        widget.frames.tree.viewport(), Qt.MouseButton.LeftButton, pos=place
    )
    qtbot.waitUntil(lambda: state.position == (2, 0))
    assert widget.pattern.currentText() == "Golgi"
    assert widget.specimen.text() == "3"

    widget.pattern.setCurrentIndex(1)
    widget.pattern.activated.emit(1)
    assert state.pattern == "Homogeneous"
    assert widget.frames.tree.topLevelItem(2).text(1) == "Homogeneous"

    boxes = session.link.boxes
    box = widget.show_dropped
    on_the_box = QPoint(10, box.height() // 2)
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=on_the_box)
    assert not boxes.shown[0]

    click(qtbot, widget.command.copy)
    assert QApplication.clipboard().text() == session.specimen.command()

    choose_folder(monkeypatch, tmp_path / "cells")
    click(qtbot, widget.write)
    qtbot.waitUntil(idle(session), timeout=20_000)
    assert (tmp_path / "cells" / "crops.npy").is_file()
    assert widget.status.news.text().startswith("36 cells written")

    choose_folder(monkeypatch, tmp_path / "nowhere")
    click(qtbot, widget.open)
    qtbot.waitUntil(lambda: bool(state.fault))
    assert "nowhere" in widget.status.news.text()
    assert state.cells is not None


def test_open_layers_and_settings(qtbot, viewer, widget, frame):
    state = widget.state
    click(qtbot, widget.folds.toggles[0])
    assert not widget.extract.isEnabled()
    viewer.add_image(frame[0], name="well")
    viewer.add_labels((frame[1] > 0).astype(int), name="nuclei")
    assert widget.image.currentText() == "well"
    widget.mask.setCurrentIndex(widget.mask.findData("nuclei"))
    click(qtbot, widget.extract)
    qtbot.waitUntil(lambda: state.cells is not None)
    assert widget.count.text() == "6 of 7 cells kept"
    assert [layer.name for layer in viewer.layers] == ["well", "nuclei", "well cells"]
    widget.specimen.setText("serum 9")
    qtbot.keyClick(widget.specimen, Qt.Key.Key_Return)
    assert state.specimen == "serum 9"
    assert set(state.review.table["specimen"]) == {"serum 9"}

    click(qtbot, widget.folds.toggles[1])
    widget.extraction.editors["size"].value = 51
    click(qtbot, widget.again)
    qtbot.waitUntil(lambda: state.cells.cells.crops.shape[1] == 51)
    widget.extraction.editors["size"].value = 50
    click(qtbot, widget.again)
    assert "odd" in widget.status.news.text()

    viewer.add_image(frame[0] - 100.0, name="below zero")
    widget.image.setCurrentText("below zero")
    click(qtbot, widget.extract)
    qtbot.waitUntil(lambda: "its values go from -" in widget.status.news.text())


def test_crops_are_cut_to_fit_by_a_click(qtbot, widget, specimens):
    state = widget.state
    widget.open_folder(specimens)
    qtbot.waitUntil(lambda: state.cells is not None)
    assert widget.misfit.text().startswith("Nuclei are 32 pixels across, too small")
    assert widget.fit.text() == "Cut with a size of 49"
    click(qtbot, widget.fit)
    qtbot.waitUntil(lambda: state.cells.cells.crops.shape[1] == 49)
    assert not widget.misfit.isVisible()
    assert not widget.fit.isVisible()
    assert widget.extraction.settings().size == 49
    assert "size=49" in widget.command.line.text()


def test_a_folder_dropped_on_the_viewer_is_followed(qtbot, viewer, specimens):
    path = str(specimens / "train" / "00002_p1.tif")
    for data, options, kind in read(path):
        getattr(viewer, f"add_{kind}")(data, **options)
    made = SpecimenWidget(viewer)
    qtbot.addWidget(made)
    state = made.state
    qtbot.waitUntil(lambda: state.cells is not None)
    assert state.position == (1, 1)
    viewer.open(str(specimens), plugin="napari-hep2")
    qtbot.waitUntil(lambda: bool(state.cells and state.position == (0, 0)))
    names = [layer.name for layer in viewer.layers]
    assert names == [
        "00002_p1",
        "00002_p1 mask",
        "00001_p0",
        "00001_p0 mask",
        "00001_p0 cells",
    ]


def test_a_closed_widget_hears_nothing_more(qtbot, viewer, specimens):
    made = SpecimenWidget(viewer)
    other = SpecimenWidget(viewer)
    qtbot.addWidget(other)
    made.deleteLater()
    qtbot.waitSignal(made.destroyed).wait()
    other.state.tell("still here")
    viewer.add_points([[1, 1]])
    assert other.status.news.text() == "still here"


@pytest.mark.window
def test_boxes_lie_where_nuclei_are_seen_on_scaled_and_turned_layers(
    qtbot, viewer, widget, frame
):
    state, link = widget.state, widget.session.link
    place = {"scale": (0.3, 0.3), "rotate": 20, "translate": (50, -7)}
    levels = [frame[0], frame[0][::2, ::2]]
    units = ("um", "um")
    image = viewer.add_image(levels, name="well", units=units, **place)
    # The same nuclei in a mask that lies the other way round.
    mask = np.rot90(frame[1] > 0, 2).astype(int)
    half_turn = np.array([[-1, 0, 239], [0, -1, 359], [0, 0, 1]])
    affine = link_matrix(image) @ half_turn
    viewer.add_labels(mask, name="nuclei", affine=affine, units=units)
    click(qtbot, widget.folds.toggles[0])
    widget.mask.setCurrentIndex(widget.mask.findData("nuclei"))
    click(qtbot, widget.extract)
    qtbot.waitUntil(lambda: state.cells is not None)
    assert widget.count.text() == "6 of 7 cells kept"
    assert "0.3 µm per pixel" in widget.sizes.text()
    boxes = link.boxes
    seen = [image.data_to_world(centre) for centre in CENTRES]
    found = [boxes.data_to_world(place) for place in boxes.data[1:]]
    np.testing.assert_allclose(found, seen, atol=0.05)
    assert boxes.units == image.units == viewer.layers.units
    for number, position in enumerate(seen, start=2):
        assert link.cell_at(np.array(position)) == f"well_{number:04d}"
    click(qtbot, widget.again)
    qtbot.waitUntil(idle(widget.session))
    assert [layer.name for layer in viewer.layers] == ["well", "nuclei", "well cells"]
    again = [boxes.data_to_world(place) for place in boxes.data[1:]]
    np.testing.assert_allclose(again, seen, atol=0.05)


def link_matrix(layer):
    """Return the matrix from pixels to the viewer, (3, 3)."""
    corner = np.array(layer.data_to_world((0, 0)))
    sides = [layer.data_to_world(step) - corner for step in np.eye(2)]
    return np.vstack([np.column_stack([*sides, corner]), [0, 0, 1]])
