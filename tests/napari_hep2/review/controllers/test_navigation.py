"""Going through cells, without a window; the keys are tested with the widget."""

import numpy as np

from napari_hep2.jobs import run_here
from training.curation.ordering import PatternChoice


def test_back_passes_over_cells_that_are_filtered_out(state, review):
    for row in (1, 2, 3):
        review.select(row)
    review.select(2)
    review.reject()
    review.set_filter("undecided")
    review.select(5)
    review.back()
    assert state.current == 3
    for _ in range(9):
        review.back()
    assert state.current == 1
    assert "no cell to go back" in state.message


def test_a_range_grows_and_shrinks_from_where_it_began(state, review):
    review.select(2)
    review.extend(2)
    assert (state.current, state.selected) == (4, (2, 3, 4))
    review.extend(-3)
    assert (state.current, state.selected) == (1, (1, 2))
    review.select_range(5)
    assert state.selected == (2, 3, 4, 5)
    review.select(3)
    review.extend(1)
    assert state.selected == (3, 4)


def test_a_sort_by_likeness_needs_a_cell_and_starts_with_it(state, review):
    review.select(None)
    assert review.set_sort("similarity") is None
    assert "Choose a cell first" in state.fault
    review.select(4)
    run_here(review.set_sort("similarity"))
    assert state.shown[0] == 4
    # Measured once: the next cell is compared at once.
    review.select(2)
    assert review.set_sort("similarity") is None
    assert state.shown[0] == 2


def test_what_was_chosen_for_one_review_does_not_outlive_it(state, review):
    run_here(review.set_sort("focus"))
    run_here(review.set_contrast_of_specimens(True))
    review.set_pattern_filter(PatternChoice("own", 0))
    review.set_specimen_filter("1")
    assert set(state.measures) == {"focus", "brightness"}
    review.review_frame()
    assert state.sort == "order"
    assert (state.measures, state.limits, state.contrast) == ({}, None, "cell")
    assert (state.pattern_filter, state.specimen_filter) == (None, "")
    assert len(state.shown) == 7


def test_groups_follow_decisions(state, review):
    review.set_group("decision")
    assert [(h.key, h.count) for h in state.headings] == [(0, 7)]
    review.select(3)
    review.accept()
    assert [(h.key, h.count, h.decided) for h in state.headings] == [
        (0, 6, 0),
        (1, 1, 1),
    ]
    assert state.shown.tolist() == [0, 1, 2, 4, 5, 6, 3]
    review.set_group("none")
    assert state.headings == ()


def test_progress_counts_kept_cells_of_each_specimen(state, review):
    review.select(2, [1, 2])
    review.accept()
    (one,) = review.progress_of_specimens()
    assert (one.specimen, one.decided, one.total) == ("1", 2, 6)
    assert review.progress_of_current() == one
    assert np.all(state.review.specimen_index == 0)
