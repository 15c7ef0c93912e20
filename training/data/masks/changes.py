"""Difference of two label images, nucleus by nucleus.

A nucleus is its pixels. One whose pixels are the same before and after was not touched
and keeps its label, whatever value it was painted with; every other piece is a new
nucleus with a label that was never used.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
from skimage.measure import label as label_pieces

from training.errors import BadMaskError

Labels = npt.NDArray[np.int32]
Piece = tuple[npt.NDArray[np.bool_], tuple[slice, ...]]

_HIGHEST = int(np.iinfo(np.int32).max)


@dataclass(frozen=True)
class LabelChange:
    """A label image that was edited, with labels that can serve as ids.

    Attributes
    ----------
    labels : (H, W) int32
        0 is background.
    new
        Labels that were not there before, in the order of their first pixels.
    gone
        Labels that are there no more, ascending.
    """

    labels: Labels
    new: tuple[int, ...]
    gone: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.gone)


def settle_labels(
    before: Labels, edited: npt.NDArray[Any], highest: int
) -> LabelChange:
    """Give the nuclei of an edited label image their labels.

    Parameters
    ----------
    before : (H, W) int32
        0 is background.
    edited : (H, W) int
        The same after painting; each 8-connected piece of one value that is not an
        untouched nucleus is a nucleus of its own.
    highest
        No label up to this one is given anew, nor any label of `before`.

    Returns
    -------
    change
        Its labels have the background of `edited`. An untouched nucleus, in one piece
        or more, has its label of `before`.

    Raises
    ------
    BadMaskError
        If the shapes differ, a value is negative or labels run out.
    """
    _check(before, edited)
    changed = before != edited
    involved = np.union1d(before[changed], edited[changed])
    involved = involved[involved != 0]
    inside = np.isin(edited, involved)
    labels = np.where(inside, 0, edited).astype(np.int32)
    following = max(highest, int(before.max(initial=0))) + 1
    new: list[int] = []
    areas = _areas(before, involved)
    pieces = _pieces(np.where(inside, edited, 0))
    kept = _untouched(pieces, before, edited, areas)
    if following - 1 + kept.count(None) > _HIGHEST:
        raise BadMaskError(
            "mask", f"it has labels up to {_HIGHEST:,}", "number its nuclei from 1"
        )
    for (piece, box), own in zip(pieces, kept, strict=True):
        labels[box][piece] = following if own is None else own
        if own is None:
            new.append(following)
            following += 1
    gone = sorted(set(areas) - set(kept))
    return LabelChange(labels, tuple(new), tuple(gone))


def _check(before: Labels, edited: npt.NDArray[Any]) -> None:
    if edited.shape != before.shape:
        raise BadMaskError(
            "mask",
            f"its shape is {edited.shape} but was {before.shape}",
            "edit the mask of the frame that is open",
        )
    if edited.dtype.kind not in "iub" or (edited.size and edited.min() < 0):
        raise BadMaskError("mask", "it holds negative labels", "number nuclei from 1")


def _areas(labels: Labels, wanted: npt.NDArray[Any]) -> dict[int, int]:
    values, counts = np.unique(labels[np.isin(labels, wanted)], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _pieces(image: npt.NDArray[Any]) -> list[Piece]:
    """Return each 8-connected piece of one value: its pixels in its box."""
    pieces = label_pieces(image, background=0, connectivity=2)
    boxes = scipy.ndimage.find_objects(pieces)
    return [(pieces[box] == k, box) for k, box in enumerate(boxes, start=1)]


def _untouched(
    pieces: list[Piece],
    before: Labels,
    edited: npt.NDArray[Any],
    areas: dict[int, int],
) -> list[int | None]:
    """Return, for each piece, the nucleus whose pixels it is a part or all of, or None.

    The pieces of one value that lie in one nucleus must have all its pixels: then no
    pixel of it was taken and none added.
    """
    owners = [_owner(piece, box, before, edited) for piece, box in pieces]
    found: dict[tuple[int, int], int] = defaultdict(int)
    for (piece, _), owner in zip(pieces, owners, strict=True):
        if owner is not None:
            found[owner] += int(piece.sum())
    return [
        owner[0] if owner is not None and found[owner] == areas.get(owner[0]) else None
        for owner in owners
    ]


def _owner(
    piece: npt.NDArray[np.bool_],
    box: tuple[slice, ...],
    before: Labels,
    edited: npt.NDArray[Any],
) -> tuple[int, int] | None:
    """Return the nucleus that a piece lies in and the value it has now, or None."""
    under = before[box][piece]
    first = int(under[0])
    if first == 0 or (under != first).any():
        return None
    return first, int(edited[box][piece][0])
