"""Filters, sorts and groups, without a window."""

from dataclasses import replace

import numpy as np
import pytest

from napari_hep2.jobs import run_here
from training.curation.ordering import PatternChoice

CELLS = [f"00001_p0_000{k}" for k in range(1, 8)]


def test_decided_cells_leave_the_undecided(state, review):
    review.order.set_filter("undecided")
    assert review.state.shown.tolist() == [1, 2, 3, 4, 5, 6]
    review.navigation.select(1)
    review.decisions.accept()
    assert review.state.shown.tolist() == [2, 3, 4, 5, 6]
    assert state.current == 2
    for _ in range(5):
        review.decisions.accept()
    assert len(review.state.shown) == 0
    assert state.current is None
    review.decisions.accept()
    assert review.progress.count().accepted == 6


def test_cells_are_sorted_by_size_and_by_focus(state, review):
    assert review.order.set_sort("size") is None
    assert review.state.shown[0] == 0
    run_here(review.order.set_sort("focus"))
    assert sorted(review.state.shown) == list(range(7))
    assert review.order.set_sort("focus") is None
    assert review.order.set_sort("order") is None
    assert review.state.shown.tolist() == list(range(7))


def test_after_a_sort_its_top_is_current(state, review):
    review.navigation.select(4)
    review.order.set_sort("size")
    kept = [k for k in review.state.shown if not state.review.dropped[k]]
    assert state.current == kept[0] != 4
    review.order.set_descending(True)
    kept = [k for k in review.state.shown if not state.review.dropped[k]]
    assert state.current == kept[0]


def test_a_sort_by_likeness_needs_a_cell_and_starts_with_it(state, review):
    review.navigation.select(None)
    assert review.order.set_sort("similarity") is None
    assert "Choose a cell first" in state.fault
    review.navigation.select(4)
    run_here(review.order.set_sort("similarity"))
    assert review.state.shown[0] == 4
    # Measured once: the next cell is compared at once.
    review.navigation.select(2)
    assert review.order.set_sort("similarity") is None
    assert review.state.shown[0] == 2


@pytest.mark.parametrize("sort", ["focus", "similarity"])
def test_an_order_is_named_once_it_is_there(review, sort):
    job = review.order.set_sort(sort)
    assert review.state.sort == "order"
    run_here(job)
    assert review.state.sort == sort


def test_an_order_by_scores_is_not_named_without_scores(state, review):
    assert review.order.set_sort("uncertainty") is None
    assert review.state.sort == "order"
    assert state.fault.startswith("There are no scores to sort by yet")


def test_what_was_chosen_for_one_review_does_not_outlive_it(state, review):
    run_here(review.order.set_sort("focus"))
    run_here(review.set_contrast_of_specimens(True))
    review.order.set_pattern_filter(PatternChoice("own", 0))
    review.order.set_specimen_filter("1")
    assert set(review.state.measures) == {"focus", "brightness"}
    review.review_frame()
    assert review.state.sort == "order"
    assert (review.state.measures, review.state.limits, review.state.contrast) == (
        {},
        None,
        "cell",
    )
    assert (review.state.pattern_filter, review.state.specimen_filter) == (None, "")
    assert len(review.state.shown) == 7


def test_groups_follow_decisions(state, review):
    review.order.set_group("decision")
    assert [(h.key, h.count) for h in review.state.headings] == [(0, 7)]
    review.navigation.select(3)
    review.decisions.accept()
    assert [(h.key, h.count, h.decided) for h in review.state.headings] == [
        (0, 6, 0),
        (1, 1, 1),
    ]
    assert review.state.shown.tolist() == [0, 1, 2, 4, 5, 6, 3]
    review.order.set_group("none")
    assert review.state.headings == ()


def disagreed(review):
    review.order.set_filter("disagreed")
    return review.state.shown.tolist()


def test_the_cells_disagreed_on_are_found_blind_too(state, review, bob):
    bob.decide([CELLS[1]], "relabelled", "Homogeneous")
    review.decision_session.refresh()
    assert disagreed(review) == []
    bob.decide([CELLS[1], CELLS[3]], "rejected")
    review.decision_session.set_blind(True)
    review.decision_session.refresh()
    assert review.state.others == {}
    assert disagreed(review) == [1]
    review.decision_session.set_reviewer("third")
    assert disagreed(review) == [1]


def test_the_filter_shows_what_is_disagreed_on(state, review, bob):
    bob.decide([CELLS[1], CELLS[3]], "rejected")
    review.decision_session.refresh()
    assert disagreed(review) == [1]


def test_measures_that_are_followed_survive_cells_cut_anew(state, review):
    """A widget sorts anew at each change of the measures."""
    review.state.measures = {"suspicion": np.arange(7.0)}
    review.order.set_sort("suspicion")
    review.state.events.measures.connect(lambda *_: review.order.refresh())
    fewer = state.review.table.iloc[1:].reset_index(drop=True)
    review.retake(replace(state.review, table=fewer, crops=state.review.crops[1:]))
    assert review.state.measures["suspicion"].tolist() == [1, 2, 3, 4, 5, 6]
    assert review.state.shown.tolist() == [5, 4, 3, 2, 1, 0]


def test_an_order_without_scores_is_remembered_as_wanted(state, review):
    assert review.order.set_sort("suspicion") is None
    assert review.state.wanted == "suspicion"
    assert "score all cells" in state.fault
    assert review.state.sort == "order"
    review.order.set_sort("size")
    assert review.state.wanted is None
