"""Stores of earlier formats, as the programs of their time wrote them, and later ones.

`golden/format-N.sqlite` was written by the first program whose stores had format N; the
steps are those of `STEPS`, from format 2 on also of `MARKED`, and from format 3 on of
`ANSWERED`. `golden/specimens-2.sqlite` holds decisions on specimens as the last program
of format 2 wrote them: a pattern, or none of them.
"""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from reviewer_actions import faults_of

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.decision_session import NOT_SAVED
from napari_hep2.specimen.controllers.frames import SpecimenController
from napari_hep2.state import SessionState
from training.decisions.applied import STORE
from training.decisions.database import SCHEMA_VERSION
from training.decisions.specimens import (
    SPECIMENS,
    Answer,
    answer_of,
    give_answer,
    read_sayings,
)
from training.decisions.store import DecisionStore, Mark
from training.errors import BadCellsError

GOLDEN = Path(__file__).with_name("golden")
FORMATS = range(1, SCHEMA_VERSION + 1)

STEPS = [
    ("Zoë", "decide", None, ["a accepted", "b accepted", "c accepted"]),
    ("bob", "decide", None, ["a rejected focus"]),
    ("Zoë", "decide", None, ["b Golgi"]),
    ("Zoë", "decide", None, ["c cleared"]),
    ("Zoë", "undo", 4, []),
    ("Zoë", "redo", 4, []),
    ("bob", "decide", None, ["d NuMem seen twice"]),
    ("bob", "undo", 7, []),
    ("Zoë", "decide", None, ["a rejected"]),
    ("Zoë", "undo", 9, []),
]
MARKED = [
    ("bob", "decide", None, ["a accepted prediction of m", "e Golgi"]),
    ("Zoë", "decide", None, ["b flag 1", "e flag 1"]),
    ("Zoë", "decide", None, ["b note ask Bob \N{EN DASH} µ"]),
    ("Zoë", "decide", None, ["e flag 0"]),
    ("Zoë", "undo", 14, []),
]

ANSWERED = [("ann", "decide", None, ["S1 AC-3+AC-22 weak rim ++ 1:160"])]
SAID_BY_FORMAT = (STEPS, STEPS + MARKED, STEPS + MARKED + ANSWERED)

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


@pytest.fixture
def put(tmp_path):
    """Put a store of a format into a folder of its own; return the file."""
    numbers = count()

    def copied(number, name=STORE, kind="format"):
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return Path(shutil.copy(GOLDEN / f"{kind}-{number}.sqlite", folder / name))

    return copied


def _words(one):
    decisions = [
        " ".join(filter(None, (cell, pattern or verdict, *words)))
        for cell, verdict, pattern, *words in one.decisions
    ]
    marks = [
        f"{cell} flag {flag}" if note is None else f"{cell} note {note}"
        for cell, flag, note in one.marks
    ]
    return one.reviewer, one.kind, one.target, decisions + marks


def _steps(path):
    with DecisionStore(path, "reader") as store:
        return [_words(one) for one in store.records()]


def _format(path):
    """Return the number of a file's format, and what it is made of."""
    with closing(sqlite3.connect(path)) as db:
        number = db.execute("PRAGMA user_version").fetchone()[0]
        made = db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name")
        return number, made.fetchall()


def _works_on(path):
    """Whether two reviewers can go on with a file, with all that there is today."""
    with DecisionStore(path, "Zoë") as zoe, DecisionStore(path, "bob") as bob:
        undone = bob.undo()
        zoe.flag(["z"], on=True)
        zoe.decide(["c"], "relabelled", "Golgi")
        told = {cell: one.pattern or one.verdict for cell, one in zoe.current().items()}
        mark = zoe.marks()["z"]
    return (
        bool(undone)
        and mark == Mark(True)
        and told
        == {
            "a": "accepted",
            "b": "Golgi",
            "c": "Golgi",
        }
    )


@pytest.mark.promise("old-files")
def test_a_store_of_each_format_is_read_and_gone_on_with(put, promise):
    wrong = []
    for number in FORMATS:
        path = put(number)
        expected = SAID_BY_FORMAT[number - 1]
        is_read = _format(path)[0] == number and _steps(path) == expected
        is_today = _format(path) == _format(put(SCHEMA_VERSION))
        if not (is_read and is_today and _works_on(path)):
            wrong.append(number)
        assert faults_of(path) == []
    promise.reached(
        f"a file of each of {len(FORMATS)} formats read, upgraded and added to: "
        f"{len(wrong)} wrong",
        met=not wrong,
    )


