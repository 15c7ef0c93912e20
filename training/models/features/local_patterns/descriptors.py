"""Patch descriptors of a cell: four of them, on a dense grid.

A point of the grid lies where four pixels meet, so that a patch of even side has it
exactly in its middle. What a descriptor asks of a patch is a weighted sum of its rows
and columns (a box, a triangle, a Gaussian), and so one pair of matrix products reads
all patches of many cells at once. Patches that leave the image see it mirrored.

Manivannan et al., Pattern Recognition 51, 12-26 (2016),
doi 10.1016/j.patcog.2015.09.015.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.config.features import LocalPatternsSettings

Floats = npt.NDArray[np.floating]
Points = npt.NDArray[np.int64]

SATURATED = 0.02
"""Share of the pixels that the stretch saturates, half of it at each end."""
CONTRAST_FLOOR = 1e-3
"""Least norm that a descriptor is divided by; well under one step of 255."""
RINGS, RING_POINTS = 4, 8
SPATIAL_BINS, ORIENTATIONS = 4, 8
EFFECTIVE_RADIUS = 2.4477
"""Standard deviations within which a Gaussian in the plane holds 95 % of its mass."""
LEAST_SIGMA = 0.5
"""Pixels; a narrower Gaussian would miss the pixels that it lies between."""


def stretch(images: npt.NDArray[np.uint8]) -> Tensor:
    """Stretch each cell linearly so that 1 % of its pixels are black and 1 % white.

    Parameters
    ----------
    images : (n, S, S) uint8

    Returns
    -------
    stretched : (n, S, S) float32 in 0..1
        0 throughout for an image without contrast.
    """
    flat = images.reshape(len(images), -1).astype(np.float32)
    low, high = np.quantile(flat, [SATURATED / 2, 1 - SATURATED / 2], axis=1)
    span = np.maximum(high - low, 1.0)
    scaled = np.clip((flat - low[:, None]) / span[:, None], 0, 1)
    return torch.from_numpy(scaled.astype(np.float32).reshape(images.shape))


def grid(side: int, step: int) -> Points:
    """Return where the points lie along an axis, (G,) int64, centred in the image.

    Parameters
    ----------
    side
        Of the image, in pixels.
    step
        Between points, in pixels.

    Returns
    -------
    points
        Point p lies between pixels p - 1 and p.
    """
    count = max(side // step, 1)
    first = (side - (count - 1) * step) // 2
    return first + step * np.arange(count)


def describe(
    name: str, stretched: Tensor, settings: LocalPatternsSettings
) -> list[Tensor]:
    """Describe all patches of all cells.

    Parameters
    ----------
    name : {'mlp', 'rootsift', 'projections', 'histogram'}
    stretched : (n, S, S) float32 in 0..1
    settings
        Step, patch sizes, and lengths.

    Returns
    -------
    descriptors
        One (n, G, G, D) float32 a patch size; D is the same for all sizes.
    """
    points = grid(stretched.shape[1], settings.step)
    makers: dict[str, Callable[[Tensor, int], Tensor]] = {
        "mlp": lambda cells, size: mlp(cells, points, size),
        "rootsift": lambda cells, size: rootsift(cells, points, size),
        "projections": lambda cells, size: projections(
            cells, points, size, min(settings.patch_sizes), settings.projection_length
        ),
        "histogram": lambda cells, size: histogram(
            cells, points, size, settings.histogram_bins
        ),
    }
    return [makers[name](stretched, size) for size in settings.patch_sizes]


def mlp(stretched: Tensor, points: Points, size: int) -> Tensor:
    """Multi-resolution local patterns: a retina's differences from its centre.

    Eight Gaussians stand on each of four rings, whose radii are 1/4, 2/4, 3/4 and 4/4
    of half the patch; neighbours on a ring touch where they hold 95 % of their mass
    (Maenpaa and Pietikainen, SCIA 2003). The centre is a Gaussian as wide as those of
    the first ring. The differences are kept real and divided by their l2 norm.

    Parameters
    ----------
    stretched : (n, S, S) float32
    points : (G,) int64
    size
        Side of the patch in pixels, even.

    Returns
    -------
    descriptors : (n, G, G, 32) float32
        Ring by ring, on each ring by angle from the x axis to the y axis.
    """
    radii = size / 2 * np.arange(1, RINGS + 1) / RINGS
    sigmas = np.maximum(
        radii * np.sin(np.pi / RING_POINTS) / EFFECTIVE_RADIUS, LEAST_SIGMA
    )
    values = [
        _ring(stretched, points, radius, sigma)
        for radius, sigma in zip(radii, sigmas, strict=True)
    ]
    at_centre = _axis(_gaussians(np.zeros(1), float(sigmas[0])), points, stretched)
    centre = _read(at_centre, stretched, at_centre)
    return _unit(torch.cat(values, dim=-1) - centre, 2)


def rootsift(stretched: Tensor, points: Points, size: int) -> Tensor:
    """Dense SIFT of 4 x 4 places and 8 orientations, l1-normalised, square-rooted.

    Central differences; a gradient's length is shared between the two nearest of eight
    orientations and, by triangles, between the nearest of the sixteen places; places
    are weighted by a Gaussian of half the patch's side at their middles. No clipping.
    Arandjelovic and Zisserman, CVPR 2012.

    Parameters
    ----------
    stretched : (n, S, S) float32
    points : (G,) int64
    size
        Side of the patch in pixels, a multiple of 4 for places of whole pixels.

    Returns
    -------
    descriptors : (n, G, G, 128) float32
        By place along y, place along x, orientation; orientation 0 points along +x,
        orientation 2 along +y.
    """
    rows = _axis(_triangles(size), points, stretched)
    places = _read(rows, orientation_maps(stretched), rows)
    n, _, side, _, _ = places.shape
    ordered = places.permute(0, 2, 3, 4, 1).reshape(n, side, side, -1)
    return _unit(ordered, 1).sqrt()


def projections(
    stretched: Tensor, points: Points, size: int, smallest: int, length: int
) -> Tensor:
    """Random projections of patches whose mean is removed.

    Parameters
    ----------
    stretched : (n, S, S) float32
    points : (G,) int64
    size
        Side of the patch in pixels.
    smallest
        Side to which patches are averaged down first, by areas, so that one matrix and
        one dictionary serve all sizes.
    length
        Of the projection.

    Returns
    -------
    descriptors : (n, G, G, length) float32
    """
    rows = _axis(_areas(size, smallest), points, stretched)
    patches = _read(rows, stretched, rows)
    patches -= patches.mean(dim=-1, keepdim=True)
    return patches @ projection_matrix(smallest, length)


def projection_matrix(side: int, length: int) -> Tensor:
    """Return a Gaussian matrix, (side * side, length) float32, the same at each call.

    Its entries have variance 1 / length, so that lengths are kept on average; they are
    drawn from a generator seeded by `side`, as they are part of the description and are
    not fitted.
    """
    drawn = np.random.default_rng(side).standard_normal((side * side, length))
    return torch.from_numpy((drawn / np.sqrt(length)).astype(np.float32))


def histogram(stretched: Tensor, points: Points, size: int, bins: int) -> Tensor:
    """Histograms of the intensities of patches, l1-normalised, square-rooted.

    Parameters
    ----------
    stretched : (n, S, S) float32 in 0..1
    points : (G,) int64
    size
        Side of the patch in pixels.
    bins
        Equal parts of 0..1; 1 belongs to the last.

    Returns
    -------
    descriptors : (n, G, G, bins) float32
    """
    level = (stretched * bins).long().clamp(max=bins - 1)
    n, side, _ = stretched.shape
    members = torch.zeros(n, bins, side, side)
    members.scatter_(1, level[:, None], 1.0)
    rows = _axis(np.ones((1, size)), points, stretched)
    counts = _read(rows, members, rows)[..., 0].permute(0, 2, 3, 1)
    return (counts / size**2).sqrt()


def orientation_maps(stretched: Tensor) -> Tensor:
    """Return the lengths of gradients by orientation, (n, 8, S, S) float32.

    Central differences, one-sided at the rim; each length is shared linearly between
    the two nearest orientations, k quarters of pi from +x towards +y.
    """
    along_y, along_x = torch.gradient(stretched, dim=(1, 2))
    turns = torch.atan2(along_y, along_x) / (2 * torch.pi) * ORIENTATIONS
    nearest = torch.arange(ORIENTATIONS, dtype=torch.float32)[:, None, None]
    apart = torch.remainder(turns[:, None] - nearest, ORIENTATIONS)
    apart = torch.minimum(apart, ORIENTATIONS - apart)
    return (1 - apart).clamp_(min=0) * torch.hypot(along_y, along_x)[:, None]


def _ring(stretched: Tensor, points: Points, radius: float, sigma: float) -> Tensor:
    """Return smoothed values at eight points on a ring, (n, G, G, 8)."""
    angles = 2 * np.pi * np.arange(RING_POINTS) / RING_POINTS
    down = _axis(_gaussians(radius * np.sin(angles), sigma), points, stretched)
    along = _axis(_gaussians(radius * np.cos(angles), sigma), points, stretched)
    pairs = _read(down, stretched, along)
    return pairs[..., :: RING_POINTS + 1]


def _unit(values: Tensor, norm: int) -> Tensor:
    length = torch.linalg.vector_norm(values, ord=norm, dim=-1, keepdim=True)
    return values / length.clamp(min=CONTRAST_FLOOR)


def _offsets(width: int) -> Floats:
    """Return where the middles of pixels lie, seen from a point between pixels."""
    return np.arange(width) - (width - 1) / 2


def _gaussians(offsets: Floats, sigma: float) -> Floats:
    """Return (R, W) weights of pixels, Gaussians at offsets, each of sum 1."""
    half = int(np.ceil(np.abs(offsets).max() + 4 * sigma))
    apart = (_offsets(2 * half) - offsets[:, None]) / sigma
    weights = np.exp(-(apart**2) / 2)
    return weights / weights.sum(axis=1, keepdims=True)


def _triangles(size: int) -> Floats:
    """Return (4, W) weights of pixels for the four places along a patch."""
    bin_side = size / SPATIAL_BINS
    middles = (np.arange(SPATIAL_BINS) - (SPATIAL_BINS - 1) / 2) * bin_side
    offsets = _offsets(size + 2 * int(np.ceil(bin_side / 2)))
    weights = np.maximum(1 - np.abs(offsets - middles[:, None]) / bin_side, 0)
    return weights * np.exp(-(middles[:, None] ** 2) / (2 * (size / 2) ** 2))


def _areas(size: int, smaller: int) -> Floats:
    """Return (smaller, size) shares of pixels in the larger pixels of a small patch."""
    ratio = size / smaller
    low = np.arange(smaller)[:, None] * ratio
    pixel = np.arange(size)
    overlap = np.minimum(low + ratio, pixel + 1) - np.maximum(low, pixel)
    return np.maximum(overlap, 0) / ratio


def _axis(weights: Floats, points: Points, images: Tensor) -> Tensor:
    """Place weights at each point along an axis, folded back at the image's rim.

    Parameters
    ----------
    weights : (R, W) float
        W is even; its middle comes to lie on the point.
    points : (G,) int64
    images : (..., S, S)

    Returns
    -------
    rows : (G, R, S) float32
    """
    side = images.shape[-1]
    width = weights.shape[1]
    seen = (points[:, None] - width // 2 + np.arange(width)) % (2 * side)
    seen = np.minimum(seen, 2 * side - 1 - seen)
    rows = weights @ np.eye(side)[seen]
    return torch.from_numpy(rows.astype(np.float32))


def _read(down: Tensor, maps: Tensor, along: Tensor) -> Tensor:
    """Return weighted sums of images around all points.

    Parameters
    ----------
    down : (G, R, S) float32
        Weights along y.
    maps : (..., S, S) float32
    along : (G, Q, S) float32
        Weights along x.

    Returns
    -------
    sums : (..., G, G, R * Q) float32
    """
    points, many, side = down.shape
    wide = along.shape[1]
    sums = down.reshape(-1, side) @ maps @ along.reshape(-1, side).T
    apart = sums.reshape(*maps.shape[:-2], points, many, points, wide)
    return apart.transpose(-3, -2).flatten(-2)
