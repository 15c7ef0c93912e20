"""Scattering coefficients by donut: moduli of wavelets, and of wavelets of these.

Bruna and Mallat, IEEE TPAMI 35(8), 1872-1886, 2013. Orientations are averaged; of two
wavelets only the angle between them counts.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.models.augmentation import normalise
from training.models.features.shape_index.features import donut_weights

SCALES, ANGLES, RINGS, WIDTH = 4, 4, 3, 0.3
_CENTRE = 0.75 * math.pi
"""Frequency of the finest wavelet, in radians a pixel."""
_SIGMA = 0.8
"""Standard deviation of its Gaussian, in pixels."""
_FINE = 2
"""Scales that are sampled at every pixel; each coarser one at half as many."""

_STEP = 16
"""Sides are a multiple of it, so that they can be halved and have fast transforms."""

LENGTH = RINGS * (2 * SCALES + math.comb(SCALES, 2) * (ANGLES // 2 + 1))


def scattering(images: Tensor, masks: Tensor) -> Tensor:
    """Return scattering coefficients by donut, (n, LENGTH) float32.

    Parameters
    ----------
    images : (n, S, S) uint8
        Each is stretched between its 1st and 99th percentile first.
    masks : (n, S, S) bool

    Returns
    -------
    features
        Roots of shares of the whole, hence of length 1.
    """
    grey = normalise(images, "cell")[:, 0]
    side = _STEP * math.ceil(grey.shape[1] / _STEP)
    rim = side - grey.shape[1]
    around = (rim // 2, rim - rim // 2) * 2
    grey = functional.pad(grey[:, None], around, mode="reflect")[:, 0]
    windows = _Windows(functional.pad(donut_weights(masks, RINGS, WIDTH), around))
    spectrum = torch.fft.fft2(grey)[:, None]
    found = []
    for scale in range(SCALES):
        moduli = _moduli(spectrum, side, scale)
        means = windows.pool(moduli)
        found += [means.mean(2), means.std(2, correction=0)]
        spectra = torch.fft.fft2(moduli)
        for coarser in range(scale + 1, SCALES):
            found += _second(spectra, side, coarser, windows)
    features = torch.cat(found, dim=1)
    return functional.normalize(features, p=1, dim=1).sqrt()


def _second(spectra: Tensor, side: int, scale: int, windows: _Windows) -> list[Tensor]:
    """Return the means of second moduli by the angle between both wavelets."""
    by_angle: list[list[Tensor]] = [[] for _ in range(ANGLES // 2 + 1)]
    for first in range(ANGLES):
        moduli = _moduli(spectra[:, first : first + 1], side, scale)
        for second in range(ANGLES):
            apart = (second - first) % ANGLES
            by_angle[min(apart, ANGLES - apart)].append(moduli[:, second])
    means = [torch.stack(some).mean(0)[:, None] for some in by_angle]
    return [windows.pool(some)[:, :, 0] for some in means]


def _moduli(spectra: Tensor, side: int, scale: int) -> Tensor:
    """Return the moduli, (n, ANGLES, s, s), of images with spectra (n, 1, S, S)."""
    size = side >> max(scale - _FINE + 1, 0)
    low = spectra if size == spectra.shape[-1] else _lowest(spectra, size)
    waves = torch.fft.ifft2(low * _wavelets(side, size, scale))
    real, imaginary = waves.real, waves.imag
    # Of a complex number torch's absolute value takes three times as long.
    return torch.addcmul(real * real, imaginary, imaginary).sqrt_()


def _lowest(spectra: Tensor, size: int) -> Tensor:
    """Return the spectra, (n, 1, size, size), of images with fewer samples."""
    before = spectra.shape[-1]
    kept = torch.fft.fftfreq(size, 1 / size)
    rows = kept.long() % before
    # In the middle of the pixels that a sample stands for, turns move it onto another.
    move = torch.exp(1j * math.pi / before * (before / size - 1) * kept)
    move = move * (size / before)
    return spectra[:, :, rows][:, :, :, rows] * move[:, None] * move


class _Windows:
    """Donuts, at as many samples as moduli have.

    Parameters
    ----------
    weights : (n, RINGS, S, S) float32
        Each sums to 1.
    """

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights
        self._pooled: dict[int, Tensor] = {}

    def pool(self, moduli: Tensor) -> Tensor:
        """Return the weighted means, (n, RINGS, A), of moduli, (n, A, s, s)."""
        size = moduli.shape[-1]
        if size not in self._pooled:
            factor = self._weights.shape[-1] // size
            weights = functional.avg_pool2d(self._weights, factor) * factor**2
            self._pooled[size] = weights.flatten(2)
        return self._pooled[size] @ moduli.flatten(2).transpose(1, 2)


@functools.cache
def _wavelets(side: int, size: int, scale: int) -> Tensor:
    """Return the Morlet wavelets of a scale, (ANGLES, size, size), by frequency.

    Parameters
    ----------
    side, size
        Of the images, and how many of their lowest frequencies are taken, in pixels.
    scale
        Each is twice as wide as the one before.
    """
    axis = np.fft.fftfreq(size, 1 / size) * 2 * math.pi / side
    fy, fx = np.meshgrid(axis, axis, indexing="ij")
    # The highest frequency has no sign, so that turns would change it.
    highest = np.abs(axis) == np.abs(axis).max()
    inside = ~(highest | highest[:, None])
    sigma, centre = _SIGMA * 2**scale, _CENTRE / 2**scale
    found = []
    for turn in range(ANGLES):
        angle = math.pi * turn / ANGLES
        along = fx * math.cos(angle) + fy * math.sin(angle)
        across = fy * math.cos(angle) - fx * math.sin(angle)
        wide = across**2 / 2
        wave = np.exp(-(sigma**2) * ((along - centre) ** 2 + wide) / 2)
        flat = np.exp(-(sigma**2) * (along**2 + wide) / 2)
        wave -= math.exp(-((sigma * centre) ** 2) / 2) * flat
        found.append(wave * inside)
    return torch.from_numpy(np.array(found, np.float32))
