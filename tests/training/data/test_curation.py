"""Nothing acknowledged is lost; undo, redo and reopening keep the order."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from training.data import curation
from training.data.curation import DecisionStore
from training.errors import BadCellsError, StorageError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "curation.sqlite"


def _verdicts(store, reviewer=None):
    return {cell: d.pattern or d.verdict for cell, d in store.current(reviewer).items()}


def test_decide_and_read_back(path):
    with DecisionStore(path, "ann", lambda: NOON) as store:
        assert store.decide(["a", "b"], "rejected", reason="blurred") == 1
        assert store.decide(["b"], "relabelled", "Golgi") == 2
    with DecisionStore(path, "ann") as store:
        current = store.current()
    assert current["a"] == curation.Decision(
        "a", "ann", "rejected", None, "blurred", NOON
    )
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


def test_a_clock_that_jumps_back_changes_no_order(path):
    times = iter([NOON, NOON - timedelta(days=400), NOON + timedelta(days=9), NOON])
    with DecisionStore(path, "ann", lambda: next(times)) as store:
        for verdict in ("accepted", "rejected", "accepted"):
            store.decide(["a"], verdict)
        store.undo()
        assert _verdicts(store) == {"a": "rejected"}
        kinds = [(e.step, e.kind) for e in store.history("a")]
    assert kinds == [(1, "decide"), (2, "decide"), (3, "decide"), (4, "undo")]


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
        assert (get("user_version"), get("busy_timeout")) == (2, 10_000)
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


GOLDEN_1 = """
CREATE TABLE steps (step INTEGER PRIMARY KEY AUTOINCREMENT, reviewer TEXT NOT NULL,
    kind TEXT NOT NULL, target INTEGER, time TEXT NOT NULL);
CREATE TABLE decisions (sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL, cell TEXT NOT NULL, verdict TEXT NOT NULL, pattern TEXT,
    reason TEXT);
INSERT INTO steps VALUES (1, 'ann', 'decide', NULL, '2026-01-01T12:00:00+00:00');
INSERT INTO steps VALUES (2, 'ann', 'decide', NULL, '2026-01-01T12:00:01+00:00');
INSERT INTO steps VALUES (3, 'ann', 'undo', 2, '2026-01-01T12:00:02+00:00');
INSERT INTO decisions VALUES (1, 1, 'a', 'relabelled', 'Golgi', NULL);
INSERT INTO decisions VALUES (2, 2, 'a', 'rejected', NULL, 'blurred');
PRAGMA user_version = 1;
"""


def _script(path, script):
    db = sqlite3.connect(path)
    db.executescript(script)
    db.close()


def test_a_file_of_schema_1_is_read(path):
    _script(path, GOLDEN_1)
    with DecisionStore(path, "ann") as store:
        assert _verdicts(store) == {"a": "Golgi"}
        assert store.redo() == ("a",)


def test_a_newer_schema_is_refused_and_left_alone(path):
    _script(path, GOLDEN_1 + "PRAGMA user_version = 3;")
    before = path.read_bytes()
    with pytest.raises(BadCellsError, match="newer version"):
        DecisionStore(path, "ann")
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0"])
def test_a_damaged_file_is_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(BadCellsError, match="damaged or no store"):
        DecisionStore(path, "ann")
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused_and_left_alone(path):
    _script(path, "CREATE TABLE things (x)")
    before = path.read_bytes()
    with pytest.raises(BadCellsError, match="no store of decisions"):
        DecisionStore(path, "ann")
    assert path.read_bytes() == before


def test_a_verdict_from_nowhere_is_refused(path):
    _script(path, GOLDEN_1 + "INSERT INTO decisions VALUES (3, 1, 'b', 'eaten', 0, 0);")
    with DecisionStore(path, "ann") as store, pytest.raises(BadCellsError):
        store.current()


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
        DecisionStore(tmp_path / "none" / "curation.sqlite", "ann")


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
        with pytest.raises(StorageError, match="another program holds it"):
            store.decide(["a"], "accepted")
        holder.execute("ROLLBACK")
        holder.close()
        store.decide(["b"], "accepted")
        assert _verdicts(store) == {"b": "accepted"}


# --- against a model -------------------------------------------------------------

CELLS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True)
WHO = st.sampled_from(["ann", "bob"])
VERDICT = st.sampled_from(curation.VERDICTS)


def _pattern(verdict):
    return "Golgi" if verdict == "relabelled" else None


class StoreMachine(RuleBasedStateMachine):
    """The store against lists in memory, whatever is done in whatever order."""

    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "curation.sqlite"
        self.done = {"ann": [], "bob": []}
        self.undone = {"ann": [], "bob": []}
        self.past = [{"ann": ({}, {}), "bob": ({}, {})}]
        self.stores = {who: self._open(who) for who in self.done}

    def _open(self, who):
        store = DecisionStore(self.path, who)
        store._db.execute("PRAGMA synchronous = OFF")
        return store

    def _did(self, who, step, said):
        assert step == len(self.past)
        self.done[who].append(said)
        self.undone[who].clear()
        self._remember()

    def _remember(self):
        self.past.append({who: self._expected(who) for who in self.done})

    def _expected(self, who):
        decisions, flags, notes = {}, {}, {}
        kinds = {"verdict": decisions, "flag": flags, "note": notes}
        for kind, content in self.done[who]:
            kinds[kind].update(content)
        marked = {
            c: curation.Mark(flags.get(c, False), notes.get(c, "")) for c in "abcd"
        }
        return (
            {cell: v for cell, v in decisions.items() if v != "cleared"},
            {cell: mark for cell, mark in marked.items() if mark != curation.Mark()},
        )

    @rule(who=WHO, cells=CELLS, verdict=VERDICT)
    def decide(self, who, cells, verdict):
        step = self.stores[who].decide(cells, verdict, _pattern(verdict))
        self._did(who, step, ("verdict", dict.fromkeys(cells, verdict)))

    @rule(who=WHO, said=st.dictionaries(st.sampled_from("abcd"), VERDICT, min_size=1))
    def decide_each(self, who, said):
        each = [(cell, v, _pattern(v), None) for cell, v in said.items()]
        self._did(who, self.stores[who].decide_each(each), ("verdict", said))

    @rule(who=WHO, cells=CELLS, on=st.booleans())
    def flag(self, who, cells, on):
        step = self.stores[who].flag(cells, on)
        self._did(who, step, ("flag", dict.fromkeys(cells, on)))

    @rule(who=WHO, cells=CELLS, text=st.sampled_from(["", "odd", "ask bob"]))
    def note(self, who, cells, text):
        step = self.stores[who].note(cells, text)
        self._did(who, step, ("note", dict.fromkeys(cells, text)))

    def _turned(self, source, target, cells):
        if not source:
            assert cells == ()
            return
        target.append(source.pop())
        assert cells == tuple(target[-1][1])
        self._remember()

    @rule(who=WHO)
    def undo(self, who):
        self._turned(self.done[who], self.undone[who], self.stores[who].undo())

    @rule(who=WHO)
    def redo(self, who):
        self._turned(self.undone[who], self.done[who], self.stores[who].redo())

    @rule(who=WHO)
    def reopen(self, who):
        self.stores[who].close()
        self.stores[who] = self._open(who)

    @invariant()
    def agree(self):
        for who, store in getattr(self, "stores", {}).items():
            decisions, marks = self._expected(who)
            assert {c: d.verdict for c, d in store.current().items()} == decisions
            assert store.marks() == marks
            assert store.last_step == len(self.past) - 1
            for cell in "abcd":
                found = store.decision_on(cell)
                assert (found and found.verdict) == decisions.get(cell)

    @rule(data=st.data(), who=WHO)
    def look_back(self, data, who):
        step = data.draw(st.integers(0, len(self.past) - 1))
        for store in self.stores.values():
            found = store.at(step, who)
            decisions, marks = self.past[step][who]
            assert {c: d.verdict for c, d in found.items()} == decisions
            assert store.marks(who, step) == marks

    def teardown(self):
        for store in getattr(self, "stores", {}).values():
            store.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()


StoreMachine.TestCase.settings = settings(
    max_examples=200, stateful_step_count=15, deadline=None
)
TestStore = StoreMachine.TestCase


# --- killed, and two at once -----------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from training.data.curation import DecisionStore
store = DecisionStore(Path(sys.argv[1]), sys.argv[2])
first, n = int(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True)
for k in range(first, first + n):
    store.decide([f"{sys.argv[2]}{k}", f"{sys.argv[2]}{k}x"], "accepted")
    if k % 5 == 4:
        store.decide(["extra"], "rejected")
        store.undo()
    print(k, flush=True)
print("end", flush=True)
"""


