"""Auto-contrast: an image that was stretched carries no intensity."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_MIDDLE = (0.05, 0.95)
_LEAST_SPAN = 8
_PIXELS_A_LEVEL = 100
_GAPS = 0.25
_AT_AN_END = 0.02


def is_stretched(values: npt.NDArray[Any]) -> bool:
    """Return whether grey values were stretched to fill their range.

    Parameters
    ----------
    values : (n,) uint8 or uint16
        Of a frame, without burnt-in scale bars and black borders.

    Notes
    -----
    A stretch of few grey values leaves gaps between them: after a quarter of the levels
    or more, between the 5th and 95th percentile of the pixels, the next one is empty,
    though each has a hundred pixels on average. Levels that are all the same power of
    two apart are those of a camera with fewer bits. A stretch of many grey values into
    fewer leaves no gap, but some pixels, and at most 2 %, at each end of the range; a
    camera reaches both at once only where the background is black and the brightest
    cells saturate, which is no measure of intensity either.
    """
    if not values.size:
        return False
    histogram = np.bincount(values, minlength=int(np.iinfo(values.dtype).max) + 1)
    ends = histogram[[0, -1]] / values.size
    if ((ends > 0) & (ends <= _AT_AN_END)).all():
        return True
    share = np.cumsum(histogram) / values.size
    low, high = np.searchsorted(share, _MIDDLE).tolist()
    levels = np.flatnonzero(histogram[low : high + 1])
    span = high - low + 1
    if span < _LEAST_SPAN or values.size < _PIXELS_A_LEVEL * span:
        return False
    steps = np.diff(levels)
    return bool((steps > 1).mean() >= _GAPS) and not _has_fewer_bits(steps)


def _has_fewer_bits(steps: npt.NDArray[np.int64]) -> bool:
    found = np.unique(steps)
    return len(found) == 1 and int(found[0]).bit_count() == 1
