"""History of one cell: rows of the store as decisions and events."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from functools import lru_cache

from training.decisions.log import Row
from training.decisions.model import (
    RESULTS,
    VERDICTS,
    Decision,
    Event,
    EventKind,
    Result,
    Verdict,
)

_STEP = "s.step, s.kind, s.reviewer, s.time, s.target"
_DECISION = (
    "d.step, d.cell, d.verdict, d.pattern, d.reason, made.time, a.grade, a.titre,"
    " made.reviewer"
)
# Two joins, each by an index; one with OR or COALESCE would read every step.
_DECISIONS = " UNION ALL ".join(
    f"SELECT {_STEP}, {_DECISION} FROM decisions d JOIN steps s ON s.{key} = d.step"
    " JOIN steps made ON made.step = d.step"
    " LEFT JOIN answers a ON a.decision = d.sequence WHERE d.cell = ?"
    for key in ("step", "target")
)
_MARKS = " UNION ALL ".join(
    f"SELECT {_STEP}, m.flag, m.note FROM marks m JOIN steps s ON s.{key} = m.step"
    " WHERE m.cell = ?"
    for key in ("step", "target")
)
_KNOWN: dict[str, Verdict | Result] = {one: one for one in (*VERDICTS, *RESULTS)}


def decision_of(reviewer: str, row: Row) -> Decision:
    """Return a stored decision as one; its verdict is one of ours."""
    _, cell, verdict, pattern, reason, time, *answer = row
    made = _KNOWN[verdict], pattern, reason, _when(time)
    return Decision(cell, reviewer, *made, *answer)


@lru_cache(maxsize=1024)
def _when(text: str) -> datetime:
    """Return a stored time; a step of thousands of cells has one."""
    return datetime.fromisoformat(text)


def read_history(db: sqlite3.Connection, cell: str) -> list[Event]:
    """Return all that was done to a cell, by anybody, oldest first.

    Its rows were checked before: see `training.decisions.records.new_rows`.
    """
    events = []
    for row in db.execute(_DECISIONS, (cell, cell)).fetchall():
        decision = decision_of(row[13], row[5:13])
        events.append(_event(row, row[1], decision=decision))
    for row in db.execute(_MARKS, (cell, cell)).fetchall():
        flag, note = row[5:]
        made: EventKind = "note" if flag is None else "flag"
        kind = made if row[1] == "decide" else row[1]
        flagged = None if flag is None else bool(flag)
        events.append(_event(row, kind, flagged=flagged, note=note))
    return sorted(events, key=lambda event: event.step)


def _event(
    row: tuple[int, EventKind, str, str, int | None],
    kind: EventKind,
    decision: Decision | None = None,
    flagged: bool | None = None,
    note: str | None = None,
) -> Event:
    step, _, reviewer, time, target = row[:5]
    return Event(step, kind, reviewer, _when(time), target, decision, flagged, note)
