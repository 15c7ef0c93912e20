"""Join and part regions of a label image by their shape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy
import skimage

from training.data.masks.blobs import peaks_of
from training.steps import Steps

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Box = tuple[slice, ...]

_JOINED_SOLIDITY = 0.94
_SPLINTER_SOLIDITY = 0.88
_JOINED_AREA = 2.2
_DIP = 0.97
_PARTED_SOLIDITY = 0.9
_GAIN = 0.03
_LEAST_PART = 0.2
_AT_ONCE = 50
"""Regions that are looked at in a step."""


def solidity(mask: Mask) -> float:
    """Return the area of a region (H, W) bool over its convex area, 0 to 1."""
    y, x = np.nonzero(mask & ~scipy.ndimage.binary_erosion(mask))
    corners = [np.column_stack([y + dy, x + dx]) for dy in (0, 1) for dx in (0, 1)]
    try:
        convex = scipy.spatial.ConvexHull(np.concatenate(corners)).volume
    except (scipy.spatial.QhullError, ValueError):
        return 1.0
    return float(mask.sum() / convex)


def boxes_of(labels: Labels) -> Iterator[tuple[int, Box]]:
    """Yield each label of a (H, W) image with the slices that hold it."""
    found = enumerate(scipy.ndimage.find_objects(labels), start=1)
    yield from ((label, box) for label, box in found if box is not None)


def tidy(labels: Labels, diameter: float, smallest: float) -> Steps[None, Labels]:
    """Fill holes, smooth outlines, keep one piece a label, leave out small ones.

    Parameters
    ----------
    labels : (H, W) int32
    diameter
        Usual diameter of a nucleus, in pixels.
    smallest
        Share of a usual nucleus's area below which a region is left out.
    """
    clean = np.zeros_like(labels)
    least = smallest * np.pi / 4 * diameter**2
    radius = max(1, int(0.1 * diameter))
    for k, (label, box) in enumerate(boxes_of(labels)):
        if k % _AT_ONCE == 0:
            yield
        whole = _tidied(labels[box] == label, radius)
        if whole.sum() >= max(1.0, least):
            clean[box][whole & (clean[box] == 0)] = label
    return clean


def join_halves(
    labels: Labels, smooth: npt.NDArray[np.float32], diameter: float
) -> Steps[None, Labels]:
    """Join neighbours that are convex together and have no dip between them.

    Parameters
    ----------
    labels : (H, W) int32
    smooth : (H, W) float32
        The smoothed image.
    diameter
        Usual diameter of a nucleus, in pixels: two nuclei are not joined to one of more
        than twice its area, and a splinter is joined more readily.
    """
    labels = labels.copy()
    usual = np.pi / 4 * diameter**2
    into = np.arange(int(labels.max()) + 1)
    boxes = dict(boxes_of(labels))
    for k, pair in enumerate(_neighbours(labels)):
        if k % _AT_ONCE == 0:
            yield
        one, other = (int(into[label]) for label in pair)
        if one == other:
            continue
        whole = _around(boxes[one], boxes[other])
        first, second = labels[whole] == one, labels[whole] == other
        if _are_halves(first, second, smooth[whole], usual):
            labels[whole][first] = other
            boxes[other] = whole
            into[into == one] = other
    return labels


def _around(one: Box, other: Box) -> Box:
    """Return the box around two boxes."""
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(one, other, strict=True)
    )


def _are_halves(
    first: Mask, second: Mask, smooth: npt.NDArray[np.float32], usual: float
) -> bool:
    both = first | second
    if both.sum() > _JOINED_AREA * usual or _has_dip(first, second, smooth):
        return False
    splinter = min(first.sum(), second.sum()) < _LEAST_PART * usual
    return solidity(both) >= (_SPLINTER_SOLIDITY if splinter else _JOINED_SOLIDITY)


def part_touching(labels: Labels, diameter: float) -> Steps[None, Labels]:
    """Part regions that are not convex where they are narrow.

    Seeds are the maxima of the distance to the outline; the parts must be more convex
    than the whole, and none a splinter.

    Parameters
    ----------
    labels : (H, W) int32
    diameter
        Usual diameter of a nucleus, in pixels.
    """
    parted = labels.copy()
    following = int(labels.max()) + 1
    least = _LEAST_PART * np.pi / 4 * diameter**2
    for label, box in boxes_of(labels):
        if label % _AT_ONCE == 0:
            yield
        whole = labels[box] == label
        parts = _parts(whole, diameter, least)
        for part in parts[1:]:
            parted[box][part] = following
            following += 1
    return parted


def _tidied(mask: Mask, radius: int) -> Mask:
    grid = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    ball = np.hypot(*grid) <= radius + 0.5
    whole = scipy.ndimage.binary_fill_holes(mask)
    padded = np.pad(whole, radius + 1, mode="edge")
    opened = scipy.ndimage.binary_opening(padded, ball)
    pieces, n = scipy.ndimage.label(
        opened[radius + 1 : -radius - 1, radius + 1 : -radius - 1]
    )
    if n == 0:
        return np.zeros_like(mask)
    largest: Mask = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
    return largest


def _neighbours(labels: Labels) -> list[tuple[int, int]]:
    """Pairs of labels that lie against each other, smaller first."""
    found = []
    for one, other in ((labels[:-1], labels[1:]), (labels[:, :-1], labels[:, 1:])):
        touch = (one != other) & (one > 0) & (other > 0)
        found.append(np.sort(np.stack([one[touch], other[touch]], axis=1), axis=1))
    pairs = np.unique(np.concatenate(found), axis=0)
    return [(int(one), int(other)) for one, other in pairs]


def _has_dip(first: Mask, second: Mask, smooth: npt.NDArray[np.float32]) -> bool:
    border = scipy.ndimage.binary_dilation(first) & second
    border |= scipy.ndimage.binary_dilation(second) & first
    if not border.any():
        return True
    lower = min(np.median(smooth[first]), np.median(smooth[second]))
    return bool(np.median(smooth[border]) < _DIP * lower)


def _parts(whole: Mask, diameter: float, least: float) -> list[Mask]:
    before = solidity(whole)
    if before >= _PARTED_SOLIDITY or whole.sum() < 2 * least:
        return [whole]
    padded = np.pad(whole, 1)
    distance = scipy.ndimage.gaussian_filter(
        scipy.ndimage.distance_transform_edt(padded), 0.04 * diameter
    )[1:-1, 1:-1]
    peaks = peaks_of(np.where(whole, distance, -np.inf), 0.25 * diameter)
    seeds = np.zeros(whole.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    shares = skimage.segmentation.watershed(-distance, seeds, mask=whole)
    parts: list[Mask] = [shares == k for k in range(1, len(peaks) + 1)]
    if len(parts) < 2 or min(part.sum() for part in parts) < least:
        return [whole]
    after = sum(part.sum() * solidity(part) for part in parts) / whole.sum()
    return parts if after > before + _GAIN else [whole]
