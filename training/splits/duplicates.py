"""Specimens of cells and duplicates among them, as numbers.

Copies are images that are equal in any of the eight rotations and mirrors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.cells.cell_set import CellSet

Codes = npt.NDArray[np.int64]

_CHUNK_PIXELS = 1 << 21
"""Pixels that are looked at together: 16 MB as float64."""

_EXACT = 1 << 53
"""Whole numbers up to this are exact in float64, and so are sums of them."""


@dataclass(frozen=True)
class CellCodes:
    """Specimens and images of a cell set as numbers, found once for all folds.

    Attributes
    ----------
    names : (S,) str
        The specimens' ids, sorted.
    specimens : (N,) int64 in 0..S-1
        Of each cell.
    images : (N,) int64 in 0..N-1
        See `image_keys`.
    specimen_counts, image_counts : (S,) and (M,) int64
        Cells of each code.
    """

    names: npt.NDArray[np.str_]
    specimens: Codes
    images: Codes
    specimen_counts: Codes
    image_counts: Codes

    @classmethod
    def of(cls, cells: CellSet) -> CellCodes:
        """Return the numbers of the specimens and images of a cell set."""
        names, found = np.unique(cells.specimens, return_inverse=True)
        specimens, images = found.astype(np.int64), image_keys(cells.images)
        counts = np.bincount(specimens), np.bincount(images)
        return cls(names, specimens, images, *counts)


def image_keys(images: npt.NDArray[np.uint8]) -> Codes:
    """Return one number an image, the same for all of its rotations and mirrors.

    Parameters
    ----------
    images : (N, S, S) uint8

    Returns
    -------
    keys : (N,) int64 in 0..N-1
        Equal if and only if one image is, pixel for pixel, a view of the other.

    Notes
    -----
    Sums of pixels, each weighted as its seven mirror images are, are the same for all
    views. Only images with equal sums are compared pixel by pixel.
    """
    sums = _invariant_sums(images)
    order = np.lexsort(sums.T)
    new = np.any(sums[order[1:]] != sums[order[:-1]], axis=1)
    group = np.concatenate([[0], np.cumsum(new)])[: len(order)]
    keys = np.empty(len(images), np.int64)
    keys[order] = group
    free = len(np.unique(group))
    for alike in _runs(order, group):
        canonical = [_canonical(images[row]) for row in alike]
        numbers = {canonical[0]: int(keys[alike[0]])}
        for row, content in zip(alike.tolist(), canonical, strict=True):
            if content not in numbers:
                numbers[content], free = free, free + 1
            keys[row] = numbers[content]
    return keys


def _invariant_sums(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return two weighted sums of each image, (N, 2) whole numbers, exact."""
    side = images.shape[1]
    top = _EXACT // (255 * side * side)
    drawn = np.random.default_rng(0).integers(1, top, (2, side, side))
    views = [view for weights in drawn for view in _views(weights)]
    weights = np.max(np.reshape(views, (2, 8, -1)), axis=1).astype(np.float64)
    sums = np.empty((len(images), 2))
    step = max(1, _CHUNK_PIXELS // (side * side))
    for start in range(0, len(images), step):
        some = images[start : start + step]
        sums[start : start + step] = some.reshape(len(some), -1) @ weights.T
    return sums


def _runs(order: Codes, group: Codes) -> list[Codes]:
    """Return the members of each group of several; `group` numbers them ascending."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.append(starts[1:], len(group))
    several = np.flatnonzero(ends - starts > 1)
    return [order[starts[k] : ends[k]] for k in several]


def _canonical(image: npt.NDArray[np.uint8]) -> bytes:
    return min(view.tobytes() for view in _views(image))


def _views(image: npt.NDArray[np.generic]) -> list[npt.NDArray[np.generic]]:
    return [np.rot90(side, k) for side in (image, image.T) for k in range(4)]
