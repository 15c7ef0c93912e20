"""How the values of a mask lie to each other: apart, round each other, or in crumbs.

Nuclei lie beside each other. Soft edges lie in rings between the background and the
highest value, whatever the scale; the boundary that some networks learn lies in thin
lines round or between nuclei.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.data.masks.nuclei import Floats, Nuclei, find_nuclei

_NEAR = 0.04
"""Of the range of values: what lies so near to an end is at the end."""

_SOLID = 0.3
"""Least share of a soft mask's nuclei that is not edge."""

_EDGE_PIECE = 12
"""Pixels; most pieces of one value in a soft edge are smaller."""

_EDGE_CONTACT = 0.3
"""Share of the outline of a piece of an edge that lies against another value."""

_CRUMB = 5
"""Pixels; nuclei are not made of pieces that small."""

_MOST_CRUMBS = 0.2
"""Of the pixels; above it values are no labels."""

_RINGED = 0.8
"""Share of the outline of the highest value that soft edges take."""

_THIN = 0.6
"""Width of edges and boundaries over that of what they go round."""

_LARGEST_GRAIN = 16
"""Pixels; pieces that are all larger are squares, and no enlarged pixels."""

_ROUND, _BETWEEN, _INSIDE = 0.35, 0.7, 0.97
"""Share of its outline by which a boundary lies round nuclei, or between two; with more
it is a step inside of others."""


def grain(nuclei: Nuclei) -> int:
    """Return how many pixels wide the picture's own pixels are, 1 or more.

    A picture that was enlarged by repeating its pixels changes at few rows and columns.
    """
    height, width = nuclei.shape
    row, start = np.divmod(nuclei.starts, width)
    end = (nuclei.ends - 1) % width + 1
    columns = np.zeros(width + 1, bool)
    columns[start] = columns[end] = True
    # Rows are alike where this sum is; that it is by chance makes no difference.
    like = (start + 1) * (nuclei.owner + 1) + end * (nuclei.owner + 7)
    sums = np.bincount(row, like, height)
    rows = np.concatenate([[0], np.flatnonzero(np.diff(sums)) + 1, [height]])
    gaps = np.concatenate([np.diff(np.flatnonzero(columns)), np.diff(rows)])
    gap = int(gaps.min()) if len(gaps) else 1
    return gap if gap <= _LARGEST_GRAIN else 1


def is_soft(pixels: npt.NDArray[np.integer], nuclei: Nuclei) -> bool:
    """Whether values are two, with others only where one passes into the other.

    Parameters
    ----------
    pixels : (H, W) int, 0 or more
    nuclei
        Those of `pixels`, one a value.
    """
    values, counts = nuclei.labels, nuclei.areas
    low = int(values[0]) if counts.sum() == pixels.size else 0
    top = int(values[-1])
    near = _NEAR * (top - low)
    is_bright, is_edge = values >= top - near, values > low + near
    if counts[is_bright].sum() < _SOLID * counts[is_edge].sum():
        return False
    if not nuclei.sides[1].any():
        return False
    if _is_crumbled_edge(nuclei, low, top):
        return True
    kinds = (pixels > low + near).astype(np.uint8) + (pixels >= top - near)
    return _is_ringed(find_nuclei(kinds))


def _is_crumbled_edge(nuclei: Nuclei, low: int, top: int) -> bool:
    """Whether most pieces of the values in between are specks against others."""
    pieces, of = nuclei.pieces
    value = nuclei.labels[of]
    between = (value > low) & (value < top)
    if not between.any():
        return False
    small = pieces.areas[between] < _EDGE_PIECE * grain(nuclei) ** 2
    contact = pieces.contact_share()[between]
    return bool(small.mean() > 0.5 and np.median(contact) >= _EDGE_CONTACT)


def _is_ringed(kinds: Nuclei) -> bool:
    """Whether the first of two kinds lies in thin rings round the second."""
    if len(kinds) < 2:
        return False
    edge, core = _widths(kinds)
    return bool(kinds.contact_share()[1] >= _RINGED and edge < _THIN * core)


def _widths(nuclei: Nuclei) -> Floats:
    """Return twice the area over the outline: the width of a line, a disc's radius."""
    widths: Floats = 2 * nuclei.areas / np.maximum(nuclei.sides[0], 1)
    return widths


def boundary_row(nuclei: Nuclei) -> int | None:
    """Return the row of the number that is the boundary of the others, or None.

    It is thin beside them, and lies round half of their pieces, or between pieces.
    """
    outline, contact = nuclei.sides
    if len(nuclei) < 2 or not contact.any():
        return None
    widths = _widths(nuclei)
    # A class and its boundary have as many sides of each other.
    row = int(np.lexsort((widths, -contact))[0])
    share = contact[row] / outline[row]
    is_thin = widths[row] < _THIN * np.median(np.delete(widths, row))
    if not _ROUND <= share < _INSIDE or not is_thin:
        return None
    pieces, of = nuclei.pieces
    first, second = pieces.meetings()
    meets = np.concatenate([first[of[second] == row], second[of[first] == row]])
    met = len(np.unique(meets[of[meets] != row]))
    is_round = 2 * met >= (of != row).sum()
    is_between = share >= _BETWEEN and met > 1 and (of == row).sum() > 1
    return row if is_round or is_between else None


def lie_in_each_other(nuclei: Nuclei) -> bool:
    """Whether pieces lie wholly within one other, as a nucleus does in its cell.

    Half as many as the pieces that are not within others, or more.
    """
    if not nuclei.sides[1].any():
        return False
    pieces, _ = nuclei.pieces
    within = (pieces.contact_share() >= 1) & ~pieces.on_border()
    met = np.bincount(np.concatenate(pieces.meetings()), minlength=len(pieces))
    alone = within & (met == 1)
    return bool(alone.any() and 2 * alone.sum() >= (~within).sum())


def is_crumbled(nuclei: Nuclei) -> bool:
    """Whether more than a fifth of the pixels are crumbs, as of a photograph."""
    pieces, _ = nuclei.pieces
    areas = pieces.areas
    crumbs = areas < _CRUMB
    if nuclei.sides[1].any():
        small = areas < _CRUMB * grain(nuclei) ** 2
        crumbs |= small & (pieces.contact_share() >= _EDGE_CONTACT)
    return bool(areas[crumbs].sum() > _MOST_CRUMBS * areas.sum())
