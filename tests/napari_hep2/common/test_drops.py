"""Files and folders that are dropped on a widget."""

import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent

from napari_hep2.classify.widgets.widget import ClassifyWidget
from napari_hep2.jobs import run_here
from napari_hep2.review.widgets.widget import ReviewWidget
from napari_hep2.specimen.widgets.widget import SpecimenWidget


def drop(widget, path):
    """Drop a path as a file manager does; return whether it was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    entered = QDragEnterEvent(widget.rect().center(), copy, data, *keys)
    widget.dragEnterEvent(entered)
    dropped = QDropEvent(QPointF(widget.rect().center()), copy, data, *keys)
    widget.dropEvent(dropped)
    return entered.isAccepted() and dropped.isAccepted()


@pytest.mark.parametrize("kind", [SpecimenWidget, ClassifyWidget])
def test_a_folder_or_a_frame_opens(qtbot, viewer, dock, specimens, kind):
    widget = kind(viewer)
    dock(widget, "widget")
    state = widget.state
    assert drop(widget, specimens)
    qtbot.waitUntil(lambda: state.specimen == "1", timeout=30_000)
    assert drop(widget, specimens / "train" / "00003_p1.tif")
    qtbot.waitUntil(lambda: state.specimen == "3", timeout=30_000)
    assert state.cells.frame.name == "00003_p1"
    qtbot.waitUntil(lambda: not widget.session.runner.is_running)


def test_a_cell_folder_opens_for_review(qtbot, viewer, dock, specimens, tmp_path):
    widget = ReviewWidget(viewer)
    dock(widget, "Review cells")
    run_here(widget.session.specimen.open_folder(specimens))
    run_here(widget.session.specimen.write_cells(tmp_path / "cells"))
    assert drop(widget, tmp_path / "cells")
    qtbot.waitUntil(lambda: widget.state.review.is_folder, timeout=30_000)
    widget.session.review.decision_session.close()
