"""Standing decisions by cell, of a reviewer and of several, as mappings.

What is stored are rows of words; they become a `Decision` where one is asked for. A
hundred thousand of them kept as objects would cost memory, and the time of Python's
collector at each of its rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import TypeVar, overload

from training.decisions.history import decision_of
from training.decisions.log import Row
from training.decisions.model import Decision

Words = tuple[str, str, str | None]
"""Cell, verdict, pattern."""

_Other = TypeVar("_Other")


class Decisions(Mapping[str, Decision]):
    """The standing decision of a reviewer on each decided cell, by its id.

    Parameters
    ----------
    rows
        As they are stored, with known verdicts; it is not copied.
    """

    __slots__ = ("_rows", "reviewer")

    def __init__(self, reviewer: str, rows: dict[str, Row]) -> None:
        self.reviewer = reviewer
        self._rows = rows

    def __getitem__(self, cell: str) -> Decision:
        return decision_of(self.reviewer, self._rows[cell])

    def __contains__(self, cell: object) -> bool:
        return cell in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decisions):
            return dict(self) == other
        theirs = other._rows
        # Not by the number of the step, which another file may have given.
        return (
            self.reviewer == other.reviewer
            and self._rows.keys() == theirs.keys()
            and all(row[1:] == theirs[cell][1:] for cell, row in self._rows.items())
        )

    __hash__ = None  # type: ignore[assignment]

    @overload
    def get(self, cell: str, default: None = None) -> Decision | None: ...
    @overload
    def get(self, cell: str, default: _Other) -> Decision | _Other: ...
    def get(self, cell: str, default: object = None) -> object:
        """Return the decision on a cell, or another thing where there is none."""
        row = self._rows.get(cell)
        return default if row is None else decision_of(self.reviewer, row)

    def words(self) -> Iterator[Words]:
        """Return cell, verdict and pattern of each decision."""
        return ((row[1], row[2], row[3]) for row in self._rows.values())

    def times(self) -> Iterator[datetime]:
        """Return when each was made."""
        return (datetime.fromisoformat(row[5]) for row in self._rows.values())

    def renewed(self, cells: Iterable[str], found: Decisions) -> Decisions:
        """Return these with some cells as they were found, or without them.

        Where nothing changed it is the same object, so that nothing is drawn anew.
        """
        asked, new = list(cells), found._rows
        if all(self._rows.get(cell) == new.get(cell) for cell in asked):
            return self
        rows = dict(self._rows)
        for cell in asked:
            rows.pop(cell, None)
        return Decisions(self.reviewer, {**rows, **new})


class Opinions(Mapping[str, tuple[Decision, ...]]):
    """Decisions of several reviewers on each cell that one of them decided on."""

    __slots__ = ("readers",)

    def __init__(self, readers: Iterable[Decisions] = ()) -> None:
        self.readers = tuple(readers)

    def __getitem__(self, cell: str) -> tuple[Decision, ...]:
        said = tuple(one[cell] for one in self.readers if cell in one)
        if not said:
            raise KeyError(cell)
        return said

    def __contains__(self, cell: object) -> bool:
        return any(cell in one for one in self.readers)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(chain.from_iterable(self.readers)))

    def __len__(self) -> int:
        return len(set(chain.from_iterable(self.readers)))

    def __bool__(self) -> bool:
        return any(len(one) for one in self.readers)

    def renewed(self, cells: Iterable[str], found: Opinions) -> Opinions:
        """Return these with some cells as they were found; see `Decisions.renewed`."""
        asked = list(cells)
        known = {one.reviewer: one for one in self.readers}
        readers = tuple(
            known.get(one.reviewer, Decisions(one.reviewer, {})).renewed(asked, one)
            for one in found.readers
        )
        if readers == self.readers and all(
            new is old for new, old in zip(readers, self.readers, strict=True)
        ):
            return self
        return Opinions(readers)


def words_of(decisions: Mapping[str, Decision]) -> Iterator[Words]:
    """Return cell, verdict and pattern of each decision."""
    if isinstance(decisions, Decisions):
        return decisions.words()
    return ((cell, one.verdict, one.pattern) for cell, one in decisions.items())


def times_of(decisions: Mapping[str, Decision]) -> Iterator[datetime]:
    """Return when each decision was made."""
    if isinstance(decisions, Decisions):
        return decisions.times()
    return (one.time for one in decisions.values())
