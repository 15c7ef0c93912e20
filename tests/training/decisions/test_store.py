"""Nothing acknowledged is lost; undo, redo and reopening keep the order."""

import os
import sqlite3
from collections import Counter
from datetime import UTC, datetime

import pytest

from training.decisions import database
from training.decisions.model import Decision
from training.decisions.store import DecisionStore
from training.errors import BadCellsError, StorageError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


def _verdicts(store, reviewer=None):
    return {cell: d.pattern or d.verdict for cell, d in store.current(reviewer).items()}


def test_decide_and_read_back(path):
    with DecisionStore(path, "ann", lambda: NOON) as store:
        assert store.decide(["a", "b"], "rejected", reason="blurred") == 1
        assert store.decide(["b"], "relabelled", "Golgi") == 2
    with DecisionStore(path, "ann") as store:
        current = store.current()
    assert current["a"] == Decision("a", "ann", "rejected", None, "blurred", NOON)
    assert (current["b"].verdict, current["b"].pattern) == ("relabelled", "Golgi")


def test_several_cells_are_one_step(path):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "accepted")
        store.decide(["a", "b", "c"], "rejected")
        assert store.undo() == ("a", "b", "c")
        assert _verdicts(store) == {"a": "accepted"}
        assert store.redo() == ("a", "b", "c")
        assert _verdicts(store) == dict.fromkeys("abc", "rejected")


def test_undo_to_the_start_and_no_further(path):
    with DecisionStore(path, "ann") as store:
        assert store.undo() == ()
        store.decide(["a"], "accepted")
        assert store.undo() == ("a",)
        assert store.undo() == ()
        assert store.redo() == ("a",)
        assert store.redo() == ()


def test_a_new_decision_ends_redo(path):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "accepted")
        store.undo()
        assert store.redo() == ("a",)
        store.undo()
        store.decide(["b"], "accepted")
        assert store.redo() == ()


def test_cleared_is_undecided_and_can_be_undone(path):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "rejected")
        store.decide(["a"], "cleared")
        assert store.current() == {}
        assert store.decision_on("a") is None
        store.undo()
        assert store.decision_on("a").verdict == "rejected"


def test_history_tells_everything(path):
    with DecisionStore(path, "ann") as store, DecisionStore(path, "bob") as other:
        store.decide(["a", "z"], "accepted")
        other.decide(["a"], "relabelled", "NuMem")
        store.undo()
        store.redo()
        events = [(e.kind, e.reviewer, e.decision.verdict) for e in store.history("a")]
    assert events == [
        ("decide", "ann", "accepted"),
        ("decide", "bob", "relabelled"),
        ("undo", "ann", "accepted"),
        ("redo", "ann", "accepted"),
    ]


def test_reviewers_do_not_touch_each_other(path):
    with DecisionStore(path, "ann") as ann, DecisionStore(path, "bob") as bob:
        ann.decide(["a"], "accepted")
        bob.decide(["a"], "rejected")
        assert ann.undo() == ("a",)
        assert ann.current() == {}
        assert _verdicts(ann, "bob") == {"a": "rejected"}
        assert ann.reviewers() == ("ann", "bob")


def test_two_windows_of_one_reviewer_share_one_undo(path):
    with DecisionStore(path, "ann") as one, DecisionStore(path, "ann") as two:
        one.decide(["a"], "accepted")
        two.decide(["b"], "accepted")
        assert one.undo() == ("b",)
        assert two.undo() == ("a",)
        assert one.redo() == ("a",)


@pytest.mark.parametrize(
    ("cells", "verdict", "pattern"),
    [
        ([], "accepted", None),
        (["a"], "maybe", None),
        (["a"], "relabelled", None),
        (["a"], "accepted", "Golgi"),
    ],
)
def test_senseless_decisions_are_refused(path, cells, verdict, pattern):
    with DecisionStore(path, "ann") as store:
        with pytest.raises(ValueError, match=r"."):
            store.decide(cells, verdict, pattern)
        assert store.current() == {}


def test_a_reviewer_has_a_name(path):
    with pytest.raises(ValueError, match="name"):
        DecisionStore(path, "  ")


# --- the file --------------------------------------------------------------------


def test_journal_and_append_only(path):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "accepted")
        get = lambda name: store._db.execute(f"PRAGMA {name}").fetchone()[0]  # noqa: E731
        assert (get("journal_mode"), get("synchronous")) == ("delete", 3)
        assert (get("user_version"), get("busy_timeout")) == (3, 10_000)
    with sqlite3.connect(path) as db:
        for statement in (
            "UPDATE decisions SET verdict = 'rejected'",
            "DELETE FROM decisions",
            "UPDATE steps SET reviewer = 'x'",
            "DELETE FROM steps",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="are never"):
                db.execute(statement)
    db.close()


def _script(path, script):
    db = sqlite3.connect(path)
    db.executescript(script)
    db.close()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0"])
def test_a_damaged_file_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(BadCellsError, match="damaged or not a store"):
        DecisionStore(path, "ann")
    assert path.read_bytes() == content


def test_a_store_whose_own_description_is_damaged_is_refused(path):
    """SQLite quotes it in a message that is then no text."""
    with DecisionStore(path, "ann"):
        pass
    before = path.read_bytes().replace(b"CREATE TABLE steps", b"CREATE TABL\xff steps")
    path.write_bytes(before)
    with pytest.raises(BadCellsError, match="damaged or not a store"):
        DecisionStore(path, "ann")
    assert path.read_bytes() == before


