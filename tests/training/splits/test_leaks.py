"""The proof against its definition: sets of specimens and of the eight views."""

from dataclasses import replace
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config import ProtocolSettings
from training.data.cells.cell_set import CellSet
from training.errors import LeakError, SpecimensError
from training.patterns import I3A
from training.splits.duplicates import CellCodes
from training.splits.leaks import Fold, LeakProof, count_shared, prove_no_leak
from training.splits.protocols import make_folds


@st.composite
def cell_sets(draw):
    """Small sets with copies of images, turned, and cells without a specimen."""
    n = draw(st.integers(4, 30))
    ids = ["", *"abcdefg"] if draw(st.booleans()) else [*"abcdefg"]
    specimens = draw(st.lists(st.sampled_from(ids), min_size=n, max_size=n))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    pool = rng.integers(0, 256, (draw(st.integers(1, 80)), 3, 3), np.uint8)
    images = [
        np.rot90(image.T if rng.random() < 0.5 else image, rng.integers(4))
        for image in pool[rng.integers(len(pool), size=n)]
    ]
    names = np.array([str(k) for k in range(n)])
    patterns = np.array([ord(s or "a") % 3 for s in specimens])
    extra = np.isin(specimens, list(draw(st.sets(st.sampled_from(ids), max_size=2))))
    return CellSet(
        np.array(images), patterns, np.array(specimens), names, I3A, extra=extra
    )


def by_definition(cells, train, test) -> LeakProof:
    def views(rows):
        return {
            min(np.rot90(v, k).tobytes() for v in (i, i.T) for k in range(4))
            for i in cells.images[rows]
        }

    shared = set(cells.specimens[train]) & set(cells.specimens[test])
    images = views(train) & views(test)
    return LeakProof(len(train), len(test), len(shared - {""}), len(images))


@settings(max_examples=300, deadline=None)
@given(cell_sets(), st.data())
def test_any_rows_are_counted_as_sets_count_them(cells, data):
    """Whoever made the fold: tested rows may be held out, or trained on, or both."""
    rows = st.integers(0, len(cells) - 1)
    test = np.array(sorted(data.draw(st.sets(rows, min_size=1))))
    held = np.array(sorted(data.draw(st.sets(rows))), np.int64)
    fold = Fold("any", test, held, len(cells))
    expected = by_definition(cells, np.setdiff1d(np.arange(len(cells)), held), test)
    assert count_shared(cells, fold) == expected
    assert count_shared(cells, fold, CellCodes.of(cells)) == expected


@settings(max_examples=200, deadline=None)
@given(cell_sets(), st.sampled_from(["loso", "group-k", "k-fold"]))
def test_folds_of_all_protocols_are_counted_as_sets_count_them(cells, protocol):
    try:
        plan = make_folds(cells, ProtocolSettings(protocol=protocol, folds=2))
    except SpecimensError:
        return
    codes = CellCodes.of(cells)
    for fold in plan.folds:
        proof = count_shared(cells, fold, codes)
        assert proof == by_definition(cells, fold.train, fold.test)
        honest = not (proof.shared_specimens or proof.shared_images)
        assert honest or plan.leaky
        assert not cells.extra[fold.test].any()


@settings(max_examples=100, deadline=None)
@given(cell_sets(), st.sampled_from(["loso", "group-k"]), st.data())
def test_a_held_cell_that_is_put_back_into_training_is_found(cells, protocol, data):
    try:
        plan = make_folds(cells, ProtocolSettings(protocol=protocol, folds=2))
    except SpecimensError:
        return
    fold = data.draw(st.sampled_from(plan.folds))
    row = data.draw(st.sampled_from(fold.test.tolist()))
    planted = replace(fold, held=np.setdiff1d(fold.held, [row]))
    with pytest.raises(LeakError, match=f"fold {planted.name.replace('+', '.')}: "):
        prove_no_leak(cells, planted)


def test_a_specimen_on_both_sides_is_refused(make_cells):
    cells = make_cells()
    rows = np.arange(len(cells))
    with pytest.raises(LeakError, match="1 specimens and 0 images"):
        prove_no_leak(cells, Fold("bad", rows[:2], rows[:2], len(cells)))


@pytest.mark.parametrize("turned", [np.flipud, np.fliplr, np.rot90, np.transpose])
def test_a_turned_copy_on_both_sides_is_refused(make_cells, turned):
    cells = make_cells()
    rows, images = np.arange(len(cells)), cells.images.copy()
    images[10] = turned(images[0])
    copied = replace(cells, images=images)
    fold = Fold("bad", rows[:4], rows[:4], len(cells))
    assert not prove_no_leak(cells, fold).shared_images
    with pytest.raises(LeakError, match="0 specimens and 1 images"):
        prove_no_leak(copied, fold)


def test_an_extra_copy_that_is_trained_on_is_refused(make_cells):
    cells = make_cells()
    images, extra = cells.images.copy(), np.zeros(len(cells), bool)
    images[10], extra[8:12] = images[0], True
    rows = np.arange(len(cells))
    both = replace(cells, images=images, extra=extra)
    with pytest.raises(LeakError, match="0 specimens and 1 images"):
        prove_no_leak(both, Fold("bad", rows[:4], rows[:4], len(cells)))
    held = np.r_[rows[:4], rows[8:12]]
    assert prove_no_leak(both, Fold("good", rows[:4], held, len(cells))).n_test == 4


def test_a_fold_of_another_cell_set_is_refused(make_cells):
    cells = make_cells()
    rows = np.arange(4)
    with pytest.raises(ValueError, match="is of a set of 47 cells"):
        count_shared(cells, Fold("other", rows, rows, 47))


@given(st.integers(1, 60), st.data())
def test_what_is_trained_on_is_all_the_rest(n, data):
    held = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1)))), np.int64)
    fold = Fold("any", held, held, n)
    assert fold.train.tolist() == np.setdiff1d(np.arange(n), held).tolist()
    assert fold.train.dtype == np.int64
    assert fold.n_train == len(fold.train)


@pytest.mark.parametrize("held", [[3, 2], [2, 2], [-1, 2], [2, 10]])
def test_held_rows_that_do_not_ascend_in_the_set_are_refused(held):
    with pytest.raises(ValueError, match="held rows must ascend"):
        Fold("bad", np.arange(2), np.array(held), 10)


def test_a_fold_travels_as_what_it_holds_out(make_cells):
    """The rows of a fold are a part of one array of all; only the part is sent."""
    plan = make_folds(make_cells((40,) * 6, side=8), ProtocolSettings())
    assert len(plan.folds) == 240
    assert max(len(ForkingPickler.dumps(fold)) for fold in plan.folds) < 600
    rows = np.arange(200)
    assert len(ForkingPickler.dumps(Fold("0", rows, rows, 500_000))) < 2500
