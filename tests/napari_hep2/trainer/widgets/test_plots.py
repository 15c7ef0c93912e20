"""The plots of a run: what is drawn, in pixels and in words."""

import dataclasses
import runpy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor

from napari_hep2.common.confusion import ConfusionView
from napari_hep2.common.palette import (
    BLUE,
    GREEN,
    SKY,
    Palette,
    blend,
    pattern_named,
)
from napari_hep2.trainer.widgets.curves import LearningCurves, mean_curve
from napari_hep2.trainer.widgets.fold_tiles import (
    FoldTiles,
    TileLegend,
    tile_side,
    tile_text,
)
from training.runs.replay import EpochPoint, FoldState, RunState, replay

FAKE = runpy.run_path(str(Path(__file__).parents[1] / "fake_trainer.py"))


def run_state(n_folds, epochs=4, share=1.0, fail_first=False):
    events = [*FAKE["events"](n_folds, epochs, fail_first)]
    times = {"time": "2026-01-01T00:00:00+00:00"}
    chosen = events[: round(len(events) * share)]
    return replay([{**times, **event} for event in chosen])


@pytest.fixture
def show(qtbot):
    def shown(widget, width=420, height=300):
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        qtbot.waitExposed(widget)
        return widget

    return shown


def pixel(widget, x, y):
    return widget.grab().toImage().pixelColor(int(x), int(y)).name()


def same(one, other, within=8):
    """Xvfb may have 16-bit colour."""
    return np.allclose(QColor(one).getRgb(), QColor(other).getRgb(), atol=within)


# --- palette


def test_colours_are_mixed_and_follow_the_theme():
    assert blend("#000000", "#ffffff", 0.5) == "#808080"
    assert blend("#102030", "#ffffff", 0) == "#102030"
    assert Palette.of("#262930", "#f0f1f2").accent == SKY
    assert Palette.of("#efebe9", "#3b3a39").accent == BLUE


def test_an_unknown_pattern_still_has_a_letter():
    assert pattern_named("NuMem").title == "Nuclear membrane"
    assert pattern_named("odd").letter == "O"


# --- curves


def test_the_mean_is_over_the_folds_that_reached_the_epoch():
    a = [EpochPoint(1, 2.0, 0.2), EpochPoint(2, 1.0, 0.4)]
    b = [EpochPoint(1, 4.0, 0.4)]
    epochs, loss, accuracy = mean_curve([a, b, []])
    assert epochs.tolist() == [1, 2]
    assert loss.tolist() == [3.0, 1.0]
    np.testing.assert_allclose(accuracy, [0.3, 0.4])
    assert [len(part) for part in mean_curve([])] == [0, 0, 0]


def test_curves_draw_a_line_a_fold_and_gather_updates(show, qtbot):
    curves = show(LearningCurves())
    drawn = []
    draw = curves.draw_now
    curves._timer.timeout.disconnect()
    curves._timer.timeout.connect(lambda: (drawn.append(1), draw()))
    for share in (0.2, 0.5, 0.8, 1.0):
        curves.show_state(run_state(5, share=share))
    assert drawn == []
    qtbot.waitUntil(lambda: drawn == [1], timeout=2000)
    assert len(curves._lines) == 5
    x, y = curves._lines["specimen-001"][0].getData()
    assert x.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(y, [1.82, 0.92, 0.62, 0.47])
    _, accuracy = curves._means[1].getData()
    np.testing.assert_allclose(accuracy[0], 100 * (0.2 - 0.02))


def test_one_epoch_is_a_point_that_can_be_seen(show):
    curves = show(LearningCurves())
    one = FoldState("a", curve=(EpochPoint(1, 2.0, 0.2),))
    curves.show_state(RunState(folds={"a": one}, epochs=1))
    curves.draw_now()
    assert curves._lines["a"][0].opts["symbol"] == "o"
    two = replace(one, curve=(*one.curve, EpochPoint(2, 1.0, 0.4)))
    curves.show_state(RunState(folds={"a": two}, epochs=2))
    curves.draw_now()
    assert curves._lines["a"][0].opts["symbol"] is None


def test_another_run_takes_the_old_lines_away(show):
    curves = show(LearningCurves())
    curves.show_state(run_state(5))
    curves.draw_now()
    curves.show_state(replace(run_state(5), folds={"x": FoldState("x")}))
    curves.draw_now()
    assert curves._lines == {}
    assert curves._plots[0].listDataItems() == [curves._means[0]]
    assert curves._means[0].getData() == (None, None)


def test_a_picked_fold_stands_out(show):
    curves = show(LearningCurves())
    curves.show_state(run_state(5))
    curves.draw_now()
    curves.pick("specimen-002")
    widths = {n: lines[0].opts["pen"].widthF() for n, lines in curves._lines.items()}
    assert [name for name, width in widths.items() if width > 1] == ["specimen-002"]


def test_only_changed_folds_are_drawn_again(show, monkeypatch):
    curves = show(LearningCurves())
    curves.show_state(run_state(12, epochs=5))
    curves.draw_now()
    drawn = []
    monkeypatch.setattr(curves, "_draw_fold", lambda fold: drawn.append(fold) or False)
    curves.draw_now()
    assert drawn == []
    name, fold = next(iter(curves._state.folds.items()))
    changed = {**curves._state.folds, name: dataclasses.replace(fold, n=99)}
    curves._state = dataclasses.replace(curves._state, folds=changed)
    curves.draw_now()
    assert [one.n for one in drawn] == [99]


