from dataclasses import replace

import numpy as np
import pytest

from training.config import TrainingSetSettings
from training.splits.protocols import grouped_k_fold, leave_one_specimen_out
from training.splits.samples import Samples
from training.splits.sampling import (
    PAPER_VIEWS,
    balanced_weights,
    choose_samples,
    composition,
    count_samples,
)


@pytest.fixture
def both(make_cells):
    """Twelve own specimens of 4 cells, twelve extra ones of the same patterns."""
    own = make_cells(cells=4)
    extra = np.repeat([False, True], 24)
    return replace(own, extra=extra)


def rows_of(cells, **settings) -> Samples:
    everything = np.arange(len(cells))
    return choose_samples(cells, everything, TrainingSetSettings(**settings), seed=3)


def test_set_1_is_each_cell_once(cells):
    samples = rows_of(cells)
    assert samples.rows.tolist() == list(range(48))
    assert not samples.views.any()


def test_set_2_is_each_cell_in_its_eight_views(cells):
    samples = rows_of(cells, views=8)
    pairs = set(zip(samples.rows.tolist(), samples.views.tolist(), strict=True))
    assert pairs == {(row, view) for row in range(48) for view in range(8)}
    assert len(samples) == 48 * 8


def test_extra_cells_are_taken_only_where_asked(both):
    assert set(rows_of(both).rows) == set(range(24))
    assert set(rows_of(both, use_extra=True).rows) == set(range(48))


def test_set_3_draws_the_same_number_of_each_specimen(both):
    samples = rows_of(both, use_extra=True, cells_per_specimen=3)
    names, counts = np.unique(both.specimens[samples.rows], return_counts=True)
    assert len(names) == 12
    assert set(counts) == {3}
    assert len(set(samples.rows.tolist())) == len(samples)


def test_a_specimen_gives_the_same_cells_in_every_fold(both):
    settings = TrainingSetSettings(cells_per_specimen=2)
    everything = np.arange(len(both))
    whole = choose_samples(both, everything, settings, seed=0).rows
    held_out = np.flatnonzero(both.specimens == both.specimens[0])
    rest = np.setdiff1d(everything, held_out)
    fold = choose_samples(both, rest, settings, seed=0).rows
    assert fold.tolist() == np.setdiff1d(whole, held_out).tolist()
    other = choose_samples(both, everything, settings, seed=1).rows
    assert other.tolist() != whole.tolist()


def test_a_specimen_with_fewer_cells_gives_all_of_them(cells):
    assert len(rows_of(cells, cells_per_specimen=99)) == len(cells)


def test_the_papers_factors_by_pattern(both):
    """Table 1: twice, nuclear membrane four times, Golgi eight; own cells once."""
    samples = rows_of(both, use_extra=True, extra_views="paper")
    found = composition(both, samples)
    factors = np.array([2, 2, 2, 2, 4, 8])
    assert list(PAPER_VIEWS.values()) == factors.tolist()
    assert found.extra_samples.tolist() == (found.extra_cells * factors).tolist()
    own = found.samples - found.extra_samples
    assert own.tolist() == (found.cells - found.extra_cells).tolist()
    for row in np.unique(samples.rows):
        views = samples.views[samples.rows == row]
        assert sorted(views) == list(range(len(views)))


def test_a_composition_counts_specimens_cells_and_samples(cells):
    found = composition(cells, rows_of(cells, views=8))
    assert found.patterns == cells.vocabulary.names
    assert found.specimens.tolist() == [2] * 6
    assert found.cells.tolist() == [8] * 6
    assert found.samples.tolist() == [64] * 6
    assert not found.extra_cells.any()


def test_a_draw_is_that_of_each_specimen_by_itself(both):
    """One generator a specimen, seeded by its place among the sorted ids."""
    train = np.random.default_rng(0).permutation(len(both))[:30]
    train.sort()
    expected = []
    for k, name in enumerate(np.unique(both.specimens)):
        its = train[both.specimens[train] == name]
        expected += np.random.default_rng([3, k]).permutation(its)[:2].tolist()
    settings = TrainingSetSettings(use_extra=True, cells_per_specimen=2)
    assert choose_samples(both, train, settings, 3).rows.tolist() == sorted(expected)


