"""The trainer's widget, driven by clicks in a real window with real processes."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QSettings, Qt
from qtpy.QtGui import QColor, QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_hep2.trainer import process as trainer_process
from napari_hep2.trainer.widgets import setup_panel
from napari_hep2.trainer.widgets.widget import LAST_RUN, TrainerWidget
from training.config.commands import PROGRAM
from training.runs.experiments import EXPERIMENTS
from training.runs.folder import RunFolder

FAKE = Path(__file__).parents[1] / "fake_trainer.py"
WAIT = 10_000


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def fake_commands(monkeypatch):
    """Let Start and Resume start the fake trainer with these options."""
    options = ["--pause", "0.02"]
    started = []

    def start(command, run):
        handle = real_start([sys.executable, str(FAKE), str(run), *options], run)
        (run / "config.yaml").touch()
        started.append(handle)
        return handle

    real_start = trainer_process.start
    monkeypatch.setattr(trainer_process, "start", start)
    yield options
    for handle in started:
        trainer_process.stop(handle.run, handle, grace=0)
        handle.process.wait()


@pytest.fixture
def make(qtbot, settings, tmp_path, monkeypatch):
    """Show a widget; the forecast is answered at once by a stand-in."""
    answer = json.dumps({"folds": 3, "image_steps": 900, "images_per_second": 90})
    monkeypatch.setattr(
        setup_panel.RunPlan,
        "forecast_command",
        lambda plan: [sys.executable, "-c", f"print('{answer}')"],
    )
    monkeypatch.setattr(setup_panel, "PROBE_MS", 10)
    settings.setValue(LAST_RUN, str(tmp_path / "runs" / "none"))
    monkeypatch.setattr(TrainerWidget, "_runs_folder", lambda self: tmp_path / "runs")

    kept = []

    def shown(registered=True):
        widget = TrainerWidget(ViewerModel(), settings=settings)
        kept.append(widget)
        if registered:
            qtbot.addWidget(widget)
        widget.resize(440, 900)
        widget.show()
        qtbot.waitExposed(widget)
        return widget

    return shown


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "my cells"
    folder.mkdir()
    return folder


def click(qtbot, button):
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def wait_word(qtbot, widget, word):
    qtbot.waitUntil(lambda: widget.word.text() == word, timeout=WAIT)


# --- setup


def test_the_command_follows_every_choice(make, qtbot, data, tmp_path):
    widget = make()
    setup = widget.setup
    assert not widget.start_button.isEnabled()
    assert setup.cost.text() == "Choose the folder of the cells."
    setup.data.edit.clear()
    qtbot.keyClicks(setup.data.edit, str(data))
    assert widget.start_button.isEnabled()
    setup.editors["epochs"].value = 7
    setup.editors["width"].value = 0.25
    command = shlex.split(setup.command.toPlainText())
    assert command[:3] == [PROGRAM, "run", "set-1"]
    assert command[3:7] == [
        "--data", str(data), "--out", str(tmp_path / "runs" / "set-1-001"),
    ]  # fmt: skip
    assert command[7:] == ["--epochs", "7", "--set", "width=0.25"]
    click(qtbot, setup.copy)
    assert shlex.split(QGuiApplication.clipboard().text()) == command


def test_every_setting_of_the_models_has_an_editor_with_its_default(make):
    setup = make().setup
    own = EXPERIMENTS["set-1"]
    expected = {
        **own.classifier.model_dump(exclude={"name"}),
        **own.training_set.model_dump(),
        **own.protocol.model_dump(),
    }
    shown = dict(setup.plan().settings)
    assert (shown.pop("workers"), shown.pop("device")) == (0, "auto")
    assert shown == expected


def test_an_experiment_brings_its_settings_and_says_what_it_needs(make):
    setup = make().setup
    assert "Needs Task-1" in setup.about.text()
    assert f"{EXPERIMENTS['set-1'].paper_mca:.2f} %" in setup.about.text()
    assert not setup.leaky.isVisible()
    assert not setup.editors["folds"].enabled
    setup.experiment.setCurrentText("set-1-k-fold")
    assert setup.leaky.isVisible()
    assert "optimistic" in setup.leaky.text()
    assert setup.editors["folds"].enabled
    assert setup.out.path.name == "set-1-k-fold-001"
    assert setup.plan().options == {}


def test_each_classifier_has_its_own_settings(make):
    setup = make().setup
    setup.editors["workers"].value = 3
    setup.experiment.setCurrentText("shape-index")
    assert "width" not in setup.editors
    assert setup.editors["workers"].value == 3, "what is not of the experiment stays"
    setup.editors["scales"].value = "1,2"
    assert setup.plan().options == {"scales": "1,2", "workers": 3}
    setup.experiment.setCurrentText("set-1")
    assert setup.editors["width"].visible
    assert "scales" not in setup.command.toPlainText()
    setup.experiment.setCurrentText("shape-index")
    assert setup.editors["scales"].value == "1,1.4,2,2.8,4,5.6,8"


def test_extra_cells_are_asked_for_where_they_are_trained_on(make, data, tmp_path):
    setup = make().setup
    setup.data.set_path(data)
    assert not setup.extra.isVisible()
    setup.experiment.setCurrentText("set-3")
    assert setup.extra.isVisible()
    assert setup.cost.text() == "Choose the folder of the extra cells."
    setup.extra.set_path(tmp_path / "none")
    assert "there is no such folder" in setup.plan().obstacle()
    setup.extra.set_path(data)
    assert setup.plan().obstacle() == ""
    words = shlex.split(setup.command.toPlainText())
    assert words[words.index("--extra") + 1] == str(data)


def test_a_run_folder_of_ones_own_is_kept(make, tmp_path):
    setup = make().setup
    setup.out.set_path(tmp_path / "mine")
    setup.experiment.setCurrentText("set-2")
    assert setup.out.path == tmp_path / "mine"


def test_the_cost_is_told_before_the_start(make, qtbot, data):
    setup = make().setup
    setup.data.set_path(data)
    qtbot.waitUntil(lambda: "about 10 s" in setup.cost.text(), timeout=WAIT)
    assert "3 folds, 900 training images" in setup.cost.text()


def test_a_folder_can_be_picked(make, qtbot, data, monkeypatch):
    setup = make().setup
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(data))
    click(qtbot, setup.data.button)
    assert setup.data.path == data


# --- run


def test_start_draws_live_and_ends_with_the_figures(make, qtbot, data, fake_commands):
    fake_commands += ["--folds", "8"]
    widget = make()
    widget.setup.data.set_path(data)
    click(qtbot, widget.start_button)
    assert not widget.start_button.isEnabled()
    assert not widget.setup.isVisible(), "the results take the place"
    wait_word(qtbot, widget, "Running")
    qtbot.waitUntil(lambda: widget.curves._lines != {}, timeout=WAIT)
    wait_word(qtbot, widget, "Done")
    assert "8 of 8 folds are done" in widget.sentence.text()
    assert widget.progress.value() == 1000
    assert widget.accuracy.text() == "Mean class accuracy 79.1 %"
    assert "held-out cells of 8 specimens" in widget.measured.text()
    assert widget.legend.texts() == {"done": "8 done"}
    assert widget.confusion.text_at(0, 0)[0] != "\N{EN DASH}"
    assert not widget.stop_button.isEnabled()
    assert not widget.resume_button.isEnabled()
    assert widget.setup.out.path.name == "set-1-002", "ready for the next run"
    assert widget.start_button.isEnabled()


def test_stop_and_resume(make, qtbot, data, fake_commands):
    fake_commands += ["--epochs", "50"]
    widget = make()
    widget.setup.data.set_path(data)
    click(qtbot, widget.start_button)
    wait_word(qtbot, widget, "Running")
    click(qtbot, widget.stop_button)
    wait_word(qtbot, widget, "Stopped")
    qtbot.waitUntil(widget.resume_button.isEnabled, timeout=WAIT)
    assert not RunFolder(widget._controller.run).is_running()
    fake_commands[:] = ["--pause", "0"]
    click(qtbot, widget.resume_button)
    wait_word(qtbot, widget, "Done")


def test_a_refusal_is_shown_as_its_sentence(make, qtbot, data, fake_commands):
    fake_commands += ["--refuse"]
    widget = make()
    widget.setup.data.set_path(data)
    click(qtbot, widget.start_button)
    wait_word(qtbot, widget, "Failed")
    assert widget.sentence.text() == "data.csv: the file is empty; choose another."


def test_a_killed_trainer_is_told_and_can_be_resumed(make, qtbot, data, fake_commands):
    fake_commands += ["--epochs", "50"]
    widget = make()
    widget.setup.data.set_path(data)
    click(qtbot, widget.start_button)
    wait_word(qtbot, widget, "Running")
    widget._controller._shown.follower.handle.process.kill()
    wait_word(qtbot, widget, "Vanished")
    assert "killed or crashed" in widget.sentence.text()
    assert widget.resume_button.isEnabled()


# --- come back


def test_the_trainer_outlives_the_widget_and_is_offered_again(
    make, qtbot, data, fake_commands
):
    fake_commands += ["--folds", "12", "--epochs", "20"]
    first = make(registered=False)
    first.setup.data.set_path(data)
    click(qtbot, first.start_button)
    wait_word(qtbot, first, "Running")
    run = first._controller.run
    first.hide()
    first.deleteLater()
    qtbot.wait(50)
    assert RunFolder(run).is_running()
    second = make()
    (row,) = wait_rows(qtbot, second, 1)
    assert row.text(3).startswith("running, ")
    pick(qtbot, second, "set-1-001")
    wait_word(qtbot, second, "Running")
    assert second.tiles._folds[0].curve, "with the curve from before"
    click(qtbot, second.stop_button)
    wait_word(qtbot, second, "Stopped")


def fake_run(folder, *options):
    """Write a run that the fake trainer has finished."""
    folder.mkdir(parents=True)
    command = [sys.executable, str(FAKE), str(folder), "--pause", "0", *options]
    subprocess.run(command, check=True)
    (folder / "config.yaml").touch()
    return folder


def wait_rows(qtbot, widget, count):
    """Return the rows of the list of runs, once there are so many."""
    rows = widget.runs.list
    qtbot.waitUntil(lambda: rows.topLevelItemCount() == count, timeout=WAIT)
    return [rows.topLevelItem(k) for k in range(count)]


def pick(qtbot, widget, name, held=Qt.KeyboardModifier.NoModifier):
    """Click the row of a run."""
    rows = widget.runs.list
    (item,) = rows.findItems(name, Qt.MatchFlag.MatchExactly)
    place = rows.visualItemRect(item).center()
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, held, place)


def test_a_folder_of_runs_is_listed_and_a_run_is_shown(
    make, qtbot, tmp_path, monkeypatch
):
    widget = make()
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(empty))
    click(qtbot, widget.runs.folder_button)
    label = widget.runs.folder_label
    qtbot.waitUntil(lambda: label.text() == "No run yet in empty", timeout=WAIT)
    run = fake_run(tmp_path / "mine" / "run", "--fail-first")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(run))
    click(qtbot, widget.runs.folder_button)
    wait_rows(qtbot, widget, 1)
    pick(qtbot, widget, "run")
    wait_word(qtbot, widget, "Done")
    assert "1 fold failed" in widget.note.text()
    assert widget._settings.value(LAST_RUN) == str(run)
    assert not widget.runs.report.isEnabled(), "it has no results"


def test_another_run_is_looked_at_while_one_trains(
    make, qtbot, data, fake_commands, tmp_path
):
    fake_run(tmp_path / "runs" / "older")
    fake_commands += ["--folds", "12", "--epochs", "50"]
    widget = make()
    widget.setup.data.set_path(data)
    click(qtbot, widget.start_button)
    wait_word(qtbot, widget, "Running")
    wait_rows(qtbot, widget, 2)
    (marked,) = widget.runs.list.selectedItems()
    assert marked.text(0) == "set-1-001", "what is shown is what is marked"
    pick(qtbot, widget, "older")
    wait_word(qtbot, widget, "Done")
    assert not widget.stop_button.isEnabled()
    assert not widget.start_button.isEnabled()
    assert "set-1-001 is in training" in widget.start_button.toolTip()
    pick(qtbot, widget, "set-1-001")
    wait_word(qtbot, widget, "Running")
    click(qtbot, widget.stop_button)
    wait_word(qtbot, widget, "Stopped")


def test_a_hidden_widget_asks_for_no_cost(make, qtbot, data, monkeypatch):
    widget = make()
    monkeypatch.setattr(
        setup_panel.RunPlan,
        "forecast_command",
        lambda plan: [sys.executable, "-c", "import time; time.sleep(60)"],
    )
    widget.setup.data.set_path(data)
    qtbot.waitUntil(lambda: widget.setup._probe.asking, timeout=WAIT)
    process = psutil.Process(widget.setup._probe._process.pid)
    widget.hide()
    assert not process.is_running()


def test_in_napari_it_takes_the_theme_and_blocks_nothing(
    make_napari_viewer, qtbot, settings, tmp_path
):
    run = tmp_path / "run"
    run.mkdir()
    subprocess.run(
        [sys.executable, str(FAKE), str(run), "--pause", "0", "--folds", "8",
         "--epochs", "5"], check=True,
    )  # fmt: skip
    loaded = set(sys.modules)
    viewer = make_napari_viewer(show=True)
    widget = TrainerWidget(viewer, settings=settings)
    viewer.window.add_dock_widget(widget, name="LOSO trainer")
    dark = widget.tiles._palette
    viewer.theme = "light"
    qtbot.waitUntil(lambda: widget.tiles._palette != dark, timeout=WAIT)
    assert QColor(widget.tiles._palette.background).lightnessF() > 0.8
    widget.attach(run)
    wait_word(qtbot, widget, "Done")
    assert "torch" not in set(sys.modules) - loaded


def test_the_end_of_a_run_is_notified_also_where_the_dock_is_hidden(
    make, qtbot, data, fake_commands, monkeypatch
):
    said = []
    monkeypatch.setattr(
        "napari_hep2.trainer.widgets.widget.notify",
        lambda text, is_fault: said.append((text, is_fault)),
    )
    monkeypatch.setattr("napari_hep2.trainer.widgets.widget.HIDDEN_MS", 50)
    fake_commands += ["--folds", "8"]
    widget = make()
    widget.setup.data.set_path(data)
    click(qtbot, widget.start_button)
    wait_word(qtbot, widget, "Running")
    drawn = widget.tiles._folds
    widget.hide()
    qtbot.waitUntil(lambda: bool(said), timeout=WAIT)
    ((text, is_fault),) = said
    assert text.startswith("set-1-001: 8 of 8 folds are done")
    assert not is_fault
    assert widget.tiles._folds == drawn, "nothing is drawn that nobody sees"
    assert not widget._timer.isActive()


def test_a_hidden_dock_without_a_trainer_does_nothing(make):
    widget = make()
    widget.hide()
    assert not widget._timer.isActive()


def test_a_finished_run_that_is_looked_at_is_no_news(
    make, qtbot, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr(
        "napari_hep2.trainer.widgets.widget.notify", lambda *one, **_: said.append(one)
    )
    run = fake_run(tmp_path / "runs" / "older")
    widget = make()
    widget.attach(run)
    wait_word(qtbot, widget, "Done")
    assert said == []
