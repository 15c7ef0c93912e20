"""The state of a run is arithmetic on its events."""

import math
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.runs.replay import (
    RunState,
    observe,
    replay,
)

SECOND = "2026-01-01T00:00:{:02d}+00:00"


def event(kind, second=0, **fields):
    return {"time": SECOND.format(second), "kind": kind, **fields}


def fold(name, done=False):
    return {
        "name": name,
        "specimens": [name],
        "patterns": ["Golgi"],
        "n_train": 90,
        "n_test": 10,
        "done": done,
    }


def started(*folds, epochs=4, second=0):
    return event(
        "run-started",
        second,
        experiment="set-1",
        protocol="loso",
        leaky=False,
        epochs=epochs,
        patterns=["Golgi", "NuMem"],
        device="cpu",
        workers=2,
        resumed=False,
        folds=list(folds),
    )


def epoch(name, number, loss=1.0, second=0):
    return event("epoch", second, fold=name, epoch=number, loss=loss, accuracy=0.5,
                 seconds=1.0)  # fmt: skip


def state_after(*events):
    return replay(events)


def test_a_run_from_first_to_last_event():
    state = state_after(
        started(fold("a"), fold("b")),
        event("fold-started", fold="a", epoch=0),
        epoch("a", 1, loss=2.0),
        epoch("a", 2, loss=1.5),
        event("fold-done", fold="a", n=10, correct=8),
        event("fold-started", fold="b", epoch=0),
        event("fold-failed", fold="b", message="out of memory"),
    )
    assert state.status == "running"
    assert state.title == "set-1, loso, 2 folds"
    a, b = state.folds.values()
    assert (a.status, b.status) == ("done", "failed")
    assert [(p.epoch, p.loss, p.accuracy) for p in a.curve] == [
        (1, 2, 0.5),
        (2, 1.5, 0.5),
    ]
    assert a.accuracy == 0.8
    assert b.accuracy is None
    assert b.message == "out of memory"
    assert state.count("done") == 1
    done = replay([event("run-done", seconds=12.5)], state)
    assert (done.status, done.seconds) == ("done", 12.5)
    assert state.status == "running", "the old state is untouched"


def test_metrics_keep_what_is_not_known_yet():
    state = state_after(
        started(fold("a")),
        event("metrics", folds_done=1, folds=2, n=10, mean_class_accuracy=None,
              interval=None, rates={"Golgi": 0.8, "NuMem": None},
              specimens={"Golgi": 1, "NuMem": 0}, confusion=[[8, 2], [0, 0]]),
    )  # fmt: skip
    metrics = state.metrics
    assert metrics.n == 10
    assert metrics.mean_class_accuracy is None
    assert metrics.rates == {"Golgi": 0.8, "NuMem": None}
    assert metrics.specimens == {"Golgi": 1, "NuMem": 0}
    assert metrics.confusion == ((8, 2), (0, 0))


def test_a_resumed_run_keeps_curves_and_drops_epochs_that_are_trained_again():
    state = state_after(
        started(fold("a"), fold("b")),
        event("fold-started", fold="a", epoch=0),
        event("fold-done", fold="a", n=10, correct=9),
        event("fold-started", fold="b", epoch=0),
        *(epoch("b", number, loss=number) for number in (1, 2, 3)),
        event("stopped"),
    )
    assert state.status == "stopped"
    assert state.folds["b"].status == "waiting", "no fold runs in a stopped run"
    state = replay(
        [
            started(fold("a", done=True), fold("b")),
            event("fold-started", fold="b", epoch=2),
            epoch("b", 3, loss=30),
        ],
        state,
    )
    assert state.folds["a"].accuracy == 0.9, "known from before"
    assert [p.loss for p in state.folds["b"].curve] == [1, 2, 30]


def progress(name, number, share, second=0):
    return event("progress", second, fold=name, epoch=number, share=share)


