import numpy as np
import pytest

from training.curation.crop_measures import (
    brightness,
    descriptor_steps,
    descriptors,
    distances,
    limit_steps,
    looks_steps,
)
from training.curation.quality import sharpness


def drained(steps):
    """Return what steps return, and the shares done that they yield."""
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as end:
            return end.value, shares


def blobs(n, side=77, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 255, (n, side, side)).astype(np.uint8)


def test_a_flat_crop_is_the_least_sharp():
    ramp = np.tile(np.arange(9, dtype=np.uint8), (9, 1))
    chess = (np.indices((9, 9)).sum(axis=0) % 2 * 100).astype(np.uint8)
    focus = sharpness(np.stack([np.full((9, 9), 7, np.uint8), ramp, chess]))
    assert focus[0] == 0
    assert focus[1] == 0
    assert focus[2] > 1


def test_brightness_is_that_of_the_middle():
    crop = np.zeros((1, 8, 8), np.uint16)
    crop[0, 2:6, 2:6] = 1000
    assert brightness(crop).tolist() == [1000]


@pytest.mark.parametrize("side", [9, 76, 77])
def test_the_eight_views_of_a_crop_are_described_alike(side):
    crop = blobs(1, side)[0]
    turned = [np.rot90(c, k) for c in (crop, crop.T) for k in range(4)]
    found = descriptors(np.stack(turned))
    np.testing.assert_allclose(found, np.tile(found[:1], (8, 1)), atol=1e-4)
    other = descriptors(blobs(1, side, seed=1))
    assert np.abs(other - found[0]).max() > 1e-2


def test_alike_crops_are_near():
    ys, xs = np.mgrid[:77, :77] - 38
    ring = (np.abs(np.hypot(ys, xs) - 20) < 4).astype(np.uint8) * 200
    disc = (np.hypot(ys, xs) < 20).astype(np.uint8) * 200
    dots = ((ys % 8 < 3) & (xs % 8 < 3) & (np.hypot(ys, xs) < 25)) * np.uint8(200)
    crops = np.stack([ring, disc, dots, ring // 2, disc // 2, dots.T])
    found, _ = drained(descriptor_steps(crops))
    nearest = [int(np.argsort(distances(found, row))[1]) for row in range(3)]
    assert nearest == [3, 4, 5]


def test_all_crops_are_measured_in_parts():
    crops = blobs(1203, 9)
    found, shares = drained(looks_steps(crops))
    assert shares == [500 / 1203, 1000 / 1203, 1]
    np.testing.assert_allclose(found["focus"], sharpness(crops))
    np.testing.assert_allclose(found["brightness"], brightness(crops))


def test_each_specimen_has_its_own_contrast():
    crops = np.concatenate([blobs(40, 21) // 10, blobs(3, 21)])
    order = np.random.default_rng(0).permutation(43)
    specimens = np.array([0] * 40 + [1] * 3)[order]
    limits, _ = drained(limit_steps(crops[order], specimens))
    assert limits[0, 1] <= 25
    assert limits[1, 1] > 240


def test_no_crop_has_no_contrast():
    limits, _ = drained(limit_steps(blobs(0), np.zeros(0, np.int64)))
    assert limits.shape == (0, 2)
