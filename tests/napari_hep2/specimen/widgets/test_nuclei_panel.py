"""*Find nuclei*: previewed, found with other settings, cancelled."""

import pytest
from PIL import Image
from qtpy.QtCore import Qt

from napari_hep2.specimen.widgets.widget import SpecimenWidget

LEFT = Qt.MouseButton.LeftButton
WAIT = 60_000


@pytest.fixture
def folder(tmp_path, frame):
    """A specimen without a mask."""
    made = tmp_path / "bare"
    made.mkdir()
    Image.fromarray(frame[0]).save(made / "a.png")
    return made


@pytest.fixture
def widget(qtbot, viewer, dock, folder):
    made = SpecimenWidget(viewer)
    dock(made, "Specimen")
    settings = made.state.segmentation.model_copy(update={"method": "classical"})
    made.nuclei.form.set_settings(settings)
    made.session.start(made.session.specimen.open_folder(folder))
    qtbot.waitUntil(lambda: made.state.cells is not None, timeout=WAIT)
    yield made
    made.session.runner.cancel()
    made.session.previews.cancel()
    made.session.review.decision_session.close()


@pytest.fixture
def panel(qtbot, widget):
    qtbot.mouseClick(widget.folds.toggles[1], LEFT)
    assert widget.nuclei.isVisible()
    return widget.nuclei


@pytest.mark.window
def test_a_diameter_is_tried_in_view_and_then_used(qtbot, widget, panel):
    qtbot.waitUntil(lambda: "nuclei in view" in panel.status.text(), timeout=WAIT)
    assert panel.status.text().endswith("measured.")
    panel.form.editors["diameter"].value = 40
    qtbot.waitUntil(lambda: "of 40 pixels." in panel.status.text(), timeout=WAIT)
    cells = widget.state.cells
    assert widget.state.segmentation.diameter == 0, "only tried"
    qtbot.mouseClick(panel.find, LEFT)
    qtbot.waitUntil(lambda: widget.state.cells is not cells, timeout=WAIT)
    qtbot.waitUntil(lambda: widget.state.cells is not None, timeout=WAIT)
    assert widget.state.segmentation.diameter == 40


def test_the_preview_goes_with_its_box_and_with_the_panel(qtbot, widget, panel):
    qtbot.waitUntil(lambda: bool(widget.session.preview.text), timeout=WAIT)
    panel.preview.click()
    qtbot.waitUntil(lambda: widget.session.preview.text == "", timeout=WAIT)
    panel.preview.click()
    qtbot.waitUntil(lambda: bool(widget.session.preview.text), timeout=WAIT)
    panel.hide()
    assert widget.session.preview.text == ""


def test_what_is_cancelled_says_how_to_go_on(qtbot, widget):
    session = widget.session
    session.start(session.specimen.open_frame(0))
    session.runner.cancel()
    qtbot.waitUntil(lambda: not session.runner.is_running, timeout=WAIT)
    assert session.state.message.startswith("Cancelled:")
    assert session.state.busy == session.state.opening == ""


def test_a_first_frame_is_opened_once_and_its_picture_outlives_a_cancel(
    qtbot, viewer, dock, folder, monkeypatch
):
    made = SpecimenWidget(viewer)
    dock(made, "Specimen")
    session, state = made.session, made.state
    opened, real = [], session.specimen.open_folder
    monkeypatch.setattr(
        session.specimen, "open_folder", lambda *a: opened.append(a) or real(*a)
    )
    state.events.picture.connect(lambda shown: shown and session.runner.cancel())
    session.start(session.specimen.open_folder(folder))
    qtbot.waitUntil(lambda: state.message.startswith("Cancelled:"), timeout=WAIT)
    assert "without its cells" in state.message
    assert len(opened) == 1
    assert not session.runner.is_running
    assert (state.cells, state.progress, state.opening) == (None, None, "")
    assert viewer.layers[0].visible
    assert made.nuclei.find.isEnabled()
    session.review.decision_session.close()
