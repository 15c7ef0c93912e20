"""Flags, notes, the prediction, other readers and the past, without a window."""

import numpy as np

from napari_hep2.review.controllers.controller import ReviewController
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore, Mark
from training.errors import StorageError
from training.patterns import I3A, MIVIA

CELLS = [f"00001_p0_000{k}" for k in range(1, 8)]


def verdicts(found):
    return {cell: d.pattern or d.verdict for cell, d in found.items()}


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
    review.navigation.select(2, [2, 3])
    review.decisions.flag()
    assert review.state.saved == "2 cells flagged, saved"
    assert review.state.marks == {CELLS[2]: Mark(True), CELLS[3]: Mark(True)}
    assert state.selected == (2, 3)
    review.decisions.flag()
    assert review.state.marks == {}
    review.decisions.undo()
    assert review.state.marks[CELLS[3]].flagged
    assert state.current == 2


def test_a_flag_on_some_of_the_cells_is_set_on_all(state, review):
    review.navigation.select(2)
    review.decisions.flag()
    review.navigation.select(3, [2, 3])
    review.decisions.flag()
    assert set(review.state.marks) == {CELLS[2], CELLS[3]}


def test_a_note_stands_after_a_restart(state, review):
    review.navigation.select(4)
    assert review.decisions.note_of_current() == ""
    review.decisions.note("  ask Bob ")
    assert review.state.saved == "note on 1 cell, saved"
    assert state.decisions == {}
    review.decision_session.close()
    again = ReviewController(state)
    again.review_frame()
    again.navigation.select(4)
    assert again.decisions.note_of_current() == "ask Bob"
    again.decisions.note("")
    assert again.state.marks == {}
    again.decision_session.close()


def test_without_a_cell_nothing_is_marked(state, review, specimens):
    review.navigation.select(None)
    review.decisions.flag()
    review.decisions.note("x")
    assert not (specimens / STORE).exists()


def test_a_mark_that_could_not_be_saved_is_not_shown(state, review, monkeypatch):
    def full(*_):
        raise StorageError("curation.sqlite", "the disk is full", "free some space")

    monkeypatch.setattr(DecisionStore, "flag", full)
    review.navigation.select(2)
    review.decisions.flag()
    assert (review.state.marks, review.state.saved) == ({}, "not saved")
    assert "disk is full" in state.fault


# --- the prediction --------------------------------------------------------------


def test_the_prediction_of_some_cells_is_taken_as_one_step(state, review, specimens):
    state.prediction = Prediction([0, 0, 5, 5, 1, 0])
    review.navigation.select(1, [1, 2, 3])
    review.decisions.accept_prediction()
    assert review.state.saved == "3 cells as predicted, saved"
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
    review.decisions.undo()
    assert state.decisions == {}


def test_a_cell_without_a_prediction_is_left(state, review):
    state.prediction = Prediction([0, 0])
    review.navigation.select(1, [0, 1, 5])
    review.decisions.accept_prediction()
    assert review.state.saved == "1 cell as predicted, saved; 2 without a prediction"
    assert set(state.decisions) == {CELLS[1]}
    review.navigation.select(5)
    review.decisions.accept_prediction()
    assert state.fault.startswith("The model has not scored the selected cells, or")


def test_what_a_model_of_other_patterns_calls_a_cell_is_not_bent(state, review):
    """The fourth is called cytoplasmic, which these cells do not know."""
    state.prediction = Prediction([0, 0, 3, 5, 0, 0], MIVIA)
    review.navigation.select_all()
    review.decisions.accept_prediction()
    assert review.state.saved == "5 cells as predicted, saved; 2 without a prediction"
    said = [one.pattern for one in state.decisions.values() if one.pattern]
    assert said == ["Nucleolar"]


def test_without_a_prediction_there_is_nothing_to_take(state, review, specimens):
    review.decisions.accept_prediction()
    assert state.fault.startswith("Classify the frame first")
    assert not (specimens / STORE).exists()


def test_undo_and_redo_go_to_the_cell_they_touch(state, review):
    review.navigation.select(3)
    review.decisions.accept()
    review.decisions.reject()
    review.decisions.undo()
    assert "00001_p0_0005" not in state.decisions
    assert state.current == 4
    review.decisions.undo()
    assert state.current == 3
    review.decisions.undo()
    assert review.state.saved == "nothing to undo"
    review.decisions.redo()
    assert state.decisions["00001_p0_0004"].verdict == "accepted"
    assert state.current == 3


def test_decisions_that_are_replaced_in_bulk_are_counted(state, review):
    review.navigation.select(1)
    review.decisions.reject("focus")
    review.navigation.select(2)
    review.decisions.accept()
    review.navigation.select_all()
    review.decisions.accept()
    told = "7 cells accepted, 1 of them decided otherwise before, saved"
    assert review.state.saved == told
    review.decisions.undo()
    assert sorted(one.verdict for one in state.decisions.values()) == [
        "accepted",
        "rejected",
    ]


def test_several_cells_are_decided_and_taken_back_as_one(state, review):
    review.navigation.select(2, [2, 3, 4])
    review.decisions.reject("debris")
    assert review.state.saved == "3 cells rejected, saved"
    assert review.progress.count().rejected == 3
    assert state.current == 5
    review.decisions.undo()
    assert review.progress.count().rejected == 0


def test_after_the_last_cells_the_nearest_before_them_is_next(state, review):
    review.order.set_filter("undecided")
    review.navigation.select(6, [4, 6])
    review.decisions.accept()
    assert review.state.shown.tolist() == [1, 2, 3, 5]
    assert state.current == 5


def test_a_decision_can_be_cleared(state, review):
    review.navigation.select(2)
    review.decisions.accept()
    review.navigation.select(2)
    review.decisions.clear()
    assert review.progress.count().decided == 0


def test_a_pattern_that_does_not_exist_is_no_decision(state, review):
    review.navigation.select(2)
    review.decisions.relabel(6)
    assert state.decisions == {}
