"""Nuclei are found at any size and brightness; bars, noise and nothing are not."""

import numpy as np
import pytest
from scipy import ndimage

from training.config import SegmentationSettings
from training.data.masks.scale_bars import display_limits, find_scale_bars, without
from training.data.masks.segmentation import (
    measure_diameter,
    segment_around,
    segment_nuclei,
)
from training.data.masks.shapes import join_halves, part_touching, solidity, tidy
from training.errors import BadImageError

AUTO = SegmentationSettings(method="classical")


def _field(diameter, seed=0, shape=(500, 600), texture="smooth", gap=1.9):
    """Return a frame and the (y, x) of its nuclei, on a jittered grid."""
    rng = np.random.default_rng(seed)
    signal = np.full(shape, 14.0)
    centres = []
    everywhere = np.mgrid[: shape[0], : shape[1]]
    step, reach = gap * diameter, round(0.9 * diameter)
    for cy in np.arange(step / 1.5, shape[0] - diameter / 1.5, step):
        for cx in np.arange(step / 1.5, shape[1] - diameter / 1.5, step):
            cy2, cx2 = np.array([cy, cx]) + rng.uniform(-0.1, 0.1, 2) * diameter
            a, b, t = *rng.uniform(0.43, 0.6, 2), rng.uniform(0, np.pi)
            around = tuple(
                slice(max(round(c) - reach, 0), round(c) + reach) for c in (cy, cx)
            )
            y, x = everywhere[(slice(None), *around)]
            u = (y - cy2) * np.cos(t) + (x - cx2) * np.sin(t)
            v = (x - cx2) * np.cos(t) - (y - cy2) * np.sin(t)
            radius = np.hypot(u / a, v / b) / diameter
            gain = rng.uniform(0.5, 2)
            signal[around] += gain * _texture(radius, texture, diameter, rng)
            centres.append((cy2, cx2))
    signal = ndimage.gaussian_filter(signal, 1.2)
    return rng.poisson(signal).clip(0, 255).astype(np.uint8), np.array(centres)


def _texture(radius, kind, diameter, rng):
    inside = radius < 1
    if kind == "rim":
        return 8.0 * inside + 40.0 * (inside & (radius > 0.8))
    if kind == "dots":
        rows, columns = np.nonzero(radius < 0.85)
        chosen = rng.choice(len(rows), 40)
        dots = np.zeros(radius.shape)
        dots[rows[chosen], columns[chosen]] = 60 * (diameter / 12) ** 2
        return 12.0 * inside + ndimage.gaussian_filter(dots, diameter / 24)
    return 40.0 * inside


def _matched(labels, centres, within):
    found = np.array(
        ndimage.center_of_mass(labels > 0, labels, range(1, labels.max() + 1))
    )
    distance = np.hypot(*(centres[:, None] - found[None]).transpose(2, 0, 1))
    return int((distance.min(axis=1) < within).sum()), len(found)


@pytest.mark.parametrize("texture", ["smooth", "rim", "dots"])
@pytest.mark.parametrize("diameter", [24, 48, 100])
def test_found_at_any_magnification(texture, diameter):
    image, centres = _field(diameter, texture=texture)
    labels = segment_nuclei(image, AUTO)
    hits, found = _matched(labels, centres, diameter / 4)
    assert labels.dtype == np.int32
    assert labels.shape == image.shape
    assert hits >= 0.95 * len(centres)
    assert found <= 1.05 * len(centres)


@pytest.mark.parametrize("diameter", [20, 48, 90])
def test_diameter_is_measured(diameter):
    image, _ = _field(diameter)
    measured = measure_diameter(np.sqrt(image.astype(np.float32)))
    assert 0.8 * diameter < measured < 1.6 * diameter


def test_sixteen_bit_images_give_the_same():
    image, _ = _field(48)
    wide = image.astype(np.uint16) * 200
    first, second = segment_nuclei(image, AUTO), segment_nuclei(wide, AUTO)
    assert first.max() == second.max()
    assert ((first > 0) == (second > 0)).mean() > 0.99


def test_dim_nuclei_beside_bright_ones():
    image, centres = _field(48)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for cy, cx in centres[::5]:
        image[np.hypot(y - cy, x - cx) < 14] = 250
    hits, found = _matched(segment_nuclei(image, AUTO), centres, 12)
    assert hits >= 0.95 * len(centres)
    assert found <= 1.05 * len(centres)


def test_nuclei_that_touch_are_parted():
    y, x = np.mgrid[:300, :300]
    rng = np.random.default_rng(0)
    signal = np.full(y.shape, 12.0)
    centres = np.array([(80, 80), (80, 122), (200, 80), (220, 200)])
    for cy, cx in centres:
        signal[np.hypot(y - cy, x - cx) < 22] = 60
    image = rng.poisson(ndimage.gaussian_filter(signal, 1)).astype(np.uint8)
    assert _matched(segment_nuclei(image, AUTO), centres, 6) == (4, 4)


