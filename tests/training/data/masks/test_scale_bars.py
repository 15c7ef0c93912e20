"""Burnt-in scale bars are found, covered and no nuclei."""

import numpy as np
import pytest

from training.config import SegmentationSettings
from training.data.masks.scale_bars import display_limits, find_scale_bars, without
from training.data.masks.segmentation import segment_frame

AUTO = SegmentationSettings(method="classical")


def labels_of(image, settings=AUTO):
    return segment_frame(image, settings).labels


def _with_bar(image, value=64):
    image = image.copy()
    image[25:50, 30:240] = value
    for k in range(6):
        image[30:45, 100 + 12 * k : 104 + 12 * k] = 250
    return image


def test_a_scale_bar_is_found_and_is_no_nucleus(draw_field):
    image, _ = draw_field(48, seed=3)
    barred = _with_bar(image)
    (box,) = find_scale_bars(barred)
    y0, x0, y1, x1 = box
    assert y0 <= 25
    assert x0 <= 30
    assert y1 >= 50
    assert x1 >= 240
    assert (y1 - y0, x1 - x0) <= (40, 240)
    labels = labels_of(barred, AUTO)
    assert not labels[25:50, 30:240].any()
    clear = labels_of(image, AUTO)
    assert labels[120:].astype(bool).sum() == pytest.approx(
        clear[120:].astype(bool).sum(), rel=0.05
    )


def test_no_bar_in_an_image_without(draw_field):
    image, _ = draw_field(48)
    assert find_scale_bars(image) == []
    assert without(image, []) is image
    assert find_scale_bars(np.full((200, 300), 9, np.uint8)) == []


@pytest.mark.parametrize(("y", "x"), [(0, 0), (75, 90), (10, 0)])
def test_a_bar_at_the_edge_is_covered_as_a_whole(y, x):
    noise = np.random.default_rng(0).integers(5, 40, (100, 150)).astype(np.uint16)
    noise[y : y + 5, x : x + 60] = 900
    (box,) = find_scale_bars(noise)
    y0, x0, y1, x1 = box
    assert y0 <= y
    assert y1 >= y + 5
    assert y1 - y0 <= 13
    assert x0 <= x
    assert x1 >= x + 60
    assert without(noise, [box]).max() < 40


def test_a_flat_dark_ground_is_no_bar():
    image = np.random.default_rng(0).integers(2, 5, (200, 300)).astype(np.uint8)
    image[40:46, 20:200] = 3
    assert find_scale_bars(image) == []
    image[40:46, 20:200] = 5
    assert len(find_scale_bars(image)) == 1


def test_a_scale_bar_does_not_move_the_limits_of_the_display():
    noise = np.random.default_rng(0).integers(5, 40, (100, 150)).astype(np.uint8)
    barred = noise.copy()
    barred[70:78, 40:120] = 255
    low, high = display_limits(barred)
    assert (low, high) == pytest.approx(display_limits(noise), abs=1)
    assert np.percentile(barred, 99.8) == 255


def test_nothing_is_seen_in_an_image_smaller_than_a_bar():
    for shape in ((1, 1), (2, 30), (30, 8)):
        assert find_scale_bars(np.full(shape, 7, np.uint8)) == []


def test_the_least_bar_is_found_wherever_it_lies():
    rng = np.random.default_rng(0)
    for y in range(14, 18):
        for x in range(24, 34):
            image = rng.integers(1, 150, (60, 400)).astype(np.uint8)
            image[y : y + 3, x : x + 30] = 250
            assert len(find_scale_bars(image)) == 1, (y, x)
