"""Decisions are kept: killed, of two at once, by any clock, in any order."""

import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count, pairwise

import curate
import numpy as np
import pytest
from gallery import (
    make_cell_folder,
    seconds_of_keys,
    seconds_to_open,
    use_own_settings,
)
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from napari.components import ViewerModel
from reviewer_actions import (
    START,
    act,
    expected,
    faults_of,
    steps_kept,
)
from specimen_actions import expected_of_specimens
from store_machine import StoreMachine

from napari_hep2.review.widgets.widget import ReviewWidget
from training.decisions.store import DecisionStore

KILLS_OF_A_FILE = 25

needs_fork = pytest.mark.skipif(os.name == "nt", reason="needs fork and kill -9")


@pytest.fixture
def only_long(times):
    if not times(0, 1):
        pytest.skip("a window is killed in test_curation_session; fifty by --long")


def _records(path):
    with DecisionStore(path, "reader") as store:
        return store.records()


# --- killed ----------------------------------------------------------------------


def _killed_at_random(fork, rng, soon=5):
    """Return what it had saved when it was killed; it may be killed as it starts."""
    wanted = int(rng.integers(0, soon))
    if wanted:
        fork.wait_for(wanted)
        time.sleep(rng.uniform(0, 0.004))
    else:
        time.sleep(rng.uniform(0, 0.03))
    fork.kill()
    assert not fork.refusals()
    return fork.saved()