# --- tiles


@pytest.mark.parametrize("n", [5, 83, 252])
def test_every_fold_has_a_tile_inside_the_widget(show, n):
    tiles = show(FoldTiles(), width=400)
    tiles.show_state(run_state(n, epochs=1))
    last = tiles.tile_rect(n - 1)
    assert last.right() <= tiles.width()
    assert last.bottom() <= tiles.height()
    for index in (0, n // 2, n - 1):
        centre = tiles.tile_rect(index).center()
        assert tiles.fold_at(centre).name == f"specimen-{index:03d}"
    rects = [tiles.tile_rect(i) for i in range(n)]
    assert not any(a.intersects(b) for a, b in pairwise(rects))


def test_tiles_flow_when_the_width_changes(show):
    tiles = show(FoldTiles(), width=400)
    tiles.show_state(run_state(83, epochs=1))
    high = tiles.height()
    tiles.resize(800, high)
    assert tiles.height() < high
    assert tile_side(252) < tile_side(5)


def test_the_fill_is_the_held_out_accuracy(show):
    tiles = show(FoldTiles())
    fold = FoldState("a", status="done", n=10, correct=4)
    tiles.show_state(RunState(folds={"a": fold}))
    rect = tiles.tile_rect(0)
    background = Palette().background
    full, empty = blend(background, GREEN, 0.75), blend(background, GREEN, 0.2)
    x = rect.left() + 3
    assert same(pixel(tiles, x, rect.top() + 0.55 * rect.height()), empty)
    assert same(pixel(tiles, x, rect.top() + 0.65 * rect.height()), full)


def test_a_click_picks_a_fold_and_a_second_one_lets_it_go(show, qtbot):
    tiles = show(FoldTiles())
    tiles.show_state(run_state(5))
    picked = []
    tiles.picked.connect(picked.append)
    centre = tiles.tile_rect(3).center()
    at = QPoint(int(centre.x()), int(centre.y()))
    for _ in range(2):
        qtbot.mouseClick(tiles, Qt.MouseButton.LeftButton, pos=at)
    assert picked == ["specimen-003", ""]


def test_the_tooltip_of_a_fold_in_training_says_how_far_it_is():
    point = EpochPoint(3, 1.0, 0.5)
    fold = FoldState("a", status="running", curve=(point,), begun=0.41)
    assert "epochs: 3.4 of 50" in tile_text(fold, 50)
    assert "epochs: 3 of 50" in tile_text(replace(fold, begun=0.0), 50)
    assert "epochs" not in tile_text(replace(fold, status="done"), 50)


def test_the_tooltip_says_specimen_pattern_and_n_and_runs_no_html():
    fold = FoldState(
        "a<b>", specimens=("a<b>",), patterns=("Golgi",), n_train=13_000, n_test=41,
        status="done", n=41, correct=30,
    )  # fmt: skip
    text = tile_text(fold, 50)
    assert "a&lt;b&gt;" in text
    assert "<b>a<b>" not in text
    assert "Golgi" in text
    assert "13,000 for training, 41 held out" in text
    assert "30 of 41 (73.2 %)" in text
    many = replace(fold, specimens=tuple(map(str, range(9))))
    assert "0, 1, 2, 3, 4, 5 and 3 more" in tile_text(many, 50)


def test_the_legend_counts_and_leaves_out_what_is_not_there(show):
    legend = show(TileLegend())
    legend.show_state(run_state(5, share=0.5))
    assert legend.texts() == {
        "done": "2 done", "running": "1 running", "waiting": "2 waiting",
    }  # fmt: skip


# --- confusion


def test_the_matrix_shows_per_cent_of_the_row_and_counts(show):
    view = show(ConfusionView())
    state = run_state(12)
    view.show_state(state)
    row = state.metrics.confusion[1]
    assert view.text_at(1, 1) == (f"{100 * row[1] / sum(row):.0f}", str(row[1]))
    assert view.row_texts(1) == ("S  Speckled", f"2 specimens, {sum(row)} cells")
    assert view.row_texts(4)[0] == "M  Nuclear membrane"


def test_a_row_without_cells_has_no_per_cent(show):
    view = show(ConfusionView())
    view.show_state(run_state(5, share=0.3))
    assert view.text_at(5, 5) == ("\N{EN DASH}", "")
    assert view.row_texts(0)[1].startswith("1 specimen, ")
    assert view.row_texts(5)[1] == "0 specimens, 0 cells"


def test_the_diagonal_of_a_good_run_is_dark_and_the_rest_is_not(show):
    view = show(ConfusionView(), height=400)
    state = run_state(6)
    view.show_state(state)
    for column in (0, 3):
        cell = view.cell_rect(0, column)
        row = state.metrics.confusion[0]
        expected = blend(Palette().background, BLUE, row[column] / sum(row))
        assert same(pixel(view, cell.left() + 4, cell.top() + 4), expected)


def test_the_matrix_fits_its_smallest_size(show):
    view = ConfusionView()
    view.show_state(run_state(6))
    small = view.minimumSizeHint()
    show(view, small.width(), small.height())
    last = view.cell_rect(5, 5)
    assert last.right() <= view.width()
    assert last.bottom() <= view.height()
    assert last.width() >= 30
