"""Steps as they are stored, whole: read, written, and merged with another store's."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product
from types import NoneType
from typing import NamedTuple

from training.decisions.database import StrangeRowsError
from training.decisions.log import MarkRow, Row, Step
from training.decisions.model import GRADES, RESULTS, VERDICTS

SaidWords = tuple[str, str, str | None, str | None, str | None, str | None]
"""What a `Said` holds, without the names: thousands of them are not kept as objects."""

MarkedWords = tuple[str, int | None, str | None]
"""What a `Marked` holds."""


class Said(NamedTuple):
    """A decision on one cell, or on one specimen, in a step."""

    cell: str
    verdict: str
    pattern: str | None
    reason: str | None
    grade: str | None = None
    titre: str | None = None


class Marked(NamedTuple):
    """A flag (1 or 0) or a note on one cell in a step; the other is None."""

    cell: str
    flag: int | None
    note: str | None


@dataclass(frozen=True)
class StepRecord:
    """One step with everything it said.

    Attributes
    ----------
    target
        The step that is undone or redone, else None.
    time
        As it is stored: ISO 8601.
    line
        Where a file that it was read from has it, for messages; 0 where there is none.
    """

    step: int
    reviewer: str
    kind: str
    target: int | None
    time: str
    decisions: tuple[Said, ...] = ()
    marks: tuple[Marked, ...] = ()
    line: int = field(default=0, compare=False)


class DivergedError(ValueError):
    """A reviewer's steps are not the beginning, or the sequel, of those known.

    Parameters
    ----------
    record
        The first that differs.
    """

    def __init__(self, record: StepRecord) -> None:
        super().__init__(record)
        self.record = record


def new_rows(
    db: sqlite3.Connection, after: int
) -> tuple[list[Step], list[Row], list[MarkRow]]:
    """Return the steps after one, and the decisions and marks they made, in order.

    Raises
    ------
    sqlite3.Error
        If they cannot be read, or are none that we wrote.
    """
    steps: list[Step] = db.execute(
        "SELECT step, reviewer, kind, target, time FROM steps WHERE step > ?"
        " ORDER BY step",
        (after,),
    ).fetchall()
    (first,) = db.execute("SELECT MIN(step) FROM steps").fetchone()
    if first is not None and first < 1:
        raise StrangeRowsError("a step stands before the first")
    if not steps:
        return [], [], []
    span = (after, steps[-1][0])
    rows = db.execute(
        "SELECT d.step, cell, verdict, pattern, reason, s.time, grade, titre"
        " FROM decisions d JOIN steps s ON s.step = d.step"
        " LEFT JOIN answers a ON a.decision = d.sequence"
        " WHERE d.step > ? AND d.step <= ? ORDER BY sequence",
        span,
    )
    marks = db.execute(
        "SELECT step, cell, flag, note FROM marks WHERE step > ? AND step <= ?"
        " ORDER BY sequence",
        span,
    )
    found = steps, rows.fetchall(), marks.fetchall()
    _check_words(*found)
    return found


def read_step(db: sqlite3.Connection, step: int) -> Step | None:
    """Return one step, or None where there is none of that number."""
    row: Step | None = db.execute(
        "SELECT step, reviewer, kind, target, time FROM steps WHERE step = ?", (step,)
    ).fetchone()
    return row


_STEP_KINDS = {(int, str, str, target, str) for target in (int, NoneType)}
_ROW_KINDS = {
    (int, str, str, pattern, reason, str, *answer)
    for pattern, reason, *answer in product((str, NoneType), repeat=4)
}
_MARK_KINDS = {(int, str, int, NoneType), (int, str, NoneType, str)}


def _check_words(
    steps: Sequence[Step], rows: Sequence[Row], marks: Sequence[MarkRow]
) -> None:
    for found, known in (
        (steps, _STEP_KINDS),
        (rows, _ROW_KINDS),
        (marks, _MARK_KINDS),
    ):
        if not {tuple(map(type, row)) for row in found} <= known:
            raise StrangeRowsError("a value is missing or unknown")
    try:
        zones = {datetime.fromisoformat(time).tzinfo is None for *_, time in steps}
    except ValueError as fault:
        raise StrangeRowsError("a time is invalid") from fault
    if len(zones) > 1:
        raise StrangeRowsError("some times have no zone")
    if not {verdict for _, _, verdict, *_ in rows} <= {*VERDICTS, *RESULTS}:
        raise StrangeRowsError("a decision is of an unknown kind")


def count_since(db: sqlite3.Connection, step: int) -> int:
    """Return how many steps came after one, plus what they said, undid or redid."""
    (last,) = db.execute("SELECT MAX(step) FROM steps").fetchone()
    if last is None or last <= step:
        return 0
    steps = db.execute("SELECT COUNT(*) FROM steps WHERE step > ?", (step,))
    rows = [
        db.execute(
            f"SELECT COUNT(*) FROM steps s JOIN {table} t"
            " ON t.step IN (s.step, s.target) WHERE s.step > ?",
            (step,),
        )
        for table in ("decisions", "marks")
    ]
    return sum(int(found.fetchone()[0]) for found in (steps, *rows))


def read_records(db: sqlite3.Connection) -> list[StepRecord]:
    """Return every step of a store, in order."""
    steps, rows, marks = new_rows(db, 0)
    said: dict[int, list[Said]] = defaultdict(list)
    for step, cell, verdict, pattern, reason, _, *answer in rows:
        said[step].append(Said(cell, verdict, pattern, reason, *answer))
    marked: dict[int, list[Marked]] = defaultdict(list)
    for step, cell, flag, note in marks:
        marked[step].append(Marked(cell, flag, note))
    return [
        StepRecord(*made, tuple(said[made[0]]), tuple(marked[made[0]]))
        for made in steps
    ]


def write_records(db: sqlite3.Connection, records: Iterable[StepRecord]) -> None:
    """Append steps under the numbers they have."""
    for one in records:
        db.execute(
            "INSERT INTO steps (step, reviewer, kind, target, time)"
            " VALUES (?, ?, ?, ?, ?)",
            (one.step, one.reviewer, one.kind, one.target, one.time),
        )
        write_content(db, one.step, one.decisions, one.marks)


def add_step(
    db: sqlite3.Connection, reviewer: str, kind: str, target: int | None, time: str
) -> int:
    """Append a step; return its number."""
    cursor = db.execute(
        "INSERT INTO steps (reviewer, kind, target, time) VALUES (?, ?, ?, ?)",
        (reviewer, kind, target, time),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def write_content(
    db: sqlite3.Connection,
    step: int,
    decisions: Iterable[SaidWords] = (),
    marks: Iterable[MarkedWords] = (),
) -> None:
    """Append what a step said."""
    decided = list(decisions)
    db.executemany(
        "INSERT INTO decisions (step, cell, verdict, pattern, reason)"
        " VALUES (?, ?, ?, ?, ?)",
        ((step, *said[:4]) for said in decided),
    )
    db.executemany(
        "INSERT INTO answers (decision, grade, titre)"
        " SELECT sequence, ?, ? FROM decisions WHERE step = ? AND cell = ?",
        ((*said[4:], step, said[0]) for said in decided if any(said[4:])),
    )
    db.executemany(
        "INSERT INTO marks (step, cell, flag, note) VALUES (?, ?, ?, ?)",
        ((step, *marked) for marked in marks),
    )


def missing_steps(
    here: Sequence[StepRecord], other: Sequence[StepRecord]
) -> list[StepRecord]:
    """Return the steps of another store that are not here, numbered to follow.

    Of each reviewer one of the two lists has to be the beginning of the other; so a
    step is never taken twice. An empty store takes all steps under their own numbers.

    Raises
    ------
    DivergedError
        If a reviewer went on differently in both.
    """
    known: dict[str, list[StepRecord]] = defaultdict(list)
    for record in here:
        known[record.reviewer].append(record)
    seen: dict[str, int] = defaultdict(int)
    numbers: dict[int, int] = {}
    following = here[-1].step + 1 if here else 0
    new: list[StepRecord] = []
    for record in other:
        place = seen[record.reviewer]
        seen[record.reviewer] += 1
        target = None if record.target is None else numbers[record.target]
        if place < len(known[record.reviewer]):
            mine = known[record.reviewer][place]
            if replace(record, step=mine.step, target=target) != mine:
                raise DivergedError(record)
            numbers[record.step] = mine.step
            continue
        number = following + len(new) if here else record.step
        numbers[record.step] = number
        new.append(replace(record, step=number, target=target))
    return new


def check_cells(cells: Sequence[str]) -> None:
    """Raise a ValueError unless there is a cell, and none is there twice."""
    if not cells:
        raise ValueError("a decision is on at least one cell")
    if len(set(cells)) < len(cells):
        raise ValueError("a step has one decision on a cell")


def fault_of(said: Said) -> str | None:
    """Return in what a decision does not go together, or None."""
    if said.verdict not in (*VERDICTS, *RESULTS):
        return f"'{said.verdict}' is not one of {', '.join((*VERDICTS, *RESULTS))}"
    if said.verdict not in RESULTS:
        if (said.verdict == "relabelled") != (said.pattern is not None):
            return "only 'relabelled' takes a pattern"
        return "a cell has no grade and no titre" if any(said[4:]) else None
    if said.pattern is not None and said.verdict == "negative":
        return "'negative' takes no pattern"
    if said.grade is not None and said.verdict != "positive":
        return "only 'positive' takes a grade"
    known = said.grade is None or said.grade in GRADES
    return None if known else f"'{said.grade}' is not one of {', '.join(GRADES)}"
