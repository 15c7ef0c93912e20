"""Outlines of nuclei on crops, and what lies around a cell, from the state."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import find_contours

from napari_hep2.state import SessionState
from training.data.masks.single_crops import crop_mask

Outline = tuple[npt.NDArray[np.float64], ...]
"""Closed lines, each (n, 2) float64, (x, y) from 0 to 1 over the crop."""


def window(image: npt.NDArray[Any], y: float, x: float, side: int) -> npt.NDArray[Any]:
    """Return the square of `side` pixels about a place; 0 where it overhangs.

    Parameters
    ----------
    image : (H, W)
    y, x
        In pixels; rounded as crops are.

    Returns
    -------
    cut : (side, side) of the image's dtype
    """
    out = np.zeros((side, side), image.dtype)
    top, left = (round(float(c)) - side // 2 for c in (y, x))
    low, high = max(top, 0), min(top + side, image.shape[0])
    near, far = max(left, 0), min(left + side, image.shape[1])
    if low < high and near < far:
        inside = image[low:high, near:far]
        out[low - top : high - top, near - left : far - left] = inside
    return out


def frame_is_open(state: SessionState, row: int) -> bool:
    """Return whether a cell under review lies in the frame that is open."""
    cells, review = state.cells, state.review
    if cells is None or review is None:
        return False
    return cells.frame.name == str(review.table["frame"].iat[row])


def mask_of(
    state: SessionState, row: int, grey: npt.NDArray[np.uint8]
) -> npt.NDArray[np.bool_]:
    """Return the nucleus of a cell: from its frame's mask where the frame is open.

    Parameters
    ----------
    grey : (S, S) uint8
        The crop, from which the mask is made where there is none.

    Returns
    -------
    mask : (S, S) bool
    """
    cells, review = state.cells, state.review
    if cells is not None and review is not None and frame_is_open(state, row):
        cell = review.table.iloc[row]
        cut = window(cells.labels, cell["y"], cell["x"], grey.shape[0])
        mask = cut == int(cell["label"])
        if mask.any():
            return mask
    return crop_mask(grey)


def outline(mask: npt.NDArray[np.bool_]) -> Outline:
    """Return the lines around the True pixels of a mask, (S, S) bool."""
    padded = np.pad(mask, 1).astype(np.float32)
    side = mask.shape[0]
    found = find_contours(padded, 0.5)
    # A pixel's centre lies at its index plus a half; the padding adds one.
    return tuple((line[:, ::-1] - 0.5) / side for line in found)


def context_of(
    state: SessionState, row: int, times: int = 3
) -> npt.NDArray[Any] | None:
    """Return what lies around a cell, `times` its crop's side, or None: not at hand."""
    cells, review = state.cells, state.review
    if cells is None or review is None or not frame_is_open(state, row):
        return None
    cell = review.table.iloc[row]
    side = times * review.crops.shape[1]
    return window(cells.seen, cell["y"], cell["x"], side + 1 - side % 2)
