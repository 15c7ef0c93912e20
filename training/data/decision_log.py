"""What a list of steps adds up to: standing decisions, undo and redo; no database."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

Step = tuple[int, str, str, int | None, str]


class Row(NamedTuple):
    """One decision as it is stored."""

    step: int
    cell: str
    verdict: str
    pattern: str | None
    reason: str | None
    time: str


@dataclass
class Reader:
    """One reviewer's steps.

    Attributes
    ----------
    done, undone
        Steps that stand, oldest first, and steps that can be redone, next one last.
    rows
        Every decision made on each cell, oldest first.
    """

    done: list[int] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def standing(self) -> dict[str, Row]:
        """Return the standing decision on each cell that has one."""
        rows = ((cell, self.standing_on(cell)) for cell in self.rows)
        return {cell: row for cell, row in rows if row is not None}

    def standing_on(self, cell: str) -> Row | None:
        """Return the last decision on a cell that was not undone, unless it cleared."""
        for row in reversed(self.rows.get(cell, ())):
            if self._stands(row.step):
                return None if row.verdict == "cleared" else row
        return None

    def _stands(self, step: int) -> bool:
        # The steps done are in rising order: what is redone was undone last.
        place = bisect_left(self.done, step)
        return place < len(self.done) and self.done[place] == step

    def apply(self, step: int, kind: str, target: int | None) -> None:
        """Take in one step: a decision ends what could be redone."""
        if kind == "decide":
            self.done.append(step)
            self.undone.clear()
        elif kind == "undo" and self.done and self.done[-1] == target:
            self.undone.append(self.done.pop())
        elif kind == "redo" and self.undone and self.undone[-1] == target:
            self.done.append(self.undone.pop())


class DecisionLog:
    """The steps of all reviewers, added in the order of their numbers."""

    def __init__(self) -> None:
        self.last = 0
        self._readers: dict[str, Reader] = {}
        self._cells: dict[int, tuple[str, ...]] = {}

    def add(self, steps: Iterable[Step], rows: Iterable[Row]) -> None:
        """Take in new steps with the decisions they made."""
        by_step: dict[int, list[Row]] = {}
        for row in rows:
            by_step.setdefault(row.step, []).append(row)
        for step, reviewer, kind, target, _ in steps:
            reader = self._readers.setdefault(reviewer, Reader())
            reader.apply(step, kind, target)
            made = by_step.get(step, [])
            for row in made:
                reader.rows.setdefault(row.cell, []).append(row)
            if made:
                self._cells[step] = tuple(row.cell for row in made)
            self.last = step

    def reader(self, reviewer: str) -> Reader:
        """Return a reviewer's steps, none for one who is not known."""
        return self._readers.get(reviewer, Reader())

    def reviewers(self) -> tuple[str, ...]:
        """Return who has made a step, in order of appearance."""
        return tuple(self._readers)

    def cells_of(self, step: int) -> tuple[str, ...]:
        """Return the cells that a step decided on."""
        return self._cells.get(step, ())
