"""Outlines of nuclei, as other tools store them, painted as labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.errors import BadMaskError

MAX_BYTES = 64 * 2**20
"""Largest file of outlines, as it lies on the disk and unpacked."""
MAX_OUTLINES = 50_000
MAX_POINTS = 2_000_000
"""Most corners of all outlines of a file."""
_MOST_COVERED = 20
"""How many times the boxes of all outlines may cover their frame."""
_MOST_CROSSINGS = 20_000_000
"""Most times that edges may cross rows of pixels, over all outlines."""
_FARTHEST = 1e6
"""Pixels; a corner beyond is no place in any frame."""

Ring = npt.NDArray[np.float64]
"""Corners, (n, 2) float64: y and x in pixels from the corner of the first pixel."""


@dataclass(frozen=True)
class Outline:
    """One nucleus as a set of closed rings.

    A point is inside where an odd number of the rings goes round it, so that a ring in
    another is a hole.

    Attributes
    ----------
    name
        As the file calls it, for messages.
    """

    name: str
    rings: tuple[Ring, ...]


def as_ring(path: Path, name: str, corners: npt.ArrayLike) -> Ring:
    """Return a ring from its corners as (x, y), (n, 2), as other tools store them.

    Raises
    ------
    BadMaskError
        If there are fewer than 3, or one is infinite or no number.
    """
    ring = np.asarray(corners, np.float64)
    fault = ""
    if ring.ndim != 2 or ring.shape[1] < 2 or len(ring) < 3:
        fault = "has fewer than 3 corners"
    elif not (np.abs(ring) < _FARTHEST).all():
        fault = "has a corner that is nowhere near a frame"
    if fault:
        raise BadMaskError(
            path, f"the outline {name} {fault}", "take it out, or draw it again"
        )
    return ring[:, 1::-1]


def check_amount(path: Path, outlines: Sequence[Outline]) -> None:
    """Refuse more outlines, or more corners, than any frame has.

    Raises
    ------
    BadMaskError
        If there are too many.
    """
    corners = sum(len(ring) for one in outlines for ring in one.rings)
    if len(outlines) > MAX_OUTLINES or corners > MAX_POINTS:
        raise too_large(path)


def too_large(path: Path) -> BadMaskError:
    """Return the sentence on a file that holds more than any frame has."""
    return BadMaskError(
        path, "it is larger than the outlines of any frame", "give those of one frame"
    )


def paint_outlines(
    path: Path, outlines: Sequence[Outline], shape: tuple[int, int]
) -> npt.NDArray[np.int32]:
    """Return outlines as a label image: nucleus k of the file has the label k, from 1.

    A pixel is inside where its centre is. Where outlines overlap, a pixel is of the
    first one. What lies beyond the frame's edge is cut off.

    Parameters
    ----------
    path
        The file, for messages.
    shape
        The (height, width) of the frame in pixels.

    Raises
    ------
    BadMaskError
        If there are no outlines, or one has no pixel of its own: it lies outside of the
        frame or under others, and would be lost. If one goes round another.
    """
    if not outlines:
        raise BadMaskError(path, "it holds no outline", "give outlines of the nuclei")
    labels = np.zeros(shape, np.int32)
    areas = np.zeros(len(outlines) + 1, np.int64)
    _check_work(path, outlines, shape)
    for number, outline in enumerate(outlines, start=1):
        box = _box(outline, shape)
        inside = _inside(outline, box)
        if not inside.any():
            raise BadMaskError(
                path,
                f"the outline {outline.name} has no pixel in its frame of "
                f"{shape[1]} x {shape[0]}",
                "give the outlines that were made for this frame, at its size",
            )
        free = inside & (labels[box] == 0)
        if not free.any():
            raise BadMaskError(
                path,
                f"the outline {outline.name} lies wholly under others",
                "keep one outline of each nucleus",
            )
        _check_round(path, outlines, labels[box][inside], areas, number)
        labels[box][free] = number
        areas[number] = int(free.sum())
    return labels


def _check_round(
    path: Path,
    outlines: Sequence[Outline],
    covered: npt.NDArray[np.int32],
    areas: npt.NDArray[np.int64],
    number: int,
) -> None:
    """Refuse an outline that holds all pixels, `covered`, of an earlier one."""
    others = covered[covered > 0]
    if not len(others):
        return
    found, counts = np.unique(others, return_counts=True)
    whole = found[counts == areas[found]]
    if len(whole):
        raise BadMaskError(
            path,
            f"the outline {outlines[number - 1].name} goes round the outline "
            f"{outlines[whole[0] - 1].name}",
            "keep one outline of each nucleus",
        )


def _check_work(
    path: Path, outlines: Sequence[Outline], shape: tuple[int, int]
) -> None:
    """Refuse outlines that cover the frame over and over, or cross each row often."""
    area = crossings = 0
    for outline in outlines:
        rows, columns = _box(outline, shape)
        area += (rows.stop - rows.start) * (columns.stop - columns.start)
        for ring in outline.rings:
            first, last = _rows(ring, rows)
            crossings += int((last - first).sum())
    if area > _MOST_COVERED * shape[0] * shape[1] or crossings > _MOST_CROSSINGS:
        raise too_large(path)


def _box(outline: Outline, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of the frame that an outline reaches."""
    corners = np.concatenate(outline.rings)
    low = np.clip(np.floor(corners.min(0)), 0, shape).astype(int).tolist()
    high = np.clip(np.ceil(corners.max(0)), 0, shape).astype(int).tolist()
    return slice(low[0], high[0]), slice(low[1], high[1])


def _inside(outline: Outline, box: tuple[slice, slice]) -> npt.NDArray[np.bool_]:
    """Return which pixels of its box are inside an outline, (height, width) bool.

    From left to right, a row of pixel centres changes sides wherever an edge crosses
    it. The time grows with the pixels and the crossings; to test each pixel against
    each edge takes a minute for an outline of 10,000 corners.
    """
    rows, columns = box
    height, width = rows.stop - rows.start, columns.stop - columns.start
    changes = np.zeros((height, width + 1), np.uint8)
    for ring in outline.rings:
        first, last = _rows(ring, rows)
        count = last - first
        edge = np.repeat(np.arange(len(ring)), count)
        row = np.arange(len(edge)) + np.repeat(first - np.cumsum(count) + count, count)
        y0, x0 = ring[edge].T
        y1, x1 = np.roll(ring, -1, axis=0)[edge].T
        x = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        column = np.clip(np.ceil(x - columns.start - 0.5), 0, width).astype(int)
        np.bitwise_xor.at(changes, (row - rows.start, column), 1)
    return np.bitwise_xor.accumulate(changes[:, :width], axis=1).astype(np.bool_)


def _rows(
    ring: Ring, rows: slice
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows whose centres each edge crosses: the first, and that after all.

    The edge from a corner to the next is counted from the one and without the other,
    so that a row through a corner is crossed once.
    """
    y, following = ring[:, 0], np.roll(ring[:, 0], -1)
    ends = np.ceil(np.stack([np.minimum(y, following), np.maximum(y, following)]) - 0.5)
    first, last = np.clip(ends, rows.start, rows.stop).astype(np.int64)
    return first, last