@needs_fork
@pytest.mark.parametrize(
    ("kind", "wanted", "quick", "long"),
    [
        ("cells", expected, 60, 1000),
        ("specimens", expected_of_specimens, 40, 300),
    ],
    ids=("cells", "specimens"),
)
@pytest.mark.promise("kill")
def test_no_saved_decision_is_lost_by_kill(
    tmp_path, nursery, times, promise, kind, wanted, quick, long
):
    """The first kills of a file hit its making; all steps are compared, not counted."""
    rng, kills = np.random.default_rng(len(kind)), times(quick, long)
    steps = torn = lost = kept = 0
    faults = []
    for k in range(kills):
        path = tmp_path / str(k // KILLS_OF_A_FILE) / "specimens.sqlite"
        path.parent.mkdir(exist_ok=True)
        before = kept if path.exists() else 0
        saved = _killed_at_random(nursery.start(kind, path, "ann"), rng)
        torn += path.with_name(f"{path.name}-journal").exists()
        kept = steps_kept(_records(path), "ann", wanted)
        lost += kept not in (max(saved, before), max(saved, before) + 1)
        faults += faults_of(path)
        steps += kept - before
    promise.reached(
        f"{kills:,} kills of a writer on {kind}, {torn:,} of them within a step, "
        f"{steps:,} steps saved: {lost} lost, {len(faults)} corrupt",
        met=lost == 0 and not faults and torn > kills // 20 and steps > kills,
    )


@needs_fork
@pytest.mark.promise("kill")
def test_no_decision_that_the_window_called_saved_is_lost_by_kill(
    tmp_path, only_long, qapp, times, promise
):
    """Keys are pressed in napari's window, in a process that has one."""
    windows = times(0, 50)
    folder = make_cell_folder(tmp_path, 90 * windows)
    killed = curate.killed_elsewhere(folder, windows)
    promise.reached(
        f"{killed.windows} kills of the real window, {killed.said:,} decisions shown "
        f"as saved: {killed.lost} lost, {len(killed.checks)} corrupt",
        met=(killed.windows, killed.lost, killed.checks) == (windows, 0, [])
        and killed.said >= 5 * windows,
    )


@pytest.mark.promise("speed")
def test_a_key_is_a_decision_on_the_disk_before_it_is_felt(
    qtbot, tmp_path, times, promise
):
    """How long it takes is asserted in the long suite alone: CI is busy."""
    folder = make_cell_folder(tmp_path, times(200, 50_000))
    use_own_settings(tmp_path)
    widget = ReviewWidget(ViewerModel())
    widget.state.reviewer = curate.REVIEWER
    qtbot.addWidget(widget)
    widget.resize(1000, 900)
    with qtbot.waitExposed(widget):
        widget.show()
    seconds_to_open(widget, folder)
    widget.activateWindow()
    widget.view.setFocus()
    qtbot.waitUntil(widget.view.hasFocus)
    seconds = seconds_of_keys(widget)
    cells = len(widget.session.review.state.shown)
    widget.session.review.decision_session.close()
    late = float(np.percentile(seconds, 95))
    promise.reached(
        f"{cells:,} cells loaded, {len(seconds)} keys, from key press to saved and "
        f"next cell drawn: 95th percentile {1000 * late:.0f} ms",
        met=late <= times(60, 0.05) and len(curate.stored(folder)) == len(seconds),
    )


# --- two at once -----------------------------------------------------------------


def _count(path, who):
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT COUNT(*) FROM steps WHERE reviewer = ?", (who,))
        return found.fetchone()[0]


@needs_fork
@pytest.mark.promise("two-reviewers")
def test_two_reviewers_in_one_file_keep_all_that_both_said(
    tmp_path, nursery, times, promise
):
    """Both are killed and started again; the first opening is a race as well.

    Where this process comes too late, a fork kills itself.
    """
    rng, each, path = np.random.default_rng(3), times(80, 5000), tmp_path / "c.sqlite"

    def start(who):
        moment = int(rng.integers(1, times(160, 4000)))
        return nursery.start("cells", path, who, each, moment)

    forks = {who: start(who) for who in ("ann", "bob")}
    saved, refusals, kills, lost = dict.fromkeys(forks, 0), [], 0, 0
    while forks:
        who = str(rng.choice(list(forks)))
        fork = forks[who]
        fork.wait_for(int(rng.integers(1, 20)))
        time.sleep(rng.uniform(0, 0.004))
        kills += not fork.is_done
        fork.kill()
        saved[who] = max(saved[who], fork.saved())
        refusals += fork.refusals()
        kept = _count(path, who)
        lost += max(0, saved[who] - kept)
        # The last step may be kept though the fork died before it said so.
        if kept < each:
            forks[who] = start(who)
        else:
            del forks[who]
    records = _records(path)
    whole = [steps_kept(records, who) for who in saved]
    turns = sum(one.kind != "decide" for one in records)
    promise.reached(
        f"2 processes x {each:,} steps, {turns:,} of them undo or redo, {kills} kills: "
        f"{lost} lost, {len(refusals)} refusals{refusals or ''}, "
        f"{len({one.reviewer for one in records})} reviewers present",
        met=whole == [each, each]
        and (lost, refusals, faults_of(path)) == (0, [], [])
        and kills > 5,
    )


# --- the clock -------------------------------------------------------------------


def _jumping(rng):
    """A clock that jumps by years to both sides, and now and then stands still."""
    time = START
    while True:
        yield time
        if rng.random() < 0.8:
            time = START + timedelta(seconds=float(rng.normal(0, 3e8)))


def _steady():
    return (START + timedelta(seconds=k) for k in count())


def _history_under(clock, path, steps):
    """Return what two reviewers' stores showed after each step, without the times."""
    rng, shown = np.random.default_rng(5), []
    tick = partial(next, clock)
    with (
        DecisionStore(path, "ann", tick) as ann,
        DecisionStore(path, "bob", tick) as bob,
    ):
        for store in (ann, bob):
            store._db.execute("PRAGMA synchronous = OFF")
        done = Counter()
        for _ in range(steps):
            store = (ann, bob)[rng.integers(2)]
            act(store, done[store])
            done[store] += 1
            shown.append([_told(ann, who) for who in ("ann", "bob")])
    with DecisionStore(path, "ann") as again:
        assert [
            [_told(again, who, step) for who in ("ann", "bob")]
            for step in range(1, steps + 1)
        ] == shown
        events = [(e.step, e.kind, e.reviewer) for e in again.history("shared")]
        exported = [replace(one, time="") for one in again.records()]
    return shown, events, exported


def _told(store, who, step=None):
    current = store.current(who) if step is None else store.at(step, who)
    said = {cell: (one.verdict, one.pattern) for cell, one in current.items()}
    return said, store.marks(who, step)


@pytest.mark.promise("clock")
def test_a_clock_that_jumps_changes_no_order(tmp_path, times, promise):
    """Standing decisions, the past, histories and exports are those of a steady one."""
    steps = times(150, 1000)
    steady = _history_under(_steady(), tmp_path / "steady.sqlite", steps)
    jumping = _jumping(np.random.default_rng(6))
    other = _history_under(jumping, tmp_path / "jumping.sqlite", steps)
    written = [one.time for one in _records(tmp_path / "jumping.sqlite")]
    back = sum(later < earlier for earlier, later in pairwise(written))
    wrong = sum(a != b for a, b in zip(steady[2], other[2], strict=True))
    wrong += sum(a != b for a, b in zip(steady[0], other[0], strict=True))
    promise.reached(
        f"{steps:,} steps, the clock set back {back:,} times: {wrong} reorderings",
        met=wrong == 0 and steady == other and back > steps // 4,
    )


# --- against a model -------------------------------------------------------------


@pytest.mark.promise("history")
def test_histories_follow_the_model(times, promise):
    examples = times(30, 1000)
    made = settings(max_examples=examples, stateful_step_count=15, deadline=None)
    StoreMachine.histories = StoreMachine.actions = 0
    run_state_machine_as_test(StoreMachine, settings=made)
    promise.reached(
        f"{StoreMachine.histories:,} random histories of two reviewers, "
        f"{StoreMachine.actions:,} actions, each followed by a comparison with the "
        "model: no difference",
        met=StoreMachine.histories >= examples,
    )
