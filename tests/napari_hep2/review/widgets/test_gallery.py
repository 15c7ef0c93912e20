import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QModelIndex, Qt

from napari_hep2.review.state import ReviewState
from napari_hep2.review.widgets.crop_tiles import (
    HEADING,
    ROW_ROLE,
    PixmapCache,
    TileDelegate,
    crop_pixmap,
)
from napari_hep2.review.widgets.gallery import GalleryView
from napari_hep2.review.widgets.gallery_model import GalleryModel
from napari_hep2.state import SessionState
from training.curation.crop_measures import stretched
from training.curation.ordering import Heading
from training.curation.review_set import ReviewSet
from training.data.cells.files import CELL_COLUMNS
from training.patterns import I3A


def many_cells(n):
    table = pd.DataFrame({name: [""] * n for name in CELL_COLUMNS})
    table["id"] = [f"f_{k:04d}" for k in range(n)]
    table["label"] = np.arange(n)
    crops = np.random.default_rng(0).integers(0, 50, (1, 77, 77)).astype(np.uint8)
    crops = np.broadcast_to(crops, (n, 77, 77))
    return ReviewSet(crops, table, I3A, "many")


@pytest.fixture
def state():
    state = SessionState()
    state.review = many_cells(10)
    return state


@pytest.fixture
def own():
    return ReviewState(shown=np.array([0, 2, 4, 6, 8]))


@pytest.fixture
def model(state, own):
    model = GalleryModel(state, own)
    model.refresh()
    return model


@pytest.fixture
def view(qtbot, state, own, model):
    view = GalleryView(model, TileDelegate(state, own, lambda _: ()))
    qtbot.addWidget(view)
    view.resize(320, 300)
    view.show()
    qtbot.waitExposed(view)
    return view


def test_rows_are_folded_into_columns(model):
    model.set_columns(2)
    assert (model.rowCount(), model.columnCount()) == (3, 2)
    assert model.row_at(model.index(1, 1)) == 6
    assert model.row_at(model.index(2, 1)) is None
    assert model.row_at(QModelIndex()) is None
    assert model.index_of(8) == model.index(2, 0)
    assert not model.index_of(3).isValid()


def test_a_place_without_a_cell_cannot_be_chosen(model):
    model.set_columns(2)
    assert model.flags(model.index(2, 1)) == Qt.ItemFlag.NoItemFlags
    assert model.flags(model.index(2, 0)) & Qt.ItemFlag.ItemIsSelectable
    assert model.data(model.index(2, 1), ROW_ROLE) is None


def test_equal_rows_are_drawn_again_without_a_reset(qtbot, own, model):
    own.shown = own.shown.copy()
    with qtbot.assertNotEmitted(model.modelReset), qtbot.waitSignal(model.dataChanged):
        model.refresh()
    own.shown = own.shown[1:]
    with qtbot.waitSignal(model.modelReset):
        model.refresh()


def test_a_click_gives_the_row(qtbot, view, model):
    with qtbot.waitSignal(view.chosen) as told:
        place = view.visualRect(model.index_of(4)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert told.args == [4, [4]]


def test_several_are_chosen_with_control(qtbot, view, model):
    for row in (2, 6):
        qtbot.mouseClick(
            view.viewport(),
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.ControlModifier,
            view.visualRect(model.index_of(row)).center(),
        )
    assert view.chosen_rows() == [2, 6]


def test_showing_the_state_tells_nothing_back(qtbot, view, model):
    with qtbot.assertNotEmitted(view.chosen):
        view.show_current(6, (6,))
    assert view.currentIndex() == model.index_of(6)
    assert view.chosen_rows() == [6]


@pytest.mark.parametrize(
    ("key", "step"),
    [
        (Qt.Key.Key_Left, -1),
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_Up, -3),
        (Qt.Key.Key_Down, 3),
    ],
)
def test_arrows_move_in_reading_order(qtbot, view, model, key, step):
    assert model.columns == 3
    with qtbot.waitSignal(view.stepped) as told:
        qtbot.keyClick(view, key)
    assert told.args == [step]


def test_tiles_fill_the_width(qtbot, view, model):
    view.resize(620, 300)
    assert model.columns == 7, "nearer to the width wanted than 6"
    assert 0 <= view.viewport().width() - 7 * view.columnWidth(0) < 7
    view.set_side(150)
    assert model.columns == 4


def test_headings_span_the_width_and_stay_low(qtbot, own, model, view):
    own.group = "pattern"
    own.headings = (Heading(0, 0, 2, 0), Heading(1, 2, 3, 1))
    model.refresh()
    for height in (300, 420):
        view.resize(320, height)
        assert [view.rowHeight(line) for line in (0, 1, 2, 3)] == [
            HEADING,
            view.rowHeight(1),
            HEADING,
            view.rowHeight(1),
        ]
        assert view.columnSpan(2, 0) == 3
    assert view.rowHeight(1) > HEADING
    assert model.index_of(4) == model.index(3, 0)
    view.show_current(4, (4,))
    with qtbot.waitSignal(view.stepped) as told:
        qtbot.keyClick(view, Qt.Key.Key_Up)
    assert told.args == [-2]


def test_thousands_of_cells_are_shown_at_once(qtbot, own, state, model, view):
    state.review = many_cells(50_000)
    own.shown = np.arange(50_000)
    model.refresh()
    view.show_current(49_999, (49_999,))
    assert view.currentIndex() == model.index_of(49_999)
    view.grab()
    assert 0 < len(view.itemDelegate().cache) < 200


def test_a_crop_is_stretched_for_the_eye():
    crop = np.linspace(10, 20, 100).reshape(10, 10).astype(np.uint8)
    grey = stretched(crop)
    assert (grey.min(), grey.max()) == (0, 255)
    assert set(stretched(np.full((4, 4), 9, np.uint16)).ravel()) == {0}


def test_a_picture_has_the_size_asked_for(qtbot):
    pixmap = crop_pixmap(np.zeros((77, 77), np.uint16), 50)
    assert (pixmap.width(), pixmap.height()) == (50, 50)


def test_the_cache_forgets_what_was_unused_for_longest(qtbot):
    cache, made = PixmapCache(2 * 4 * 9 * 9), []

    def make(row):
        made.append(row)
        return crop_pixmap(np.zeros((9, 9), np.uint8), 9)

    for row in (1, 2, 1, 3, 1, 2):
        cache.get(row, 9, lambda row=row: make(row))
    assert made == [1, 2, 3, 2]
    assert len(cache) == 2


def test_the_cache_holds_fewer_pictures_the_larger_they_are(qtbot):
    cache = PixmapCache(4 * 40 * 40)
    for side, kept in ((10, 16), (20, 4), (50, 1)):
        picture = crop_pixmap(np.zeros((9, 9), np.uint8), side)
        for row in range(30):
            cache.get(row, side, lambda picture=picture: picture)
        assert len(cache) == kept
