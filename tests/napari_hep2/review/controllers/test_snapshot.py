import numpy as np
import pandas as pd
import pytest

from napari_hep2.review.controllers.snapshot import (
    empty_snapshot,
    open_snapshot,
    read_snapshot,
)
from training.curation.review_set import ReviewSet, verdict_codes
from training.data.cells.files import CELL_COLUMNS
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import StorageError
from training.patterns import I3A

CELLS = ["a", "b", "c", "d"]


@pytest.fixture
def cells():
    table = pd.DataFrame({name: [""] * len(CELLS) for name in CELL_COLUMNS})
    table["id"] = CELLS
    return ReviewSet(np.zeros((4, 3, 3), np.uint8), table, I3A, "four cells")


@pytest.fixture
def ann(tmp_path):
    with DecisionStore(tmp_path / STORE, "ann") as store:
        store.decide(["a"], "accepted")
        yield store


@pytest.fixture
def bob(tmp_path, ann):
    with DecisionStore(tmp_path / STORE, "bob") as store:
        yield store


def test_a_snapshot_has_own_decisions_and_those_of_others(ann, bob, cells):
    bob.decide(["a", "b"], "rejected")
    found = read_snapshot(ann, cells)
    assert (found.reviewer, found.step) == ("ann", 2)
    assert list(found.decisions) == ["a"]
    assert set(found.opinions) == {"a", "b"}
    assert found.codes.tolist() == [1, 0, 0, 0]


def test_a_snapshot_of_an_earlier_step(ann, bob, cells):
    ann.flag(["c"], True)
    bob.decide(["a"], "rejected")
    past = read_snapshot(ann, cells, 1)
    assert past.step == 1
    assert (list(past.decisions), dict(past.marks)) == (["a"], {})
    assert not past.opinions


def test_a_renewed_snapshot_is_that_read_anew(ann, bob, cells):
    before = read_snapshot(ann, cells)
    ann.decide(["b"], "rejected")
    ann.note(["b"], "blurred")
    bob.decide(["c"], "accepted")
    ann.decide(["a"], "cleared")
    after, anew = before.renewed(cells), read_snapshot(ann, cells)
    assert after.step == anew.step == 5
    assert after.decisions == anew.decisions
    assert after.marks == anew.marks
    assert set(after.opinions) == set(anew.opinions) == {"c"}
    assert after.codes.tolist() == anew.codes.tolist() == [0, 2, 0, 0]
    assert list(before.decisions) == ["a"], "a snapshot does not change"


def test_what_nobody_touched_is_the_same_object(ann, cells):
    before = read_snapshot(ann, cells)
    after = before.renewed(cells)
    assert after.decisions is before.decisions
    assert after.marks is before.marks
    assert after.opinions is before.opinions


def test_the_same_decisions_on_other_cells(ann, cells):
    table = cells.table.iloc[[1, 0]].reset_index(drop=True)
    fewer = ReviewSet(cells.crops[:2], table, I3A, "two cells")
    found = read_snapshot(ann, cells).of(fewer)
    assert found.codes.tolist() == verdict_codes(fewer, found.decisions).tolist()
    assert found.codes.tolist() == [0, 1]


def test_without_a_store_nothing_is_decided(cells):
    found = empty_snapshot(cells, "ann")
    assert found.renewed(cells) is found
    assert (found.step, found.codes.tolist()) == (0, [0] * 4)
    assert len(empty_snapshot(None, "ann").codes) == 0


def test_a_store_that_cannot_be_read_is_closed(tmp_path, ann, cells):
    closed = []

    class Unreadable(DecisionStore):
        def current(self, *_):
            raise StorageError("curation.sqlite", "cannot be read", "copy it")

        def close(self):
            closed.append(self.path)
            super().close()

    with pytest.raises(StorageError):
        open_snapshot(Unreadable, tmp_path, "ann", cells)
    assert closed == [tmp_path / STORE]