def test_somebody_elses_database_is_refused_and_left_alone(path):
    _script(path, "CREATE TABLE things (x)")
    before = path.read_bytes()
    with pytest.raises(BadCellsError, match="not a store of decisions"):
        DecisionStore(path, "ann")
    assert path.read_bytes() == before


def test_a_verdict_from_nowhere_is_refused(path):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "accepted")
    _script(path, "INSERT INTO decisions VALUES (2, 1, 'b', 'eaten', NULL, NULL)")
    with pytest.raises(BadCellsError, match="damaged or not a store"):
        DecisionStore(path, "ann")


def test_an_empty_file_becomes_a_store(path):
    path.touch()
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "accepted")
    with DecisionStore(path, "ann") as store:
        assert _verdicts(store) == {"a": "accepted"}


def test_a_read_only_folder_opens_read_only(path, monkeypatch):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "accepted")
    before = path.read_bytes()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with DecisionStore(path, "ann") as store:
        assert store.read_only
        assert _verdicts(store) == {"a": "accepted"}
        for act in (lambda: store.decide(["b"], "accepted"), store.undo, store.redo):
            with pytest.raises(StorageError, match="read-only"):
                act()
    assert path.read_bytes() == before


def test_a_read_only_folder_without_decisions_is_empty(path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with DecisionStore(path, "ann") as store:
        assert (store.read_only, store.current()) == (True, {})
    assert not path.exists()


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(StorageError):
        DecisionStore(tmp_path / "none" / "store.sqlite", "ann")


def test_a_full_disk_keeps_what_was_saved(path):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "accepted")
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match=r"disk is full .* was not saved"):
            store.decide([f"cell{k}" for k in range(5000)], "rejected")
        assert _verdicts(store) == {"a": "accepted"}
        store._db.execute("PRAGMA max_page_count = 100000")
        store.decide(["b"], "rejected")
        assert _verdicts(store) == {"a": "accepted", "b": "rejected"}


def test_a_locked_file_is_said_and_nothing_is_half_saved(path):
    with DecisionStore(path, "ann") as store:
        store._db.execute("PRAGMA busy_timeout = 20")
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="another program has it locked"):
            store.decide(["a"], "accepted")
        holder.execute("ROLLBACK")
        holder.close()
        store.decide(["b"], "accepted")
        assert _verdicts(store) == {"b": "accepted"}


def test_a_cut_off_step_in_a_read_only_folder_asks_for_a_copy(path):
    fault = sqlite3.OperationalError("attempt to write a readonly database")
    fault.sqlite_errorcode = sqlite3.SQLITE_READONLY_ROLLBACK
    told = str(database.sentence(path, fault))
    assert told.endswith("read-only; copy the whole folder to where you can write.")


def test_steps_among_many_decided_cells(path):
    cells = [f"frame_{k:05d}" for k in range(5_000)]
    with DecisionStore(path, "ann") as store:
        store.decide(cells, "accepted")
        for cell in cells[:40]:
            store.decide([cell], "rejected")
            assert store.decision_on(cell).verdict == "rejected"
        verdicts = Counter(one.verdict for one in store.current().values())
    assert verdicts == {"accepted": 4_960, "rejected": 40}


STRANGE = {
    "bytes for a cell": "UPDATE decisions SET cell = x'ff'",
    "no cell": "UPDATE decisions SET cell = NULL",
    "bytes for a reviewer": "UPDATE steps SET reviewer = x'00'",
    "no time": "UPDATE steps SET time = 'yesterday'",
    "some times without a zone": "UPDATE steps SET time = '2026-01-02' WHERE step = 1",
    "a word for a target": "UPDATE steps SET target = 'x'",
    "another verdict": "UPDATE decisions SET verdict = 'perhaps'",
    "a word for a flag": "UPDATE marks SET flag = 'x'",
    "a step before the first": "INSERT INTO steps VALUES (-1, 'x', 'undo', 1, 'x')",
}


@pytest.mark.parametrize("statement", STRANGE.values(), ids=STRANGE)
def test_rows_that_no_program_of_ours_wrote_are_told(path, statement):
    with DecisionStore(path, "ann") as store:
        store.decide(["a"], "accepted")
        store.flag(["a"], on=True)
    db = sqlite3.connect(path, isolation_level=None)
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        db.execute(f"DROP TRIGGER {name}")
    db.executescript(
        "PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON;"
        "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '');"
        "PRAGMA writable_schema = RESET"
    )
    db.execute(statement)
    db.close()
    with pytest.raises(BadCellsError, match="damaged or not a store of decisions"):
        DecisionStore(path, "ann")


def test_a_file_that_is_a_link_out_of_its_folder_is_left_alone(tmp_path):
    (tmp_path / "cells").mkdir()
    (tmp_path / "other.sqlite").touch()
    path = tmp_path / "cells" / "store.sqlite"
    path.symlink_to(tmp_path / "other.sqlite")
    with pytest.raises(BadCellsError, match="a link that leads out"):
        DecisionStore(path, "ann")
    assert (tmp_path / "other.sqlite").stat().st_size == 0


def test_a_schema_of_which_no_message_can_be_read_is_told(path):
    DecisionStore(path, "ann").close()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE steps", b"CREATE TABL\xe9 steps"))
    with pytest.raises(BadCellsError, match="damaged or not a store of decisions"):
        DecisionStore(path, "ann")
