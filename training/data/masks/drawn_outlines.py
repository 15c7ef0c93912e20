"""Nuclei that a mask shows as closed lines only: what they go round is filled."""

from __future__ import annotations

import numpy as np
import scipy

from training.data.masks.nuclei import Ints, Nuclei, find_nuclei

_CROSSED = 1.5
"""Runs of a component in a row, in the mean, by which it may be a closed line."""

_LEAST_ROWS = 7
_HOLLOW = 0.5
"""Of what is inside a closed line and the line itself, at most so much is line."""

_LEAST_HOLE = 0.1
"""Of the usual area that a line goes round; smaller gaps are no nuclei."""


def fill_outlines(nuclei: Nuclei) -> tuple[Nuclei, int] | None:
    """Return the nuclei that lines go round, and how many lines are not closed.

    Parameters
    ----------
    nuclei
        Of a mask, or of a label image.

    Returns
    -------
    filled
        Each closed line with what it goes round; lines that meet part nuclei. None
        where most nuclei are no lines.
    """
    rows = _rows(nuclei)
    large = rows >= _LEAST_ROWS
    crossed = np.bincount(nuclei.owner, minlength=len(nuclei)) / rows
    if not large.any() or np.median(crossed[large]) < _CROSSED:
        return None
    holes, around = _holes(nuclei)
    inner = np.bincount(around, holes.areas, len(nuclei))
    share = nuclei.areas / (nuclei.areas + inner)
    # The frame's edge opens lines.
    tells = large & ((inner > 0) | ~nuclei.on_border())
    if not tells.any() or np.median(share[tells]) > _HOLLOW:
        return None
    return _filled(nuclei, holes, around), int((large & (inner == 0)).sum())


def _rows(nuclei: Nuclei) -> Ints:
    """Return how many rows of pixels each nucleus reaches over, (N,)."""
    y = nuclei.starts // nuclei.shape[1]
    first, last = (np.zeros(len(nuclei), np.int64) for _ in "ab")
    first[nuclei.owner[::-1]], last[nuclei.owner] = y[::-1], y
    return last - first + 1


def _holes(nuclei: Nuclei) -> tuple[Nuclei, Ints]:
    """Return the gaps in nuclei, and the row of the nucleus that each is in.

    A corner does not let through: lines may be one pixel wide.
    """
    inside = nuclei.paint() > 0
    numbers, _ = scipy.ndimage.label(~inside)
    holes = find_nuclei(numbers)
    holes = holes.keep(~holes.on_border())
    if len(holes):
        holes = holes.keep(holes.areas >= _LEAST_HOLE * np.median(holes.areas))
    first = holes.starts[np.unique(holes.owner, return_index=True)[1]]
    # What lies left of the first pixel of a hole is of the line round it.
    run = np.searchsorted(nuclei.starts, first - 1, "right") - 1
    return holes, nuclei.owner[run]


def _filled(nuclei: Nuclei, holes: Nuclei, around: Ints) -> Nuclei:
    """Return holes with the lines round them, a pixel of a line to the nearest hole.

    They keep the numbers of their lines where each line goes round one.
    """
    labels = holes.paint()
    nearest = scipy.ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    is_closed = np.isin(np.arange(len(nuclei)), around)
    lines = nuclei.keep(is_closed).paint() > 0
    filled = find_nuclei(np.where(lines | (labels > 0), labels[tuple(nearest)], 0))
    if len(np.unique(around)) == len(holes):
        return filled.numbered(nuclei.labels[around])
    return filled.numbered(np.arange(1, len(filled) + 1))
