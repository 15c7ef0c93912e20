"""Scale space, points and descriptors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from training.models.features.scale_space.descriptor import (
    COMPARISONS,
    blur,
    compare,
    describe,
    grid_points,
    orientations,
    sample,
    stretch,
)

SIDE = 40


# Scale space


def test_the_stretch_is_linear_between_two_percentiles():
    image = np.arange(SIDE * SIDE).reshape(1, SIDE, SIDE) % 251
    low, high = np.percentile(image, [1, 99])
    expected = np.clip((image - low) / (high - low), 0, 1)
    np.testing.assert_allclose(stretch(np.uint8(image)), expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.7, 2.0, 4.0])
def test_each_image_is_blurred_as_scipy_does_one(sigma, noise):
    images = stretch(noise(3))
    expected = [ndimage.gaussian_filter(image, sigma) for image in images]
    np.testing.assert_allclose(blur(images, sigma), expected, atol=1e-6)


def test_the_blur_is_a_gaussian_and_the_border_a_mirror():
    spot = np.zeros((1, SIDE, SIDE), np.float32)
    spot[0, 20, 3] = 1
    reach = np.arange(-8, 9)
    kernel = np.exp(-(reach**2) / 8)
    kernel /= kernel.sum()
    row = np.convolve(spot[0, 20], kernel)[8:-8]
    row[:5] += np.convolve(spot[0, 20], kernel)[7:2:-1]
    expected = row * kernel[8]
    np.testing.assert_allclose(blur(spot, 2.0)[0, 20], expected, atol=1e-6)


def test_sigma_0_is_the_image_itself(noise):
    images = stretch(noise(2))
    np.testing.assert_array_equal(blur(images, 0.0), images)


# Points


def test_points_of_a_square_nucleus_counted_by_hand():
    mask = np.zeros((1, SIDE, SIDE), np.bool_)
    mask[0, 10:14, 20:26] = True
    points = grid_points(mask, step=2, margin=0)
    assert sorted(set(points.y.tolist())) == [10.5, 12.5]
    assert sorted(set(points.x.tolist())) == [20.5, 22.5, 24.5]
    assert points.counts.tolist() == [6]


def test_the_margin_is_a_rim_of_so_many_pixels():
    mask = np.zeros((1, SIDE, SIDE), np.bool_)
    mask[0, 15:17, 15:17] = True
    assert grid_points(mask, step=1, margin=3).counts.tolist() == [64]


def test_an_empty_mask_takes_the_whole_crop(discs):
    masks = np.zeros((2, SIDE, SIDE), np.bool_)
    masks[1] = discs(1)[0]
    points = grid_points(masks, step=2, margin=0)
    assert points.counts[0] == (SIDE // 2) ** 2
    assert points.counts[1] < points.counts[0]
    assert torch.bincount(points.cells).tolist() == points.counts.tolist()


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_the_grid_is_its_own_quarter_turn(step):
    mask = np.zeros((1, SIDE, SIDE), np.bool_)
    mask[0, 5:20, 11:33] = True
    here = grid_points(mask, step, margin=1)
    turned = grid_points(np.rot90(mask, 1, (1, 2)).copy(), step, margin=1)
    before = torch.stack([SIDE - 1 - here.x, here.y], dim=1).tolist()
    after = torch.stack([turned.y, turned.x], dim=1).tolist()
    assert sorted(before) == sorted(after)


def test_only_the_chosen_points_are_kept(discs):
    points = grid_points(discs(3), 2, 0)
    chosen = np.zeros(len(points), np.bool_)
    chosen[[0, points.counts[0] + 1, points.counts[0] + 2]] = True
    kept = points.only(chosen)
    assert kept.counts.tolist() == [1, 2, 0]
    assert kept.y.tolist() == points.y.numpy()[chosen].tolist()


def test_sampling_is_bilinear_and_holds_the_border(noise):
    images = torch.from_numpy(stretch(noise(2)))
    rng = np.random.default_rng(1)
    y, x = np.float32(rng.uniform(-4, SIDE + 3, (2, 50)))
    for cell in (0, 1):
        expected = ndimage.map_coordinates(
            images[cell].numpy(), [y, x], order=1, mode="nearest"
        )
        got = sample(
            images,
            torch.full((50,), cell),
            torch.from_numpy(y),
            torch.from_numpy(x),
        )
        np.testing.assert_allclose(got, expected, atol=1e-5)


# The descriptor


def test_a_slope_points_uphill(discs):
    y, x = np.mgrid[:SIDE, :SIDE]
    image = torch.from_numpy(np.float32(3 * y - 4 * x)[None] / 400 + 0.5)
    down, across = orientations(image, grid_points(discs(1), 2, 0))
    np.testing.assert_allclose(down, 0.6, atol=1e-4)
    np.testing.assert_allclose(across, -0.8, atol=1e-4)


def test_a_flat_image_points_outwards(discs):
    points = grid_points(discs(1), 2, 0)
    down, across = orientations(torch.full((1, SIDE, SIDE), 0.5), points)
    middle = (SIDE - 1) / 2
    angle = torch.atan2(points.y - middle, points.x - middle)
    np.testing.assert_allclose(down, angle.sin(), atol=1e-5)
    np.testing.assert_allclose(across, angle.cos(), atol=1e-5)


def test_comparisons_written_by_hand():
    ring = torch.tensor([[[5.0, 1.0, 3.0, 3.0, 2.0, 3.0, 9.0, 0.0]]])
    with_centre = [1, -1, 0, 0, -1, 0, 1, -1]
    opposite = [1, -1, -1, 1]
    adjacent = [-1, 1, 0, -1, 1, 1, -1, 1]
    expected = with_centre + opposite + adjacent
    assert len(expected) == COMPARISONS
    assert compare(torch.tensor([3.0]), ring).tolist() == [expected]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_comparisons_know_the_order_of_grey_values_only(data):
    levels = st.integers(0, 20)
    ranks = np.array(data.draw(st.lists(levels, min_size=17, max_size=17)))
    steps = data.draw(st.lists(st.floats(0.01, 5), min_size=21, max_size=21))
    rising = np.cumsum(steps)

    def signs(values):
        grey = torch.from_numpy(np.float32(values))
        return compare(grey[:1], grey[1:].view(1, 2, 8)).tolist()

    assert signs(rising[ranks]) == signs(ranks)


def test_neighbour_0_lies_uphill_and_the_others_follow_around(discs):
    """On a plane the grey value of neighbour k goes as the cosine of its angle."""
    y, x = np.mgrid[:SIDE, :SIDE]
    image = torch.from_numpy(np.float32(2 * y + 5 * x)[None] / 400)
    found = describe(image, grid_points(discs(1, 8), 2, 0), (2.0, 4.0))
    values = np.round(np.cos(np.arange(8) * math.pi / 4), 6)
    ring = np.sign(
        [*values, *(values[:4] - values[4:]), *(np.roll(values, -1) - values)]
    )
    np.testing.assert_array_equal(found, np.tile(ring, (len(found), 2)))


def test_a_gain_and_an_offset_change_no_descriptor(noise, discs):
    images = np.uint8(noise(2) // 2)
    points = grid_points(discs(2), 2, 0)

    def found(grey):
        return describe(blur(stretch(grey), 1.0), points, (2.0, 4.0))

    changed = (found(images) != found(np.uint8(images * 2 + 1))).float().mean()
    assert changed < 1e-3


def test_a_rising_curve_of_grey_values_changes_few_signs(noise, discs):
    """Interpolated values and the gradient follow a curve only nearly."""
    images = torch.from_numpy(stretch(noise(2, sigma=2.0)))
    points = grid_points(discs(2), 2, 0)
    plain = describe(images, points, (2.0, 4.0))
    curved = describe(images**0.7, points, (2.0, 4.0))
    falling = describe(1 - images, points, (2.0, 4.0))
    assert (plain != curved).float().mean() < 0.05
    assert (plain != falling).float().mean() > 0.2


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_a_quarter_turn_moves_descriptors_and_changes_none(turns, sigma, noise):
    images = noise(1)
    turned = np.rot90(images, turns, (1, 2)).copy()
    masks = np.ones((1, SIDE, SIDE), np.bool_)
    points = grid_points(masks, 2, 0)

    def field(grey):
        found = describe(blur(stretch(grey), sigma), points, (2.0, 4.0))
        return found.view(SIDE // 2, SIDE // 2, -1).numpy()

    same = np.rot90(field(images), turns) == field(turned)
    assert same.mean() > 0.999
