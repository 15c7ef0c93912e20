"""The list of runs, driven by clicks in a real window, on real finished runs."""

import sys

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QSettings, Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from napari_hep2.trainer import process as trainer_process
from napari_hep2.trainer.widgets.widget import LAST_RUN, TrainerWidget
from napari_hep2.trainer.words import pair_sentence

WAIT = 60_000


@pytest.fixture
def opened(monkeypatch):
    """What the system was asked to show."""
    found = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: found.append(url.toLocalFile()) or True
    )
    return found


@pytest.fixture
def panel(qtbot, study, tmp_path):
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    settings.setValue(LAST_RUN, str(study[1] / "none"))
    widget = TrainerWidget(ViewerModel(), settings=settings)
    qtbot.addWidget(widget)
    widget.resize(460, 900)
    widget.setup_fold.unfold(False)
    with qtbot.waitExposed(widget):
        widget.show()
    rows = widget.runs.list
    qtbot.waitUntil(lambda: rows.topLevelItemCount() == 3, timeout=WAIT)
    yield widget.runs  # noqa: PT022 - the widget lives as long


def click(qtbot, panel, row, held=Qt.KeyboardModifier.NoModifier):
    place = panel.list.visualItemRect(panel.list.topLevelItem(row)).center()
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, held, place)


def test_a_row_says_when_what_and_how_accurate(panel):
    item, run = panel.list.topLevelItem(0), panel.state.runs[0]
    assert item.text(0) == run.path.name
    local = run.started.astimezone()
    assert item.text(1) == f"{local.day} {local:%b}"
    assert item.text(2) == "set-1"
    assert item.text(3).startswith(f"{100 * run.mean_class_accuracy:.1f} (")


def test_two_rows_are_compared_by_two_clicks(qtbot, panel):
    click(qtbot, panel, 0)
    assert not panel.bars.isVisible()
    click(qtbot, panel, 2, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(panel.bars.isVisible, timeout=WAIT)
    pair = panel.state.pair
    assert panel.difference.text() == pair_sentence(pair)
    assert f"p {pair.difference.p_value:.3f}" in panel.difference.text()
    titles = [title for title, _ in panel.bars.texts()]
    assert titles[0] == "H  Homogeneous"
    rates = [100 * one.rates[0] for one in pair.metrics]
    assert panel.bars.texts()[0][1] == f"{rates[0]:.0f} \u2192 {rates[1]:.0f}"
    assert panel.report.isEnabled()
    assert not panel.fit_button.isEnabled(), "which of the two?"
    click(qtbot, panel, 1)
    assert not panel.bars.isVisible()


def test_the_report_and_the_folder_of_a_run_are_shown(qtbot, panel, opened):
    click(qtbot, panel, 1)
    run = panel.state.runs[1].path
    qtbot.mouseClick(panel.folder, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.report, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(opened) == 2, timeout=WAIT)
    assert opened == [str(run), str(run / "report.html")]


def test_a_model_is_fitted_from_a_run(qtbot, panel, tmp_path, monkeypatch):
    """By a stand-in: `test_model_fit` has the command fit a real one."""
    click(qtbot, panel, 0)
    model, asked = tmp_path / "mine.safetensors", []
    monkeypatch.setattr(
        trainer_process,
        "fit_command",
        lambda *words: asked.append(words) or [sys.executable, "-c", "0"],
    )
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), "")
    )
    qtbot.mouseClick(panel.fit_button, Qt.MouseButton.LeftButton)
    assert panel.fit_button.text() == "Stop fitting"
    news = panel._session
    qtbot.waitUntil(lambda: bool(news.message or news.fault), timeout=WAIT)
    assert news.message == f"{model} written; choose it in Classify."
    assert asked == [(panel.state.runs[0].path, model)]


def test_without_a_choice_nothing_is_offered(panel):
    for button in (panel.report, panel.fit_button, panel.folder):
        assert not button.isEnabled()
