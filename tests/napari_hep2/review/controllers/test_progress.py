import numpy as np


def test_progress_counts_kept_cells_and_those_taken_back(state, review):
    count = review.progress.count()
    assert (count.decided, count.total) == (0, 6)
    review.navigation.select(0)
    review.decisions.accept()
    count = review.progress.count()
    assert (count.decided, count.total, count.accepted) == (1, 7, 1)


def test_progress_counts_kept_cells_of_each_specimen(state, review):
    review.navigation.select(2, [1, 2])
    review.decisions.accept()
    (one,) = review.progress.of_specimens()
    assert (one.specimen, one.decided, one.total) == ("1", 2, 6)
    assert review.progress.of_current() == one
    assert np.all(state.review.specimen_index == 0)
