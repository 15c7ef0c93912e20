"""Current decisions from a list of steps with undo and redo; no database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Step = tuple[int, str, str, int | None, str]
_AnyRow = TypeVar("_AnyRow", bound=tuple[Any, ...])


# Plain tuples, and tuples of them: Python's collector leaves such alone, where a
# hundred thousand objects of a class would hold the window up at each of its rounds.
Row = tuple[int, str, str, str | None, str | None, str, str | None, str | None]
"""One decision as it is stored: step, cell, verdict, pattern, reason, time, and of a
specimen grade and titre."""

MarkRow = tuple[int, str, int | None, str | None]
"""Step, cell, then a flag, set (1) or taken off (0), or a note; the other is None."""


@dataclass
class Reader:
    """One reviewer's steps.

    Attributes
    ----------
    done, undone
        Steps that stand, oldest first, and steps that can be redone, next one last.
    rows, marks
        Every decision and every mark made on each cell, oldest first.
    moves
        Every step with its kind and its target, oldest first.
    """

    done: list[int] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    rows: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    marks: dict[str, tuple[MarkRow, ...]] = field(default_factory=dict)
    moves: list[tuple[int, str, int | None]] = field(default_factory=list)

    def standing(self, cells: Iterable[str] | None = None) -> dict[str, Row]:
        """Return the standing decision on each cell, or each of some, that has one."""
        asked = self.rows if cells is None else cells
        rows = ((cell, self.standing_on(cell)) for cell in asked)
        return {cell: row for cell, row in rows if row is not None}

    def standing_on(self, cell: str) -> Row | None:
        """Return the last decision on a cell that was not undone, unless it cleared."""
        for row in reversed(self.rows.get(cell, ())):
            if self._stands(row[0]):
                return None if row[2] == "cleared" else row
        return None

    def mark_on(self, cell: str) -> tuple[bool, str]:
        """Return whether a cell is flagged, and its note or an empty string."""
        flag: int | None = None
        note: str | None = None
        for row in reversed(self.marks.get(cell, ())):
            if self._stands(row[0]):
                flag = row[2] if flag is None else flag
                note = row[3] if note is None else note
        return bool(flag), note or ""

    def at(self, step: int) -> Reader:
        """Return the reader as of a step; it is for reading only."""
        past = Reader(rows=self.rows, marks=self.marks)
        for move in self.moves:
            if move[0] > step:
                break
            past.apply(*move)
        return past

    def _stands(self, step: int) -> bool:
        # The steps done are in rising order: what is redone was undone last.
        place = bisect_left(self.done, step)
        return place < len(self.done) and self.done[place] == step

    def allows(self, kind: str, target: int | None) -> bool:
        """Return whether a step can follow: only the last step is undone or redone."""
        if kind == "undo":
            return bool(self.done) and self.done[-1] == target
        if kind == "redo":
            return bool(self.undone) and self.undone[-1] == target
        return target is None

    def apply(self, step: int, kind: str, target: int | None) -> None:
        """Apply one step: a decision or a mark ends what could be redone."""
        self.moves.append((step, kind, target))
        if not self.allows(kind, target):
            return
        if kind == "undo":
            self.undone.append(self.done.pop())
        elif kind == "redo":
            self.done.append(self.undone.pop())
        elif kind == "decide":
            self.done.append(step)
            self.undone.clear()


class DecisionLog:
    """The steps of all reviewers, added in the order of their numbers.

    Attributes
    ----------
    newest
        The last step, or None where there is none.
    """

    def __init__(self) -> None:
        self.newest: Step | None = None
        self._readers: dict[str, Reader] = {}
        self._cells: dict[int, tuple[str, ...]] = {}
        self._touches: list[tuple[int, int]] = []

    def add(
        self, steps: Iterable[Step], rows: Iterable[Row], marks: Iterable[MarkRow] = ()
    ) -> None:
        """Add new steps with the decisions and the marks they made."""
        made, put = _by_step(rows), _by_step(marks)
        for self.newest in steps:
            step, reviewer, kind, target, _ = self.newest
            reader = self._readers.setdefault(reviewer, Reader())
            reader.apply(step, kind, target)
            decided, marked = made.get(step, ()), put.get(step, ())
            _append(reader.rows, decided)
            _append(reader.marks, marked)
            if decided or marked:
                cells = (*(row[1] for row in decided), *(row[1] for row in marked))
                self._cells[step] = cells
            self._touches.append((step, step if target is None else target))

    @property
    def last(self) -> int:
        """The number of the last step; 0 where there is none."""
        return 0 if self.newest is None else self.newest[0]

    def reader(self, reviewer: str) -> Reader:
        """Return a reviewer's steps, none for one who is not known."""
        return self._readers.get(reviewer, Reader())

    def reviewers(self) -> tuple[str, ...]:
        """Return who has made a step, in order of appearance."""
        return tuple(self._readers)

    def cells_of(self, step: int) -> tuple[str, ...]:
        """Return the cells that a step decided on or marked."""
        return self._cells.get(step, ())

    def cells_since(self, step: int) -> tuple[str, ...]:
        """Return the cells that steps after this one touched, each once."""
        place = bisect_right(self._touches, step, key=lambda touch: touch[0])
        touched = (self.cells_of(about) for _, about in self._touches[place:])
        return tuple(dict.fromkeys(cell for cells in touched for cell in cells))


def _by_step(rows: Iterable[_AnyRow]) -> dict[int, list[_AnyRow]]:
    found: dict[int, list[_AnyRow]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _append(known: dict[str, tuple[_AnyRow, ...]], rows: Iterable[_AnyRow]) -> None:
    for row in rows:
        known[row[1]] = (*known.get(row[1], ()), row)
