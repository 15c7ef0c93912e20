"""Images that were stretched, and cameras that were not."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.signal.stretching import is_stretched


@pytest.fixture
def dim(rng):
    """A dim field of a camera: grey values about 20."""
    return np.clip(rng.normal(20, 4, 200_000).round(), 0, 255).astype(np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def stretched(values, low, high, top=255):
    scaled = (values.astype(float) - low) / (high - low) * top
    return np.clip(scaled, 0, top)


def test_a_camera_is_not_stretched(dim):
    assert not is_stretched(dim)


def test_gaps_between_levels_are_a_stretch(dim):
    assert is_stretched(stretched(dim, 0, 60).astype(np.uint8))


def test_a_stretch_by_a_tenth_is_none(dim):
    assert not is_stretched((dim * 1.1).astype(np.uint8))


def test_two_heaps_with_nothing_between_are_no_stretch(rng):
    heaps = np.concatenate([rng.poisson(12, 90_000), rng.poisson(90, 60_000)])
    assert not is_stretched(heaps.astype(np.uint8))


def test_sixteen_bits_stretched_to_eight_reach_both_ends(rng):
    deep = rng.normal(900, 150, 200_000)
    low, high = np.percentile(deep, (0.35, 99.65))
    assert is_stretched(stretched(deep, low, high).astype(np.uint8))


def test_twelve_bits_shifted_to_sixteen_are_no_stretch(rng):
    deep = rng.normal(600, 40, 400_000).astype(np.uint16) << 4
    assert not is_stretched(deep)


def test_a_saturated_end_alone_is_no_stretch(dim):
    dim[:500] = 255
    assert not is_stretched(dim)


def test_nothing_is_not_stretched():
    assert not is_stretched(np.zeros(0, np.uint8))
