"""Flags, notes, single verdicts as one step, the past, and stores of version 1."""

import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from training.decisions import history
from training.decisions.model import event_text
from training.decisions.store import DecisionStore, Mark
from training.errors import BadCellsError, StorageError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

GOLDEN = Path(__file__).parents[2] / "trust" / "golden" / "format-1.sqlite"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "curation.sqlite"


@pytest.fixture
def old(path):
    """A store as version 1 of the program wrote it."""
    return Path(shutil.copyfile(GOLDEN, path))


def verdicts(found):
    return {cell: d.pattern or d.verdict for cell, d in found.items()}


def test_flags_and_notes_stand_beside_verdicts(path):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "rejected")
        assert store.flag(["a", "b"], True) == 2
        store.note(["b"], "ask Bob")
        store.flag(["a"], False)
        assert store.marks() == {"b": Mark(True, "ask Bob")}
        assert verdicts(store.current()) == {"a": "rejected"}
    with DecisionStore(path, "ann") as store:
        assert store.marks() == {"b": Mark(True, "ask Bob")}


def test_marks_are_undone_in_turn_with_decisions(path):
    with DecisionStore(path, "ann") as store:
        store.flag(["a", "b"], True)
        store.decide(["a"], "accepted")
        store.note(["a"], "first")
        store.note(["a"], "second")
        assert store.undo() == ("a",)
        assert store.marks()["a"] == Mark(True, "first")
        store.undo()
        store.undo()
        assert store.current() == {}
        assert store.undo() == ("a", "b")
        assert store.marks() == {}
        assert store.redo() == ("a", "b")
        assert store.marks() == {"a": Mark(True), "b": Mark(True)}


def test_reviewers_marks_are_their_own(path):
    with DecisionStore(path, "ann") as ann, DecisionStore(path, "bob") as bob:
        ann.flag(["a"], True)
        bob.note(["a"], "mine")
        assert ann.marks() == {"a": Mark(True)}
        assert ann.marks("bob") == {"a": Mark(False, "mine")}


def test_a_verdict_of_its_own_on_each_cell_is_one_step(path):
    with DecisionStore(path, "ann") as store:
        reason = "prediction of m"
        step = store.decide_each(
            [("a", "accepted", None, reason), ("b", "relabelled", "Golgi", reason)]
        )
        assert step == store.last_step == 1
        assert verdicts(store.current()) == {"a": "accepted", "b": "Golgi"}
        assert store.current()["b"].reason == reason
        assert store.undo() == ("a", "b")
        assert store.current() == {}


@pytest.mark.parametrize(
    "each",
    [
        [],
        [("a", "accepted", None, None), ("a", "rejected", None, None)],
        [("a", "accepted", None, None), ("b", "relabelled", None, None)],
        [("a", "accepted", "Golgi", None)],
        [("a", "eaten", None, None)],
    ],
)
def test_nothing_of_a_senseless_step_is_kept(path, each):
    with DecisionStore(path, "ann") as store:
        with pytest.raises(ValueError, match=r"."):
            store.decide_each(each)
        assert store.last_step == 0


def test_marking_nothing_is_refused(path):
    with DecisionStore(path, "ann") as store:
        for act in (lambda: store.flag([], True), lambda: store.note([], "x")):
            with pytest.raises(ValueError, match="at least one cell"):
                act()


def test_any_state_of_the_past(path):
    with DecisionStore(path, "ann") as store, DecisionStore(path, "bob") as bob:
        store.decide(["a"], "accepted")  # 1
        bob.decide(["a"], "rejected")  # 2
        store.decide(["a", "b"], "rejected")  # 3
        store.flag(["b"], True)  # 4
        store.undo()  # 5
        store.undo()  # 6
        store.redo()  # 7
        states = [verdicts(store.at(step)) for step in range(8)]
        one, both = {"a": "accepted"}, {"a": "rejected", "b": "rejected"}
        assert states == [{}, one, one, both, both, both, one, both]
        assert [bool(store.marks(step=k)) for k in range(8)] == [False] * 4 + [
            True,
            *[False] * 3,
        ]
        assert verdicts(store.at(7, "bob")) == {"a": "rejected"}
        assert store.at(1, "bob") == {}


