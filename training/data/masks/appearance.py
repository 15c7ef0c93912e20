"""Whether pixels are those of a mask or a label image, whatever the file is called."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from training.errors import BadImageError
from training.storage.decoding import decode

_EACH = 4
"""Of the rows, one in so many is looked at."""
_LEAST_ALIKE = 0.75
_FEW = 4
"""Values, background among them: masks and classes have so few, and no picture has."""
_COMPACT = 0.3
"""Of the box around all pixels of one value; those of a label lie together."""
_LARGEST = 0.25
"""Of the picture: the box of a nucleus is no larger."""
_NEAR = 0.04
"""Of the range of values; what lies so near to the lowest or the highest is of it."""
_SOLID = 0.7
_LEAST_BRIGHT = 0.01
"""Of the pixels: single hot ones and a scale bar are fewer."""
_LEAST_RANGE = 64
"""Of grey values in a mask whose edges are soft, or that went through JPEG."""


def looks_like_mask(pixels: npt.NDArray[Any]) -> bool:
    """Whether pixels are in pieces of one value each, as nuclei in a mask are.

    Of the pixels that have not the most frequent value, which is the background, three
    quarters have the value of their right neighbour, where noise prevents that in most
    pictures; and there are few values, or each lies together, where in a picture that
    was smoothed, packed by JPEG or enlarged each is all over it. Or seven tenths of
    what is not dark have nearly the highest value.

    Parameters
    ----------
    pixels : (H, W) or (H, W, S)
        Grey values, indices or colours, of whole numbers.
    """
    if pixels.dtype.kind not in "biu" or pixels.ndim not in (2, 3):
        return False
    rows = _one_number(pixels[_EACH // 2 :: _EACH])
    if rows.shape[0] == 0 or rows.shape[1] < 2:
        return False
    return _is_solid(rows) or _is_in_pieces(rows)


def _is_in_pieces(rows: npt.NDArray[Any]) -> bool:
    """Whether neighbours are alike, of few values or of values that lie together."""
    same = rows[:, :-1] == rows[:, 1:]
    # No more pixels of the background than there are others differ from their right
    # neighbour: fewer alike than this are no pieces, whatever the background is.
    if np.count_nonzero(same) < _LEAST_ALIKE / 2 * same.size:
        return False
    background = _most_frequent(rows)
    inside = rows[:, :-1] != background
    alike = np.count_nonzero(same & inside)
    if not alike or alike < _LEAST_ALIKE * int(inside.sum()):
        return False
    values, places = np.unique(rows, return_inverse=True)
    if len(values) <= _FEW:
        return True
    at = int(np.searchsorted(values, background))
    return _lie_together(places.reshape(rows.shape), at)


def _is_solid(rows: npt.NDArray[Any]) -> bool:
    """Whether most of what is not dark has the highest value, or nearly that."""
    low, high = int(rows.min()), int(rows.max())
    if high - low < _LEAST_RANGE:
        return False
    near = _NEAR * (high - low)
    bright = int((rows >= high - near).sum())
    if bright < _LEAST_BRIGHT * rows.size:
        return False
    return bright >= _SOLID * int((rows > low + near).sum())


def _lie_together(places: npt.NDArray[np.int64], background: int) -> bool:
    """Whether most pixels have a value that fills a good part of the box around it."""
    counts = np.bincount(places.ravel())
    boxes = scipy.ndimage.find_objects(places + 1)
    areas = np.array([(y.stop - y.start) * (x.stop - x.start) for y, x in boxes])
    counts[background] = 0
    small = areas <= _LARGEST * places.size
    together = counts[small & (counts >= _COMPACT * areas)].sum()
    return bool(2 * together >= counts.sum())


def file_looks_like_mask(path: Path) -> bool:
    """Whether a file is one picture in pieces of one value each; see above."""
    status = path.stat()
    return _remembered((path, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=4096)
def _remembered(state: tuple[Path, int, int]) -> bool:
    """Return what a file looks like; a folder is listed more than once."""
    try:
        picture = decode(state[0])
    except BadImageError:
        return False
    return not picture.is_stack and looks_like_mask(picture.pixels)


def _one_number(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if rows.ndim == 2:
        return rows
    numbers = rows[:, :, 0].astype(np.int64)
    for sample in range(1, rows.shape[2]):
        numbers = numbers << 16 | rows[:, :, sample]
    return numbers


def _most_frequent(rows: npt.NDArray[Any]) -> int:
    if rows.dtype in (np.uint8, np.uint16):
        return int(np.bincount(rows.ravel()).argmax())
    values, counts = np.unique(rows, return_counts=True)
    return int(values[counts.argmax()])
