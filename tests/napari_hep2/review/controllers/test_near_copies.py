"""Near copies of a cell folder in which two were planted."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.near_copies import (
    CopiesController,
    CopyPair,
    as_first,
)
from training.cli import app
from training.config.commands import PROGRAM
from training.curation.near_copies import view_of

PLANTED = [(("1", 2), ("2", 6)), (("1", 4), ("3", 9))]
"""Specimen and tile of each cell, rows of five from the upper left."""


@pytest.fixture
def verbs(state, copied_cells):
    made = ReviewController(state)
    run_here(made.open_cell_folder(copied_cells))
    yield made
    made.decision_session.close()


@pytest.fixture
def copies(state, verbs):
    """Found."""
    made = CopiesController(state, verbs)
    run_here(made.find_job())
    return made


def names(state, copies):
    ids = state.review.ids
    return [(ids[pair.first], ids[pair.second]) for pair in copies.pairs]


def tile(state, row):
    cell = state.review.table.iloc[row]
    place = 5 * ((cell["y"] - 20) // 90) + (cell["x"] - 20) // 90 + 1
    return str(int(cell["specimen"])), int(place)


def test_the_planted_pairs_are_found_and_no_other(state, copies):
    found = [(tile(state, p.first), tile(state, p.second)) for p in copies.pairs]
    assert sorted(found) == PLANTED
    assert state.message == "2 pairs of near copies found."
    assert copies.open_count() == 2
    assert all(pair.likeness > 0.95 for pair in copies.pairs)


def test_the_command_lists_the_same_pairs(state, copies):
    program, *words = copies.command().split()
    assert (program, words[0]) == (PROGRAM, "copies")
    shown = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    listed = json.loads(shown.stdout)["copies"]
    assert [(pair["first"], pair["second"]) for pair in listed] == names(state, copies)
    assert [pair["correlation"] for pair in listed] == [
        pair.likeness for pair in copies.pairs
    ]
    copies.within = True
    assert copies.command().endswith(" --within")


def test_the_second_is_shown_as_the_first(state, copies):
    for pair in copies.pairs:
        first = state.review.crops[pair.first].astype(float)[8:-8, 8:-8]
        second = as_first(state.review.crops[pair.second], pair)[8:-8, 8:-8]
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("shift", [(0, 0), (2, -3), (-1, 2)])
def test_a_crop_is_turned_and_moved_back(shift):
    crop = np.random.default_rng(0).integers(0, 255, (20, 20))
    shown = as_first(crop, CopyPair(0, 1, 1.0, 6, shift))
    moved = np.roll(view_of(crop, 6), (-shift[0], -shift[1]), (0, 1))
    assert shown.shape == crop.shape
    assert np.array_equal(shown[3:-3, 3:-3], moved[3:-3, 3:-3])


def test_a_rejection_names_the_other_and_goes_to_the_next_pair(state, verbs, copies):
    (first, second), other = names(state, copies)
    copies.reject(1)
    decision = state.decisions[second]
    assert (decision.verdict, decision.reason) == ("rejected", f"copy of {first}")
    assert first not in state.decisions
    assert copies.place == 1
    assert copies.open_count() == 1
    copies.reject(0)
    assert state.decisions[other[0]].reason == f"copy of {other[1]}"
    assert copies.open_count() == 0
    assert state.message == "Every pair has been decided on."
    copies.undo()
    copies.undo()
    assert state.decisions == {}
    assert copies.open_count() == 2
    assert copies.place == 0, "where the last undone action was"


def test_a_cell_rejected_is_not_looked_at_again(state, copies):
    copies.reject(1)
    run_here(copies.find_job())
    assert len(copies.pairs) == 1


def test_a_kept_pair_is_remembered_in_the_store(state, verbs, copies, copied_cells):
    first, second = names(state, copies)[0]
    verbs.navigation.select(copies.pairs[0].first)
    verbs.decisions.note("round")
    copies.keep_both()
    assert verbs.state.marks[first].note == f"round; no copy of {second}"
    assert copies.open_count() == 1
    run_here(verbs.open_cell_folder(copied_cells))
    assert copies.pairs == ()
    run_here(copies.find_job())
    assert copies.is_kept(copies.pairs[0])
    assert copies.open_count() == 1


def test_hidden_names_go_into_no_reason_and_no_note(state, verbs, copies):
    verbs.decision_session.set_blind(True)
    _, second = names(state, copies)[0]
    copies.reject(1)
    assert state.decisions[second].reason == "copy of another cell"
    copies.keep_both()
    assert copies.open_count() == 0
    assert verbs.state.marks == {}


def test_both_are_selected_whatever_the_filter_hides(state, verbs, copies):
    verbs.order.set_filter("rejected")
    assert len(verbs.state.shown) == 0
    copies.show_both()
    pair = copies.pairs[0]
    assert state.selected == (pair.first, pair.second)
    assert state.current == pair.first
    assert verbs.navigation.selection.has(pair.second)


def test_the_walk_stops_at_both_ends(copies):
    copies.go(-1)
    assert copies.place == 0
    copies.go(5)
    assert copies.place == 1
    copies.next_open()
    assert copies.place == 0


def test_the_work_leaves_the_state_alone_and_tells_how_far_it_is(state, copies):
    before = state.message, copies.pairs
    steps = [step.share for step in copies.find_job().work()]
    assert steps[-1] == 1
    assert (state.message, copies.pairs) == before


def test_a_frame_has_no_copies(state, review):
    made = CopiesController(state, review)
    assert made.find_job() is None
    assert "open one first" in state.fault
    assert made.command() == ""
