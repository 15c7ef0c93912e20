"""Steps on many cells and large stores: a worker does them, and nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from napari_hep2.jobs import drain, run_here
from napari_hep2.review.controllers import decision_session, snapshot
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.decision_session import DecisionSession
from napari_hep2.review.state import ReviewState
from napari_hep2.state import SessionState
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import StorageError

CELLS = [f"00001_p0_000{k}" for k in range(1, 8)]


def verdicts(found):
    return {cell: d.pattern or d.verdict for cell, d in found.items()}


@pytest.fixture(autouse=True)
def three_are_many(monkeypatch):
    monkeypatch.setattr(decision_session, "MANY", 3)


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
    controller.decision_session.close()


def stored(specimens, reviewer="reviewer"):
    with DecisionStore(specimens / STORE, reviewer) as store:
        return {cell: one.verdict for cell, one in store.current().items()}


def test_a_step_on_many_cells_is_saved_by_a_job(state, review, specimens, jobs):
    review.navigation.select(1, [1, 2, 3])
    review.decisions.accept()
    (job,) = jobs
    assert (job.title, job.protected) == ("Saving", True)
    assert review.state.saved == "not saved"
    assert state.decisions == {}
    run_here(job)
    assert review.state.saved == "3 cells accepted, saved"
    assert set(state.decisions) == set(stored(specimens)) == set(CELLS[1:4])
    assert review.progress.count().accepted == 3
    assert state.current == 4
    review.decisions.undo()
    run_here(jobs[1])
    assert review.state.saved == "3 cells undone, saved"
    assert stored(specimens) == state.decisions == {}
    assert state.current == 1
    review.decisions.redo()
    run_here(jobs[2])
    assert len(stored(specimens)) == len(state.decisions) == 3
    review.navigation.select(1, [1, 2, 3])
    review.decisions.note("look")
    run_here(jobs[3])
    assert review.state.marks[CELLS[3]].note == "look"
    assert state.selected == (1, 2, 3)


def test_few_cells_need_no_job(state, review, jobs):
    review.navigation.select(1, [1, 2])
    review.decisions.accept()
    review.decisions.undo()
    assert (jobs, review.state.saved) == ([], "2 cells undone, saved")


def test_what_was_decided_meanwhile_is_shown_too(state, review, specimens, jobs):
    """The reviewer goes on to another cell while the step is saved."""
    review.navigation.select(1, [1, 2, 3])
    review.decisions.accept()
    review.navigation.select(5)
    review.decisions.reject()
    with DecisionStore(specimens / STORE, "bob") as bob:
        bob.decide([CELLS[4]], "accepted")
    run_here(jobs[0])
    assert {c: d.verdict for c, d in state.decisions.items()} == stored(specimens)
    assert len(state.decisions) == 4
    assert CELLS[4] in review.state.others
    assert state.current == 6, "where the reviewer is now"
    review.decisions.undo()
    run_here(jobs[1])
    assert set(state.decisions) == {CELLS[5]}


def test_a_step_that_cannot_be_saved_is_told(state, review, jobs, monkeypatch):
    def full(*_, **__):
        raise StorageError("curation.sqlite", "the disk is full", "free some space")

    review.navigation.select(1, [1, 2, 3])
    review.decisions.accept()
    monkeypatch.setattr(DecisionStore, "decide", full)
    run_here(jobs[0])
    assert "the disk is full" in state.fault
    assert (review.state.saved, state.decisions) == ("not saved", {})


def test_a_cancelled_step_is_seen_by_the_next_look(state, review, specimens, jobs):
    """Its job had saved it, and what it gave was left aside."""
    review.navigation.select(4)
    review.decisions.accept()
    review.navigation.select(1, [1, 2, 3])
    review.decisions.reject()
    _, found = drain(jobs[0].work())
    found.close()
    assert set(state.decisions) == {CELLS[4]}
    review.decision_session.refresh()
    run_here(jobs[1])
    assert len(state.decisions) == len(stored(specimens)) == 4


def test_what_comes_late_is_left_aside(state, review, jobs):
    review.navigation.select(1, [1, 2, 3])
    review.decisions.accept()
    review.decision_session.set_reviewer("another")
    run_here(jobs[0])
    assert state.decisions == {}, "of another reviewer"
    assert len(review.state.others) == 3 or review.decision_session.last_step == 0
    review.decision_session.refresh()


def test_much_that_another_wrote_is_read_by_a_job(state, review, specimens, jobs):
    review.navigation.select(1)
    review.decisions.accept()
    with DecisionStore(specimens / STORE, "bob") as bob:
        bob.decide(CELLS, "rejected")
        state.busy = "Measuring quality"
        review.decision_session.refresh()
        assert jobs == [], "it must not take the place of what runs"
        state.busy = ""
        review.decision_session.refresh()
        run_here(jobs[0])
        assert len(review.state.others) == 7
        bob.undo()
        review.decision_session.refresh()
        run_here(jobs[1])
        assert review.state.others == {}, "one step, and seven cells with it"
        bob.decide(CELLS[:1], "accepted")
        review.decision_session.refresh()
        assert len(jobs) == 2
        assert set(review.state.others) == {CELLS[0]}


def test_a_large_store_is_read_by_a_job(state, review, jobs, monkeypatch):
    review.navigation.select(1)
    review.decisions.accept()
    monkeypatch.setattr(snapshot, "_LARGE", 0)
    review.decision_session.set_reviewer("bob")
    assert state.decisions == {}, "nothing of another reviewer stays on the screen"
    run_here(jobs[0])
    assert set(review.state.others) == {CELLS[1]}
    review.navigation.select(2)
    review.decisions.reject()
    review.decision_session.set_reviewer("reviewer")
    run_here(jobs[1])
    assert set(state.decisions) == {CELLS[1]}
    assert set(review.state.others) == {CELLS[2]}
    review.decisions.undo()
    assert state.decisions == {}


def test_a_large_store_that_is_damaged_is_told(state, review, specimens, jobs):
    path = specimens / STORE
    path.write_bytes(b"x" * 2_000_000)
    review.decision_session.use(specimens)
    run_here(jobs[0])
    assert "damaged or not a store" in state.fault
    assert review.state.saved == decision_session.NOT_SAVED


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
    controller.navigation.select(2)
    controller.decisions.accept()
    assert len(stored(tmp_path / "cells")) == 3
    (tmp_path / "cells" / STORE).write_bytes(b"no store")
    run_here(controller.open_cell_folder(tmp_path / "cells"))
    run_here(jobs.pop() if jobs else None)
    assert state.decisions == {}
    controller.decision_session.close()


def test_looking_makes_no_file(state, review, specimens):
    review.decisions.undo()
    review.order.set_filter("undecided")
    assert not (specimens / STORE).exists()


def test_a_decision_is_in_the_store_at_once(state, review, specimens):
    review.navigation.select(1)
    review.decisions.accept()
    assert state.decisions["00001_p0_0002"].verdict == "accepted"
    assert review.state.saved == "1 cell accepted, saved"
    assert state.current == 2
    other = DecisionStore(specimens / STORE, state.reviewer)
    assert other.current()["00001_p0_0002"].verdict == "accepted"
    other.close()


def test_two_reviewers_do_not_see_each_other(state, review):
    review.navigation.select(1)
    review.decisions.accept()
    review.decision_session.set_reviewer("second")
    assert review.progress.count().decided == 0
    review.navigation.select(1)
    review.decisions.reject()
    review.decision_session.set_reviewer("reviewer")
    assert state.decisions["00001_p0_0002"].verdict == "accepted"


class FullDisk(DecisionStore):
    def decide(self, *args, **kwargs):
        raise StorageError("curation.sqlite", "the disk is full", "free some space")


def test_what_could_not_be_saved_is_not_shown_as_saved(state, review):
    review.decision_session.use(state.store)
    full = ReviewController(state, FullDisk)
    full.navigation.select(2)
    full.decisions.accept()
    assert state.decisions == {}
    assert full.state.saved == "not saved"
    assert state.fault.startswith("curation.sqlite: the disk is full")
    assert state.current == 2
    full.decision_session.close()


def test_a_broken_store_is_told_and_left_alone(state, review, specimens):
    (specimens / STORE).write_bytes(b"this is no database" * 100)
    review.decision_session.use(specimens)
    assert STORE in state.fault
    assert (specimens / STORE).read_bytes().startswith(b"this is no database")


def test_what_another_wrote_is_shown_when_it_is_looked_for(
    state, review, bob, monkeypatch
):
    monkeypatch.setattr(decision_session, "MANY", 1000)
    assert review.state.others == {}
    bob.decide([CELLS[1], CELLS[2]], "rejected")
    assert review.state.others == {}
    review.decision_session.refresh()
    assert set(review.state.others) == {CELLS[1], CELLS[2]}
    assert review.state.others[CELLS[1]][0].reviewer == "bob"
    bob.undo()
    review.decision_session.refresh()
    assert review.state.others == {}
    assert verdicts(state.decisions) == {CELLS[1]: "accepted"}


def test_looking_where_nothing_is_new_draws_nothing(state, review, bob):
    bob.decide([CELLS[1]], "rejected")
    review.decision_session.refresh()
    seen = []
    state.events.decisions.connect(lambda *_: seen.append("decisions"))
    for name in ("marks", "others", "shown"):
        signal = getattr(review.state.events, name)
        signal.connect(lambda *_, name=name: seen.append(name))
    review.decision_session.refresh()
    assert seen == []
    bob.flag([CELLS[3]], True)
    review.decision_session.refresh()
    assert "decisions" not in seen
    assert "others" not in seen


def test_a_second_window_of_the_same_reviewer_is_followed(state, review, specimens):
    with DecisionStore(specimens / STORE, state.reviewer) as other:
        other.decide([CELLS[4]], "accepted")
        other.note([CELLS[4]], "from there")
        review.decision_session.refresh()
        assert verdicts(state.decisions) == {CELLS[4]: "accepted"}
        assert review.state.marks[CELLS[4]].note == "from there"
        assert review.progress.count().accepted == 1


def test_the_past_is_shown_and_cannot_be_changed(state, review, bob):
    bob.decide([CELLS[2]], "rejected")
    review.navigation.select(1)
    review.decisions.reject()
    review.decisions.flag()
    assert review.decision_session.last_step == 4
    run_here(review.decision_session.past_job(1))
    assert review.state.as_of == 1
    assert verdicts(state.decisions) == {CELLS[1]: "accepted"}
    assert (review.state.others, review.state.marks) == ({}, {})
    assert review.progress.count().accepted == 1
    for act in (
        review.decisions.accept,
        review.decisions.undo,
        review.decisions.flag,
        review.decisions.redo,
    ):
        act()
        assert review.state.saved == "not saved"
        assert "as of step 1, read-only" in state.fault
    bob.decide([CELLS[5]], "rejected")
    review.decision_session.refresh()
    assert review.state.others == {}
    review.decision_session.come_back()
    assert review.state.as_of is None
    assert verdicts(state.decisions) == {CELLS[1]: "rejected"}
    assert set(review.state.others) == {CELLS[2], CELLS[5]}
    review.decisions.undo()
    assert review.state.saved.endswith("saved")


def test_the_past_ends_where_another_store_is_taken(state, review, tmp_path):
    review.decisions.accept()
    run_here(review.decision_session.past_job(0))
    assert state.decisions == {}
    review.decision_session.use(tmp_path)
    assert review.state.as_of is None


def test_50_000_decided_cells_at_once(state, review, monkeypatch):
    """A bulk step is taken in by one look, not by one a cell."""
    monkeypatch.setattr(decision_session, "MANY", 100_000)
    table = state.review.table
    many = table.iloc[np.arange(50_000) % 7].reset_index(drop=True)
    many["id"] = [f"cell{k}" for k in range(50_000)]
    crops = np.zeros((50_000, 3, 3), np.uint8)
    review.take(replace(state.review, table=many, crops=crops))
    review.navigation.select(0, list(range(50_000)))
    looks = []
    inner = DecisionStore._refresh
    review.decisions.flag()
    store = review.decision_session.store
    store._refresh = lambda: looks.append(inner(store))
    review.decisions.accept()
    assert review.progress.count().accepted == 50_000
    assert len(looks) < 15


# --- without a controller ---------------------------------------------------------


def test_a_session_shows_a_store_without_cells(tmp_path):
    with DecisionStore(tmp_path / STORE, "bob") as bob:
        bob.decide(CELLS[:2], "accepted")
    session, state = SessionState(), ReviewState()
    decisions, told = DecisionSession(session, state), []
    decisions.changed.connect(lambda: told.append(len(state.others)))
    decisions.use(tmp_path)
    assert (told, decisions.last_step, session.store) == ([2], 1, tmp_path)
    decisions.set_blind(True)
    assert (session.blind, state.others, told) == (True, {}, [2, 0])
    decisions.use(None)
    assert (decisions.store, decisions.last_step, session.store) == (None, 0, None)


def test_without_cells_no_step_is_done(tmp_path):
    session, state = SessionState(store=tmp_path), ReviewState()
    decisions = DecisionSession(session, state)
    decisions.step(lambda store: store.undo(), lambda *_: "", lambda _: 1)
    assert (state.saved, bool(session.fault)) == (decision_session.NOT_SAVED, True)
    assert not (tmp_path / STORE).exists()


def test_a_large_store_of_another_is_read_while_the_past_is_shown(
    state, review, jobs, monkeypatch
):
    """Another reviewer is one for now: the past of the one before is left."""
    review.navigation.select(1)
    review.decisions.accept()
    run_here(review.decision_session.past_job(0))
    monkeypatch.setattr(snapshot, "_LARGE", 0)
    review.decision_session.set_reviewer("bob")
    run_here(jobs[0])
    assert review.state.as_of is None
    assert set(review.state.others) == {CELLS[1]}


def test_cells_cut_anew_in_the_past_are_counted_when_it_is_left(state, review):
    review.navigation.select(1)
    review.decisions.accept()
    run_here(review.decision_session.past_job(0))
    fewer = state.review.table.iloc[1:].reset_index(drop=True)
    crops = state.review.crops[1:]
    review.retake(replace(state.review, table=fewer, crops=crops))
    assert review.progress.count().decided == 0
    review.decision_session.come_back()
    assert review.progress.count().accepted == 1
    assert len(review.decision_session.shown.codes) == 6
