"""The cell pyramid: which points of the grid belong to a nucleus, and to which part.

Level 0 is the whole cell; level 1 its inner region and its border region.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from training.models.features.local_patterns.descriptors import Points

Depths = npt.NDArray[np.floating]
Parts = npt.NDArray[np.int8]

MARGIN = 3.0
"""Pixels by which the mask is dilated."""
BORDER = 1 / 3
"""Share of the greatest depth that is border."""
OUTSIDE, INNER, RIM = -1, 0, 1


def parts_of(masks: npt.NDArray[np.bool_], points: Points) -> Parts:
    """Return the part that each point of the grid lies in.

    Parameters
    ----------
    masks : (n, S, S) bool
        An empty one means the whole crop.
    points : (G,) int64
        See `descriptors.grid`.

    Returns
    -------
    parts : (n, G, G) int8 in {-1, 0, 1}
        -1 farther than 3 pixels from the nucleus; 0 deeper in it than a third of its
        greatest depth; 1 the rest. The deepest point is always in.
    """
    parts = np.empty((len(masks), len(points), len(points)), np.int8)
    for cell, mask in enumerate(masks):
        depths = signed_depths(mask)
        parts[cell] = _split(_at_points(depths, points), float(depths.max()))
    return parts


def signed_depths(mask: npt.NDArray[np.bool_]) -> Depths:
    """Return how deep each pixel lies in the nucleus, in pixels; outside is negative.

    Parameters
    ----------
    mask : (S, S) bool
        What lies beyond the crop is taken to be outside.

    Returns
    -------
    depths : (S, S) float32
        Euclidean distance to the nearest pixel of the other kind.
    """
    whole = mask if mask.any() else np.ones_like(mask)
    padded = np.pad(whole, 1)
    depths = distance_transform_edt(padded) - distance_transform_edt(~padded)
    return depths[1:-1, 1:-1].astype(np.float32)


def _at_points(depths: Depths, points: Points) -> Depths:
    """Return the mean of the four pixels that meet in each point."""
    after = np.minimum(points, len(depths) - 1)
    before = np.maximum(points - 1, 0)
    rows = depths[before] + depths[after]
    return (rows[:, before] + rows[:, after]) / 4


def _split(depths: Depths, deepest: float) -> Parts:
    parts = np.where(depths > deepest * BORDER, INNER, RIM).astype(np.int8)
    outside = depths <= -MARGIN
    outside.flat[depths.argmax()] = False
    parts[outside] = OUTSIDE
    return parts
