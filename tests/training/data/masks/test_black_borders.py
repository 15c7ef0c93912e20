"""A black border becomes ground, and a ground of 0 stays dark."""

import numpy as np

from training.data.masks.black_borders import without_black_borders


def _frame():
    return np.random.default_rng(0).integers(10, 20, (200, 240)).astype(np.uint8)


def test_a_border_is_as_bright_as_the_ground_beside_it():
    frame = _frame()
    frame[:, :60] = 0
    frame[150:] = 0
    filled = without_black_borders(frame)
    assert filled.min() >= 10
    assert filled.max() < 20
    assert (filled[:150, 60:] == frame[:150, 60:]).all()


def test_a_frame_without_is_left_alone():
    frame = _frame()
    frame[100:140, 100:140] = 0  # inside, no border
    assert without_black_borders(frame) is frame
    black = np.zeros((50, 60), np.uint16)
    assert without_black_borders(black) is black


def test_a_subtracted_ground_stays_dark():
    y, x = np.mgrid[:200, :240]
    depth = np.maximum(30 - np.hypot(y - 100, x - 120), 0)
    frame = np.rint(4 * depth).astype(np.uint8)
    assert without_black_borders(frame) is frame
    sharp = np.where(depth > 0, 120, 0).astype(np.uint8)
    assert without_black_borders(sharp) is sharp
