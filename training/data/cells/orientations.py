"""The eight rotations and mirrors of a crop: none is more right than another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

VIEWS = 8
"""Elements of D4: view v is rotated by v % 4 quarter turns, after a mirror if v > 3."""


def turned_crops(crops: npt.NDArray[Any], view: int) -> npt.NDArray[Any]:
    """Return crops, (N, S, S), in one orientation."""
    seen = crops[:, :, ::-1] if view > 3 else crops
    return np.ascontiguousarray(np.rot90(seen, view % 4, axes=(1, 2)))