def _is_old_or_new(path, number):
    """Whether a file is of its old format or today's, whole, with all its steps."""
    found, new = _format(path), _format(GOLDEN / f"format-{SCHEMA_VERSION}.sqlite")
    known = found in (_format(GOLDEN / f"format-{number}.sqlite"), new)
    return known and not faults_of(path) and _steps(path) == STEPS and found


@needs_fork
@pytest.mark.promise("old-files")
def test_killed_while_it_is_brought_up_a_store_is_old_or_new(
    put, nursery, times, promise
):
    """Killed before and after each statement, then at random moments within them."""
    rng, found, statements = np.random.default_rng(2), [], 0
    for moment in count(1):
        path, started = put(1), time.monotonic()
        fork = nursery.start("open", path, "ann", moment=moment)
        fork.wait_for(2)
        whole = time.monotonic() - started
        found.append(_is_old_or_new(path, 1))
        if fork.is_done:
            break
        statements = moment
    for _ in range(times(20, 400)):
        path = put(1)
        fork = nursery.start("open", path, "ann")
        time.sleep(rng.uniform(0, 1.2 * whole))
        fork.kill()
        found.append(_is_old_or_new(path, 1))
    old, new = (sum(one and one[0] == k for one in found) for k in (1, SCHEMA_VERSION))
    promise.reached(
        f"{len(found)} kills during the upgrade of a store, {statements} of them "
        f"before or after each statement: {old} old, {new} new, "
        f"{len(found) - old - new} neither",
        met=old + new == len(found) and min(old, new) > 3 and statements > 20,
    )


@pytest.mark.promise("old-files")
def test_patterns_said_of_specimens_by_an_older_program_are_answers(put, promise):
    """A pattern without a result, as it was asked for; the history is as it was."""
    place = put("2", SPECIMENS, "specimens")
    before = _steps(place)
    found = {
        name: [(one.reviewer, answer_of(one)) for one in said]
        for name, said in read_sayings(place).items()
    }
    none = Answer(None, comment="none of the patterns")
    met = found == {
        "7": [("Zoë", Answer(None, ("AC-11/12",))), ("bob", none)],
        "9": [("bob", Answer(None, ("AC-3",)))],
    }
    give_answer(place.parent, "9", "bob", Answer("negative"))
    with DecisionStore(place, "bob") as store:
        kept = [_words(one) for one in store.records()]
        undone = store.undo()
        said = answer_of(store.current()["9"])
    met = met and kept[:-1] == before and undone == ("9",)
    promise.reached(
        f"decisions on {len(found)} specimens of format 2 read as answers, gone on "
        f"with and undone; {len(before)} steps kept",
        met=met and said == Answer(None, ("AC-3",)),
    )


def _later(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE votes (cell TEXT)")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    return path


@pytest.mark.promise("old-files")
def test_a_store_of_a_later_format_is_refused_in_a_sentence(put, write_task2, promise):
    """By the store, by the command and by the window; the file stays as it is."""
    path = _later(put(SCHEMA_VERSION))
    specimens = _later(put(SCHEMA_VERSION, SPECIMENS))
    before = path.read_bytes(), specimens.read_bytes()
    told = {
        "store": _told_by(lambda: DecisionStore(path, "ann")),
        "specimens": _told_by(lambda: read_sayings(specimens)),
        "command": _told_by_command(path),
        "window": _told_by_window(path, write_task2(path.parent / "frames")),
    }
    sentence = "written by a newer version; update this program; the file was left"
    rude = [
        who
        for who, words in told.items()
        if sentence not in " ".join(words.split()) or "Traceback" in words
    ]
    promise.reached(
        f"a later format refused with a message {len(told) - len(rude)} of {len(told)} "
        "times: store, specimens, command, window; files unchanged",
        met=not rude and before == (path.read_bytes(), specimens.read_bytes()),
    )


def _told_by(act):
    with pytest.raises(BadCellsError) as told:
        act()
    return str(told.value)


def _told_by_command(path):
    table = path.with_suffix(".csv")
    words = ("decisions", "export", str(path), "--out", str(table))
    done = subprocess.run(
        [sys.executable, "-m", "training", *words], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert not table.exists()
    return done.stdout + done.stderr


def _told_by_window(path, frames):
    state = SessionState()
    review = ReviewController(state)
    run_here(SpecimenController(state).open_folder(frames))
    review.review_frame()
    review.decision_session.use(path.parent)
    opened = state.fault
    review.navigation.select(0)
    review.decisions.accept()
    assert review.state.saved == NOT_SAVED
    assert state.decisions == {}
    assert state.fault == opened
    return opened
