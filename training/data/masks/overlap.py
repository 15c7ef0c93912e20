"""Overlap of the nuclei of two masks of one frame, from their runs of pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.data.masks.nuclei import Floats, Ints, Nuclei


class Overlaps(NamedTuple):
    """Pairs of nuclei that share pixels.

    Attributes
    ----------
    first, second : (P,) int64
        Rows of the nuclei in the one and in the other mask.
    iou : (P,) float64, above 0, at most 1
        Shared pixels over the pixels of either.
    """

    first: Ints
    second: Ints
    iou: Floats


def overlaps(first: Nuclei, second: Nuclei) -> Overlaps:
    """Return the pairs of nuclei that share pixels.

    Parameters
    ----------
    first
        These may overlap each other; runs in any order.
    second
        Of a label image of the same shape: no two of them share a pixel.
    """
    low = np.searchsorted(second.ends, first.starts, "right")
    count = np.searchsorted(second.starts, first.ends, "left") - low
    one = np.repeat(np.arange(len(first.starts)), count)
    before = np.cumsum(count) - count
    two = np.arange(len(one)) + np.repeat(low - before, count)
    shared = np.minimum(first.ends[one], second.ends[two])
    shared -= np.maximum(first.starts[one], second.starts[two])
    key = first.owner[one] * len(second) + second.owner[two]
    pairs, place = np.unique(key, return_inverse=True)
    both = np.bincount(place, shared, len(pairs))
    rows, columns = np.divmod(pairs, max(len(second), 1))
    either = first.areas[rows] + second.areas[columns] - both
    return Overlaps(rows, columns, both / either)
