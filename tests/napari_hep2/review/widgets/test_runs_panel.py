"""Runs and labels in the widget, on small real runs: each button by a click."""

import json
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManager
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from napari_hep2.jobs import run_here
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.trainer.widgets.widget import TrainerWidget

WAIT = 20_000


@pytest.fixture
def widget(qtbot, viewer, dock, study):
    made = ReviewWidget(viewer)
    dock(made, "Review cells")
    run_here(made.session.review.open_cell_folder(study[0]))
    toggle = next(one for one in made.footer.toggles if one.text().startswith("Runs"))
    qtbot.mouseClick(toggle, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(made.experiments.isVisible)
    yield made
    made.session.runner.cancel()
    made.session.review.decision_session.close()


@pytest.fixture
def panel(widget):
    return widget.experiments


@pytest.fixture
def choose(monkeypatch):
    """Answer the next question for a folder."""

    def answer(folder):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))

    return answer


@pytest.fixture
def press(qtbot, widget):
    """Click a button of the panel and wait for what it starts."""

    def click(button):
        assert button.isEnabled()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        idle = widget.session.runner
        qtbot.waitUntil(lambda: not idle.is_running, timeout=WAIT)

    return click


def relabel_one(widget):
    state = widget.state
    row = int(np.flatnonzero(~state.review.dropped)[0])
    widget.session.review.navigation.select(row)
    widget.session.review.decisions.relabel(3)


def test_scores_of_a_run_and_of_eight_views(
    widget, panel, study, choose, press, model_file
):
    state = widget.state
    choose(study[1] / "all-seed-0")
    press(panel.scores)
    assert widget.session.review.state.sort == "suspicion"
    assert widget.choosers.sort.currentData() == "suspicion"
    assert "72 of 84 cells scored by all-seed-0" in panel.said.text()
    assert "never saw" in panel.said.text()
    assert panel.command.line.text().startswith("hep2 label-errors ")
    assert not panel.source.isVisible()

    widget.session.classify.choose_model(model_file)
    state.device = "cpu"
    assert "untrained" in panel.views.toolTip()
    press(panel.views)
    assert widget.session.review.state.sort == "uncertainty"
    assert panel.command.line.text().startswith("hep2 views ")
    titles = [panel.source.itemText(k) for k in range(panel.source.count())]
    assert titles == ["epoch vote of all-seed-0", "eight orientations of untrained"]
    assert panel.source.currentText() == titles[1]
    spread = widget.session.review.state.measures["uncertainty"]
    panel.source.setCurrentIndex(0)
    panel.source.activated.emit(0)
    assert widget.session.review.state.measures["uncertainty"] is not spread
    assert panel.source.currentText() == titles[0]

    state.model = None
    assert not panel.views.isEnabled()
    assert "choose one in Classify" in panel.views.toolTip()


def test_stale_runs_rescored_at_once(qtbot, widget, panel, study, choose, press):
    relabel_one(widget)
    choose(study[1])
    press(panel.stale)
    assert panel.runs.count() == 3
    first = panel.runs.item(0)
    assert first.text().startswith("all-seed-0: 1 cell changed; 1 of 2 folds stale")
    assert panel.rescore.text() == "Rescore\u2026"
    place = panel.runs.visualItemRect(first).center()
    qtbot.mouseClick(panel.runs.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert "Fold " in panel.answer.text()
    assert panel.command.line.text() == f"hep2 stale {study[1]}"
    assert panel.rescore.text() == "Rescore"
    press(panel.rescore)
    assert "mean class accuracy" in panel.answer.text()
    assert "1 cell has another label" in panel.answer.text()
    content = json.loads((study[1] / "all-seed-0/metrics-rescored.json").read_text())
    assert f"{100 * content['mean_class_accuracy']:.1f} %" in panel.answer.text()
    assert first.isSelected()


def test_the_learning_curve_opens_its_page(
    widget, panel, study, choose, press, monkeypatch
):
    opened = []
    monkeypatch.setattr(
        QDesktopServices,
        "openUrl",
        lambda url: opened.append(Path(url.toLocalFile())) or True,
    )
    choose(study[1])
    press(panel.curve)
    assert opened == [study[1] / "learning-curve.html"]
    content = json.loads((study[1] / "learning-curve.json").read_text())
    assert panel.answer.text().startswith(content["sentence"])
    words = panel.command.line.text()
    assert words == f"hep2 learning-curve {study[1]} --out {study[1]}"
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: False)
    panel.open_page(opened[0])
    assert str(opened[0]) in widget.state.message


@pytest.mark.window
def test_the_accepted_cells_go_to_the_trainer(viewer, widget, panel, study, press):
    PluginManager.instance().discover()
    review = widget.session.review
    review.navigation.select(int(np.flatnonzero(~widget.state.review.dropped)[0]))
    review.decisions.accept()
    assert panel.step.text() == "step 1"
    press(panel.accepted)
    found = list(viewer.window.dock_widgets.values())
    (trainer,) = [w for w in found if isinstance(w, TrainerWidget)]
    assert trainer.setup.data.path == study[0]
    command = trainer.setup.command.toPlainText()
    assert "--set reviewed=accepted" in command
    assert str(study[0]) in command
    assert "step 1 of the decisions" in panel.answer.text()
    box = trainer.setup.experiment
    box.setCurrentIndex(box.findText("lenet"))
    assert "--set reviewed=accepted" in trainer.setup.command.toPlainText()
    press(panel.accepted)
    again = list(viewer.window.dock_widgets.values())
    assert len([w for w in again if isinstance(w, TrainerWidget)]) == 1
