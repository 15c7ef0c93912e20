"""A mask as runs of pixels along its rows: nuclei, areas, centroids, outlines, sums.

A frame of 1.4 million pixels and 200 nuclei has about 10,000 runs, so that what is
joined or added up over runs costs next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

_FAR = 0.6
"""Of the diameter of a disc as large as the nucleus."""

_LEAST_PIECE = 0.1
"""Of the area of the largest piece of the nucleus."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Nuclei:
    """The nuclei of a mask or a label image.

    Attributes
    ----------
    shape
        (height, width) of the image in pixels.
    starts, ends : (R,) int64
        Flat indices of the first pixel of each run and of the pixel after its last.
    owner : (R,) int64
        The row, 0 to N-1, of the nucleus that the run is part of.
    labels : (N,) int64
        In rising order.
    apart
        Whether each nucleus is a whole component, so that none touches another.
    """

    shape: tuple[int, int]
    starts: Ints
    ends: Ints
    owner: Ints
    labels: Ints
    apart: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def lengths(self) -> Ints:
        """Pixels of each run, (R,) int64."""
        return self.ends - self.starts

    @cached_property
    def areas(self) -> Ints:
        """(N,) int64, in pixels."""
        return self._add(self.lengths).astype(np.int64)

    @cached_property
    def centroids(self) -> tuple[Floats, Floats]:
        """Row y and column x, each (N,) float64: the mean of the pixel coordinates."""
        length = self.lengths
        y, x = np.divmod(self.starts, self.shape[1])
        of_x = x * length + length * (length - 1) // 2
        return self._add(y * length) / self.areas, self._add(of_x) / self.areas

    def within(self, rows: slice) -> tuple[slice, Ints, Ints]:
        """Return the pixels of the nuclei in some rows of the image.

        Parameters
        ----------
        rows
            With start and stop, in pixels.

        Returns
        -------
        runs
            Which runs lie in these rows.
        pixels : (P,) int64
            Flat index of each of their pixels, counted from the first of `rows`.
        first : (runs,) int64
            Where in `pixels` each run begins.
        """
        width = self.shape[1]
        low, high = np.searchsorted(
            self.starts, [rows.start * width, rows.stop * width]
        )
        lengths = self.lengths[low:high]
        first = np.cumsum(lengths) - lengths
        pixels = np.arange(int(lengths.sum()))
        offset = self.starts[low:high] - rows.start * width - first
        pixels += np.repeat(offset, lengths)
        return slice(int(low), int(high)), pixels, first

    def mean(self, sums: Floats) -> Floats:
        """Return the mean over each nucleus, (N,) float64, from sums over each run."""
        return self._add(sums) / self.areas

    def means(self, values: npt.NDArray[Any]) -> Floats:
        """Return the mean of `values` (H, W) over each nucleus, (N,) float64."""
        _, pixels, first = self.within(slice(0, self.shape[0]))
        return self.mean(
            np.add.reduceat(values.ravel()[pixels], first, dtype=np.float64)
        )

    def paint(self) -> npt.NDArray[np.int32]:
        """Return the label image, (H, W) int32, 0 is background."""
        image = np.zeros(self.shape, np.int32)
        _, pixels, _ = self.within(slice(0, self.shape[0]))
        own = self.labels.astype(np.int32)[self.owner]
        image.ravel()[pixels] = np.repeat(own, self.lengths)
        return image

    def keep(self, chosen: npt.NDArray[np.bool_]) -> Nuclei:
        """Return some of the nuclei; `chosen` is (N,) bool."""
        runs = chosen[self.owner]
        owner = (np.cumsum(chosen) - 1)[self.owner[runs]]
        starts, ends, labels = self.starts[runs], self.ends[runs], self.labels[chosen]
        return Nuclei(self.shape, starts, ends, owner, labels, self.apart)

    def numbered(self, labels: Ints) -> Nuclei:
        """Return the same nuclei with other labels, (N,) int64, each once."""
        order = np.argsort(labels)
        row = np.empty(len(order), np.int64)
        row[order] = np.arange(len(order))
        return replace(self, owner=row[self.owner], labels=labels[order])

    def on_border(self) -> npt.NDArray[np.bool_]:
        """Return which nuclei have a pixel in the first or last row or column."""
        height, width = self.shape
        edge = (self.starts % width == 0) | (self.ends % width == 0)
        edge |= (self.starts < width) | (self.starts >= (height - 1) * width)
        return self._add(edge) > 0

    @cached_property
    def sides(self) -> tuple[Floats, Floats]:
        """Sides of pixels on each outline, and those of them against another nucleus.

        Each (N,) float64; those on the frame's edge do not count.
        """
        outline, contact = self._sides_along_rows()
        below, above = self._sides_across_rows()
        outline += below[0] + above[0]
        contact += below[1] + above[1]
        return self._add(outline), self._add(contact)

    def contact_share(self) -> Floats:
        """Return the share of each outline that lies against another nucleus.

        Returns
        -------
        share : (N,) float64, 0 to 1
            Of `sides`.
        """
        if self.apart:
            return np.zeros(len(self))
        outline, contact = self.sides
        share: Floats = contact / np.maximum(outline, 1)
        return share

    def meetings(self) -> tuple[Ints, Ints]:
        """Return the pairs of nuclei that share a side of a pixel.

        Returns
        -------
        first, second : (P,) int64
            Rows of the nuclei; each pair once, the lower row first.
        """
        upper, lower, _ = self._stacked
        beside = np.flatnonzero(self._meets_before)
        one = np.concatenate([self.owner[upper], self.owner[beside - 1]])
        two = np.concatenate([self.owner[lower], self.owner[beside]])
        low, high = np.minimum(one, two), np.maximum(one, two)
        key = np.unique((low * len(self) + high)[low != high])
        first, second = np.divmod(key, max(len(self), 1))
        return first, second

    @cached_property
    def _near(self) -> tuple[Ints, Ints]:
        """Pairs of runs one below the other, a corner is enough; see `neighbours`."""
        return neighbours(self.starts, self.ends, self.shape[1], reach=1)

    @cached_property
    def _stacked(self) -> tuple[Ints, Ints, Ints]:
        """Pairs of runs one below the other, and how many sides they share."""
        (upper, lower), width = self._near, self.shape[1]
        shared = np.minimum(self.ends[upper] + width, self.ends[lower])
        shared -= np.maximum(self.starts[upper] + width, self.starts[lower])
        meet = shared > 0
        return upper[meet], lower[meet], shared[meet]

    @cached_property
    def _meets_before(self) -> npt.NDArray[np.bool_]:
        """Which runs begin where the one before ends, in their row, (R,) bool."""
        meets = np.zeros(len(self.starts), bool)
        meets[1:] = self.starts[1:] == self.ends[:-1]
        meets[self.starts % self.shape[1] == 0] = False
        return meets

    def _sides_along_rows(self) -> tuple[Ints, Ints]:
        """Outline and contact of each run at its two ends, each (R,) int64."""
        width, meets = self.shape[1], self._meets_before
        outline = (self.starts % width != 0).astype(np.int64) + (self.ends % width != 0)
        contact = meets.astype(np.int64)
        contact[:-1] += meets[1:]
        return outline, contact

    def _sides_across_rows(self) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
        """Outline and contact of each run to the row below, and to the row above."""
        height, width = self.shape
        upper, lower, shared = self._stacked
        same = self.owner[upper] == self.owner[lower]
        row = self.starts // width
        found = []
        for mine, inside in ((upper, row < height - 1), (lower, row > 0)):
            own = np.bincount(mine[same], shared[same], len(row)).astype(np.int64)
            other = np.bincount(mine[~same], shared[~same], len(row)).astype(np.int64)
            found.append(((self.lengths - own) * inside, other))
        return found[0], found[1]

    def scattered(self) -> npt.NDArray[np.bool_]:
        """Tell which nuclei are in pieces that lie far from each other, (N,) bool.

        Far is over 0.6 times the diameter of a disc of the nucleus's area, from
        centroid to centroid; two halves side by side are 0.42 apart. A piece under a
        tenth of the largest does not count.
        """
        far = np.zeros(len(self), bool)
        if self.apart:
            return far
        pieces, of = self.pieces
        if len(pieces) == len(self):
            return far
        area, (y, x) = pieces.areas, pieces.centroids
        largest = np.lexsort((-area, of))
        largest = largest[np.unique(of[largest], return_index=True)[1]]
        distance = np.hypot(y - y[largest][of], x - x[largest][of])
        reach = _FAR * np.sqrt(4 * self.areas[of] / np.pi)
        counts = area >= _LEAST_PIECE * area[largest][of]
        far[of[counts & (distance > reach)]] = True
        return far

    @cached_property
    def pieces(self) -> tuple[Nuclei, Ints]:
        """The 8-connected pieces of the nuclei.

        The pieces, labelled from 1 in the order of their first pixels, and the row of
        the nucleus that each is part of, (P,) int64.
        """
        upper, lower = self._near
        own = self.owner[upper] == self.owner[lower]
        first = _joined(len(self.starts), upper[own], lower[own])
        heads = first == np.arange(len(first))
        number = np.cumsum(heads)
        owner, apart = number[first] - 1, len(self) < 2
        found = Nuclei(self.shape, self.starts, self.ends, owner, number[heads], apart)
        return found, self.owner[heads]

    def solidity(self, row: int) -> float:
        """Return the area of one nucleus over its convex area, 0 to 1."""
        chosen = self.owner == row
        y, x0 = np.divmod(self.starts[chosen], self.shape[1])
        x1 = x0 + self.lengths[chosen]
        corners = [np.column_stack([a, b]) for a in (y, y + 1) for b in (x0, x1)]
        try:
            convex = scipy.spatial.ConvexHull(np.concatenate(corners)).volume
        except scipy.spatial.QhullError:
            return 1.0
        return float(self.areas[row] / convex)

    def _add(self, values: npt.NDArray[Any]) -> Floats:
        return np.bincount(self.owner, values, len(self)).astype(np.float64)


