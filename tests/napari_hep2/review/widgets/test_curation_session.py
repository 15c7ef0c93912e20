"""A session of a curator: 30 decisions by keys in napari's window, and a kill."""

import curate
import pytest
from gallery import make_cell_folder, wait_until

from napari_hep2.review.widgets.widget import ReviewWidget
from training.decisions.applied import STORE

_DECISIONS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_cell_folder(tmp_path_factory.mktemp("curation"), 200)


@pytest.fixture(autouse=True)
def empty_store(folder):
    (folder / STORE).unlink(missing_ok=True)


def test_decisions_by_keys(make_napari_viewer, qtbot, folder):
    viewer = make_napari_viewer(show=True)
    widget = ReviewWidget(viewer)
    widget.state.reviewer = "bench"
    viewer.window.add_dock_widget(widget, name="Review cells", area="right")
    widget.session.start(widget.session.review.open_cell_folder(folder))
    wait_until(lambda: len(widget.tiles.cache) > 0 and not widget.state.busy)
    viewer.window._qt_window.activateWindow()
    widget.view.setFocus()
    qtbot.waitUntil(widget.view.hasFocus)
    done = list(curate.decide(widget, _DECISIONS))[-1]
    widget.session.review.decision_session.close()
    assert len(done.said) == _DECISIONS
    assert curate.stored(folder) == done.said
    assert f"{_DECISIONS} of" in widget.progress.bar.format()


def test_a_kill_loses_nothing_that_the_window_called_saved(qtbot, folder):
    killed = curate.killed_elsewhere(folder, 2)
    assert killed.windows == 2
    assert killed.said >= 10
    assert (killed.lost, killed.checks) == (0, [])
