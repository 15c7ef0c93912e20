import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config import ProtocolSettings
from training.data.cells.cell_set import CellSet
from training.errors import SpecimensError
from training.patterns import I3A
from training.splits.protocols import (
    count_shared,
    grouped_k_fold,
    k_fold_ignoring_specimens,
    leave_one_specimen_out,
    make_folds,
    merge_specimens,
    natural_key,
    prove_no_leak,
)


def tables(draw):
    """A random table of specimens and patterns, with copies of images among them."""
    n = draw(st.integers(4, 40))
    specimens = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    contents = draw(st.lists(st.integers(0, 60), min_size=n, max_size=n))
    views = draw(st.lists(st.integers(0, 7), min_size=n, max_size=n))
    images = []
    for content, view in zip(contents, views, strict=True):
        image = np.random.default_rng(content).integers(0, 256, (4, 4), np.uint8)
        images.append(np.rot90(image.T if view > 3 else image, view % 4))
    patterns = np.array([specimen % 3 for specimen in specimens])
    return CellSet(
        np.array(images),
        patterns,
        np.array([str(s) for s in specimens]),
        np.array([str(k) for k in range(n)]),
        I3A,
    )


random_tables = st.composite(tables)()


@settings(max_examples=200, deadline=None)
@given(random_tables, st.sampled_from(["loso", "group-k", "inner-k"]))
def test_no_fold_trains_on_a_held_out_specimen_or_a_copy(cells, protocol):
    try:
        plan = make_folds(cells, ProtocolSettings(protocol=protocol, folds=3))
    except SpecimensError:
        return
    views = [
        {np.rot90(v, k).tobytes() for v in (i, i.T) for k in range(4)}
        for i in cells.images
    ]
    for fold in plan.folds:
        trained = set(cells.specimens[fold.train])
        assert not trained & set(cells.specimens[fold.test])
        seen = set().union(*(views[row] for row in fold.train))
        assert not any(cells.images[row].tobytes() in seen for row in fold.test)
        together = np.sort(np.concatenate([fold.train, fold.held]))
        assert together.tolist() == list(range(len(cells)))
        if protocol != "inner-k":
            assert fold.held.tolist() == fold.test.tolist()


@settings(max_examples=100, deadline=None)
@given(random_tables)
def test_loso_tests_every_cell_at_most_once(cells):
    try:
        plan = leave_one_specimen_out(cells)
    except SpecimensError:
        return
    tested = np.concatenate([fold.test for fold in plan.folds])
    assert len(tested) == len(set(tested.tolist()))


def test_loso_names_each_specimen(make_cells):
    cells = make_cells((2, 3, 0, 0, 0, 2))
    plan = leave_one_specimen_out(cells)
    names = [fold.name for fold in plan.folds]
    assert names == ["00", "01", "10", "11", "12", "50", "51"]
    assert all(len(fold.test) == 4 and len(fold.train) == 24 for fold in plan.folds)
    assert not plan.leaky


def test_copies_merge_their_specimens(make_cells):
    cells = make_cells((2, 2, 0, 0, 0, 0))
    images = cells.images.copy()
    images[4] = np.rot90(images[0].T)
    merged = CellSet(
        images, cells.patterns, cells.specimens, cells.ids, cells.vocabulary
    )
    groups = merge_specimens(merged)
    assert groups == {"00+01": ("00", "01"), "10": ("10",), "11": ("11",)}
    plan = leave_one_specimen_out(merged)
    assert [fold.name for fold in plan.folds] == ["10", "11"]
    assert any("00, 01 share identical cells" in note for note in plan.notes)
    assert any("Homogeneous has one specimen only" in note for note in plan.notes)


def test_a_pattern_of_one_specimen_is_trained_on_and_not_tested(make_cells):
    cells = make_cells((2, 2, 1, 0, 0, 0))
    for plan in (leave_one_specimen_out(cells), grouped_k_fold(cells, 2)):
        for fold in plan.folds:
            assert 2 not in cells.patterns[fold.test]
            assert 2 in cells.patterns[fold.train]
        assert any("Nucleolar has one specimen only" in note for note in plan.notes)


