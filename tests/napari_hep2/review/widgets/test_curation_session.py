"""A session of a curator: 30 decisions by keys in napari's window, and a kill."""

import curate
from gallery import wait_until

from napari_hep2.review.widgets.widget import ReviewWidget

_DECISIONS = 30


def test_decisions_by_keys(make_napari_viewer, qtbot, many_cells):
    viewer = make_napari_viewer(show=True)
    widget = ReviewWidget(viewer)
    widget.state.reviewer = "bench"
    viewer.window.add_dock_widget(widget, name="Review cells", area="right")
    widget.session.start(widget.session.review.open_cell_folder(many_cells))
    wait_until(lambda: len(widget.tiles.cache) > 0 and not widget.state.busy)
    viewer.window._qt_window.activateWindow()
    widget.view.setFocus()
    qtbot.waitUntil(widget.view.hasFocus)
    done = list(curate.decide(widget, _DECISIONS))[-1]
    widget.session.review.decision_session.close()
    assert len(done.said) == _DECISIONS
    assert curate.stored(many_cells) == done.said
    assert f"{_DECISIONS} of" in widget.progress.bar.format()


def test_a_kill_loses_nothing_that_the_window_called_saved(qtbot, many_cells):
    """One window; `tests/trust` kills fifty, one after the other on one file."""
    killed = curate.killed_elsewhere(many_cells, 1)
    assert killed.windows == 1
    assert killed.said >= 5
    assert (killed.lost, killed.checks) == (0, [])
