"""Nuclei are found at any size and brightness without a network."""

import numpy as np
import pytest
from scipy import ndimage

from training.config import SegmentationSettings
from training.data.masks.segmentation import NucleusFinder, segment_frame

AUTO = SegmentationSettings(method="classical")


def labels_of(image, settings=AUTO):
    return segment_frame(image, settings).labels


@pytest.mark.parametrize("texture", ["smooth", "rim", "dots"])
@pytest.mark.parametrize("diameter", [24, 48, 100])
def test_found_at_any_magnification(draw_field, matched, texture, diameter):
    image, centres = draw_field(diameter, texture=texture)
    labels = labels_of(image, AUTO)
    hits, found = matched(labels, centres, diameter / 4)
    assert labels.dtype == np.int32
    assert labels.shape == image.shape
    assert hits >= 0.95 * len(centres)
    assert found <= 1.05 * len(centres)


def test_sixteen_bit_images_give_the_same(draw_field):
    image, _ = draw_field(48)
    wide = image.astype(np.uint16) * 200
    first, second = labels_of(image, AUTO), labels_of(wide, AUTO)
    assert first.max() == second.max()
    assert ((first > 0) == (second > 0)).mean() > 0.99


def test_dim_nuclei_beside_bright_ones(draw_field, matched):
    image, centres = draw_field(48)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for cy, cx in centres[::5]:
        image[np.hypot(y - cy, x - cx) < 14] = 250
    hits, found = matched(labels_of(image, AUTO), centres, 12)
    assert hits >= 0.95 * len(centres)
    assert found <= 1.05 * len(centres)


def test_nuclei_that_touch_are_parted(matched):
    y, x = np.mgrid[:300, :300]
    rng = np.random.default_rng(0)
    signal = np.full(y.shape, 12.0)
    centres = np.array([(80, 80), (80, 122), (200, 80), (220, 200)])
    for cy, cx in centres:
        signal[np.hypot(y - cy, x - cx) < 22] = 60
    image = rng.poisson(ndimage.gaussian_filter(signal, 1)).astype(np.uint8)
    assert matched(labels_of(image, AUTO), centres, 6) == (4, 4)


@pytest.mark.parametrize("texture", ["smooth", "rim", "dots"])
def test_the_nucleus_at_a_place_is_found_among_others(draw_field, texture):
    frame, centres = draw_field(60, texture=texture)
    labels, finder = labels_of(frame, AUTO), NucleusFinder(frame)
    for cy, cx in centres:
        place = round(cy) + 5, round(cx) - 4
        label = labels[round(cy), round(cx)]
        taken = (labels > 0) & (labels != label)
        found = finder.find_at(place, taken, 60, AUTO)
        assert found is not None
        assert not (found.mask & taken[found.box]).any()
        whole = np.zeros(frame.shape, bool)
        whole[found.box] = found.mask
        shared = (whole & (labels == label)).sum() / (whole | (labels == label)).sum()
        assert shared > 0.7


def test_at_a_place_with_nothing_there_is_nothing():
    frame = np.random.default_rng(0).poisson(14, (300, 300)).astype(np.uint8)
    nowhere, finder = np.zeros(frame.shape, bool), NucleusFinder(frame)
    assert finder.find_at((150, 150), nowhere, 60, AUTO) is None
    assert finder.find_at((0, 299), nowhere, 60, AUTO) is None
