"""The time left of runs whose end is known: written by hand, or simulated."""

import functools
import heapq
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.runs.time_left import START_SECONDS, TimeLeft

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def after_all(events):
    return functools.reduce(TimeLeft.after, events, TimeLeft())


def at(second, kind, **fields):
    time = (BEGIN + timedelta(seconds=second)).isoformat()
    return {"time": time, "kind": kind, **fields}


def started(folds, *, workers=1, epochs=4, second=0.0, done=()):
    """`folds` gives each fold's training cells."""
    rows = [
        {"name": name, "n_train": n, "n_test": 10, "done": name in done}
        for name, n in folds.items()
    ]
    return at(second, "run-started", workers=workers, epochs=epochs, folds=rows)


def begun(second, name, epoch=0):
    return at(second, "fold-started", fold=name, epoch=epoch)


def epoch(second, name, number):
    return at(second, "epoch", fold=name, epoch=number, loss=1.0, accuracy=0.5)


def progress(second, name, number, share):
    return at(second, "progress", fold=name, epoch=number, share=share)


def done(second, name):
    return at(second, "fold-done", fold=name, n=10, correct=5)


def failed(second, name):
    return at(second, "fold-failed", fold=name, message="no memory")


def left(events, second):
    now = (BEGIN + timedelta(seconds=second)).timestamp()
    return after_all(events).seconds_left(now)


# --- by hand: no start takes any time, unless it says so


def test_nothing_is_known_before_the_first_sign_of_life():
    run = started({"a": 100})
    assert left([], 0) is None
    assert left([run], 5) is None
    assert left([run, begun(0, "a")], 30) is None
    # A tenth of one of four epochs in 10 s.
    assert left([run, begun(0, "a"), progress(10, "a", 1, 0.1)], 10) == pytest.approx(
        390
    )


def test_a_clock_that_is_set_back_adds_no_hour():
    """Two workers at 1 s an image; the clock is set back while `b` trains."""
    run = [started({"a": 10, "b": 10, "c": 10}, workers=2, epochs=2)]
    run += [begun(0, "a"), begun(0, "b"), epoch(10, "a", 1), epoch(10, "b", 1)]
    assert left(run, 10) == pytest.approx(30)
    run += [done(-3580, "a")]
    assert left(run, -3580) == pytest.approx(20, abs=1)
    run += [begun(-3580, "c")]
    assert left(run, -3580) == pytest.approx(20, abs=1)


def test_a_run_of_nothing_has_nothing_left():
    assert left([started({"a": 100}, done="a")], 0) == 0


def test_two_workers_share_equal_folds():
    run = started(dict.fromkeys("abcde", 100), workers=2)
    events = [run, begun(0, "a"), begun(0, "b"), epoch(10, "a", 1), epoch(10, "b", 1)]
    # 40 s a fold: a and b end at 40, c and d at 80, e at 120.
    assert left(events, 10) == pytest.approx(110)


def test_more_workers_than_folds_are_as_many_as_the_folds():
    """A damaged file may name any number of them."""
    for workers in (2, 2**50):
        events = [
            started({"a": 100, "b": 100}, workers=workers),
            begun(0, "a"),
            begun(0, "b"),
            epoch(100, "a", 1),
            epoch(100, "b", 1),
        ]
        assert left(events, 100) == pytest.approx(300)


def test_unlike_folds_go_to_the_first_free_worker():
    folds = {"a": 100, "b": 300, "c": 200, "d": 100}
    run = started(folds, workers=2, epochs=1)
    events = [run, begun(0, "a"), begun(0, "b"), epoch(10, "a", 1), done(10, "a")]
    # 0.1 s an image: b ends at 30, c begins at 10 and ends at 30, d ends at 40.
    assert left([*events, begun(10, "c")], 10) == pytest.approx(30)


def test_the_start_of_a_fold_is_measured():
    run = started(dict.fromkeys("abc", 100))
    first = [run, begun(60, "a"), epoch(70, "a", 1)]
    # To prepare took a minute, which is not taken for what each fold needs.
    assert left(first, 70) == pytest.approx(30 + 2 * (START_SECONDS + 40))
    later = [*(epoch(60 + 10 * k, "a", k) for k in (2, 3, 4)), done(100, "a")]
    assert left([*first, *later], 103) == pytest.approx(2 * (START_SECONDS + 40) - 3), (
        "a start is under way"
    )
    second = [*first, *later, begun(108, "b"), epoch(118, "b", 1)]
    assert left(second, 118) == pytest.approx(30 + 8 + 40)


