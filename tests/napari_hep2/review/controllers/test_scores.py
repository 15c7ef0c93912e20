"""Scores of a model in the order of the vocabulary under review."""

import numpy as np

from napari_hep2.review.controllers.scores import leading_two, translated
from training.patterns import I3A, I3A_TASK2


def test_a_cell_called_by_an_unknown_pattern_has_no_scores():
    scores = np.full((2, 7), 0.1, np.float32)
    scores[0, 6], scores[1, 2] = 0.4, 0.4
    found = translated(scores, I3A_TASK2, I3A)
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1], scores[1, :6])


def test_the_two_leading_patterns_of_each_cell():
    scores = np.array([[0.1, 0.6, 0.3], [np.nan] * 3, [0.5, 0.2, 0.3]], np.float32)
    assert leading_two(scores).tolist() == [[1, 2], [-1, -1], [0, 2]]
