"""Halves are joined, nuclei that touch parted, holes filled."""

import numpy as np
import pytest

from training.data.masks.shapes import join_halves, part_touching, solidity, tidy
from training.steps import drain


def test_solidity_by_hand():
    square = np.ones((4, 4), bool)
    assert solidity(square) == pytest.approx(1)
    square[1:, 1:] = False
    assert solidity(square) == pytest.approx(7 / 11.5)


def test_halves_are_joined_unless_there_is_a_dip():
    labels = np.zeros((40, 40), np.int32)
    labels[10:20, 10:30] = 1
    labels[20:30, 10:30] = 2
    flat = np.full(labels.shape, 5, np.float32)
    assert set(np.unique(drain(join_halves(labels, flat, 24)))) == {0, 2}
    dip = flat.copy()
    dip[18:22] = 3
    assert set(np.unique(drain(join_halves(labels, dip, 24)))) == {0, 1, 2}
    assert set(np.unique(drain(join_halves(labels, flat, 12)))) == {0, 1, 2}


def test_an_hourglass_is_parted_and_a_disc_is_not():
    y, x = np.mgrid[:60, :120]
    one = np.hypot(y - 30, x - 30) < 20
    two = one | (np.hypot(y - 30, x - 68) < 20)
    assert drain(part_touching(one.astype(np.int32), 40)).max() == 1
    assert set(np.unique(drain(part_touching(two.astype(np.int32), 40)))) == {0, 1, 2}


def test_tidy_fills_holes_and_leaves_out_specks():
    y, x = np.mgrid[:60, :60]
    labels = (np.hypot(y - 30, x - 30) < 20).astype(np.int32)
    labels[28:32, 28:32] = 0
    labels[1:4, 1:4] = 2
    clean = drain(tidy(labels, 40, 0.2))
    assert clean[30, 30] == 1
    assert set(np.unique(clean)) == {0, 1}
