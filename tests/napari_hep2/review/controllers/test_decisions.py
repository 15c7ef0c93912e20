"""Flags, notes, the prediction, other readers and the past, without a window."""

from dataclasses import replace

import numpy as np
import pytest

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.controller import ReviewController
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore, Mark
from training.errors import StorageError
from training.patterns import I3A, MIVIA

CELLS = [f"00001_p0_000{k}" for k in range(1, 8)]


def verdicts(found):
    return {cell: d.pattern or d.verdict for cell, d in found.items()}


@pytest.fixture
def bob(review, specimens):
    """Another reviewer, in another window, with the same file."""
    review.select(1)
    review.accept()
    with DecisionStore(specimens / STORE, "bob") as store:
        yield store


class Card:
    name = "untrained"


class Prediction:
    """Calls the six kept cells of the frame by the patterns of a list."""

    def __init__(self, called, vocabulary=I3A):
        self.rows = np.arange(1, 1 + len(called))
        self.scores = np.full((len(called), 6), 0.1, np.float32)
        self.scores[np.arange(len(called)), called] = 0.5
        self.vocabulary, self.card = vocabulary, Card()


# --- flags and notes -------------------------------------------------------------


def test_a_flag_is_set_taken_off_and_undone(state, review):
    review.select(2, [2, 3])
    review.flag()
    assert state.saved == "2 cells flagged, saved"
    assert state.marks == {CELLS[2]: Mark(True), CELLS[3]: Mark(True)}
    assert state.selected == (2, 3)
    review.flag()
    assert state.marks == {}
    review.undo()
    assert state.marks[CELLS[3]].flagged
    assert state.current == 2


def test_a_flag_on_some_of_the_cells_is_set_on_all(state, review):
    review.select(2)
    review.flag()
    review.select(3, [2, 3])
    review.flag()
    assert set(state.marks) == {CELLS[2], CELLS[3]}


def test_a_note_stands_after_a_restart(state, review):
    review.select(4)
    assert review.note_of_current() == ""
    review.note("  ask Bob ")
    assert state.saved == "note on 1 cell, saved"
    assert state.decisions == {}
    review.close()
    again = ReviewController(state)
    again.review_frame()
    again.select(4)
    assert again.note_of_current() == "ask Bob"
    again.note("")
    assert state.marks == {}
    again.close()


def test_without_a_cell_nothing_is_marked(state, review, specimens):
    review.select(None)
    review.flag()
    review.note("x")
    assert not (specimens / STORE).exists()


def test_a_mark_that_could_not_be_saved_is_not_shown(state, review, monkeypatch):
    def full(*_):
        raise StorageError("curation.sqlite", "the disk is full", "free some space")

    monkeypatch.setattr(DecisionStore, "flag", full)
    review.select(2)
    review.flag()
    assert (state.marks, state.saved) == ({}, "not saved")
    assert "disk is full" in state.fault


# --- the prediction --------------------------------------------------------------


def test_the_prediction_of_some_cells_is_taken_as_one_step(state, review, specimens):
    state.prediction = Prediction([0, 0, 5, 5, 1, 0])
    review.select(1, [1, 2, 3])
    review.accept_prediction()
    assert state.saved == "3 cells as predicted, saved"
    assert verdicts(state.decisions) == {
        CELLS[1]: "accepted",
        CELLS[2]: "accepted",
        CELLS[3]: "Golgi",
    }
    reasons = {d.reason for d in state.decisions.values()}
    assert reasons == {"prediction of untrained"}
    assert state.current == 4
    with DecisionStore(specimens / STORE, state.reviewer) as store:
        assert store.last_step == 1
    review.undo()
    assert state.decisions == {}


def test_a_cell_without_a_prediction_is_left(state, review):
    state.prediction = Prediction([0, 0])
    review.select(1, [0, 1, 5])
    review.accept_prediction()
    assert state.saved == "1 cell as predicted, saved; 2 without a prediction"
    assert set(state.decisions) == {CELLS[1]}
    review.select(5)
    review.accept_prediction()
    assert state.fault.startswith("The model has not scored the selected cells, or")


