"""Black borders of stitched, rotated or padded frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

_BLOCK = 8
_LEAST_SHARE = 0.002
_PICTURE_SHARE = 0.1
_SOLIDITY = 0.7


def without_black_borders(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the image with black borders as bright as the ground beside them.

    A black border is an area of the value 0 along the edge of the frame, and what is
    left is one picture without bays. The ground of a frame whose background was
    subtracted leaves scattered nuclei, and stays as it is.

    Parameters
    ----------
    image : (H, W) uint8 or uint16

    Returns
    -------
    filled : (H, W) of the image's dtype
        The image itself where there is no border.
    """
    blocks = _black_blocks(image)
    labels, _ = scipy.ndimage.label(blocks)
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    border = blocks & np.isin(labels, np.unique(np.concatenate(edges)))
    if border.mean() < _LEAST_SHARE or not _is_picture(~border):
        return image
    near = scipy.ndimage.binary_dilation(border, np.ones((3, 3), bool))
    beside = scipy.ndimage.binary_dilation(near, np.ones((3, 3), bool)) & ~border
    pixels = image[_enlarged(beside, image.shape)]
    filled = image.copy()
    filled[_enlarged(near, image.shape) & (image == 0)] = np.percentile(
        pixels[pixels > 0], 25
    )
    return filled


def _is_picture(left: npt.NDArray[np.bool_]) -> bool:
    """Return whether what a border leaves is large, and fills its convex hull."""
    if left.mean() < _PICTURE_SHARE:
        return False
    # Workers that cut no frame do not wait for it.
    from skimage.morphology import convex_hull_image

    hull = convex_hull_image(left)
    return bool(left.sum() >= _SOLIDITY * hull.sum())


def _black_blocks(image: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which squares of the image are black as a whole."""
    height, width = image.shape
    rows, columns = (np.arange(0, side, _BLOCK) for side in (height, width))
    brightest = np.maximum.reduceat(np.maximum.reduceat(image, rows, 0), columns, 1)
    return np.asarray(brightest == 0)


def _enlarged(
    blocks: npt.NDArray[np.bool_], shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    large = np.repeat(np.repeat(blocks, _BLOCK, 0), _BLOCK, 1)
    return large[: shape[0], : shape[1]]