def _start(path, who, first, n):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), who, str(first), str(n)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout.readline() == "ready\n"
    return writer


def _whole(path):
    db = sqlite3.connect(path)
    (answer,) = db.execute("PRAGMA integrity_check").fetchone()
    db.close()
    return answer == "ok"


@pytest.mark.skipif(os.name == "nt", reason="needs kill -9")
def test_no_acknowledged_decision_is_lost_by_kill(path):
    """A child is forked for each of 50 kills, at a random moment of its writing."""
    rng = np.random.default_rng(0)
    acknowledged = 0
    for _ in range(50):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _write_until_killed(path, writer, acknowledged)
        os.close(writer)
        wanted = int(rng.integers(1, 12))
        with os.fdopen(reader, "rb", buffering=0) as stream:
            got = b""
            while got.count(b"\n") < wanted:
                got += stream.read(64)
            time.sleep(rng.uniform(0, 0.004))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            got += stream.read()
        acknowledged = int(got.split(b"\n")[-2]) + 1
        with DecisionStore(path, "ann") as store:
            found = set(store.current())
        assert {f"ann{k}" for k in range(acknowledged)} <= found
        assert len(found) <= 2 * (acknowledged + 1)
        assert all((cell + "x" in found) for cell in found if not cell.endswith("x"))
    assert acknowledged > 50
    assert _whole(path)


def _write_until_killed(path, pipe, first):
    try:
        store = DecisionStore(path, "ann")
        for k in range(first, first + 10_000):
            store.decide([f"ann{k}", f"ann{k}x"], "accepted")
            os.write(pipe, f"{k}\n".encode())
    finally:
        os._exit(1)


def test_two_processes_at_once(path):
    """Also the first opening is a race: neither file nor tables are there yet."""
    n = 60
    writers = [_start(path, who, 0, n) for who in ("ann", "bob")]
    outputs = [writer.communicate(timeout=120)[0] for writer in writers]
    assert [output.splitlines()[-1] for output in outputs] == ["end", "end"]
    with DecisionStore(path, "ann") as store:
        for who in ("ann", "bob"):
            found = store.current(who)
            expected = {f"{who}{k}" for k in range(n)}
            assert set(found) == expected | {f"{cell}x" for cell in expected}
    assert _whole(path)


def test_steps_among_50_000_decided_cells(path):
    cells = [f"frame_{k:05d}" for k in range(50_000)]
    with DecisionStore(path, "ann") as store:
        store.decide(cells, "accepted")
        for cell in cells[:40]:
            store.decide([cell], "rejected")
            assert store.decision_on(cell).verdict == "rejected"
        verdicts = Counter(one.verdict for one in store.current().values())
    assert verdicts == {"accepted": 49_960, "rejected": 40}
