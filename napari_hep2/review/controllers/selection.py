"""Selection of cells: the rows shown, the current one and those selected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows of a review set that are shown, current and selected.

    Attributes
    ----------
    shown : (M,) int64
        In the order of the gallery, each row once.
    current
        The row that keys act on, or None.
    selected
        In ascending order; holds `current` where there is one.
    anchor
        The row at which a range was begun, or None.
    """

    shown: Rows
    current: int | None = None
    selected: tuple[int, ...] = ()
    anchor: int | None = None

    @property
    def place(self) -> int | None:
        """Place of the current row in `shown`, or None."""
        return None if self.current is None else self._place_of(self.current)

    def _place_of(self, row: int) -> int | None:
        found = np.flatnonzero(self.shown == row)
        return int(found[0]) if len(found) else None

    def has(self, row: int) -> bool:
        """Return whether a row is shown."""
        return self._place_of(row) is not None

    def first_of(self, rows: Rows) -> int | None:
        """Return the first of some rows that is shown, or None."""
        left = rows[np.isin(rows, self.shown)]
        return int(left[0]) if len(left) else None

    def following(self) -> Rows:
        """Return the rows to go to once the selected ones are decided, best first."""
        places = np.flatnonzero(np.isin(self.shown, self.selected))
        if not len(places):
            return self.shown[:0]
        last = places[-1]
        return np.concatenate((self.shown[last + 1 :], self.shown[last::-1]))

    def next_of(self, wanted: npt.NDArray[np.bool_]) -> int | None:
        """Return the next wanted row, from the start after the end, or None.

        Parameters
        ----------
        wanted : (N,) bool
            One value for each row of the review set.
        """
        place = self.place
        start = 0 if place is None else place + 1
        order = np.concatenate((self.shown[start:], self.shown[:start]))
        left = order[wanted[order]]
        return int(left[0]) if len(left) else None

    # -- other selections of the same rows

    def at(self, row: int | None, rows: Iterable[int] = ()) -> Selection:
        """Return this with `row` current and `rows` selected with it."""
        chosen = {int(r) for r in rows} | (set() if row is None else {int(row)})
        current = None if row is None else int(row)
        return replace(self, current=current, selected=tuple(sorted(chosen)))

    def among(self, shown: Rows) -> Selection:
        """Return what is left of this where other rows are shown."""
        selected = np.array(self.selected, dtype=np.int64)
        left = tuple(selected[np.isin(selected, shown)].tolist())
        stays = self.current is None or bool(np.any(shown == self.current))
        current = self.current if stays else next(iter(left), None)
        return replace(self, shown=shown, current=current, selected=left)

    def step(self, step: int) -> Selection:
        """Return this `step` rows on in the order shown, stopped at either end."""
        target = self._target(step)
        return self if target is None else self.at(target)

    def extend(self, step: int) -> Selection:
        """Return this `step` rows on, with all from where the range was begun."""
        target = self._target(step)
        if self.place is None or target is None:
            return self.step(step)
        return self.range_to(target)

    def _target(self, step: int) -> int | None:
        if not len(self.shown):
            return None
        place = self.place
        last = len(self.shown) - 1
        return int(self.shown[0 if place is None else min(max(place + step, 0), last)])

    def range_to(self, row: int) -> Selection:
        """Return all rows shown between where the range was begun and `row`."""
        is_range = self.anchor in self.selected and len(self.selected) > 1
        first = self.anchor if is_range else self.current
        if first is None:
            return self.at(row)
        start, end = sorted(
            int(np.flatnonzero(self.shown == r)[0]) for r in (first, row)
        )
        return replace(self.at(row, self.shown[start : end + 1]), anchor=first)

    def all(self) -> Selection:
        """Return every row shown, selected."""
        if not len(self.shown):
            return self
        return self.at(
            self.shown[0] if self.current is None else self.current, self.shown
        )
