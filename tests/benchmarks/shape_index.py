"""How much faster the features of the shape index are than by scikit-image.

    OMP_NUM_THREADS=1 python tests/benchmarks/shape_index.py

The peer is a loop over cells and scales: `skimage.feature.shape_index` for the index,
`skimage.feature.hessian_matrix` for the curvedness that weighs it, and histograms by
numpy of the pixels that weigh, with the donuts computed once a cell. Both get the same
cells, of a simulated frame, and give the same features. The ratio is that of the
features. Beside it stand those where the whole image weighs, of a peer that takes one
Hessian for both, and of index and curvedness alone, of all pixels. One thread, CPU
time, turns taken in one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from side_by_side import Row, frame, in_turn, print_rows
from skimage.feature import hessian_matrix, shape_index

from training.config import ExtractionSettings, ShapeIndexSettings
from training.data.cells.cell_set import pack_images
from training.data.cells.extraction import extract_cells
from training.data.masks.single_crops import crop_mask
from training.models.features.shape_index import ShapeIndexSystem
from training.models.features.shape_index.features import derivatives
from training.models.features.shape_index.features import shape_index as indexed

Array = npt.NDArray[Any]
Curvature = Callable[[Array, float], tuple[Array, Array]]

_SIDE = 60
_CELLS = 200
_CURVED = 0.05
"""Share of a cell's largest curvedness below which a pixel's is negligible."""
_DISC = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2


def cells() -> tuple[Array, Array]:
    """Return the cells of a simulated frame and their masks, (n, 60, 60) each."""
    image, mask = frame(_CELLS)
    crops = extract_cells(image, mask, ExtractionSettings()).crops
    images = pack_images(crops, _SIDE)
    return images, np.stack([crop_mask(one) for one in images])


def peer(
    images: Array, masks: Array, settings: ShapeIndexSettings, curvature: Curvature
) -> Array:
    """Compute features as a good user would: cell by cell, vectorised inside."""
    centres = ((np.arange(settings.bins) + 0.5) / settings.bins - 0.5) * np.pi
    found = []
    for image, mask in zip(images, masks, strict=True):
        grey = stretched(image)
        inside, windows = donuts(mask, settings)
        counts = []
        for sigma in settings.scales:
            index, curvedness = curvature(grey, sigma)
            apart = index[inside] - centres[:, None]
            near = np.exp(-0.5 * (apart / settings.tonal_scale) ** 2)
            counts.append(near @ (windows * curvedness[inside]).T)
        shares = np.stack(counts, axis=1).ravel()
        found.append(np.sqrt(shares / shares.sum()))
    return np.stack(found)


def stretched(image: Array) -> Array:
    """Return an image between its 1st and 99th percentile as 0..1, float64."""
    low, high = np.percentile(image, [1, 99])
    return ((image - low) / (high - low)).clip(0, 1)


def two_hessians(grey: Array, sigma: float) -> tuple[Array, Array]:
    """Return the shape index in radians, scikit-image's own, and the curvedness."""
    index = np.nan_to_num(shape_index(grey, sigma, mode="reflect")) * (np.pi / 2)
    lyy, lxy, lxx = hessian_matrix(
        grey, sigma, mode="reflect", use_gaussian_derivatives=False
    )
    return index, 0.5 * sigma**2 * np.sqrt(lxx**2 + 2 * lxy**2 + lyy**2)


def one_hessian(grey: Array, sigma: float) -> tuple[Array, Array]:
    """Return the same by the formula of the shape index written out."""
    lyy, lxy, lxx = hessian_matrix(
        grey, sigma, mode="reflect", use_gaussian_derivatives=False
    )
    spread = np.sqrt((lxx - lyy) ** 2 + 4 * lxy**2)
    curvedness = 0.5 * sigma**2 * np.sqrt(lxx**2 + 2 * lxy**2 + lyy**2)
    return np.arctan2(-(lxx + lyy), spread), curvedness


