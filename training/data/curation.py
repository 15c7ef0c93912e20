"""The store of decisions: what each reviewer said of each cell, and nothing forgotten.

An SQLite file that is only ever appended to. An action, on one cell or on thousands, is
one step, committed before the call returns; undo and redo are steps of their own. Two
reviewers, or two windows of one, may use a file at the same time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

from training.data.decision_file import (
    can_write,
    no_store,
    open_file,
    sentence,
    transaction,
)
from training.data.decision_log import DecisionLog, Row
from training.errors import StorageError

Verdict = Literal["accepted", "rejected", "relabelled", "cleared"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class Decision:
    """What a reviewer said of a cell.

    Attributes
    ----------
    pattern
        The new pattern's name, where the verdict is ``relabelled``.
    reason
        In the reviewer's words, or None.
    time
        When it was made, by the clock of the machine; the order never rests on it.
    """

    cell: str
    reviewer: str
    verdict: Verdict
    pattern: str | None
    reason: str | None
    time: datetime


@dataclass(frozen=True)
class Event:
    """One line of a cell's history: a decision made, undone or redone."""

    step: int
    kind: Literal["decide", "undo", "redo"]
    reviewer: str
    time: datetime
    decision: Decision


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


class DecisionStore:
    """The decisions on the cells of one cell folder, for one reviewer at the screen.

    Parameters
    ----------
    path
        The file, usually ``curation.sqlite``; it is made if missing.
    reviewer
        Who decides through this store; undo and redo touch only their steps.
    clock
        Gives the time that is written beside a decision.

    Attributes
    ----------
    read_only
        Whether the folder or file cannot be written: decisions can be read, not made.

    Raises
    ------
    BadCellsError
        If the file is damaged, no store of decisions, or of a newer version.
    StorageError
        If it cannot be made or opened.

    Notes
    -----
    A store belongs to the thread that opened it. A step is durable when the call
    returns: rollback journal, ``synchronous=EXTRA``. The write-ahead log is not used;
    it does not work on network folders.
    """

    def __init__(
        self, path: Path, reviewer: str, clock: Callable[[], datetime] = now
    ) -> None:
        if not reviewer.strip():
            raise ValueError("a reviewer has a name")
        self.path = path
        self.reviewer = reviewer
        self.read_only = not can_write(path)
        self._clock = clock
        self._log = DecisionLog()
        self._db = open_file(path, self.read_only)
        try:
            self._refresh()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing is pending, as each step is committed at once."""
        self._db.close()

    def decide(
        self,
        cells: Iterable[str],
        verdict: Verdict,
        pattern: str | None = None,
        reason: str | None = None,
    ) -> int:
        """Record one verdict on some cells as one step.

        Parameters
        ----------
        cells
            Ids, at least one.
        verdict : {'accepted', 'rejected', 'relabelled', 'cleared'}
            'cleared' takes the cells back to undecided.
        pattern
            The new pattern's name; needed for 'relabelled' and for nothing else.

        Returns
        -------
        step
            The number of the step, higher than all before.

        Raises
        ------
        StorageError
            If it could not be saved; then nothing of it is.
        ValueError
            If the arguments do not go together.
        """
        chosen = list(dict.fromkeys(cells))
        _check(chosen, verdict, pattern)
        with self._transaction():
            step = self._add_step("decide", None)
            self._db.executemany(
                "INSERT INTO decisions (step, cell, verdict, pattern, reason) "
                "VALUES (?, ?, ?, ?, ?)",
                [(step, cell, verdict, pattern, reason) for cell in chosen],
            )
        self._refresh()
        return step

    def undo(self) -> tuple[str, ...]:
        """Take back this reviewer's last step; return its cells, none if none is left.

        Raises
        ------
        StorageError
            If it could not be saved.
        """
        return self._turn("undo")

    def redo(self) -> tuple[str, ...]:
        """Do again what was last undone; return its cells, none if there is nothing.

        Raises
        ------
        StorageError
            If it could not be saved.
        """
        return self._turn("redo")

    @property
    def can_undo(self) -> bool:
        """Whether `undo` would do something."""
        return bool(self._log.reader(self.reviewer).done)

    @property
    def can_redo(self) -> bool:
        """Whether `redo` would do something."""
        return bool(self._log.reader(self.reviewer).undone)

    def current(self, reviewer: str | None = None) -> dict[str, Decision]:
        """Return the standing decision on each decided cell, by its id.

        Parameters
        ----------
        reviewer
            Whose; the one at the screen if not given.
        """
        self._refresh()
        name = reviewer or self.reviewer
        return {
            cell: self._decision(name, row)
            for cell, row in self._log.reader(name).standing().items()
        }

    def decision_on(self, cell: str, reviewer: str | None = None) -> Decision | None:
        """Return the standing decision on one cell, or None; see `current`."""
        self._refresh()
        name = reviewer or self.reviewer
        row = self._log.reader(name).standing_on(cell)
        return None if row is None else self._decision(name, row)

    def reviewers(self) -> tuple[str, ...]:
        """Return who has decided anything in this file, in order of appearance."""
        self._refresh()
        return self._log.reviewers()

    def history(self, cell: str) -> list[Event]:
        """Return all that was done to a cell, by anybody, oldest first."""
        with self._faults():
            rows = self._db.execute(
                "SELECT s.step, s.kind, s.reviewer, s.time, d.step, d.cell, d.verdict,"
                " d.pattern, d.reason, made.time, made.reviewer FROM decisions d"
                " JOIN steps s ON COALESCE(s.target, s.step) = d.step"
                " JOIN steps made ON made.step = d.step"
                " WHERE d.cell = ? ORDER BY s.step",
                (cell,),
            ).fetchall()
        return [
            Event(
                row[0],
                row[1],
                row[2],
                datetime.fromisoformat(row[3]),
                self._decision(row[10], Row(*row[4:10])),
            )
            for row in rows
        ]

    def _turn(self, kind: Literal["undo", "redo"]) -> tuple[str, ...]:
        with self._transaction():
            reader = self._log.reader(self.reviewer)
            stack = reader.done if kind == "undo" else reader.undone
            if not stack:
                return ()
            target = stack[-1]
            self._add_step(kind, target)
        self._refresh()
        return self._log.cells_of(target)

    def _add_step(self, kind: str, target: int | None) -> int:
        cursor = self._db.execute(
            "INSERT INTO steps (reviewer, kind, target, time) VALUES (?, ?, ?, ?)",
            (self.reviewer, kind, target, self._clock().isoformat()),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Hold the write lock over a step that rests on all steps before it."""
        if self.read_only:
            raise StorageError(
                self.path,
                "its folder is read-only, so the decision was not saved",
                "copy the cell folder to where you may write",
            )
        with self._faults(), transaction(self._db):
            self._refresh()
            yield

    def _refresh(self) -> None:
        """Read the steps that were added since, by whomever."""
        with self._faults():
            steps = self._db.execute(
                "SELECT step, reviewer, kind, target, time FROM steps"
                " WHERE step > ? ORDER BY step",
                (self._log.last,),
            ).fetchall()
            if not steps:
                return
            rows = self._db.execute(
                "SELECT d.step, cell, verdict, pattern, reason, s.time FROM decisions d"
                " JOIN steps s ON s.step = d.step"
                " WHERE d.step > ? AND d.step <= ? ORDER BY sequence",
                (self._log.last, steps[-1][0]),
            ).fetchall()
        self._log.add(steps, [Row(*row) for row in rows])

    def _decision(self, reviewer: str, row: Row) -> Decision:
        verdict = next((v for v in VERDICTS if v == row.verdict), None)
        if verdict is None:
            raise no_store(self.path)
        time = datetime.fromisoformat(row.time)
        return Decision(row.cell, reviewer, verdict, row.pattern, row.reason, time)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            raise sentence(self.path, fault) from fault


def _check(cells: list[str], verdict: Verdict, pattern: str | None) -> None:
    if not cells:
        raise ValueError("a decision is on at least one cell")
    if verdict not in VERDICTS:
        raise ValueError(f"{verdict!r} is none of {', '.join(VERDICTS)}")
    if (verdict == "relabelled") != (pattern is not None):
        raise ValueError("a pattern goes with 'relabelled', and with nothing else")
