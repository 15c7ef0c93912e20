"""Steps on many cells and large stores: a worker does them, and nothing is lost."""

import pytest

from napari_hep2.jobs import drain, run_here
from napari_hep2.review.controllers import decisions, other_reviewers, saving, snapshot
from napari_hep2.review.controllers.controller import ReviewController
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import StorageError

CELLS = [f"00001_p0_000{k}" for k in range(1, 8)]


@pytest.fixture(autouse=True)
def three_are_many(monkeypatch):
    for module in (decisions, other_reviewers):
        monkeypatch.setattr(module, "MANY", 3)


@pytest.fixture
def jobs():
    return []


@pytest.fixture
def review(state, specimen, specimens, jobs):
    """The first frame's cells; what takes long is kept in `jobs` until it is run."""
    run_here(specimen.open_folder(specimens))
    controller = ReviewController(state, start=jobs.append)
    controller.review_frame()
    yield controller
    controller.close()


def stored(specimens, reviewer="reviewer"):
    with DecisionStore(specimens / STORE, reviewer) as store:
        return {cell: one.verdict for cell, one in store.current().items()}


def test_a_step_on_many_cells_is_saved_by_a_job(state, review, specimens, jobs):
    review.select(1, [1, 2, 3])
    review.accept()
    (job,) = jobs
    assert (job.title, job.protected) == ("Saving", True)
    assert state.saved == "not saved"
    assert state.decisions == {}
    run_here(job)
    assert state.saved == "3 cells accepted, saved"
    assert set(state.decisions) == set(stored(specimens)) == set(CELLS[1:4])
    assert review.count().accepted == 3
    assert state.current == 4
    review.undo()
    run_here(jobs[1])
    assert state.saved == "3 cells undone, saved"
    assert stored(specimens) == state.decisions == {}
    assert state.current == 1
    review.redo()
    run_here(jobs[2])
    assert len(stored(specimens)) == len(state.decisions) == 3
    review.select(1, [1, 2, 3])
    review.note("look")
    run_here(jobs[3])
    assert state.marks[CELLS[3]].note == "look"
    assert state.selected == (1, 2, 3)


def test_few_cells_need_no_job(state, review, jobs):
    review.select(1, [1, 2])
    review.accept()
    review.undo()
    assert (jobs, state.saved) == ([], "2 cells undone, saved")


def test_what_was_decided_meanwhile_is_shown_too(state, review, specimens, jobs):
    """The reviewer goes on to another cell while the step is saved."""
    review.select(1, [1, 2, 3])
    review.accept()
    review.select(5)
    review.reject()
    with DecisionStore(specimens / STORE, "bob") as bob:
        bob.decide([CELLS[4]], "accepted")
    run_here(jobs[0])
    assert {c: d.verdict for c, d in state.decisions.items()} == stored(specimens)
    assert len(state.decisions) == 4
    assert CELLS[4] in state.others
    assert state.current == 6, "where the reviewer is now"
    review.undo()
    run_here(jobs[1])
    assert set(state.decisions) == {CELLS[5]}


def test_a_step_that_cannot_be_saved_is_told(state, review, jobs, monkeypatch):
    def full(*_, **__):
        raise StorageError("curation.sqlite", "the disk is full", "free some space")

    review.select(1, [1, 2, 3])
    review.accept()
    monkeypatch.setattr(DecisionStore, "decide", full)
    run_here(jobs[0])
    assert "the disk is full" in state.fault
    assert (state.saved, state.decisions) == ("not saved", {})


def test_a_cancelled_step_is_seen_by_the_next_look(state, review, specimens, jobs):
    """Its job had saved it, and what it gave was left aside."""
    review.select(4)
    review.accept()
    review.select(1, [1, 2, 3])
    review.reject()
    _, found = drain(jobs[0].work())
    found.leave()
    assert set(state.decisions) == {CELLS[4]}
    review.refresh_store()
    run_here(jobs[1])
    assert len(state.decisions) == len(stored(specimens)) == 4


def test_what_comes_late_is_left_aside(state, review, jobs):
    review.select(1, [1, 2, 3])
    review.accept()
    review.set_reviewer("another")
    run_here(jobs[0])
    assert state.decisions == {}, "of another reviewer"
    assert len(state.others) == 3 or review._seen == 0
    review.refresh_store()


def test_much_that_another_wrote_is_read_by_a_job(state, review, specimens, jobs):
    review.select(1)
    review.accept()
    with DecisionStore(specimens / STORE, "bob") as bob:
        bob.decide(CELLS, "rejected")
        state.busy = "Measuring quality"
        review.refresh_store()
        assert jobs == [], "it must not take the place of what runs"
        state.busy = ""
        review.refresh_store()
        run_here(jobs[0])
        assert len(state.others) == 7
        bob.undo()
        review.refresh_store()
        run_here(jobs[1])
        assert state.others == {}, "one step, and seven cells with it"
        bob.decide(CELLS[:1], "accepted")
        review.refresh_store()
        assert len(jobs) == 2
        assert set(state.others) == {CELLS[0]}


def test_a_large_store_is_read_by_a_job(state, review, jobs, monkeypatch):
    review.select(1)
    review.accept()
    monkeypatch.setattr(snapshot, "_LARGE", 0)
    review.set_reviewer("bob")
    assert state.decisions == {}, "nothing of another reviewer stays on the screen"
    run_here(jobs[0])
    assert set(state.others) == {CELLS[1]}
    review.select(2)
    review.reject()
    review.set_reviewer("reviewer")
    run_here(jobs[1])
    assert set(state.decisions) == {CELLS[1]}
    assert set(state.others) == {CELLS[2]}
    review.undo()
    assert state.decisions == {}


def test_a_large_store_that_is_damaged_is_told(state, review, specimens, jobs):
    path = specimens / STORE
    path.write_bytes(b"x" * 2_000_000)
    review.use_store(specimens)
    run_here(jobs[0])
    assert "damaged or not a store" in state.fault
    assert state.saved == saving.NOT_SAVED


def test_a_cell_folder_comes_with_its_decisions(
    state, specimen, specimens, tmp_path, jobs, monkeypatch
):
    run_here(specimen.open_folder(specimens))
    run_here(specimen.write_cells(tmp_path / "cells"))
    with DecisionStore(tmp_path / "cells" / STORE, "reviewer") as store:
        store.decide(CELLS[:2], "accepted")
    monkeypatch.setattr(snapshot, "_LARGE", 0)
    controller = ReviewController(state, start=jobs.append)
    run_here(controller.open_cell_folder(tmp_path / "cells"))
    assert set(state.decisions) == set(CELLS[:2])
    assert jobs == []
    controller.select(2)
    controller.accept()
    assert len(stored(tmp_path / "cells")) == 3
    (tmp_path / "cells" / STORE).write_bytes(b"no store")
    run_here(controller.open_cell_folder(tmp_path / "cells"))
    run_here(jobs.pop() if jobs else None)
    assert state.decisions == {}
    controller.close()