def donuts(mask: Array, settings: ShapeIndexSettings) -> tuple[Array, Array]:
    """Return the pixels that weigh and, for each, the windows on the distance."""
    ys, xs = np.nonzero(mask)
    inside = ndimage.binary_dilation(mask, _DISC)
    y, x = np.nonzero(inside)
    rho = np.hypot(y - ys.mean(), x - xs.mean()) / np.sqrt(len(ys) / np.pi)
    radii = np.linspace(0, 1, settings.rings)[:, None]
    windows = np.exp(-0.5 * ((rho - radii) / settings.ring_width) ** 2)
    return inside, windows / windows.sum(1, keepdims=True)


def ours_of_pixels(images: Array, scales: Sequence[float]) -> list[tuple[Array, Array]]:
    """Return index and curvedness, (K, H, W), of grey images, (n, H, W)."""
    operators = derivatives(images.shape[1], scales)
    centred = torch.tensor(images - images.mean((1, 2), keepdims=True)).float()
    found = [indexed(image, operators, operators) for image in centred]
    return [(index.numpy(), curvedness.numpy()) for index, curvedness in found]


def check_pixels(images: Array, scales: Sequence[float]) -> float:
    """Return by how much an index differs where the curvedness is not negligible.

    The rounding of float32 moves an index by a number over its curvedness. So it is
    compared as the histograms weigh it, times the share of the largest curvedness.

    Raises
    ------
    AssertionError
        If that, or a curvedness, differs by more than 1e-5 anywhere, borders included.
    """
    largest = 0.0
    for image, found in zip(images, ours_of_pixels(images, scales), strict=True):
        for sigma, index, curvedness in zip(scales, *found, strict=True):
            theirs, expected = two_hessians(image, sigma)
            np.testing.assert_allclose(curvedness, expected, rtol=0, atol=1e-5)
            share = expected / expected.max()
            apart = np.abs(index - theirs)
            assert (apart * share).max() < 1e-5
            largest = max(largest, float(apart[share > _CURVED].max()))
    return largest


def measure() -> dict[str, float]:
    """Return the number of cells and scales, the seconds of each way and the ratios.

    Raises
    ------
    AssertionError
        If features differ by more than 1e-5, or pixels as `check_pixels` says.
    """
    torch.set_num_threads(1)
    settings = ShapeIndexSettings()
    scales = settings.scales
    images, masks = cells()
    whole = np.ones_like(masks)
    grey = np.stack([stretched(image) for image in images])
    compute = ShapeIndexSystem(settings, 6).compute
    apart = check_pixels(grey, scales)
    for those in (masks, whole):
        expected = peer(images, those, settings, two_hessians)
        found = compute(images, those)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    once = peer(images, masks, settings, one_hessian)
    np.testing.assert_allclose(compute(images, masks), once, rtol=0, atol=1e-5)
    theirs, own, by_one, theirs_whole, own_whole, pixels, own_pixels = in_turn(
        lambda: peer(images, masks, settings, two_hessians),
        lambda: compute(images, masks),
        lambda: peer(images, masks, settings, one_hessian),
        lambda: peer(images, whole, settings, two_hessians),
        lambda: compute(images, whole),
        lambda: [two_hessians(one, sigma) for one in grey for sigma in scales],
        lambda: ours_of_pixels(grey, scales),
        rounds=5,
    )
    return {
        "cells": len(images),
        "scales": len(scales),
        "peer_seconds": theirs,
        "seconds": own,
        "ratio": theirs / own,
        "one_hessian_ratio": by_one / own,
        "whole_ratio": theirs_whole / own_whole,
        "pixel_ratio": pixels / own_pixels,
        "largest_difference": apart,
    }


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    found = measure()
    what = f"{found['cells']:.0f} cells of 60 x 60, {found['scales']:.0f} scales"
    return [
        Row(
            f"shape index: {what}, against scikit-image",
            found["ratio"],
            "at least",
            5,
            "x",
            found["peer_seconds"],
            found["seconds"],
            "features, equal to 1e-5; where the whole image weighs "
            f"{found['whole_ratio']:.1f} x; against a peer that takes one Hessian for "
            f"index and curvedness {found['one_hessian_ratio']:.1f} x; index and "
            f"curvedness alone {found['pixel_ratio']:.1f} x; one index differs by at "
            f"most {found['largest_difference']:.1e} where the curvedness is over "
            f"{_CURVED:.0%} of the largest",
        )
    ]


if __name__ == "__main__":
    print_rows(rows())
