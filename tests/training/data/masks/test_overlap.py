"""Overlap of two masks, set against sets of pixels."""

import numpy as np
import pytest

from training.data.masks.nuclei import find_nuclei
from training.data.masks.overlap import overlaps


def test_it_is_the_intersection_over_the_union_of_pixels():
    rng = np.random.default_rng(0)
    one, two = (np.kron(rng.integers(0, 5, (9, 7)), np.ones((3, 4))) for _ in "ab")
    two = np.roll(two, (1, 2), (0, 1))
    found = overlaps(find_nuclei(one.astype(int)), find_nuclei(two.astype(int)))
    wanted = {
        (a - 1, b - 1): ((one == a) & (two == b)).sum()
        / ((one == a) | (two == b)).sum()
        for a in range(1, 5)
        for b in range(1, 5)
        if ((one == a) & (two == b)).any()
    }
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    assert dict(zip(pairs, found.iou, strict=True)) == pytest.approx(wanted)


@pytest.mark.parametrize("columns", [(0, 3), (4, 4)])
def test_nuclei_that_meet_in_no_pixel_are_no_pair(columns):
    one, two = np.zeros((4, 8), int), np.zeros((4, 8), int)
    one[:, 4:] = 1
    two[:, slice(*columns)] = 1
    assert len(overlaps(find_nuclei(one), find_nuclei(two)).iou) == 0
