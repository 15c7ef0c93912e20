"""Scale bars that a microscope's software burnt into an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

Box = tuple[int, int, int, int]

_FLAT = (3, 9)
_MARGIN = 3
_AROUND = 20
_LEAST_ASPECT = 3
_LARGEST_HEIGHT = 0.1
_LEAST_WIDTH = 0.03
_LEAST_PIXELS = 30
"""A dim frame of 8 bits has flat spots of up to 20 pixels."""

_LEAST_FILLING = 0.6


def find_scale_bars(image: npt.NDArray[Any]) -> list[Box]:
    """Return the boxes of wide rectangles of one bright grey value.

    No camera gives such an area, as it has noise; one of the value 0 is background, and
    so is one that is no brighter than what lies within twenty pixels.

    Parameters
    ----------
    image : (H, W) uint8 or uint16

    Returns
    -------
    boxes : list of (y0, x0, y1, x1) in pixels, half-open
        With a margin of three pixels, and what is drawn on the bar inside.
    """
    if not _may_hold_one(image):
        return []
    flat = _flat(image)
    if not flat.any():
        return []
    labels, _ = scipy.ndimage.label(flat)
    found = scipy.ndimage.find_objects(labels)
    boxes = []
    for label, (rows, columns) in enumerate(found, start=1):
        part = labels[rows, columns] == label
        box = _with_margin(rows, columns, image.shape)
        if _is_bar(part, image.shape):
            value = image[rows, columns][part][0]
            # A ground of few grey values is flat, too, and as bright as all around.
            if value > np.median(_around(image, box)):
                boxes.append(box)
    return boxes


def without(image: npt.NDArray[Any], boxes: list[Box]) -> npt.NDArray[Any]:
    """Return the image with each box filled with the dark values around it.

    It is the image itself where there is no box.
    """
    if not boxes:
        return image
    filled = image.copy()
    for y0, x0, y1, x1 in boxes:
        filled[y0:y1, x0:x1] = np.percentile(_around(filled, (y0, x0, y1, x1)), 5)
    return filled


def display_limits(
    image: npt.NDArray[Any], bars: Sequence[Box] | None = None
) -> tuple[float, float]:
    """Return the grey values that a frame is shown black and white from.

    They are its percentiles 0.5 and 99.8, which a burnt-in scale bar does not move.

    Parameters
    ----------
    image : (H, W) uint8 or uint16
    bars
        As `find_scale_bars` returns them, which is asked where None.
    """
    found = find_scale_bars(image) if bars is None else list(bars)
    seen = without(image, found)
    low, high = np.percentile(seen[::4, ::4], (0.5, 99.8))
    return float(low), float(max(high, low + 1))


def _may_hold_one(image: npt.NDArray[Any]) -> bool:
    """Return whether any row could cross a bar, by a look at every third one.

    A bar of 3 x 30 pixels holds three values in a distance of eight from each other,
    and all between them, in one of these rows at least.
    """
    rows = image[:: _FLAT[0]]
    step = (_LEAST_PIXELS - 2) // 3 - 1
    seen = rows[:, ::step]
    alike = (seen[:, :-2] == seen[:, 1:-1]) & (seen[:, 1:-1] == seen[:, 2:])
    row, column = np.nonzero(alike & (seen[:, :-2] > 0))
    if not len(row):
        return False
    whole = np.lib.stride_tricks.sliding_window_view(rows, 2 * step + 1, axis=1)
    runs = whole[row, column * step]
    return bool((runs == runs[:, :1]).all(axis=1).any())


def _flat(image: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return where 3 x 9 pixels around one have its value, other than 0."""
    height, width = _FLAT[0] // 2, _FLAT[1] // 2
    flat = np.zeros(image.shape, bool)
    if min(np.subtract(image.shape, _FLAT)) < 0:
        return flat
    inside = slice(height, -height), slice(width, -width)
    run = _all_of(image[:, 1:] == image[:, :-1], _FLAT[1] - 1, axis=1)
    middle = image[:, inside[1]]
    pile = _all_of(middle[1:] == middle[:-1], _FLAT[0] - 1, axis=0)
    flat[inside] = _all_of(run, _FLAT[0], axis=0) & pile & (image[inside] > 0)
    return flat


def _all_of(
    found: npt.NDArray[np.bool_], count: int, axis: int
) -> npt.NDArray[np.bool_]:
    """Return whether this many in a row are true, from each place that has so many."""
    rows = np.moveaxis(found, axis, 0)
    whole = rows[: len(rows) - count + 1].copy()
    for k in range(1, count):
        whole &= rows[k : k + len(whole)]
    return np.moveaxis(whole, 0, axis)


def _is_bar(part: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> bool:
    height, width = part.shape[0] + _FLAT[0] - 1, part.shape[1] + _FLAT[1] - 1
    if width < max(_LEAST_ASPECT * height, _LEAST_WIDTH * shape[1], _LEAST_PIXELS):
        return False
    if height > _LARGEST_HEIGHT * shape[0]:
        return False
    # Beyond its edge a closing sees nothing: without a margin it eats thin bars.
    closed = scipy.ndimage.binary_closing(np.pad(part, 1), np.ones((3, 3), bool))
    whole = scipy.ndimage.binary_fill_holes(closed)[1:-1, 1:-1]
    return bool(whole.mean() >= _LEAST_FILLING)


def _around(image: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    """Return the values within some pixels of a box, (n,), without those in it."""
    y0, x0, y1, x1 = box
    top, left = max(0, y0 - _AROUND), max(0, x0 - _AROUND)
    beside = image[top : y1 + _AROUND, left : x1 + _AROUND]
    outside = np.ones(beside.shape, bool)
    outside[y0 - top : y1 - top, x0 - left : x1 - left] = False
    return beside[outside]


def _with_margin(rows: slice, columns: slice, shape: tuple[int, ...]) -> Box:
    dy, dx = _FLAT[0] // 2 + _MARGIN, _FLAT[1] // 2 + _MARGIN
    return (
        max(0, rows.start - dy),
        max(0, columns.start - dx),
        min(shape[0], rows.stop + dy),
        min(shape[1], columns.stop + dx),
    )