def test_a_fold_may_be_left_with_nothing(both):
    settings = TrainingSetSettings(cells_per_specimen=2)
    nothing = np.zeros(0, np.int64)
    assert len(choose_samples(both, nothing, settings, 3)) == 0


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"views": 8},
        {"cells_per_specimen": 3},
        {"use_extra": True, "extra_views": "paper"},
        {"use_extra": True, "extra_views": "paper", "cells_per_specimen": 2},
    ],
)
@pytest.mark.parametrize("protocol", [leave_one_specimen_out, grouped_k_fold])
def test_samples_are_counted_as_they_are_chosen(both, chosen, protocol):
    settings = TrainingSetSettings(**chosen)
    plan = protocol(both, 3) if protocol is grouped_k_fold else protocol(both)
    each = [len(choose_samples(both, f.train, settings, 3)) for f in plan.folds]
    held = (fold.held for fold in plan.folds)
    assert count_samples(both, held, settings, 3) == sum(each)


def drawn(cells, train=None, **settings):
    train = np.arange(len(cells)) if train is None else train
    return choose_samples(cells, train, TrainingSetSettings(**settings), seed=3).rows


def test_a_share_of_the_specimens_of_each_pattern(make_cells):
    cells = make_cells((8, 6, 3, 2, 1, 4), cells=3)
    rows = drawn(cells, specimen_share=0.5)
    kept = np.unique(cells.specimens[rows])
    count = [int(np.char.startswith(kept, str(k)).sum()) for k in range(6)]
    assert count == [4, 3, 2, 2, 1, 2], "two at least, where there are as many"
    assert len(rows) == 3 * len(kept), "with all their cells"


def test_a_larger_share_holds_the_smaller(make_cells):
    cells = make_cells((8, 8, 0, 0, 0, 0), cells=6)
    for setting in ("specimen_share", "cell_share"):
        small, large = (set(drawn(cells, **{setting: share})) for share in (0.3, 0.6))
        assert small < large


def test_what_is_held_out_does_not_change_the_order_of_specimens(make_cells):
    cells = make_cells((8, 8, 0, 0, 0, 0), cells=2)
    whole = set(cells.specimens[drawn(cells, specimen_share=0.5)])
    train = np.flatnonzero(cells.specimens != "00")
    fold = set(cells.specimens[drawn(cells, train, specimen_share=0.5)])
    assert len(whole - {"00"} - fold) == 0
    assert "00" not in fold


def test_a_share_of_the_cells_of_each_specimen(make_cells):
    cells = make_cells((2, 2, 0, 0, 0, 0), cells=6)
    rows = drawn(cells, cell_share=0.5)
    _, counts = np.unique(cells.specimens[rows], return_counts=True)
    assert counts.tolist() == [3, 3, 3, 3]
    few = drawn(cells, cell_share=0.01)
    assert len(few) == 4, "one at least"
    assert len(drawn(cells, cell_share=0.5, cells_per_specimen=2)) == 8


def test_samples_are_counted_where_specimens_are_drawn(make_cells):
    cells = make_cells((4, 4, 0, 0, 0, 0), cells=2)
    settings = TrainingSetSettings(specimen_share=0.5)
    held = [np.flatnonzero(cells.specimens == name) for name in ("00", "11")]
    everything = np.arange(len(cells))
    each = [
        len(choose_samples(cells, np.setdiff1d(everything, rows), settings, 3))
        for rows in held
    ]
    assert count_samples(cells, held, settings, 3) == sum(each)


def test_patterns_and_specimens_weigh_alike_whatever_their_cells(make_cells):
    """Pattern 0: a specimen of three cells and one of one; pattern 1: one of two."""
    cells = replace(
        make_cells(cells=1),
        patterns=np.array([0, 0, 0, 0, 1, 1]),
        specimens=np.array(["a", "a", "a", "b", "c", "c"]),
    )
    weights = balanced_weights(cells, np.arange(6))
    assert weights.tolist() == pytest.approx([1 / 12] * 3 + [1 / 4] * 3)


def test_balanced_samples_are_the_same_samples_with_weights(cells):
    samples = rows_of(cells, balance="specimens", views=8)
    assert len(samples) == 48 * 8
    assert samples.weights.sum() == pytest.approx(1)
    assert rows_of(cells).weights is None
