"""Layout of tiles and headings in a gallery of so many columns: arithmetic only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.curation.ordering import Heading

Rectangle = tuple[int, int, int, int]
"""First line, first column, last line, last column; all inclusive."""


class TileLines:
    """The lines of a gallery: a heading takes one of its own, tiles fill the others.

    Parameters
    ----------
    n
        Tiles in all; a place is a tile's number in reading order.
    columns
        Tiles in a line.
    headings
        Over the groups that the tiles are in, without gaps; none for one group
        without a heading.
    """

    def __init__(self, n: int, columns: int, headings: Sequence[Heading] = ()) -> None:
        self.n, self.columns, self.headings = n, columns, tuple(headings)
        starts = [heading.start for heading in headings] or [0]
        self._starts = np.array(starts, dtype=np.int64)
        counts = np.diff(np.append(self._starts, n))
        self._ends = self._starts + counts
        self._above = 1 if headings else 0
        heights = -(-counts // columns) + self._above
        self._lines = np.concatenate(([0], np.cumsum(heights)))

    @property
    def n_lines(self) -> int:
        """Lines in all."""
        return int(self._lines[-1])

    @property
    def heading_lines(self) -> list[int]:
        """The lines that are headings."""
        return self._lines[:-1].tolist() if self._above else []

    def _group_of_line(self, line: int) -> int:
        return int(np.searchsorted(self._lines, line, side="right")) - 1

    def heading_at(self, line: int) -> Heading | None:
        """Return the heading that takes a line, or None."""
        if not self._above or not 0 <= line < self.n_lines:
            return None
        group = self._group_of_line(line)
        return self.headings[group] if self._lines[group] == line else None

    def place_at(self, line: int, column: int) -> int | None:
        """Return the tile at a line and column, or None where there is none."""
        if not (0 <= line < self.n_lines and 0 <= column < self.columns):
            return None
        group = self._group_of_line(line)
        inside = line - int(self._lines[group]) - self._above
        place = int(self._starts[group]) + inside * self.columns + column
        return place if inside >= 0 and place < self._ends[group] else None

    def where(self, place: int) -> tuple[int, int]:
        """Return the line and column of a tile."""
        lines, columns = self._where(np.array([place]))
        return int(lines[0]), int(columns[0])

    def _where(
        self, places: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        groups = np.searchsorted(self._starts, places, side="right") - 1
        inside = places - self._starts[groups]
        lines = self._lines[groups] + self._above + inside // self.columns
        return lines, inside % self.columns

    def moved(self, place: int, lines: int) -> int:
        """Return the tile so many lines of tiles away, in the same column or the last.

        Headings are passed over and not counted.
        """
        line, column = self.where(place)
        tiles = self._tile_lines()
        target = int(np.searchsorted(tiles, line)) + lines
        target_line = int(tiles[min(max(target, 0), len(tiles) - 1)])
        for c in range(column, -1, -1):
            found = self.place_at(target_line, c)
            if found is not None:
                return found
        return place

    def _tile_lines(self) -> npt.NDArray[np.int64]:
        every = np.arange(self.n_lines)
        return np.delete(every, self._lines[:-1]) if self._above else every

    def rectangles(self, places: npt.NDArray[np.int64]) -> list[Rectangle]:
        """Return rectangles that cover tiles, given in rising order, and no others."""
        if not len(places):
            return []
        lines, columns = self._where(places)
        new = (np.diff(lines) != 0) | (np.diff(columns) != 1)
        firsts = np.concatenate(([0], np.flatnonzero(new) + 1))
        lasts = np.append(firsts[1:], len(places)) - 1
        out: list[Rectangle] = []
        for line, left, right in zip(
            lines[firsts].tolist(),
            columns[firsts].tolist(),
            columns[lasts].tolist(),
            strict=True,
        ):
            if out and out[-1][1::2] == (left, right) and out[-1][2] == line - 1:
                out[-1] = (out[-1][0], left, line, right)
            else:
                out.append((line, left, line, right))
        return out
