"""Shape-index histograms, pooled over donuts.

Every part is the same for all eight views of a cell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn import functional

from training.config import ShapeIndexSettings
from training.models.augmentation import normalise

_LARGEST_EXPONENT = 60.0
"""Of products of exponentials: float32 holds e^87, and the curvedness is small too."""
_MARGIN = 2
"""Pixels around the nucleus that still weigh."""
_TRUNCATE = 4.0
"""Standard deviations at which the Gaussian is cut off, scikit-image's default."""


def derivatives(side: int, sigmas: Sequence[float]) -> Tensor:
    """Return blur, first and second derivative along one axis, as matrices.

    As matrices they hold the borders, and some of their rows give some of the pixels.

    Parameters
    ----------
    side
        Length of the axis, in pixels; it is reflected at its ends.
    sigmas
        Standard deviations of the Gaussian, in pixels. Each derivative is multiplied
        by it, so that scales compare.

    Returns
    -------
    operators : (side, 3, K, side) float32
        First the pixel that is computed, last the pixels that it is computed from.
    """
    found = np.empty((side, 3, len(sigmas), side), np.float32)
    for k, sigma in enumerate(sigmas):
        blur = gaussian_filter1d(
            np.eye(side), sigma, axis=0, mode="reflect", truncate=_TRUNCATE
        )
        first = sigma * np.asarray(np.gradient(blur, axis=0))
        second = sigma * np.asarray(np.gradient(first, axis=0))
        found[:, :, k] = np.stack([blur, first, second], axis=1)
    return torch.from_numpy(found)