def test_what_a_model_of_other_patterns_calls_a_cell_is_not_bent(state, review):
    """The fourth is called cytoplasmic, which these cells do not know."""
    state.prediction = Prediction([0, 0, 3, 5, 0, 0], MIVIA)
    review.select_all()
    review.accept_prediction()
    assert state.saved == "5 cells as predicted, saved; 2 without a prediction"
    said = [one.pattern for one in state.decisions.values() if one.pattern]
    assert said == ["Nucleolar"]


def test_without_a_prediction_there_is_nothing_to_take(state, review, specimens):
    review.accept_prediction()
    assert state.fault.startswith("Classify the frame first")
    assert not (specimens / STORE).exists()


# --- other readers ---------------------------------------------------------------


def test_what_another_wrote_is_shown_when_it_is_looked_for(state, review, bob):
    assert state.others == {}
    bob.decide([CELLS[1], CELLS[2]], "rejected")
    assert state.others == {}
    review.refresh_store()
    assert set(state.others) == {CELLS[1], CELLS[2]}
    assert state.others[CELLS[1]][0].reviewer == "bob"
    bob.undo()
    review.refresh_store()
    assert state.others == {}
    assert verdicts(state.decisions) == {CELLS[1]: "accepted"}


def test_looking_where_nothing_is_new_draws_nothing(state, review, bob):
    bob.decide([CELLS[1]], "rejected")
    review.refresh_store()
    seen = []
    for name in ("decisions", "marks", "others", "shown"):
        getattr(state.events, name).connect(lambda *_, name=name: seen.append(name))
    review.refresh_store()
    assert seen == []
    bob.flag([CELLS[3]], True)
    review.refresh_store()
    assert "decisions" not in seen
    assert "others" not in seen


def test_a_second_window_of_the_same_reviewer_is_followed(state, review, specimens):
    with DecisionStore(specimens / STORE, state.reviewer) as other:
        other.decide([CELLS[4]], "accepted")
        other.note([CELLS[4]], "from there")
        review.refresh_store()
        assert verdicts(state.decisions) == {CELLS[4]: "accepted"}
        assert state.marks[CELLS[4]].note == "from there"
        assert review.count().accepted == 1


def test_a_blind_reader_sees_no_other(state, review, bob):
    bob.decide([CELLS[1]], "rejected")
    review.set_blind(True)
    review.refresh_store()
    assert (state.blind, state.others) == (True, {})
    review.accept()
    assert state.others == {}
    assert not any("bob" in line for line in review.history())
    review.set_blind(False)
    assert set(state.others) == {CELLS[1]}


def test_the_cells_disagreed_on_are_found_blind_too(state, review, bob):
    bob.decide([CELLS[1]], "relabelled", "Homogeneous")
    review.refresh_store()
    assert review.disagreements().tolist() == []
    bob.decide([CELLS[1], CELLS[3]], "rejected")
    review.set_blind(True)
    review.refresh_store()
    assert state.others == {}
    assert review.disagreements().tolist() == [1]
    review.set_reviewer("third")
    assert review.disagreements().tolist() == [1]


def test_the_filter_shows_what_is_disagreed_on(state, review, bob):
    bob.decide([CELLS[1], CELLS[3]], "rejected")
    review.refresh_store()
    review.set_filter("disagreed")
    assert state.shown.tolist() == review.disagreements().tolist() == [1]


def test_reviewers_are_compared_by_a_job(state, review):
    shown = []
    assert review.compare_reviewers(shown.append) is None
    assert shown == [[]]
    for reviewer, reject in (("first", (3,)), ("second", (3, 4))):
        review.set_reviewer(reviewer)
        for row in (1, 2, 3, 4):
            review.select(row)
            if row in reject:
                review.reject()
            else:
                review.accept()
    run_here(review.compare_reviewers(shown.append))
    start = "second and first: 3 of 4 cells alike (75%), Cohen's kappa 0.50"
    assert shown[-1][0].startswith(start)
    assert any(line.startswith("Homogeneous against the rest") for line in shown[-1])


# --- the past --------------------------------------------------------------------


