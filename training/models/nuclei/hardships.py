"""What makes nuclei hard to find: uneven light, haze, borders, noise, compression.

Each takes a picture of light, (H, W) float32 from 0 to 255, and gives one.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy
from PIL import Image

Grey = npt.NDArray[np.float32]
Random = np.random.Generator


def uneven(light: Grey, ratio: float, rng: Random) -> Grey:
    """Return the picture under light that falls to one part in `ratio` across it."""
    y, x = (np.linspace(-0.5, 0.5, side, dtype=np.float32) for side in light.shape)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * y[:, None] + np.sin(angle) * x
    slope -= slope.max()
    return light * np.exp(np.float32(np.log(ratio)) * slope / np.ptp(slope))


def hazy(light: Grey, share: float, sigma: float) -> Grey:
    """Return the picture with a share of its light spread over `sigma` pixels."""
    spread = scipy.ndimage.gaussian_filter(light, sigma)
    return np.asarray((1 - share) * light + share * spread, np.float32)


def bordered(light: Grey, angle: float, depth: float) -> Grey:
    """Return the picture with black borders, as a rotated or stitched one has.

    Parameters
    ----------
    angle
        Of the picture in radians.
    depth
        Width of the border as a share of the picture's.
    """
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in light.shape)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = np.abs(cos * x + sin * y[:, None])
    across = np.abs(cos * y[:, None] - sin * x)
    inside = (along < 1 - depth) & (across < 1 - depth)
    return np.where(inside, light, np.float32(0))


def compressed(light: Grey, quality: int) -> Grey:
    """Return the picture after JPEG."""
    stream = io.BytesIO()
    Image.fromarray(light.clip(0, 255).astype(np.uint8)).save(
        stream, "JPEG", quality=quality
    )
    return np.asarray(Image.open(stream), np.float32)


def _noisy(light: Grey, rng: Random) -> Grey:
    photons = rng.uniform(0.5, 8)
    seen = rng.poisson(np.maximum(light, 0) * photons) / photons
    return np.asarray(
        seen + rng.normal(0, rng.uniform(0, 1.5), light.shape), np.float32
    )


def _unsharp(light: Grey, rng: Random) -> Grey:
    return scipy.ndimage.gaussian_filter(light, rng.uniform(0.3, 1.6))


def _bent(light: Grey, rng: Random) -> Grey:
    top = max(float(light.max()), 1.0)
    return np.asarray(top * (light / top) ** rng.uniform(0.6, 1.5), np.float32)


def _without_ground(light: Grey, rng: Random) -> Grey:
    return np.maximum(light - np.percentile(light, rng.uniform(5, 45)), 0)


def _barred(light: Grey, rng: Random) -> Grey:
    height, width = (int(rng.integers(*span)) for span in ((2, 12), (30, 120)))
    top, left = (int(rng.integers(0, side)) for side in light.shape)
    barred = light.copy()
    barred[top : top + height, left : left + width] = rng.uniform(60, 255)
    return barred


_BY_CHANCE: tuple[tuple[float, Callable[[Grey, Random], Grey]], ...] = (
    (0.2, _bent),
    (0.3, lambda light, rng: hazy(light, rng.uniform(0.1, 0.6), rng.uniform(4, 25))),
    (0.4, lambda light, rng: uneven(light, rng.uniform(1, 5), rng)),
    (0.2, _unsharp),
    (0.3, _noisy),
    (0.1, _without_ground),
    (0.1, lambda light, rng: compressed(light, int(rng.integers(30, 90)))),
    (0.05, _barred),
)


def made_harder(light: Grey, rng: Random) -> Grey:
    """Return the picture after some hardships, drawn by chance."""
    for chance, hardship in _BY_CHANCE:
        if rng.uniform() < chance:
            light = hardship(light, rng)
    top = 255 * rng.uniform(0.1, 1.0)
    return np.rint(np.maximum(light, 0) * (top / max(float(light.max()), 1.0)))