def test_time_runs_down_between_events_and_not_below_zero():
    events = [started({"a": 100}), begun(0, "a"), epoch(10, "a", 1)]
    assert left(events, 14) == pytest.approx(26)
    assert left(events, 100) == 0


def test_of_a_resumed_run_only_this_session_counts():
    folds = dict.fromkeys("abc", 100)
    before = [started(folds), begun(0, "a")]
    before += [*(epoch(100 * k, "a", k) for k in (1, 2, 3, 4)), done(400, "a")]
    before += [begun(400, "b"), epoch(500, "b", 1), progress(510, "b", 2, 0.1)]
    before += [at(511, "stopped")]
    again = started(folds, second=1000, done="a")
    known = after_all([*before, again])
    assert known.seconds_left(BEGIN.timestamp() + 1000) is None
    assert known.waiting["b"].epochs == 3, "the whole epochs that it has"
    session = [again, begun(1000, "b", 1), epoch(1010, "b", 2)]
    assert left(session, 1010) == left([*before, *session], 1010)
    assert left(session, 1010) == pytest.approx(20 + 40)


def test_a_failed_fold_is_not_ahead_and_frees_its_worker():
    run = started(dict.fromkeys("abc", 100))
    events = [run, begun(0, "a"), epoch(10, "a", 1), failed(15, "a")]
    assert left([*events, begun(15, "b")], 15) == pytest.approx(80)


def test_a_worker_that_died_starts_its_fold_anew():
    run = started({"a": 100, "b": 100})
    events = [run, begun(0, "a"), epoch(10, "a", 1), progress(19, "a", 2, 0.9)]
    again = [*events, begun(500, "a", 1)]
    # What it lost is ahead again; that it was dead is not its pace.
    assert left(again, 500) == pytest.approx(700 * 0.1)


def test_a_classifier_that_is_not_fitted_in_epochs():
    run = started({"a": 100, "b": 200}, epochs=1)
    events = [run, begun(0, "a"), epoch(50, "a", 1)]
    assert left(events[:2], 49) is None
    assert left([*events, done(50, "a"), begun(50, "b")], 70) == pytest.approx(80)


def test_folds_that_end_without_a_word_of_their_start_are_not_ahead():
    run = started({"a": 100, "b": 100})
    events = [run, done(0, "a"), done(0, "a"), begun(0, "b"), epoch(10, "b", 1)]
    assert left(events, 10) == pytest.approx(30)


def test_late_words_of_a_fold_that_has_ended_change_nothing():
    run = started({"a": 100, "b": 100})
    events = [run, begun(0, "a"), failed(5, "a"), begun(5, "b"), epoch(15, "b", 1)]
    late = [epoch(16, "a", 1), progress(16, "a", 2, 0.5), begun(16, "a"), done(16, "a")]
    assert after_all([*events, *late]) == after_all(events)


def test_the_pace_follows_a_machine_that_becomes_slower():
    folds = {"a": 100}
    events = [begun(0, "a")]
    events += [epoch(10 * k, "a", k) for k in range(1, 361)]
    events += [epoch(3600 + 20 * k, "a", 360 + k) for k in range(1, 46)]
    alone = [started(folds, epochs=1000), *events]
    # The fold in training goes on as in the last quarter of an hour.
    assert left(alone, 4500) / (1000 - 405) == pytest.approx(20, rel=0.1)
    # One that waits will meet the machine of the whole session: 12 s in the mean.
    beside = [started({**folds, "b": 100}, epochs=1000), *events]
    waits = left(beside, 4500) - left(alone, 4500)
    assert 12 < waits / 1000 < 15


def test_the_share_of_the_work():
    run = started({"a": 100, "b": 300}, workers=2)
    assert TimeLeft().share == 0
    events = [run, begun(0, "a", 2), begun(0, "b"), epoch(9, "a", 3)]
    # 200 and 1200 images were ahead: 100 and 150 of them are done.
    known = after_all([*events, progress(9, "b", 1, 0.5)])
    assert known.share == pytest.approx(250 / 1400)


@pytest.mark.parametrize(
    "bad",
    [
        at(0, "run-started", folds=3),
        {"kind": "epoch", "fold": "a", "epoch": 1},
        {"kind": "progress", "fold": "a", "epoch": 1, "share": 0.5, "time": "now"},
        at(1, "progress", fold="a", epoch=1, share="half"),
    ],
)
def test_a_broken_event_is_refused(bad):
    known = after_all([started({"a": 100}), begun(0, "a")])
    with pytest.raises((KeyError, TypeError, ValueError)):
        known.after(bad)


def test_other_events_tell_nothing():
    known = after_all([started({"a": 100}), begun(0, "a")])
    assert known.after({"kind": "metrics"}) is known


