"""A mend while the cell folder that was cut from the frame is under review."""

import shutil

import numpy as np
import pytest

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.specimen.controllers.masks import MendingController
from training.data.cells import recut
from training.data.cells.folder import read_cell_folder
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import StorageError

OTHER = "00002_p0_0003"
TOUCHED, UNTOUCHED, NEW = "00001_p0_0002", "00001_p0_0003", "00001_p0_0008"


@pytest.fixture
def cells(state, specimen, specimens, tmp_path):
    run_here(specimen.open_folder(specimens))
    run_here(specimen.write_cells(tmp_path / "cells"))
    return tmp_path / "cells"


@pytest.fixture
def review(state, cells):
    made = ReviewController(state)
    run_here(made.open_cell_folder(cells))
    yield made
    made.decision_session.close()


@pytest.fixture
def mending(state, specimen, review):
    controller = MendingController(
        state, specimen, on_cell=review.select_cell, on_recut=review.retake
    )
    state.events.cells.connect(controller.frame_opened)
    controller.frame_opened()
    return controller


def decide(review, cell, verdict):
    review.select_cell(cell)
    getattr(review.decisions, verdict)()


def remove(mending, label=2):
    mending.remove([label])
    run_here(mending.apply())


def add(mending, y=180, x=240, radius=14):
    ys, xs = np.ogrid[: mending.painted.shape[0], : mending.painted.shape[1]]
    mending.painted[(ys - y) ** 2 + (xs - x) ** 2 <= radius**2] = 50
    mending.edited(mending.painted)
    run_here(mending.apply())


def test_only_the_touched_cells_change_under_review(state, review, mending, cells):
    for cell, verdict in ((TOUCHED, "accept"), (UNTOUCHED, "reject"), (OTHER, "flag")):
        decide(review, cell, verdict)
    before = state.review
    add(mending)
    remove(mending)
    assert state.fault == ""
    assert "The cell folder under review is updated too." in state.message
    assert state.message.endswith("held back, as no nucleus is theirs now.")
    found = set(before.ids) ^ set(state.review.ids)
    assert found == {TOUCHED, NEW}
    assert NEW in state.review.row_of
    kept = {c: d.verdict for c, d in state.decisions.items()}
    assert kept == {TOUCHED: "accepted", UNTOUCHED: "rejected"}
    assert review.progress.count().decided == 1, "a cell that is gone is not counted"
    assert review.state.marks[OTHER].flagged
    for cell in set(before.ids) - {TOUCHED}:
        np.testing.assert_array_equal(
            state.review.crops[state.review.row_of[cell]],
            before.crops[before.row_of[cell]],
        )
    assert read_cell_folder(cells).stale() is None
    assert set(review.state.shown.tolist()) == set(range(len(state.review)))


def test_the_new_cell_is_the_current_one(state, review, mending):
    add(mending)
    assert str(state.review.ids[state.current]) == NEW
    review.decisions.accept()
    assert state.decisions[NEW].verdict == "accepted"


def test_an_undo_brings_the_cell_and_its_decision_back(state, review, mending):
    decide(review, TOUCHED, "reject")
    remove(mending)
    assert TOUCHED not in state.review.row_of
    assert review.progress.count().rejected == 0
    run_here(mending.undo())
    assert TOUCHED in state.review.row_of
    assert review.progress.count().rejected == 1


def test_filters_order_and_measures_stay(state, review, mending):
    decide(review, UNTOUCHED, "accept")
    run_here(review.order.set_sort("focus"))
    review.order.set_specimen_filter("1")
    review.order.set_filter("undecided")
    review.order.set_group("decision")
    before = review.state.measures["focus"], state.review
    add(mending)
    assert (review.state.sort, review.state.filter, review.state.group) == (
        "focus",
        "undecided",
        "decision",
    )
    assert review.state.specimen_filter == "1"
    focus, row_of = review.state.measures["focus"], state.review.row_of
    assert np.isnan(focus[row_of[NEW]])
    assert focus[row_of[OTHER]] == before[0][before[1].row_of[OTHER]]
    names = {str(state.review.ids[row]) for row in review.state.shown}
    assert NEW in names
    assert UNTOUCHED not in names
    assert OTHER not in names


def test_a_folder_that_cannot_be_written_stays_and_the_mend_is_saved(
    state, review, mending, cells, monkeypatch
):
    def full(*_):
        raise StorageError(cells, "the disk is full", "free some space")

    before, content = state.review, (cells / "cells.csv").read_bytes()
    monkeypatch.setattr(recut, "_write", full)
    remove(mending)
    assert "Saved: " in state.message
    assert "older" in state.message
    assert "the disk is full" in state.message
    assert state.review is before
    assert (cells / "cells.csv").read_bytes() == content
    assert mending.history.standing is not None
    run_here(review.open_cell_folder(cells))
    assert "extract them again" in state.fault, "it is noticed"


def test_a_folder_of_other_frames_is_left_alone(
    state, specimen, specimens, review, mending, cells, tmp_path
):
    more = shutil.copytree(specimens, tmp_path / "more")
    run_here(specimen.open_folder(more))
    content = (cells / "cells.csv").read_bytes()
    remove(mending)
    assert state.message.endswith("is out of date: write it again.")
    assert (cells / "cells.csv").read_bytes() == content


def test_the_decisions_are_in_the_store(state, review, mending, cells):
    decide(review, UNTOUCHED, "reject")
    remove(mending)
    decide(review, OTHER, "accept")
    with DecisionStore(cells / STORE, "reviewer") as store:
        kept = {cell: one.verdict for cell, one in store.current().items()}
    assert kept == {UNTOUCHED: "rejected", OTHER: "accepted"}