def test_the_past_is_shown_and_cannot_be_changed(state, review, bob):
    bob.decide([CELLS[2]], "rejected")
    review.select(1)
    review.reject()
    review.flag()
    assert review.last_step == 4
    run_here(review.show_as_of(1))
    assert state.as_of == 1
    assert verdicts(state.decisions) == {CELLS[1]: "accepted"}
    assert (state.others, state.marks) == ({}, {})
    assert review.count().accepted == 1
    for act in (review.accept, review.undo, review.flag, review.redo):
        act()
        assert state.saved == "not saved"
        assert "as of step 1, read-only" in state.fault
    bob.decide([CELLS[5]], "rejected")
    review.refresh_store()
    assert state.others == {}
    review.show_as_of(None)
    assert state.as_of is None
    assert verdicts(state.decisions) == {CELLS[1]: "rejected"}
    assert set(state.others) == {CELLS[2], CELLS[5]}
    review.undo()
    assert state.saved.endswith("saved")


def test_the_past_ends_where_another_store_is_taken(state, review, tmp_path):
    review.accept()
    run_here(review.show_as_of(0))
    assert state.decisions == {}
    review.use_store(tmp_path)
    assert state.as_of is None


def test_the_history_of_the_current_cell(state, review, bob):
    bob.decide([CELLS[1]], "rejected", reason="focus")
    review.select(1)
    lines = [line.split(" ", 4)[-1] for line in review.history()]
    assert lines == ["reviewer: accepted", "bob: rejected: out of focus"]
    review.select(None)
    assert review.history() == []


def test_50_000_decided_cells_at_once(state, review, specimens):
    """A bulk step is taken in by one look, not by one a cell."""
    table = state.review.table
    many = table.iloc[np.arange(50_000) % 7].reset_index(drop=True)
    many["id"] = [f"cell{k}" for k in range(50_000)]
    crops = np.zeros((50_000, 3, 3), np.uint8)
    review._take(replace(state.review, table=many, crops=crops))
    review.select(0, list(range(50_000)))
    looks = []
    inner = DecisionStore._refresh
    store = review._writable()
    store._refresh = lambda: looks.append(inner(store))
    review.accept()
    assert review.count().accepted == 50_000
    assert len(looks) < 15


# --- a third reader ---------------------------------------------------------------


@pytest.fixture
def eva(review, specimens, bob):
    """Eva, with the cells 1 to 3 accepted here; Bob rejected 1 and 2."""
    review.select(1, [1, 2, 3])
    review.accept()
    bob.decide([CELLS[1], CELLS[2]], "rejected")
    with DecisionStore(specimens / STORE, "eva") as store:
        yield store


def test_a_third_reader_settles_a_disagreement(state, review, eva):
    review.refresh_store()
    review.set_filter("disagreed")
    assert state.shown.tolist() == [1, 2]
    assert review.settled_of_current() == "Open: 2 reviewers disagree."
    eva.decide([CELLS[1]], "rejected")
    eva.decide([CELLS[2]], "relabelled", "Golgi")
    review.refresh_store()
    assert state.shown.tolist() == [2], "open still: all three differ"
    review.set_filter("settled")
    assert state.shown.tolist() == [1]
    review.select(1)
    assert review.settled_of_current() == "Consensus of 2 of 3 reviewers: rejected."
    told = []
    run_here(review.compare_reviewers(told.extend))
    assert told[-1] == ("2 cells are disagreed on: 1 with a consensus, 1 open.")


def test_a_blind_third_reader_is_not_told_what_settled(state, review, eva):
    review.set_reviewer("eva")
    review.set_blind(True)
    review.set_filter("disagreed")
    assert state.shown.tolist() == [1, 2], "what ann and bob disagree on"
    review.select(1)
    review.reject()
    assert state.shown.tolist() == [1, 2], "the queue does not tell that it is settled"
    review.select(1)
    assert review.settled_of_current() == ""
    review.set_filter("settled")
    assert state.shown.tolist() == [], "nor does this filter"
    review.set_blind(False)
    assert state.shown.tolist() == [1]