def find_nuclei(labels: npt.NDArray[Any]) -> Nuclei:
    """Sort the pixels of a label image, (H, W) int, 0 is background, into nuclei."""
    starts, ends, values = _runs(labels)
    found, owner = np.unique(values, return_inverse=True)
    return Nuclei(_shape(labels), starts, ends, owner, found.astype(np.int64))


def find_components(mask: npt.NDArray[Any]) -> Nuclei:
    """Return the 8-connected components of a mask, (H, W), 0 is background.

    They are labelled from 1 in the order of their first pixels.
    """
    return find_nuclei(mask != 0).pieces[0]


def _joined(count: int, upper: Ints, lower: Ints) -> Ints:
    """Return the first run of each run's component, (R,) int64.

    Each run points to an earlier one that it touches, or to itself, and all pointers
    are followed to their end; then the ends of touching runs are joined, until none
    differ. A component that grows downwards from one run is done at once.
    """
    first = np.arange(count)
    ends = upper, lower
    while len(ends[0]):
        low, high = np.minimum(*ends), np.maximum(*ends)
        # Of several, the lowest is written last.
        order = np.argsort(-low, kind="stable")
        first[high[order]] = low[order]
        while True:
            beyond = first[first]
            if np.array_equal(beyond, first):
                break
            first = beyond
        low, high = first[upper], first[lower]
        ends = low[low != high], high[low != high]
    return first


