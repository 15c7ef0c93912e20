"""The store of decisions: what each reviewer said of each cell, and nothing forgotten.

An SQLite file that is only ever appended to. An action, on one cell or on thousands, is
one step, committed before the call returns; undo and redo are steps of their own. Flags
and notes stand beside the verdicts and are undone as they are. Two reviewers, or two
windows of one, may use a file at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from training.decisions.current import Decisions
from training.decisions.database import (
    STORE_FAULTS,
    can_write,
    open_file,
    sentence,
    transaction,
)
from training.decisions.history import read_history
from training.decisions.log import DecisionLog, Reader
from training.decisions.model import VERDICTS, Decision, Event, Mark, Result, Verdict
from training.decisions.records import (
    MarkedWords,
    Said,
    SaidWords,
    StepRecord,
    add_step,
    check_cells,
    count_since,
    fault_of,
    missing_steps,
    new_rows,
    read_records,
    read_step,
    write_content,
    write_records,
)
from training.errors import StorageError

__all__ = ["VERDICTS", "Decision", "DecisionStore", "Event", "Mark", "Verdict", "now"]


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of its name, or None without one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
    A store is used by one thread at a time; another may go on with it. A step is
    durable when the call returns: rollback journal, ``synchronous=EXTRA``. The
    write-ahead log is not used; it does not work on network folders.
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
        self._file = _identity(path)
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
        return self.decide_each([(cell, verdict, pattern, reason) for cell in chosen])

    def decide_each(
        self, decisions: Iterable[tuple[str, Verdict, str | None, str | None]]
    ) -> int:
        """Record a verdict of its own on each of some cells as one step.

        Parameters
        ----------
        decisions
            Cell, verdict, pattern and reason, as `decide` takes them, which also tells
            what is returned and raised; at least one, and one a cell.
        """
        return self._decide([Said(*one) for one in decisions])

    def answer(
        self,
        specimen: str,
        result: Result,
        patterns: Sequence[str] = (),
        comment: str = "",
        grade: str = "",
        titre: str = "",
    ) -> int:
        """Record what a specimen is as a whole; return the number of the step.

        Raises
        ------
        StorageError
            If it could not be saved; then nothing of it is.
        ValueError
            If the arguments do not go together.
        """
        words = ("+".join(patterns), comment, grade, titre)
        return self._decide([Said(specimen, result, *(word or None for word in words))])

    def _decide(self, said: Sequence[Said]) -> int:
        check_cells([one.cell for one in said])
        for one in said:
            fault = fault_of(one)
            if fault:
                raise ValueError(fault)
        return self._do(said, ())

    def flag(self, cells: Iterable[str], on: bool) -> int:
        """Flag some cells, or take their flags off, as one step; return its number.

        Raises
        ------
        StorageError
            If it could not be saved; then nothing of it is.
        ValueError
            If there is no cell.
        """
        return self._mark(cells, int(on), None)

    def note(self, cells: Iterable[str], text: str) -> int:
        """Set the note of some cells as one step; an empty one removes it.

        Raises
        ------
        StorageError
            If it could not be saved; then nothing of it is.
        ValueError
            If there is no cell.
        """
        return self._mark(cells, None, text)

    def _mark(self, cells: Iterable[str], flag: int | None, note: str | None) -> int:
        chosen = list(dict.fromkeys(cells))
        check_cells(chosen)
        return self._do((), [(cell, flag, note) for cell in chosen])

    def _do(self, decisions: Sequence[SaidWords], marks: Sequence[MarkedWords]) -> int:
        with self._transaction():
            step = self._add_step("decide", None)
            write_content(self._db, step, decisions, marks)
        self._refresh()
        return step

    def undo(self) -> tuple[str, ...]:
        """Undo this reviewer's last step; return its cells, none if none is left.

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

    def turns(self, kind: Literal["undo", "redo"]) -> int:
        """Return how many cells `undo` or `redo` would touch; 0 if it does nothing."""
        self._refresh()
        reader = self._log.reader(self.reviewer)
        stack = reader.done if kind == "undo" else reader.undone
        return len(self._log.cells_of(stack[-1])) if stack else 0

    def news(self, step: int) -> int:
        """Return how much was done after a step, in steps and in cells they touched.

        It is counted in the file; nothing is read.
        """
        with self._faults():
            return count_since(self._db, step)

    @property
    def last_step(self) -> int:
        """The number of the last step, by whomever; 0 in an empty store."""
        self._refresh()
        return self._log.last

    def current(
        self, reviewer: str | None = None, cells: Iterable[str] | None = None
    ) -> Decisions:
        """Return the standing decision on each decided cell, by its id.

        Parameters
        ----------
        reviewer
            Whose; the one at the screen if not given.
        cells
            Look at these alone.
        """
        self._refresh()
        return self._decisions(reviewer, None, cells)

    def at(self, step: int, reviewer: str | None = None) -> Decisions:
        """Return the decisions that stood after a step; see `current`."""
        self._refresh()
        return self._decisions(reviewer, step)

    def marks(
        self,
        reviewer: str | None = None,
        step: int | None = None,
        cells: Iterable[str] | None = None,
    ) -> dict[str, Mark]:
        """Return the flag and note of each cell that has one, by its id.

        Parameters
        ----------
        reviewer
            Whose; the one at the screen if not given.
        step
            After which they stood; now if not given.
        cells
            Look at these alone.
        """
        self._refresh()
        reader = self._reader(reviewer, step)
        asked = reader.marks if cells is None else cells
        found = ((cell, reader.mark_on(cell)) for cell in asked)
        # One object for all cells with the same flag and note.
        made: dict[tuple[bool, str], Mark] = {}
        return {
            cell: made.setdefault(said, Mark(*said))
            for cell, said in found
            if said != (False, "")
        }

    def decision_on(self, cell: str, reviewer: str | None = None) -> Decision | None:
        """Return the standing decision on one cell, or None; see `current`."""
        return self.current(reviewer, [cell]).get(cell)

    def reviewers(self) -> tuple[str, ...]:
        """Return who has made a step in this file, in order of appearance."""
        self._refresh()
        return self._log.reviewers()

    def changed_since(self, step: int) -> tuple[str, ...]:
        """Return the cells that anybody touched after a step."""
        self._refresh()
        return self._log.cells_since(step)

    def history(self, cell: str) -> list[Event]:
        """Return all that was done to a cell, by anybody, oldest first."""
        self._refresh()
        with self._faults():
            return read_history(self._db, cell)

    def records(self) -> list[StepRecord]:
        """Return every step with all that it said, in order."""
        with self._faults():
            return read_records(self._db)

    def merge(self, records: Sequence[StepRecord]) -> int:
        """Add the steps of another store that are not here; return how many.

        Raises
        ------
        DivergedError
            If a reviewer went on differently in both; then nothing is added.
        StorageError
            If they could not be saved; then none is.

        See Also
        --------
        training.decisions.records.missing_steps
        """
        with self._transaction():
            new = missing_steps(read_records(self._db), records)
            write_records(self._db, new)
        self._refresh()
        return len(new)

    def _reader(self, reviewer: str | None, step: int | None) -> Reader:
        reader = self._log.reader(reviewer or self.reviewer)
        return reader if step is None else reader.at(step)

    def _decisions(
        self,
        reviewer: str | None,
        step: int | None,
        cells: Iterable[str] | None = None,
    ) -> Decisions:
        name = reviewer or self.reviewer
        rows = self._reader(name, step).standing(cells)
        return Decisions(name, rows)

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
        time = self._clock().isoformat()
        return add_step(self._db, self.reviewer, kind, target, time)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Hold the write lock over a step that rests on all steps before it."""
        if self.read_only:
            raise StorageError(
                self.path,
                "its folder is read-only, so the decision was not saved",
                "copy the cell folder to where you can write",
            )
        with self._faults(), transaction(self._db):
            self._check_unchanged()
            self._refresh()
            yield

    def _check_unchanged(self) -> None:
        """Notice a backup that was put over the file since it was opened.

        In its place, or renamed onto its name: then this file has no name any more.
        """
        newest = self._log.newest
        same_file = self._file == _identity(self.path)
        if not same_file or (newest and read_step(self._db, newest[0]) != newest):
            raise StorageError(
                self.path,
                "another file was put in its place, so the decision was not saved",
                "open the folder again to see what is in it",
            )

    def _refresh(self) -> None:
        """Read the steps that were added since, by whomever."""
        with self._faults():
            self._log.add(*new_rows(self._db, self._log.last))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except STORE_FAULTS as fault:
            raise sentence(self.path, fault) from fault