def test_groups_deal_the_specimens_of_each_pattern_in_turn(make_cells):
    cells = make_cells((6, 6, 6, 3, 3, 3))
    plan = grouped_k_fold(cells, 3, seed=1)
    for fold in plan.folds:
        held = {(s[0], s) for s in cells.specimens[fold.test]}
        counts = np.bincount([int(pattern) for pattern, _ in held], minlength=6)
        assert counts.tolist() == [2, 2, 2, 1, 1, 1]
    again = grouped_k_fold(cells, 3, seed=1)
    other = grouped_k_fold(cells, 3, seed=2)
    assert all(
        np.array_equal(a.test, b.test)
        for a, b in zip(plan.folds, again.folds, strict=True)
    )
    assert any(
        not np.array_equal(a.test, b.test)
        for a, b in zip(plan.folds, other.folds, strict=True)
    )


def test_k_fold_is_leaky_and_says_so(make_cells):
    cells = make_cells()
    plan = k_fold_ignoring_specimens(cells, 4)
    assert plan.leaky
    assert "optimistic" in plan.notes[0]
    tested = np.sort(np.concatenate([fold.test for fold in plan.folds]))
    assert tested.tolist() == list(range(len(cells)))
    shared = count_shared(cells, plan.folds[0])
    assert shared.shared_specimens == len(set(cells.specimens[plan.folds[0].test]))


def test_no_specimen_ids(make_cells):
    cells = make_cells()
    nameless = CellSet(
        cells.images,
        cells.patterns,
        np.full(len(cells), ""),
        cells.ids,
        cells.vocabulary,
        "x (task1)",
    )
    with pytest.raises(SpecimensError, match="carry no specimen ids"):
        leave_one_specimen_out(nameless)
    assert len(k_fold_ignoring_specimens(nameless, 3).folds) == 3


def test_one_specimen_only(make_cells):
    with pytest.raises(SpecimensError, match="all cells are of one specimen"):
        leave_one_specimen_out(make_cells((1, 0, 0, 0, 0, 0)))
    with pytest.raises(SpecimensError, match="no pattern has two specimens"):
        leave_one_specimen_out(make_cells((1, 1, 1, 0, 0, 0)))


def test_too_many_folds(make_cells):
    with pytest.raises(SpecimensError, match="12 specimens can be held out, 13 folds"):
        grouped_k_fold(make_cells(), 13)


@settings(max_examples=200, deadline=None)
@given(random_tables, st.sampled_from(["loso", "group-k", "k-fold"]), st.data())
def test_extra_cells_are_trained_on_and_never_tested(cells, protocol, data):
    """By specimen: a random part of them is extra."""
    names = np.unique(cells.specimens).tolist()
    chosen = data.draw(st.sets(st.sampled_from(names)))
    extra = np.isin(cells.specimens, list(chosen))
    marked = CellSet(
        cells.images,
        cells.patterns,
        cells.specimens,
        cells.ids,
        I3A,
        extra=extra,
    )
    try:
        plan = make_folds(marked, ProtocolSettings(protocol=protocol, folds=3))
    except SpecimensError:
        return
    for fold in plan.folds:
        assert len(fold.test)
        assert not extra[fold.test].any()
        if protocol != "k-fold":
            prove_no_leak(marked, fold)
            continue
        assert set(np.flatnonzero(extra)) <= set(fold.train)


def test_extra_specimens_teach_a_pattern_that_has_one_own_specimen(make_cells):
    cells = make_cells(specimens_per_pattern=(2, 2, 1, 0, 0, 0))
    alone = leave_one_specimen_out(cells)
    assert "20" not in {fold.name for fold in alone.folds}
    specimens = cells.specimens.copy()
    extra = np.zeros(len(cells), bool)
    second = np.flatnonzero(cells.specimens == "20")[2:]
    specimens[second], extra[second] = "ex", True
    both = CellSet(cells.images, cells.patterns, specimens, cells.ids, I3A, extra=extra)
    plan = leave_one_specimen_out(both)
    assert "20" in {fold.name for fold in plan.folds}
    assert "ex" not in {fold.name for fold in plan.folds}
    assert not plan.notes
    fold = next(fold for fold in plan.folds if fold.name == "20")
    assert set(second) <= set(fold.train)