def test_a_thousand_random_steps_rebuild_equal_at_every_step(path):
    """A reader that follows step by step, and one that looks back from the end."""
    rng = np.random.default_rng(5)
    cells = [f"c{k}" for k in range(12)]
    seen = []
    with DecisionStore(path, "ann") as ann, DecisionStore(path, "bob") as bob:
        for store in (ann, bob):
            store._db.execute("PRAGMA synchronous = OFF")
        while ann.last_step < 1000:
            store = (ann, bob)[rng.integers(2)]
            some = rng.choice(cells, rng.integers(1, 5), replace=False).tolist()
            before = ann.last_step
            _act(store, some, int(rng.integers(7)), rng)
            if ann.last_step > before:
                seen.append((ann.current(), ann.marks(), ann.current("bob")))
    with DecisionStore(path, "ann") as again:
        for step, (mine, marks, theirs) in enumerate(seen, start=1):
            assert again.at(step) == mine
            assert again.marks(step=step) == marks
            assert again.at(step, "bob") == theirs


def _act(store, cells, which, rng):
    if which == 0:
        store.decide(cells, ("accepted", "rejected", "cleared")[rng.integers(3)])
    elif which == 1:
        store.decide_each(
            [(cell, "relabelled", f"p{k}", None) for k, cell in enumerate(cells)]
        )
    elif which == 2:
        store.flag(cells, bool(rng.integers(2)))
    elif which == 3:
        store.note(cells, ("", "x", "y")[rng.integers(3)])
    elif which < 6:
        store.undo()
    else:
        store.redo()


def test_what_changed_since_a_step_by_anybody(path):
    with DecisionStore(path, "ann") as ann, DecisionStore(path, "bob") as bob:
        ann.decide(["a", "b"], "accepted")
        bob.flag(["c"], True)
        assert ann.changed_since(0) == ("a", "b", "c")
        assert ann.changed_since(1) == ("c",)
        assert ann.changed_since(2) == ()
        bob.undo()
        assert ann.changed_since(2) == ("c",)


def test_the_history_of_a_cell_in_words(path):
    with DecisionStore(path, "ann", lambda: NOON) as store:
        store.decide(["a", "b"], "rejected", reason="focus")
        store.flag(["a"], True)
        store.note(["a"], "odd")
        store.undo()
        store.decide(["a"], "relabelled", "Golgi")
        store.flag(["a"], False)
        store.note(["a"], "")
        lines = [event_text(event) for event in store.history("a")]
    start = "2026-01-01 12:00 ann: "
    assert lines == [
        f"1  {start}rejected: out of focus",
        f"2  {start}flagged",
        f"3  {start}note 'odd'",
        f"4  {start}undid step 3 (note 'odd')",
        f"5  {start}relabelled as Golgi",
        f"6  {start}flag removed",
        f"7  {start}note removed",
    ]


def test_a_history_among_many_steps_looks_at_few(path):
    """The screen asks at every cell: a scan of all steps would be felt."""
    with DecisionStore(path, "ann") as store:
        store._db.execute("PRAGMA synchronous = OFF")
        store.decide(["a"], "accepted")
        store.undo()
        store.redo()
        plans = [
            row[-1]
            for query in (history._DECISIONS, history._MARKS)
            for row in store._db.execute(f"EXPLAIN QUERY PLAN {query}", ("a", "a"))
        ]
        assert [e.kind for e in store.history("a")] == ["decide", "undo", "redo"]
    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN")]


# --- version 1 -------------------------------------------------------------------


def test_an_old_store_that_cannot_be_written_is_read_as_it_is(old, monkeypatch):
    before = old.read_bytes()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with DecisionStore(old, "Zoë") as store:
        assert verdicts(store.current()) == {"a": "accepted", "b": "Golgi"}
        assert store.marks() == {}
        assert len(store.history("a")) == 4
        with pytest.raises(StorageError, match="read-only"):
            store.flag(["a"], True)
    assert old.read_bytes() == before


def test_a_store_of_version_2_without_marks_is_refused(old):
    db = sqlite3.connect(old)
    db.execute("PRAGMA user_version = 2")
    db.close()
    before = old.read_bytes()
    with pytest.raises(BadCellsError, match="damaged or not a store"):
        DecisionStore(old, "ann")
    assert old.read_bytes() == before
