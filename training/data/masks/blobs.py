"""Bright blobs of an image: how strong they are at a scale, and at which most are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy
import skimage

Grey = npt.NDArray[np.float32]

DIAMETERS = np.geomspace(14.0, 220.0, 24)
"""Pixels, among which the usual diameter of nuclei is looked for."""

PEAK_TO_SIGMA = 2 * np.sqrt(2)
"""Diameter of a disc, over the scale at which its Laplacian is strongest."""

_LEAST_PEAK = 0.33
"""Share of the highest peak over the scales that another one needs to count."""

_NOISE_SIGMAS = 10.0
"""Deviations of the noise that a blob needs to be one."""

_CUT_TAILS = 0.0025
"""Of its level, which a level image leaves of the filter."""

_COARSE = 17
"""Pixels of a blob's diameter from which an image is halved to measure it."""


def blobs_of(signal: Grey, diameter: float) -> Grey:
    """Return the scale-normalised Laplacian of Gaussian, positive on bright blobs.

    Parameters
    ----------
    signal : (H, W) float32
    diameter
        Of the blobs, in pixels.
    """
    sigma = diameter / PEAK_TO_SIGMA
    blobs: Grey = -(sigma**2) * scipy.ndimage.gaussian_laplace(
        signal, sigma, mode="nearest"
    )
    return blobs


def peaks_of(
    blobs: Grey, apart: float, least: float = -np.inf
) -> npt.NDArray[np.int64]:
    """Return the places (y, x) of blobs' peaks, (n, 2), the strongest first.

    A level ridge or plateau, as stripes have, is one peak: else each of its pixels
    would be one.

    Parameters
    ----------
    blobs : (H, W) float32
    apart
        Pixels that two of them are apart at least.
    least
        Strength that a peak exceeds.
    """
    reach = max(1, int(apart))
    highest = scipy.ndimage.maximum_filter(blobs, 2 * reach + 1, mode="nearest")
    at_peak = (blobs == highest) & (blobs > least)
    plateaus, _ = scipy.ndimage.label(at_peak, np.ones((3, 3), bool))
    y, x = np.nonzero(at_peak)
    _, first = np.unique(plateaus[y, x], return_index=True)
    candidates = np.full(blobs.shape, -np.inf, np.float32)
    candidates[y[first], x[first]] = blobs[y[first], x[first]]
    return np.asarray(
        skimage.feature.peak_local_max(
            candidates, min_distance=reach, threshold_abs=least, exclude_border=False
        )
    )


def noise_floor(signal: Grey, diameter: float) -> float:
    """Return the strength that a blob of noise alone does not reach.

    White noise of deviation s leaves s / (2 sqrt(pi) sigma) of it at the scale sigma,
    times sqrt(2) for the normalised Laplacian. The deviation is that of neighbouring
    pixels' differences by their mean, as the median is zero in an image of few grey
    values. A level image has blobs, too, as the filter's tails are cut off.
    """
    noise = float(np.abs(np.diff(signal, axis=1)).mean() * np.sqrt(np.pi) / 2)
    sigma = diameter / PEAK_TO_SIGMA
    of_noise = _NOISE_SIGMAS * noise / (np.sqrt(2 * np.pi) * sigma)
    return max(of_noise, _CUT_TAILS * float(signal.mean()))


def measure_diameter(signal: Grey) -> float:
    """Return the usual diameter of the bright blobs of an image, in pixels.

    It is the scale, between 14 and 220 pixels, at which the negative part of the
    scale-normalised Laplacian of Gaussian has the most energy, over the root of the
    scale: large blobs fill more of the image, and without this the diameter comes out
    15 % too large. Rims and dots have a peak of their own: of peaks of nearly the same
    height the largest scale counts.

    Parameters
    ----------
    signal : (H, W) float32
        Square root of the intensity, without scale bars and black borders.
    """
    sizes = DIAMETERS[min(signal.shape) / 2 > DIAMETERS]
    if not len(sizes):
        return float(min(signal.shape) / 2)
    energies = []
    small, step = binned(signal, 2), 2
    for size in sizes:
        if size > _COARSE * step:
            small, step = binned(small, 2), 2 * step
        blobs = blobs_of(small, size / step)
        energies.append(np.mean(np.maximum(blobs, 0) ** 2) / np.sqrt(size))
    return float(sizes[_last_peak(np.asarray(energies))])


def _last_peak(values: npt.NDArray[np.float64]) -> int:
    padded = np.pad(values, 1, constant_values=-np.inf)
    peak = (values >= padded[:-2]) & (values >= padded[2:])
    # The ends of the range are no peaks, unless nothing is higher.
    peak[[0, -1]] = values[[0, -1]] >= values.max()
    return int(np.flatnonzero(peak & (values >= _LEAST_PEAK * values.max()))[-1])


def binned(image: Grey, step: int) -> Grey:
    """Average squares of `step` pixels; an incomplete one is filled with its edge."""
    height, width = image.shape
    whole = np.pad(image, ((0, -height % step), (0, -width % step)), mode="edge")
    rows = whole[::step].copy()
    for k in range(1, step):
        rows += whole[k::step]
    squares: Grey = rows[:, ::step].copy()
    for k in range(1, step):
        squares += rows[:, k::step]
    squares /= step**2
    return squares
