"""Frames of nuclei whose places are known."""

import numpy as np
import pytest
from scipy import ndimage


@pytest.fixture
def draw_field():
    """Return what draws a frame, and gives the (y, x) of its nuclei."""
    return _field


@pytest.fixture
def matched():
    """Return what counts the places at which a nucleus was found, and the nuclei."""
    return _matched


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
