"""Nuclei are counted as found where more than half of both is shared."""

import numpy as np
import pytest

from training.data.masks.matching import joined, match_nuclei


def _rows(*columns):
    """Return a label image of one row: the value of each pixel."""
    return np.array([columns])


def test_overlaps_by_hand():
    found = _rows(1, 1, 1, 1, 0, 2, 2, 0, 0, 0)
    true = _rows(0, 5, 5, 5, 0, 0, 7, 7, 0, 9)
    matching = match_nuclei(found, true)
    assert matching.pairs.tolist() == [[1, 5]]
    assert matching.overlaps == pytest.approx([3 / 4])
    assert (matching.found, matching.true) == (2, 3)
    assert matching.f1(0.5) == pytest.approx(2 / 5)
    assert matching.f1(0.75) == pytest.approx(2 / 5)
    assert matching.f1(0.8) == 0


def test_half_a_nucleus_is_no_match():
    matching = match_nuclei(_rows(1, 1, 2, 2), _rows(3, 3, 3, 3))
    assert matching.f1(0.5) == 0


def test_frames_are_added_up():
    one = match_nuclei(_rows(1, 1, 0), _rows(2, 2, 0))
    none = match_nuclei(_rows(0, 0, 0), _rows(2, 2, 0))
    assert joined([one, none]).f1(0.5) == pytest.approx(2 / 3)
    assert match_nuclei(_rows(0), _rows(0)).f1(0.5) == 1