def test_an_extra_copy_of_a_held_out_cell_is_held_out_with_it(make_cells):
    cells = make_cells(specimens_per_pattern=(3, 2, 0, 0, 0, 0))
    images, extra = cells.images.copy(), np.zeros(len(cells), bool)
    extra[cells.specimens == "02"] = True
    images[np.flatnonzero(extra)[0]] = np.rot90(images[0])
    both = CellSet(images, cells.patterns, cells.specimens, cells.ids, I3A, extra=extra)
    plan = leave_one_specimen_out(both)
    fold = next(fold for fold in plan.folds if "00" in fold.name)
    assert fold.name == "00+02"
    assert not extra[fold.train].any()
    assert set(both.specimens[fold.test]) == {"00"}


def test_a_pilot_takes_folds_of_all_patterns(make_cells):
    cells = make_cells(specimens_per_pattern=(5, 4, 3, 3, 2, 2))
    whole = leave_one_specimen_out(cells)
    for count in range(1, len(whole.folds)):
        chosen = ProtocolSettings(protocol="loso", pilot=count)
        plan = make_folds(cells, chosen)
        assert len(plan.folds) == count
        names = [fold.name for fold in plan.folds]
        assert names == [f.name for f in whole.folds if f.name in names]
        per_pattern = [sum(name[0] == str(k) for name in names) for k in range(6)]
        have = (5, 4, 3, 3, 2, 2)
        most = max(per_pattern)
        assert all(
            n >= min(h, most - 1) for n, h in zip(per_pattern, have, strict=True)
        )
        assert f"a pilot: {count} of 19 folds, drawn over the patterns" in plan.notes
    seeds = {
        tuple(
            f.name for f in make_folds(cells, ProtocolSettings(pilot=3, seed=s)).folds
        )
        for s in range(5)
    }
    assert len(seeds) > 1


@pytest.mark.parametrize("pilot", [0, 12, 99])
def test_no_pilot_is_all_folds(cells, pilot):
    plan = make_folds(cells, ProtocolSettings(protocol="loso", pilot=pilot))
    assert len(plan.folds) == 12
    assert not plan.notes


@pytest.mark.parametrize("protocol", ["group-k", "k-fold"])
def test_other_protocols_have_pilots_too(cells, protocol):
    settings_ = ProtocolSettings(protocol=protocol, folds=2, pilot=1)
    plan = make_folds(cells, settings_)
    assert len(plan.folds) == 1
    assert plan.leaky == (protocol == "k-fold")


def test_inner_folds_keep_the_next_fold_out_of_training(make_cells):
    cells = make_cells((3,) * 6)
    outer = make_folds(cells, ProtocolSettings(protocol="group-k", folds=3))
    inner = make_folds(cells, ProtocolSettings(protocol="inner-k", folds=3))
    for number, fold in enumerate(inner.folds):
        before = outer.folds[number - 1]
        assert fold.test.tolist() == outer.folds[number].test.tolist()
        assert not set(fold.train.tolist()) & set(before.test.tolist())
        assert len(fold.train) == len(cells) - len(fold.test) - len(before.test)


def test_two_inner_folds_leave_nothing_to_train_on(make_cells):
    with pytest.raises(SpecimensError, match="of 2 folds none would be left"):
        make_folds(make_cells(), ProtocolSettings(protocol="inner-k", folds=2))


def test_specimens_are_sorted_as_people_count():
    names = ["10", "9", "a", "9" * 5000, "02"]
    assert sorted(names, key=natural_key) == ["02", "9", "10", "9" * 5000, "a"]
