"""A frame seen tile by tile, so that memory does not grow with it, but for its labels.

Each tile is seen with a margin; a nucleus belongs to the tile that holds its centre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import scipy

from training.steps import Steps

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Box = tuple[slice, slice]
"""Rows and columns of a frame, in pixels."""

_OVERLAID = 0.5
"""Share of a nucleus that other tiles must have left free."""

_SLACK = 2
"""Pixels by which two tiles may see a centre elsewhere; who is second finds it held."""


@dataclass(frozen=True)
class Piece:
    """One nucleus in its box.

    Attributes
    ----------
    box
        Rows and columns of the frame.
    mask : (h, w) bool
    confidence
        Expected overlap (intersection over union) with the true outline, 0 to 1; NaN
        where nothing is known of it.
    is_mitotic
        Whether it is in mitosis, where that is looked at.
    """

    box: Box
    mask: Mask
    confidence: float = np.nan
    is_mitotic: bool = False

    @property
    def area(self) -> int:
        """Pixels of the nucleus."""
        return int(self.mask.sum())


Finding = Steps[None, list[Piece]]
"""Finds the nuclei of a part of a frame; each step is bounded work."""


def tiles(
    shape: tuple[int, ...], side: float, margin: float
) -> Iterator[tuple[Box, Box]]:
    """Yield the tiles of a frame, without and with their margins.

    Parameters
    ----------
    shape
        (H, W) in pixels.
    side, margin
        Most pixels of a tile's side, and of what is seen around it.
    """
    spans = []
    for length in shape:
        count = max(1, int(np.ceil(length / side)))
        ends = np.linspace(0, length, count + 1).round().astype(int).tolist()
        spans.append([slice(a, b) for a, b in pairwise(ends)])
    for rows in spans[0]:
        for columns in spans[1]:
            yield (rows, columns), grown((rows, columns), margin, shape)


def grown(box: Box, margin: float, shape: tuple[int, ...]) -> Box:
    """Return a box with a margin in pixels, as far as the frame goes."""
    rows, columns = (
        slice(max(0, side.start - round(margin)), min(n, side.stop + round(margin)))
        for side, n in zip(box, shape, strict=True)
    )
    return rows, columns


def assemble(
    shape: tuple[int, ...],
    cut: list[tuple[Box, Box]],
    find: Callable[[Box], Finding],
) -> Steps[float, tuple[Labels, list[Piece]]]:
    """Find the nuclei of a frame tile by tile.

    Parameters
    ----------
    cut
        As `tiles` yields them.
    find
        Takes a tile with its margin.

    Yields
    ------
    share
        Of the tiles that are done, 0 to 1.

    Returns
    -------
    labels : (H, W) int32
        Nucleus k of the list has the label k + 1.
    pieces
    """
    labels = np.zeros(shape, np.int32)
    pieces: list[Piece] = []
    for k, (core, window) in enumerate(cut):
        found = yield from _at_share(find(window), k / len(cut))
        for piece in found:
            if centre_in(piece, core) and _is_free(labels, piece):
                pieces.append(piece)
                labels[piece.box][piece.mask] = len(pieces)
    yield 1.0
    return labels, pieces


def _at_share(finding: Finding, share: float) -> Steps[float, list[Piece]]:
    while True:
        yield share
        try:
            next(finding)
        except StopIteration as end:
            found: list[Piece] = end.value
            return found


def pieces_of(labels: Labels, window: Box) -> Iterator[Piece]:
    """Yield the nuclei of a part of a frame, whose labels are (h, w) int32."""
    for label, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        if box is not None:
            yield Piece(placed(box, window), labels[box] == label)


def placed(box: tuple[slice, ...], window: Box) -> Box:
    """Return a box of a part of a frame as one of the frame."""
    rows, columns = (
        slice(own.start + whole.start, own.stop + whole.start)
        for own, whole in zip(box, window, strict=True)
    )
    return rows, columns


def centre_in(piece: Piece, core: Box) -> bool:
    """Return whether the middle of a nucleus's box lies in a part of the frame."""
    return all(
        own.start - _SLACK <= (side.start + side.stop) / 2 < own.stop + _SLACK
        for own, side in zip(core, piece.box, strict=True)
    )


def _is_free(labels: Labels, piece: Piece) -> bool:
    """Clear the piece of what others hold; return whether most of it was free."""
    free = piece.mask & (labels[piece.box] == 0)
    mostly = bool(free.sum() > _OVERLAID * piece.area)
    piece.mask[:] = free
    return mostly