def shape_index(image: Tensor, down: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shape index and the curvedness of each pixel at each scale.

    Second derivatives are differences of the image blurred by a Gaussian, as
    `skimage.feature.hessian_matrix` takes them with ``use_gaussian_derivatives=False``
    and `skimage.feature.shape_index` always. With True, the mixed derivative of the
    transposed image is not, at the borders, the transpose of the mixed derivative.

    Parameters
    ----------
    image : (H, W) float32
        Of mean 0, or float32 rounds more than it has to.
    down : (h, 3, K, H) float32
        Those rows of the `derivatives` along y that are wanted.
    across : (w, 3, K, W) float32
        The same along x.

    Returns
    -------
    index : (K, h, w) float32
        -pi/2..pi/2: dark cup, dark valley (-pi/4), saddle (0), bright ridge (pi/4),
        bright cap; 0 where it is flat.
    curvedness : (K, h, w) float32
        Half the root of the sum of the squared principal curvatures.
    """
    # One product along x serves all scales and derivatives.
    half = (across.flatten(0, 2) @ image.T).view(*across.shape[:3], -1)
    blur_x, first_x, second_x = half.permute(1, 2, 3, 0)
    blur_y, first_y, second_y = down.permute(1, 2, 0, 3)
    lyy, lxy, lxx = second_y @ blur_x, first_y @ first_x, blur_y @ second_x
    # Sum and squared difference of the principal curvatures.
    total = lxx + lyy
    apart = (lxx - lyy).square_() + lxy.square_().mul_(4)
    # atan2 needs no small number in the denominator, and a perfect cap is pi/2.
    index = torch.atan2(-total, apart.sqrt())
    return index, (total.square_() + apart).div_(8).sqrt_()


def donut_weights(masks: Tensor, rings: int, width: float) -> Tensor:
    """Return Gaussian windows on the distance to the centre of the nucleus.

    The distance is that to the mask's centroid, relative to the radius of the disc of
    the mask's area: 0 at the centre, about 1 at the rim.

    Parameters
    ----------
    masks : (n, H, W) bool
        Where one is empty, the whole image is the nucleus.
    rings
        Windows; their radii are equally spaced from 0 to 1.
    width
        Standard deviation of a window, as a share of the radius.

    Returns
    -------
    weights : (n, rings, H, W) float32
        Each window sums to 1; beyond two pixels from the mask it is 0.
    """
    nuclei = _nuclei(masks)
    distance = _relative_distance(nuclei).masked_fill_(~_dilate(nuclei), math.inf)
    radii = torch.linspace(0, 1, rings)[:, None, None]
    logs = (distance[:, None] - radii).div_(width).square_().mul_(-0.5)
    return torch.softmax(logs.flatten(2), dim=2).view_as(logs)


def _nuclei(masks: Tensor) -> Tensor:
    """Return the masks; where one is empty, the whole image, (n, H, W) bool."""
    return masks | ~masks.flatten(1).any(1)[:, None, None]


def _relative_distance(nuclei: Tensor) -> Tensor:
    """Return the distance to the centroid / sqrt(area / pi), (n, H, W) float32."""
    inside = nuclei.float()
    area = inside.sum((1, 2))[:, None]
    squares = []
    for along, others in ((1, 2), (2, 1)):
        pixels = torch.arange(nuclei.shape[along], dtype=torch.float32)
        centre = (inside.sum(others) @ pixels)[:, None] / area
        squares.append((pixels - centre).square() * (math.pi / area))
    return (squares[0][:, :, None] + squares[1][:, None]).sqrt_()


def _dilate(nuclei: Tensor) -> Tensor:
    """Return where a pixel of the nucleus is at most `_MARGIN` away, (n, H, W) bool."""
    # Shifted copies: a convolution takes five times as long.
    height, width = nuclei.shape[1:]
    padded = functional.pad(nuclei, [_MARGIN] * 4)
    met = nuclei.clone()
    for y, x in itertools.product(range(2 * _MARGIN + 1), repeat=2):
        if (y - _MARGIN) ** 2 + (x - _MARGIN) ** 2 <= _MARGIN**2:
            met |= padded[:, y : y + height, x : x + width]
    return met


def histograms(
    index: Tensor, curvedness: Tensor, weights: Tensor, bins: int, tonal_scale: float
) -> Tensor:
    """Return histograms of the shape index, one a scale and window.

    A pixel counts in each bin by a Gaussian on the difference of its shape index to the
    bin's centre, times its curvedness, times its weight.

    Parameters
    ----------
    index, curvedness : (K, h, w) float32
        At K scales.
    weights : (rings, h, w) float32
    bins
        Their centres are the middles of equal parts of -pi/2..pi/2.
    tonal_scale
        Standard deviation of a bin, in radians.

    Returns
    -------
    counts : (bins, K, rings) float32
    """
    centres = [((b + 0.5) / bins - 0.5) * math.pi for b in range(bins)]
    reach = math.pi / 2 * (centres[-1] + math.pi / 4) / tonal_scale**2
    count = _count_by_products if reach < _LARGEST_EXPONENT else _count_each
    pixels = index.flatten(1), curvedness.flatten(1), weights.flatten(1).T
    return count(*pixels, centres, tonal_scale)


def _count_by_products(
    index: Tensor,
    curvedness: Tensor,
    weights: Tensor,
    centres: list[float],
    tonal_scale: float,
) -> Tensor:
    """Return what `_count_each` does, by two exponentials a pixel, not one a bin.

    With x the index and c a centre, exp(-(x - c)^2 / 2s^2) is
    exp((cx - x^2 / 2) / s^2) exp(-c^2 / 2s^2). The first factor grows from one bin to
    the next by exp(x pi / bins / s^2), and the second is the same for all pixels.
    """
    scaled = index / tonal_scale**2
    near = (centres[0] - 0.5 * index).mul_(scaled).exp_().mul_(curvedness)
    step = scaled.mul_(math.pi / len(centres)).exp_()
    counts = []
    for centre in centres:
        shared = math.exp(-0.5 * (centre / tonal_scale) ** 2)
        counts.append((near @ weights).mul_(shared))
        near *= step
    return torch.stack(counts)


def _count_each(
    index: Tensor,
    curvedness: Tensor,
    weights: Tensor,
    centres: list[float],
    tonal_scale: float,
) -> Tensor:
    """Return counts, (bins, K, rings), of pixels, (K, P), and weights, (P, rings)."""
    apart = index - torch.tensor(centres)[:, None, None]
    near = apart.square_().mul_(-0.5 / tonal_scale**2).exp_()
    return near.mul_(curvedness) @ weights


def describe(
    images: Tensor, masks: Tensor, settings: ShapeIndexSettings, operators: Tensor
) -> Tensor:
    """Return the features of cells, in the order bins, scales, rings.

    Parameters
    ----------
    images : (n, S, S) uint8
        Each is stretched between its 1st and 99th percentile first.
    masks : (n, S, S) bool
    settings
        Of the histograms.
    operators : (S, 3, K, S) float32
        The `derivatives` at the scales of the settings.

    Returns
    -------
    features : (n, D) float32
        Roots of shares of the whole, hence of length 1; all 0 where a cell is flat.
    """
    grey = normalise(images, "cell")[:, 0]
    # The derivatives of a constant are 0: without it float32 rounds less.
    grey = grey - grey.mean((1, 2), keepdim=True)
    weights = donut_weights(masks, settings.rings, settings.ring_width)
    counts = [
        _count_cell(cell, windows, settings, operators, *rectangle)
        for cell, windows, rectangle in zip(
            grey, weights, _rectangles(masks), strict=True
        )
    ]
    return functional.normalize(torch.stack(counts), p=1, dim=1).sqrt()


def _count_cell(
    grey: Tensor,
    weights: Tensor,
    settings: ShapeIndexSettings,
    operators: Tensor,
    rows: slice,
    columns: slice,
) -> Tensor:
    """Return the histograms of one cell, (D,), from a part of its pixels."""
    index, curvedness = shape_index(grey, operators[rows], operators[columns])
    weights = weights[:, rows, columns]
    return histograms(
        index, curvedness, weights, settings.bins, settings.tonal_scale
    ).flatten()


def _rectangles(masks: Tensor) -> list[tuple[slice, slice]]:
    """Return rows and columns outside which no pixel of a cell weighs."""
    nuclei = _nuclei(masks)
    return list(zip(_stretches(nuclei.any(2)), _stretches(nuclei.any(1)), strict=True))


def _stretches(met: Tensor) -> list[slice]:
    """Return the stretch of the True of each row of (n, side), with the margin."""
    first = met.byte().argmax(1) - _MARGIN
    end = met.shape[1] - met.flip(1).byte().argmax(1) + _MARGIN
    ends = zip(first.tolist(), end.tolist(), strict=True)
    return [slice(max(a, 0), b) for a, b in ends]
