"""A reviewer whose k-th action is known: what is stored can be compared with it.

Each action is one step of the store, so the number of a reviewer's steps tells which
action comes next, whoever was killed before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from training.decisions.records import Marked, Said, StepRecord
from training.decisions.store import DecisionStore

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
PATTERNS = ("Golgi", "NuMem", "Nucleolar")
_ROUND = 9


def act(store: DecisionStore, k: int) -> None:
    """Do the k-th action of the store's reviewer, counted from 0."""
    wanted = expected(store.reviewer, k)
    said = wanted.decisions
    if wanted.kind == "undo":
        store.undo()
    elif wanted.kind == "redo":
        store.redo()
    elif k % _ROUND in (0, 8):
        store.decide([one.cell for one in said], "accepted", reason=said[0].reason)
    elif said:
        store.decide_each(tuple(one[:4]) for one in said)  # type: ignore[misc]
    elif wanted.marks[0].note is None:
        store.flag([one.cell for one in wanted.marks], on=True)
    else:
        store.note([one.cell for one in wanted.marks], wanted.marks[0].note)


def expected(reviewer: str, k: int) -> StepRecord:
    """Return what the k-th action leaves, numbered as if the reviewer were alone."""
    place, cells = k % _ROUND, [f"{reviewer}{k}", f"{reviewer}{k}x"]
    kind, target = _KINDS.get(place, ("decide", None))
    said: dict[int, tuple[Said, ...]] = {
        0: tuple(Said(cell, "accepted", None, None) for cell in cells),
        1: (Said("shared", "relabelled", PATTERNS[k % 3], None),),
        2: (
            Said(cells[0], "rejected", None, "focus"),
            Said("shared", "relabelled", PATTERNS[k % 3], f"model {k}"),
        ),
        8: (Said("shared", "accepted", None, None),),
    }
    marked = {
        3: tuple(Marked(cell, 1, None) for cell in (*cells, "shared")),
        4: (Marked("shared", None, f"note {k} of {reviewer}"),),
    }
    return StepRecord(
        k + 1,
        reviewer,
        kind,
        None if target is None else k + 1 + target,
        time_of(k).isoformat(),
        said.get(place, ()),
        marked.get(place, ()),
    )


# The note is undone, done again and undone, before a decision ends what can be redone.
_KINDS = {5: ("undo", -1), 6: ("redo", -2), 7: ("undo", -3)}


def time_of(k: int) -> datetime:
    """Return the time that is written beside the k-th action."""
    return START + timedelta(seconds=k)


def decide_cells(path: Path, reviewer: str) -> Iterator[int]:
    """Decide on cells where the reviewer left off; yield the steps that are saved."""
    done = 0
    with DecisionStore(path, reviewer, lambda: time_of(done)) as store:
        done = steps_kept(store.records(), reviewer)
        while True:
            act(store, done)
            done += 1
            yield done


def open_only(path: Path, reviewer: str) -> Iterator[int]:
    """Open a store and close it: an old one is brought up."""
    DecisionStore(path, reviewer).close()
    yield 1


def steps_kept(
    records: Sequence[StepRecord],
    reviewer: str,
    expected: Callable[[str, int], StepRecord] = expected,
) -> int:
    """Count the steps of a reviewer from the first on that are as they were made.

    Raises
    ------
    AssertionError
        If one is there that is not: half of it, another's, or out of order.
    """
    own = [one for one in records if one.reviewer == reviewer]
    alone = {one.step: k for k, one in enumerate(own, start=1)}
    for k, one in enumerate(own):
        target = None if one.target is None else alone[one.target]
        found = replace(one, step=k + 1, target=target)
        assert found == expected(reviewer, k), f"step {one.step} is not as it was made"
    return len(own)


def faults_of(path: Path) -> list[str]:
    """Return what SQLite finds wrong with a file; nothing if it is sound."""
    with closing(sqlite3.connect(path)) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check")]
        found += [str(row) for row in db.execute("PRAGMA foreign_key_check")]
    return [] if found == ["ok"] else found