def test_labels_are_numbered_from_one_in_reading_order():
    labels = segment_nuclei(_field(48)[0], AUTO)
    values, first = np.unique(labels, return_index=True)
    assert values.tolist() == list(range(labels.max() + 1))
    assert np.all(np.diff(first[1:]) > 0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((200, 300), np.uint8),
        np.full((200, 300), 17, np.uint8),
        np.random.default_rng(0).poisson(12, (300, 400)).astype(np.uint8),
        np.zeros((3, 3), np.uint8),
    ],
    ids=["black", "flat", "noise", "tiny"],
)
def test_nothing_there_is_said(image):
    with pytest.raises(BadImageError, match="no nucleus was found"):
        segment_nuclei(image, AUTO)


@pytest.mark.parametrize("method", ["network", "classical"])
def test_a_ground_of_nothing_and_black_borders_hide_no_nucleus(method):
    settings = SegmentationSettings(method=method)
    y, x = np.mgrid[:400, :500]
    centres = np.array([(80, 90), (90, 240), (220, 120), (230, 300), (330, 220)])
    frame = np.zeros(y.shape, np.uint8)
    for cy, cx in centres:
        frame[np.hypot(y - cy, x - cx) < 24] = 120
    assert _matched(segment_nuclei(frame, settings), centres, 6) == (5, 5)
    image, centres = _field(48)
    image[:, :90] = 0
    image[430:] = 0
    inside = centres[(centres[:, 1] > 120) & (centres[:, 0] < 400)]
    hits, found = _matched(segment_nuclei(image, settings), inside, 12)
    assert hits >= 0.95 * len(inside)
    assert found <= len(centres)


# --- scale bars -----------------------------------------------------------------------


def _with_bar(image, value=64):
    image = image.copy()
    image[25:50, 30:240] = value
    for k in range(6):
        image[30:45, 100 + 12 * k : 104 + 12 * k] = 250
    return image


def test_a_scale_bar_is_found_and_is_no_nucleus():
    image, _ = _field(48, seed=3)
    barred = _with_bar(image)
    (box,) = find_scale_bars(barred)
    y0, x0, y1, x1 = box
    assert y0 <= 25
    assert x0 <= 30
    assert y1 >= 50
    assert x1 >= 240
    assert (y1 - y0, x1 - x0) <= (40, 240)
    labels = segment_nuclei(barred, AUTO)
    assert not labels[25:50, 30:240].any()
    clear = segment_nuclei(image, AUTO)
    assert labels[120:].astype(bool).sum() == pytest.approx(
        clear[120:].astype(bool).sum(), rel=0.05
    )


def test_no_bar_in_an_image_without():
    image, _ = _field(48)
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


# --- shapes ------------------------------------------------------------------


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
    assert set(np.unique(join_halves(labels, flat, 24))) == {0, 2}
    dip = flat.copy()
    dip[18:22] = 3
    assert set(np.unique(join_halves(labels, dip, 24))) == {0, 1, 2}
    assert set(np.unique(join_halves(labels, flat, 12))) == {0, 1, 2}


def test_an_hourglass_is_parted_and_a_disc_is_not():
    y, x = np.mgrid[:60, :120]
    one = np.hypot(y - 30, x - 30) < 20
    two = one | (np.hypot(y - 30, x - 68) < 20)
    assert part_touching(one.astype(np.int32), 40).max() == 1
    assert set(np.unique(part_touching(two.astype(np.int32), 40))) == {0, 1, 2}


def test_tidy_fills_holes_and_leaves_out_specks():
    y, x = np.mgrid[:60, :60]
    labels = (np.hypot(y - 30, x - 30) < 20).astype(np.int32)
    labels[28:32, 28:32] = 0
    labels[1:4, 1:4] = 2
    clean = tidy(labels, 40, 0.2)
    assert clean[30, 30] == 1
    assert set(np.unique(clean)) == {0, 1}


@pytest.mark.parametrize("texture", ["smooth", "rim", "dots"])
def test_the_nucleus_around_a_place_is_found_among_others(texture):
    frame, centres = _field(60, texture=texture)
    labels = segment_nuclei(frame, AUTO)
    for cy, cx in centres:
        place = round(cy) + 5, round(cx) - 4
        label = labels[round(cy), round(cx)]
        taken = (labels > 0) & (labels != label)
        found = segment_around(frame, taken, place, 60)
        assert found is not None
        assert not (found & taken).any()
        shared = (found & (labels == label)).sum() / (found | (labels == label)).sum()
        assert shared > 0.7


def test_around_a_place_with_nothing_there_is_nothing():
    frame = np.random.default_rng(0).poisson(14, (300, 300)).astype(np.uint8)
    nowhere = np.zeros(frame.shape, bool)
    assert segment_around(frame, nowhere, (150, 150), 60) is None
    assert segment_around(frame, nowhere, (0, 299), 60) is None


def test_the_least_bar_is_found_wherever_it_lies():
    rng = np.random.default_rng(0)
    for y in range(14, 18):
        for x in range(24, 34):
            image = rng.integers(1, 150, (60, 400)).astype(np.uint8)
            image[y : y + 3, x : x + 30] = 250
            assert len(find_scale_bars(image)) == 1, (y, x)