def neighbours(starts: Ints, ends: Ints, width: int, reach: int) -> tuple[Ints, Ints]:
    """Return the pairs of runs that lie one below the other.

    Parameters
    ----------
    starts, ends : (R,) int64
        As in `Nuclei`, in rising order.
    width
        Of the image in pixels.
    reach : {0, 1}
        0 where pixels must share a side, 1 where a corner is enough.

    Returns
    -------
    upper, lower : (pairs,) int64
        Numbers of runs; `upper` is in rising order.
    """
    row = starts // width * width
    low = np.maximum(starts - reach, row) + width
    high = np.minimum(ends + reach, row + width) + width
    first = np.searchsorted(ends, low, "right")
    count = np.searchsorted(starts, high, "left") - first
    before = np.cumsum(count) - count
    upper = np.repeat(np.arange(len(starts)), count)
    lower = np.arange(len(upper)) + np.repeat(first - before, count)
    return upper, lower


def _runs(image: npt.NDArray[Any]) -> tuple[Ints, Ints, npt.NDArray[Any]]:
    """Return start, end and value of each run of one value that is not 0."""
    flat = image.ravel()
    changes = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=changes[1:])
    changes[:: image.shape[1]] = True
    starts = np.flatnonzero(changes)
    ends = np.append(starts[1:], flat.size)
    values = flat[starts]
    inside = values != 0
    return starts[inside], ends[inside], values[inside]


def _shape(image: npt.NDArray[Any]) -> tuple[int, int]:
    height, width = image.shape
    return height, width
