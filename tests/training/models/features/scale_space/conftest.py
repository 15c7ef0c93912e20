"""Grey values without a nucleus, and nuclei without grey values."""

import numpy as np
import pytest
from scipy import ndimage

SIDE = 40


def draw_noise(count: int, sigma: float = 1.0, seed: int = 0) -> np.ndarray:
    rough = np.random.default_rng(seed).normal(size=(count, SIDE, SIDE))
    smooth = ndimage.gaussian_filter(rough, (0, sigma, sigma), mode="wrap")
    low, high = smooth.min(axis=(1, 2)), smooth.max(axis=(1, 2))
    span = (high - low)[:, None, None]
    return np.uint8(np.round(255 * (smooth - low[:, None, None]) / span))


def draw_discs(count: int, radius: float = 12.0) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.repeat((np.hypot(y, x) <= radius)[None], count, axis=0)


@pytest.fixture(scope="session")
def noise():
    """Return a function that draws images (N, 40, 40) uint8 of smooth noise."""
    return draw_noise


@pytest.fixture(scope="session")
def discs():
    """Return a function that draws masks (N, 40, 40) bool of a disc."""
    return draw_discs
