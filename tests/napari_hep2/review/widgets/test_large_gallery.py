"""The gallery in the middle of the window, and its controls beside it."""

import numpy as np
import pytest
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QImage, QPainter

from napari_hep2.common.docks import dock_of
from napari_hep2.jobs import run_here
from napari_hep2.review.widgets.widget import ReviewWidget


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


@pytest.mark.window
def test_a_key_gives_the_gallery_the_middle_and_takes_it_back(qtbot, viewer, widget):
    window = viewer.window._qt_window
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: window.width() == 1280)
    others = [
        viewer.window._qt_viewer.dockLayerList,
        viewer.window._qt_viewer.dockLayerControls,
    ]
    before = dock_of(widget).width()
    qtbot.keyClick(widget.view, Qt.Key.Key_G)
    qtbot.waitUntil(lambda: widget.width() > 900)
    assert not any(one.isVisible() for one in others)
    assert widget.view.width() > 500
    assert widget.decide.mapTo(widget, widget.decide.pos()).x() > widget.view.width()
    qtbot.keyClick(widget.view, Qt.Key.Key_G)
    qtbot.waitUntil(lambda: abs(dock_of(widget).width() - before) < 20)
    assert all(one.isVisible() for one in others)


@pytest.mark.parametrize(("width", "is_beside"), [(699, False), (700, True)])
def test_controls_stand_beside_the_gallery_where_there_is_room(
    qtbot, widget, width, is_beside
):
    widget.resize(width, 800)
    view, controls = widget.view, widget.choosers

    def beside():
        left = controls.mapTo(widget, controls.rect().topLeft()).x()
        return left > view.mapTo(widget, view.rect().topRight()).x()

    qtbot.waitUntil(lambda: widget.width() == width and beside() == is_beside)


def painted(widget, row):
    """Return the lower edge of a tile and its caption, each (16, 160, 3)."""
    side, review = 160, widget.state.review
    image = QImage(side, side + 16, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    widget.tiles._draw_leading(painter, QRect(0, 0, side, side), row)
    widget.tiles._draw_caption(painter, QRect(0, side, side, 16), review, row)
    painter.end()
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    pixels = np.frombuffer(bits, np.uint8).reshape(side + 16, side, 4)[..., 2::-1]
    return pixels[side - 16 : side], pixels[side:]


def has(pixels, colour):
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return bool((np.abs(pixels.astype(int) - wanted).max(axis=-1) < 8).any())


def test_a_tile_carries_its_label_and_the_two_leading_patterns(widget):
    vocabulary = widget.state.review.vocabulary
    edge, caption = painted(widget, 2)
    assert has(caption, vocabulary[0].colour), "it is labelled Homogeneous"
    assert not edge.any()
    widget._leading = np.tile([5, 3], (7, 1))
    widget._scores = np.full((7, 6), 0.5, np.float32)
    edge, _ = painted(widget, 2)
    assert has(edge[:, :80], vocabulary[5].colour)
    assert has(edge[:, 80:], vocabulary[3].colour)
    widget.state.blind = True
    assert not has(painted(widget, 2)[1], vocabulary[0].colour)


def test_doubt_without_scores_offers_to_score_all_cells(qtbot, widget, model_file):
    session = widget.session
    assert not widget.choosers.score.isVisible()
    session.start(session.review.order.set_sort("uncertainty"))
    assert widget.choosers.score.isVisible()
    session.classify.choose_model(model_file)
    session.classify.choose_device("cpu")
    qtbot.mouseClick(widget.choosers.score, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.review.state.sort == "uncertainty", timeout=30_000)
    assert not widget.choosers.score.isVisible()
    assert len(widget._predicted(1)) == 2


def test_the_filter_of_proposals_measures_first(qtbot, widget):
    box = widget.choosers.filter
    index = box.findData("proposed")
    assert box.itemText(index) == "Proposed"
    box.setCurrentIndex(index)
    box.activated.emit(index)
    state = widget.session.review.state
    qtbot.waitUntil(lambda: state.filter == "proposed", timeout=30_000)
    assert widget.session.quality.is_measured
    assert state.group == "reason"