def test_an_epoch_under_way_is_shown_and_is_none_yet():
    begun = state_after(
        started(fold("a"), fold("b")),
        event("fold-started", fold="a", epoch=0),
        epoch("a", 1),
        progress("a", 2, 0.5),
    )
    a = begun.folds["a"]
    assert (a.begun, a.epochs_done, len(a.curve)) == (0.5, 1.5, 1)
    assert a.share(4) == 0.375
    assert begun.work_done == 0.375
    assert replay([epoch("a", 2)], begun).folds["a"].epochs_done == 2
    stopped = replay([event("stopped")], begun)
    assert stopped.folds["a"].epochs_done == 1, "what was begun is lost"
    assert stopped.folds["b"] is begun.folds["b"]
    assert replay([started(fold("a"))], begun).folds["a"].epochs_done == 1
    anew = event("fold-started", fold="a", epoch=1)
    assert replay([anew], begun).folds["a"].epochs_done == 1


def test_the_time_left_of_a_running_run_runs_down():
    state = state_after(
        started(fold("a")),
        event("fold-started", fold="a", epoch=0),
        progress("a", 1, 0.5, second=5),
    )
    now = datetime.fromisoformat(SECOND.format(5)).timestamp()
    assert state.seconds_left(now) == pytest.approx(35)
    assert state.seconds_left(now + 4) == pytest.approx(31)
    assert state.seconds_left(now + 60) == 0
    assert replay([event("stopped")], state).seconds_left(now) is None
    assert RunState(status="running").seconds_left(now) is None


BASE = {"stop_asked": False, "last_words": "killed"}


@pytest.mark.parametrize(
    ("status", "seen", "expected"),
    [
        ("running", {"alive": True}, "running"),
        ("running", {"alive": True, "stop_asked": True}, "stopping"),
        ("running", {"alive": False}, "vanished"),
        ("running", {"alive": False, "stop_asked": True}, "stopped"),
        ("stopping", {"alive": False, "stop_asked": True}, "stopped"),
        ("starting", {"alive": False}, "failed"),
        ("starting", {"alive": True}, "starting"),
        ("vanished", {"alive": True}, "running"),
        ("done", {"alive": False}, "done"),
        ("done", {"alive": True, "stop_asked": True}, "done"),
        ("stopped", {"alive": False}, "stopped"),
        ("failed", {"alive": False}, "failed"),
    ],
)
def test_the_process_corrects_the_state(status, seen, expected):

    state = replace(state_after(started(fold("a")), epoch("a", 1)), status=status)
    after = observe(state, **{**BASE, **seen})
    assert after.status == expected
    if expected in {"vanished", "stopped"} and status != "stopped":
        assert after.folds["a"].status == "waiting"
    if expected == "vanished":
        assert after.message == "killed"


def test_an_event_of_a_fold_that_the_run_does_not_have_changes_nothing():
    before = state_after(started(fold("a")))
    strange = epoch("unknown", 1), event("fold-done", fold="unknown", n=1, correct=1)
    assert replay(strange, before) == before


def test_an_unknown_kind_is_no_fault():
    before = state_after(started(fold("a")))
    assert replay([event("note", text="from a later version")], before) == before


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 6)), max_size=30))
def test_a_curve_ascends_whatever_is_repeated(steps):
    state = state_after(
        started(fold("a"), fold("b")),
        *(
            epoch(name, number, loss=index)
            for index, (name, number) in enumerate(steps)
        ),
    )
    for name in "ab":
        numbers = [point.epoch for point in state.folds[name].curve]
        assert numbers == sorted(set(numbers))
        own = [number for other, number in steps if other == name]
        assert numbers[-1:] == own[-1:], "the last word counts"


def test_only_the_fold_of_an_event_is_a_new_object():
    before = state_after(started(fold("a"), fold("b")))
    after = replay([epoch("a", 1)], before)
    assert after.folds["b"] is before.folds["b"]
    assert after.folds["a"] is not before.folds["a"]
    assert math.isclose(after.work_done, 0.25)
