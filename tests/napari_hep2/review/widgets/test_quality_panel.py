"""Proposals in the widget: measured in the worker, seen and rejected by a key."""

import pytest
from qtpy.QtCore import Qt

from napari_hep2.jobs import run_here
from napari_hep2.review.widgets.crop_tiles import ROW_ROLE
from napari_hep2.review.widgets.widget import ReviewWidget
from training.config import QualitySettings


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


def test_proposed_cells_are_selected_in_the_gallery_and_one_key_rejects_them(
    qtbot, widget
):
    session, state = widget.session, widget.state
    session.quality.settings = QualitySettings(fewest_cells=2, least_detail=1)
    session.start(session.quality.measure_job())
    qtbot.waitUntil(
        lambda: "detail" in widget.session.review.state.measures and not state.busy
    )
    count = session.quality.propose_rejections("focus")
    assert 2 <= count < 6, "else this tests nothing"
    chosen = {index.data(ROW_ROLE) for index in widget.view.selectedIndexes()}
    assert chosen == set(state.selected)
    assert state.decisions == {}
    widget.view.setFocus()
    qtbot.keyClick(widget.view, Qt.Key.Key_R)
    assert len(state.decisions) == count
    qtbot.keyClick(widget.view, Qt.Key.Key_Z)
    assert state.decisions == {}, "one step"


def test_the_panel_measures_selects_and_rejects_for_its_reason(qtbot, widget):
    session, state, panel = widget.session, widget.state, widget.quality
    session.quality.settings = QualitySettings(fewest_cells=2, least_detail=1)
    widget.footer.toggles[1].click()
    qtbot.waitUntil(panel.isVisible)
    assert not panel.propose.isEnabled()
    qtbot.mouseClick(panel.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.reason.count() > 0 and not state.busy)
    panel.reason.setCurrentIndex(panel.reason.findData("focus"))
    assert panel.reason.currentText().startswith("out of focus: ")
    qtbot.mouseClick(panel.propose, Qt.MouseButton.LeftButton)
    count = len(state.selected)
    assert count >= 2
    assert state.decisions == {}
    assert "detail" in panel.why.text()
    qtbot.mouseClick(panel.reject, Qt.MouseButton.LeftButton)
    assert {d.reason for d in state.decisions.values()} == {"focus"}
    assert len(state.decisions) == count
    assert panel.reason.findData("focus") == -1, "nothing of it is left to decide"


def test_other_limits_give_other_proposals(qtbot, widget):
    session, state, panel = widget.session, widget.state, widget.quality
    widget.footer.toggles[1].click()
    qtbot.waitUntil(panel.isVisible)
    assert not panel.anew.isEnabled()
    qtbot.mouseClick(panel.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: "detail" in widget.session.review.state.measures and not state.busy
    )
    assert panel.reason.findData("focus") == -1, "too few cells to say what is usual"
    detail = widget.session.review.state.measures["detail"]
    panel.form.editors["fewest_cells"].value = 2
    panel.form.editors["least_detail"].value = 1
    assert panel.reason.findData("focus") == -1, "not before it is asked for"
    panel.limits.unfold(True)
    panel.anew.click()
    qtbot.waitUntil(lambda: panel.reason.findData("focus") >= 0)
    assert widget.session.review.state.measures["detail"] is detail, (
        "nothing was measured again"
    )
    assert session.quality.settings.least_detail == 1
    panel.reset.click()
    assert session.quality.settings == QualitySettings()
    panel.anew.click()
    qtbot.waitUntil(lambda: panel.reason.findData("focus") == -1)


def test_the_command_has_the_limits_in_view(qtbot, widget, specimens, tmp_path):
    from training.config import ExtractionSettings, SegmentationSettings
    from training.data.cells.folder import write_cell_folder
    from training.data.layouts import read_collection

    panel, settings = widget.quality, (ExtractionSettings(), SegmentationSettings())
    list(write_cell_folder(read_collection(specimens), tmp_path / "cells", *settings))
    widget.footer.toggles[1].click()
    qtbot.waitUntil(panel.isVisible)
    assert not panel.command.isVisible(), "a frame has no such command"
    run_here(widget.session.review.open_cell_folder(tmp_path / "cells"))
    panel.form.editors["least_detail"].value = 0.4
    assert panel.command.line.text() == (
        f"hep2 quality {tmp_path / 'cells'} --out quality.csv --set least_detail=0.4"
    )
