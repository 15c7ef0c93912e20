"""Live LOSO in the widget: figures follow each decision, and come back with undo."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_hep2.jobs import run_here
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.trainer.widgets.widget import TrainerWidget
from training.studies.live_loso import CurvePoint, LiveCurve

WAIT = 60_000


@pytest.fixture
def widget(qtbot, viewer, dock, cell_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    made = ReviewWidget(viewer)
    dock(made, "Review cells")
    run_here(made.session.review.open_cell_folder(cell_folder))
    yield made
    made.session.live_lane.cancel()
    made.session.runner.cancel()
    made.session.review.decision_session.close()


def settled(widget):
    session = widget.session
    return session.live_lane.is_idle and not session.live.desk.is_behind


def test_a_relabelled_cell_moves_the_figures_and_undo_brings_the_same_back(
    qtbot, widget
):
    desk, panel = widget.session.live.desk, widget.live
    qtbot.mouseClick(widget.footer.toggles[-1], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.figures is not None and settled(widget), timeout=WAIT)
    before = desk.figures
    assert panel.headline.text().endswith(
        "24 cells of 4 specimens, each left out in turn."
    )
    assert panel.confusion.row_texts(0)[1] == "2 specimens, 12 cells"
    assert [one.specimens for one in desk.curve.points] == [4]
    widget.view.setFocus()
    qtbot.keyClick(widget.view, Qt.Key.Key_2)
    assert desk.is_behind
    assert panel.figures.graphicsEffect().isEnabled(), "older than the decision"
    qtbot.waitUntil(lambda: settled(widget), timeout=WAIT)
    assert not panel.figures.graphicsEffect().isEnabled()
    assert panel.confusion.row_texts(0)[1] == "2 specimens, 11 cells"
    assert panel.confusion.row_texts(1)[1] == "3 specimens, 13 cells"
    qtbot.keyClick(widget.view, Qt.Key.Key_Z)
    qtbot.waitUntil(lambda: settled(widget), timeout=WAIT)
    assert desk.figures.doubt.tobytes() == before.doubt.tobytes()
    assert desk.figures.metrics.interval == before.metrics.interval
    qtbot.mouseClick(panel.doubt, Qt.MouseButton.LeftButton)
    assert widget.session.review.state.sort == "suspicion"
    assert widget.state.current == np.nanargmax(before.doubt)


def test_the_trainer_shows_the_same_figures(qtbot, viewer, widget, dock):
    trainer = TrainerWidget(viewer)
    dock(trainer, "LOSO trainer")
    trainer.live_fold.unfold(True)
    desk = widget.session.live.desk
    qtbot.waitUntil(lambda: desk.figures is not None and settled(widget), timeout=WAIT)
    assert trainer.live.headline.text().endswith("each left out in turn.")
    assert not trainer.live.curve.isVisible(), "four specimens make no curve"
    points = (CurvePoint(9, 0.6), CurvePoint(12, 0.8))
    desk.curve = LiveCurve(desk.figures.labels, points)
    assert trainer.live.curve.text().startswith("Trained on 9, 12 specimens")
    widget.session.review.select_cell(str(widget.state.review.ids[1]))
    widget.session.review.decisions.relabel(1)
    assert desk.is_behind
    qtbot.waitUntil(lambda: settled(widget), timeout=WAIT)
    assert trainer.live.confusion.row_texts(0)[1] == "2 specimens, 11 cells"


def test_nothing_is_computed_while_it_is_folded_away(qtbot, widget):
    widget.view.setFocus()
    qtbot.keyClick(widget.view, Qt.Key.Key_2)
    assert widget.session.live_lane.is_idle
    assert widget.session.live.desk.figures is None


def test_too_few_specimens_are_told(qtbot, widget):
    panel, session = widget.live, widget.session
    for cell in widget.state.review.ids[12:]:
        session.review.select_cell(str(cell))
        session.review.decisions.reject("focus")
    qtbot.mouseClick(widget.footer.toggles[-1], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(session.live.desk.fault), timeout=WAIT)
    assert panel.working.text() == session.live.desk.fault
    assert not panel.figures.isVisible()
    assert panel.again.isVisible()


def test_a_blind_reviewer_sees_no_figures(qtbot, widget):
    panel, desk = widget.live, widget.session.live.desk
    qtbot.mouseClick(widget.footer.toggles[-1], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desk.figures is not None and settled(widget), timeout=WAIT)
    assert "Report a run" in panel.caveat.text()
    assert panel.caveat.isVisible()
    widget.state.blind = True
    assert panel.working.text() == "A blind reviewer sees no figures of the labels."
    assert not panel.figures.isVisible()
    assert not panel.doubt.isVisible()
    widget.state.blind = False
    assert panel.figures.isVisible()
