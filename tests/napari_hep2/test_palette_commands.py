"""The commands of napari's palette, as napari runs them."""

import pytest
from napari._app_model import get_app_model
from npe2 import PluginManager
from qtpy.QtWidgets import QFileDialog

from napari_hep2.common.docks import opened_widget
from napari_hep2.session import session_of

WAIT = 30_000


@pytest.fixture
def run(make_napari_viewer):
    """Run a command in a real window; gives the viewer."""
    PluginManager.instance().discover()
    viewer = make_napari_viewer(show=True)

    def execute(name):
        get_app_model().commands.execute_command(f"napari-hep2.{name}")
        return viewer

    execute.viewer = viewer
    return execute


@pytest.fixture
def opened(run, qtbot, specimens, monkeypatch, model_file):
    """The first frame of three specimens, opened by the command."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(specimens))
    # From the menu the dock has another name than from a command.
    get_app_model().commands.execute_command("napari-hep2.specimen")
    session = session_of(run("open_folder"))
    qtbot.waitUntil(lambda: session.state.cells is not None, timeout=WAIT)
    session.classify.choose_model(model_file)
    session.classify.choose_device("cpu")
    yield session
    session.runner.cancel()
    session.review.decision_session.close()


@pytest.mark.window
def test_the_commands_are_in_the_palette_and_say_what_they_need(run):
    from napari._qt.widgets.qt_command_palette import QCommandPalette

    palette = QCommandPalette(run.viewer.window._qt_window)
    titles = [command.title for command in palette._list.all_commands]
    for title in ("Classify the cells", "Next doubtful cell", "Score all cells"):
        assert any(one.startswith(title) and "HEp-2" in one for one in titles), title
    state = session_of(run("classify_cells")).state
    assert state.fault == "Open a specimen first: there are no cells to classify."


@pytest.mark.window
def test_they_open_their_dock_and_act(qtbot, run, opened):
    state = opened.state
    run("classify_cells")
    qtbot.waitUntil(lambda: state.prediction is not None, timeout=WAIT)
    classify = opened_widget(run.viewer, "Classify")
    assert classify.isVisible()
    run("next_doubtful")
    doubtful = state.current
    assert doubtful is not None
    run("next_undecided")
    review = opened_widget(run.viewer, "Review cells")
    assert review.isVisible()
    assert state.current != doubtful
    docks = [name.partition(" (")[0] for name in run.viewer.window.dock_widgets]
    assert sorted(docks) == ["Classify", "Review cells", "Specimen"], "none twice"
    run("large_gallery")
    qtbot.waitUntil(lambda: review.width() > run.viewer.window._qt_window.width() / 2)
    run("large_gallery")
    run("score_all")
    qtbot.waitUntil(lambda: opened.review.state.scores is not None, timeout=WAIT)
    run("show_proposed")
    qtbot.waitUntil(lambda: opened.review.state.filter == "proposed", timeout=WAIT)
    run("compare_runs")
    trainer = opened_widget(run.viewer, "LOSO trainer")
    assert trainer.runs.list.isVisible()
    assert not trainer.setup.isVisible()
