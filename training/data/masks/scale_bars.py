"""Scale bars that a microscope's software burnt into an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

Box = tuple[int, int, int, int]

_FLAT = (3, 9)
_MARGIN = 3
_LEAST_ASPECT = 3
_LARGEST_HEIGHT = 0.1
_LEAST_WIDTH = 0.03
_LEAST_FILLING = 0.6


def find_scale_bars(image: npt.NDArray[Any]) -> list[Box]:
    """Return the boxes of wide rectangles of exactly one grey value.

    No camera gives such an area, as it has noise; one of the value 0 is background.

    Parameters
    ----------
    image : (H, W) uint8 or uint16

    Returns
    -------
    boxes : list of (y0, x0, y1, x1) in pixels, half-open
        With a margin of three pixels, and what is drawn on the bar inside.
    """
    highest = scipy.ndimage.maximum_filter(image, _FLAT)
    flat = (highest == scipy.ndimage.minimum_filter(image, _FLAT)) & (image > 0)
    labels, _ = scipy.ndimage.label(flat)
    found = scipy.ndimage.find_objects(labels)
    boxes = []
    for label, (rows, columns) in enumerate(found, start=1):
        part = labels[rows, columns] == label
        if _is_bar(part, image.shape):
            boxes.append(_with_margin(rows, columns, image.shape))
    return boxes


def without(image: npt.NDArray[Any], boxes: list[Box]) -> npt.NDArray[Any]:
    """Return the image with each box filled with the dark values around it."""
    if not boxes:
        return image
    filled = image.copy()
    for y0, x0, y1, x1 in boxes:
        around = filled[max(0, y0 - 20) : y1 + 20, max(0, x0 - 20) : x1 + 20]
        filled[y0:y1, x0:x1] = np.percentile(around, 5)
    return filled


def _is_bar(part: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> bool:
    height, width = part.shape[0] + _FLAT[0] - 1, part.shape[1] + _FLAT[1] - 1
    if width < _LEAST_ASPECT * height or width < _LEAST_WIDTH * shape[1]:
        return False
    if height > _LARGEST_HEIGHT * shape[0]:
        return False
    whole = scipy.ndimage.binary_fill_holes(
        scipy.ndimage.binary_closing(part, np.ones((3, 3), bool))
    )
    return bool(whole.mean() >= _LEAST_FILLING)


def _with_margin(rows: slice, columns: slice, shape: tuple[int, ...]) -> Box:
    dy, dx = _FLAT[0] // 2 + _MARGIN, _FLAT[1] // 2 + _MARGIN
    return (
        max(0, rows.start - dy),
        max(0, columns.start - dx),
        min(shape[0], rows.stop + dy),
        min(shape[1], columns.stop + dx),
    )
