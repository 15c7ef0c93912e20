"""Changes of a mask by one stroke; no Qt, no napari, nothing is written.

Each verb takes the mask as it is painted now and gives the pixels to set, so that the
viewer's own undo of strokes holds for them too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import disk, line

from training.config import SegmentationSettings
from training.data.masks.segmentation import NucleusFinder
from training.errors import BadMaskError

Labels = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Points = Sequence[Sequence[float]]

_REMEDY = "draw the line from one side of a nucleus to the other"
_SPECK = 0.02
_EVERYWHERE = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Stroke:
    """Pixels to set.

    Attributes
    ----------
    where
        Rows and columns, each (n,) int64.
    values : (n,) int64
        The label that each of them becomes.
    text
        What it does, as the user reads it.
    """

    where: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    values: npt.NDArray[np.int64]
    text: str


def split_nucleus(labels: Labels, path: Points, preferred: int | None = None) -> Stroke:
    """Split the nucleus under a line.

    Parameters
    ----------
    labels : (H, W) int, 0 is background
    path
        Two points or more, (y, x) in pixels; the line is carried on at both ends.
    preferred
        The nucleus to split where the line meets it; else the one it meets most.

    Raises
    ------
    BadMaskError
        If the line crosses no nucleus, or does not part it.
    """
    label = _nucleus_under(labels, path, preferred)
    whole = labels == label
    (box,) = ndimage.find_objects(whole.astype(np.int8))
    start = np.array([side.start for side in box])
    own = whole[box]
    pieces, n = _large(own & ~_drawn(np.asarray(path) - start, own.shape))
    if n < 2:
        raise BadMaskError("mask", "the line does not divide the nucleus", _REMEDY)
    # The pixels of the line itself go to the nearest piece.
    nearest = ndimage.distance_transform_edt(
        pieces == 0, return_distances=False, return_indices=True
    )
    pieces = np.where(own, pieces[tuple(nearest)], 0)
    largest = 1 + int(np.bincount(pieces.ravel())[1:].argmax())
    apart = own & (pieces != largest)
    y, x = np.nonzero(apart)
    values = int(labels.max()) + pieces[apart].astype(np.int64)
    return Stroke((y + start[0], x + start[1]), values, f"nucleus split in {n}")


def add_nucleus(
    finder: NucleusFinder,
    labels: Labels,
    place: Sequence[float],
    usual_area: float,
    settings: SegmentationSettings,
) -> Stroke:
    """Add the nucleus at a place, or a disc of the usual size where none is seen.

    Parameters
    ----------
    finder
        Of the frame.
    labels : (H, W) int, 0 is background
    place
        (y, x) in pixels.
    usual_area
        Median area of the frame's nuclei, in pixels.
    settings
        How nuclei are found in this frame.

    Raises
    ------
    BadMaskError
        If the place is outside the frame or in a nucleus.
    """
    at = _inside(labels, place)
    if labels[at]:
        raise BadMaskError(
            "mask", "there is already a nucleus here", "split it, or remove it first"
        )
    diameter = 2 * float(np.sqrt(usual_area / np.pi))
    nucleus = finder.find_at(at, labels > 0, diameter, settings)
    if nucleus is None:
        y, x = np.nonzero(_disc(labels, at, diameter / 2))
        text = "no nucleus was detected here; a disc of the usual size was added"
    else:
        y, x = np.nonzero(nucleus.mask)
        y, x = y + nucleus.box[0].start, x + nucleus.box[1].start
        text = "nucleus added"
    return Stroke((y, x), np.full(len(y), int(labels.max()) + 1), text)


def _inside(labels: Labels, place: Sequence[float]) -> tuple[int, int]:
    """Return the pixel of a place.

    Raises
    ------
    BadMaskError
        If it is outside the frame.
    """
    y, x = (round(float(part)) for part in place)
    if not (0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]):
        raise BadMaskError("mask", "the click is outside the frame", "click in it")
    return y, x


def nucleus_at(labels: Labels, place: Sequence[float]) -> int:
    """Return the nucleus at a place (y, x) in pixels.

    Raises
    ------
    BadMaskError
        If there is none.
    """
    label = int(labels[_inside(labels, place)])
    if not label:
        raise BadMaskError("mask", "there is no nucleus here", "click on one")
    return label


def nearest_pair(
    labels: Labels, place: Sequence[float], usual_area: float
) -> tuple[int, int]:
    """Return the nucleus at a place (y, x), and the other one nearest to the place.

    Raises
    ------
    BadMaskError
        If there is none at the place, or no other within a usual diameter of it.
    """
    own, (y, x) = nucleus_at(labels, place), _inside(labels, place)
    reach = int(2 * np.sqrt(usual_area / np.pi))
    rows, columns = (slice(max(0, at - reach), at + reach + 1) for at in (y, x))
    near = labels[rows, columns]
    others = np.argwhere((near > 0) & (near != own))
    if not len(others):
        raise BadMaskError(
            "mask", "no other nucleus is near this place", "click where both meet"
        )
    away = np.hypot(*(others - (y - rows.start, x - columns.start)).T)
    return own, int(near[tuple(others[away.argmin()])])


def remove_nuclei(labels: Labels, chosen: Collection[int]) -> Stroke:
    """Remove nuclei from the mask.

    Raises
    ------
    BadMaskError
        If none of them is in it.
    """
    there = _those_of(labels, chosen)
    return _painted(there, 0, f"{_noun(labels, there)} removed")


def merge_nuclei(labels: Labels, chosen: Collection[int], usual_area: float) -> Stroke:
    """Make one nucleus of several; a narrow gap between them is filled.

    Raises
    ------
    BadMaskError
        If they are fewer than two, or too far apart.
    """
    there = _those_of(labels, chosen)
    n = len(np.unique(labels[there]))
    if n < 2:
        raise BadMaskError("mask", "only one nucleus is selected", "select two or more")
    reach = max(1, round(0.1 * float(np.sqrt(usual_area))))
    padded = np.pad(there, reach + 1)
    closed = ndimage.binary_closing(padded, _EVERYWHERE, reach)
    inside = slice(reach + 1, -reach - 1)
    whole = there | (closed[inside, inside] & (labels == 0))
    if ndimage.label(whole, _EVERYWHERE)[1] > 1:
        raise BadMaskError(
            "mask", "these nuclei do not touch", "paint the gap between them first"
        )
    return _painted(whole, int(labels[there].min()), f"{n} nuclei merged")


def nuclei_along(labels: Labels, path: Points) -> list[int]:
    """Return the nucleus under each pixel of a path of points (y, x), or of one."""
    points = np.rint(np.asarray(path, float)).astype(int)
    y, x = _pixels(points) if len(points) > 1 else points.T
    inside = (y >= 0) & (x >= 0) & (y < labels.shape[0]) & (x < labels.shape[1])
    found = labels[y[inside], x[inside]]
    return [int(label) for label in found if label]


def _nucleus_under(labels: Labels, path: Points, preferred: int | None) -> int:
    points = np.rint(np.asarray(path, float)).astype(int)
    if len(points) < 2 or (points == points[0]).all():
        raise BadMaskError("mask", "the line has no length", _REMEDY)
    under = nuclei_along(labels, path)
    if not under:
        raise BadMaskError("mask", "the line crosses no nucleus", _REMEDY)
    if preferred in under:
        return int(preferred or 0)
    values, counts = np.unique(under, return_counts=True)
    return int(values[counts.argmax()])


def _large(mask: Mask) -> tuple[npt.NDArray[np.int64], int]:
    """Return the 4-connected pieces of a mask, numbered, specks left out."""
    pieces, _ = ndimage.label(mask)
    areas = np.bincount(pieces.ravel())
    large = areas >= max(4.0, _SPECK * mask.sum())
    large[0] = False
    number = np.cumsum(large) * large
    return number[pieces], int(large.sum())


def _drawn(path: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Mask:
    """Draw a line that goes on at both ends, as wide as parts 4-connected pieces."""
    reach = 2 * sum(shape)
    ends = [_beyond(path[1], path[0], reach), _beyond(path[-2], path[-1], reach)]
    points = np.rint(np.vstack([ends[0], path, ends[1]])).astype(int)
    y, x = _pixels(points)
    inside = (y >= 0) & (x >= 0) & (y < shape[0]) & (x < shape[1])
    drawn = np.zeros(shape, bool)
    drawn[y[inside], x[inside]] = True
    return drawn


def _beyond(
    before: npt.NDArray[np.float64], end: npt.NDArray[np.float64], reach: float
) -> npt.NDArray[np.float64]:
    step = np.asarray(end - before, float)
    length = float(np.hypot(*step))
    return end if length == 0 else end + step / length * reach


def _pixels(
    points: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    parts = [line(*a, *b) for a, b in pairwise(points)]
    y = np.concatenate([part[0] for part in parts])
    return y, np.concatenate([part[1] for part in parts])


def _disc(labels: Labels, place: tuple[int, int], radius: float) -> Mask:
    """Return a disc without pixels of other nuclei: the piece that holds `place`."""
    free = np.zeros(labels.shape, bool)
    free[disk(place, radius + 0.5, shape=labels.shape)] = True
    pieces, _ = ndimage.label(free & (labels == 0))
    own: Mask = pieces == pieces[place]
    return own


def _those_of(labels: Labels, chosen: Collection[int]) -> Mask:
    there = np.isin(labels, [label for label in chosen if label > 0])
    if not there.any():
        raise BadMaskError(
            "mask", "no nucleus is selected", "click a cell, then try again"
        )
    return there


def _painted(pixels: Mask, value: int, text: str) -> Stroke:
    y, x = np.nonzero(pixels)
    return Stroke((y, x), np.full(len(y), value, np.int64), text)


def _noun(labels: Labels, there: Mask) -> str:
    n = len(np.unique(labels[there]))
    return "1 nucleus" if n == 1 else f"{n} nuclei"