def test_it_is_light():
    script = "import sys, training.runs.time_left\nprint('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"


# --- simulated


def simulate(seed, sizes, *, workers, epochs, epoch_seconds, resumed=0, anew=False):
    """Return the events of a run and the second at which its last fold ended.

    Each fold (6 % at most) and each piece of work of at most 10 s is faster or slower
    by 3 %; a start takes 4 s, the last three epochs 3 % more.

    Parameters
    ----------
    sizes
        Training cells of each fold.
    epoch_seconds
        Of an epoch of the mean fold.
    resumed
        How many folds start from half of their epochs.
    anew
        Whether the first fold's worker dies in its first epoch, after 5 s.
    """
    rng = np.random.default_rng(seed)
    folds = {f"f{k}": size for k, size in enumerate(sizes)}
    events = [started(folds, workers=workers, epochs=epochs)]
    free = [0.0] * workers
    for k, (name, size) in enumerate(folds.items()):
        now = heapq.heappop(free) + rng.uniform(3.5, 4.5)
        first = epochs // 2 if k < resumed else 0
        events.append(begun(now, name, first))
        if anew and k == 0:
            now += 9
            events.append(begun(now, name, first))
        speed = np.clip(rng.normal(1, 0.03), 0.94, 1.06)
        slow = speed * epoch_seconds * size / np.mean(sizes)
        for number in range(first + 1, epochs + 1):
            share = 0.0
            while share < 1:
                piece = min(10 / slow, 1 - share)
                share = 1.0 if 1 - share - piece < 1e-9 else share + piece
                more = 1.03 if number > epochs - 3 else 1
                now += piece * slow * rng.normal(1, 0.03) * more
                if share < 1:
                    events.append(progress(now, name, number, share))
            events.append(epoch(now, name, number))
        events.append(done(now + 0.1, name))
        heapq.heappush(free, now + 0.1)
    return sorted(events, key=lambda event: event["time"]), max(free)


def errors(events, end, since=60.0):
    """Return the seconds from `since` on, and there what is told over what is true."""
    known, told = TimeLeft(), []
    times = [
        (datetime.fromisoformat(event["time"]) - BEGIN).total_seconds()
        for event in events
    ]
    for event, (second, following) in zip(events, pairwise([*times, end]), strict=True):
        known = known.after(event)
        # Just after an event, and just before the next one.
        for moment in (second, following):
            if moment >= since:
                found = known.seconds_left(BEGIN.timestamp() + moment)
                assert found is not None
                told.append((moment, found - (end - moment), end - moment))
    return told


def assert_right(events, end, since=60.0):
    told = errors(events, end, since)
    assert told
    wrong = [
        (round(second), round(error, 1), round(true, 1))
        for second, error, true in told
        if abs(error) > max(0.1 * true, 5.0)
    ]
    assert not wrong, f"{len(wrong)} of {len(told)}, (second, error, true): {wrong[:5]}"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "run",
    [
        {"sizes": [1000] * 10, "workers": 2, "epochs": 10, "epoch_seconds": 3.0},
        {"sizes": [1000] * 5, "workers": 2, "epochs": 6, "epoch_seconds": 45.0},
        {"sizes": [1000] * 83, "workers": 8, "epochs": 50, "epoch_seconds": 40.0},
        {"sizes": [1000, 500, 1500] * 3, "workers": 3, "epochs": 8, "epoch_seconds": 9},
        {"sizes": [900, 1100, 1000], "workers": 1, "epochs": 4, "epoch_seconds": 90.0},
        {"sizes": [1000] * 2, "workers": 4, "epochs": 5, "epoch_seconds": 60.0},
        {"sizes": [1000] * 7, "workers": 2, "epochs": 8, "epoch_seconds": 14.0,
         "resumed": 2},
        {"sizes": [1000] * 4, "workers": 2, "epochs": 5, "epoch_seconds": 30.0,
         "anew": True},
    ],
)  # fmt: skip
def test_it_is_right_within_a_tenth_after_a_minute(run, seed):
    assert_right(*simulate(seed, **run))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(700, 1300), min_size=1, max_size=24),
    workers=st.integers(1, 6),
    epochs=st.integers(4, 12),
    epoch_seconds=st.floats(4, 60),
    resumed=st.integers(0, 3),
)
def test_it_is_right_whatever_the_run(
    seed, sizes, workers, epochs, epoch_seconds, resumed
):
    events, end = simulate(
        seed,
        sizes,
        workers=workers,
        epochs=epochs,
        epoch_seconds=epoch_seconds,
        resumed=min(resumed, workers),
    )
    if end > 61:
        assert_right(events, end)
