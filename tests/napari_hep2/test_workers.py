import threading
import time

import pytest
from qtpy.QtCore import QThreadPool

from napari_hep2.jobs import Job, Progress
from napari_hep2.workers import Runner, WorkerPool, worker_pool
from training.errors import StorageError


@pytest.fixture
def runner(qtbot, state):
    made = Runner(state)
    yield made
    made.cancel()


def finished(runner):
    return lambda: not runner.is_running


def counting(n, gate=None):
    def work():
        for k in range(n):
            if gate is not None:
                gate.wait(5)
            yield Progress(f"step {k}", (k + 1) / n)
        return threading.current_thread()

    return work


def test_work_is_done_in_a_thread_and_its_result_comes_back(qtbot, state, runner):
    got = []

    def done(thread):
        got.append((thread, threading.current_thread()))

    runner.start(Job("Counting", counting(3), done))
    assert state.busy == "Counting"
    qtbot.waitUntil(finished(runner))
    worker_thread, done_thread = got[0]
    assert worker_thread is not threading.main_thread()
    assert done_thread is threading.main_thread()
    assert state.busy == ""


def test_progress_is_shown_in_the_windows_thread(qtbot, state, runner):
    seen = []

    def progress_changed(share):
        seen.append((share, threading.current_thread() is threading.main_thread()))

    state.events.progress.connect(progress_changed)
    runner.start(Job("Counting", counting(2), lambda _: None))
    qtbot.waitUntil(finished(runner))
    assert seen[:2] == [(0.5, True), (1.0, True)]


def test_an_expected_fault_is_shown_as_its_sentence(qtbot, state, runner):
    def work():
        yield Progress("start")
        raise StorageError("x", "the disk is full", "free some space")

    runner.start(Job("Writing", work, lambda _: None))
    qtbot.waitUntil(finished(runner))
    assert state.fault == "x: the disk is full; free some space."


def test_an_unforeseen_fault_is_shown_and_logged(qtbot, state, runner, caplog):
    def work():
        yield Progress("start")
        raise ZeroDivisionError("by nought")

    runner.start(Job("Dividing", work, lambda _: None))
    qtbot.waitUntil(finished(runner))
    assert state.fault.startswith("Dividing failed unexpectedly")
    assert "by nought" in caplog.text


def test_a_fault_while_the_result_is_taken_is_shown(qtbot, state, runner):
    def done(_):
        raise StorageError("x", "no", "do")

    runner.start(Job("Counting", counting(1), done))
    qtbot.waitUntil(finished(runner))
    assert state.fault == "x: no; do."


def test_an_unforeseen_fault_while_the_result_is_taken_is_shown(
    qtbot, state, runner, caplog
):
    def done(_):
        raise KeyError("layer")

    runner.start(Job("Drawing", counting(1), done))
    qtbot.waitUntil(lambda: bool(state.fault))
    assert "Drawing failed unexpectedly (KeyError" in state.fault
    assert "KeyError" in caplog.text
    assert state.busy == ""


def test_a_new_job_takes_the_place_of_the_old_one(qtbot, state, runner):
    gate, got = threading.Event(), []
    runner.start(Job("Old", counting(2, gate), lambda _: got.append("old")))
    runner.start(Job("New", counting(1), lambda _: got.append("new")))
    gate.set()
    qtbot.waitUntil(finished(runner))
    qtbot.wait(50)
    assert got == ["new"]


def test_something_is_opened_beside_a_job_that_is_apart(qtbot, state, runner):
    gate, got = threading.Event(), []
    worklist = Job(
        "Worklist",
        counting(1, gate),
        lambda _: got.append("list"),
        protected=True,
        apart=True,
    )
    assert runner.start(worklist)
    opening = Job("Cutting", counting(1), lambda _: got.append("row"), opens="row")
    scoring = Job("Scoring", counting(1), lambda _: got.append("scored"), waits=True)
    assert runner.start(opening)
    assert (state.busy, state.opening) == ("Worklist", "row")
    qtbot.waitUntil(lambda: not state.opening)
    assert got == ["row"]
    assert runner.start(scoring)
    assert not runner.start(Job("Writing", counting(1), got.append))
    gate.set()
    qtbot.waitUntil(finished(runner))
    assert got == ["row", "list", "scored"]


def test_nothing_is_shown_between_what_was_open_and_what_is(qtbot, state, runner):
    seen = []
    state.events.opening.connect(lambda name: seen.append((name, state.specimen)))

    def done(_):
        state.specimen = "new"

    runner.start(Job("Cutting", counting(1), done, opens="new"))
    qtbot.waitUntil(finished(runner))
    assert seen == [("new", ""), ("", "new")]


def test_a_protected_job_is_not_displaced(qtbot, state, runner):
    gate, got = threading.Event(), []
    job = Job("Writing", counting(1, gate), lambda _: got.append("old"), protected=True)
    runner.start(job)
    runner.start(Job("New", counting(1), lambda _: got.append("new")))
    assert state.fault.startswith("Writing is not finished")
    gate.set()
    qtbot.waitUntil(finished(runner))
    assert got == ["old"]


def test_cancel_stops_at_the_next_step(qtbot, state, runner):
    gate, got = threading.Event(), []
    steps = []

    def work():
        for k in range(100):
            steps.append(k)
            yield Progress(str(k))
            gate.wait(5)

    runner.start(Job("Long", work, lambda _: got.append("done"), protected=True))
    qtbot.waitUntil(lambda: bool(steps))
    runner.cancel()
    assert state.busy == ""
    gate.set()
    time.sleep(0.1)
    qtbot.wait(50)
    assert got == []
    assert len(steps) < 5


def test_a_job_that_follows_is_run_too(qtbot, state, runner):
    got = []
    second = Job("Second", counting(1), lambda _: got.append(2))

    def done(_):
        got.append(1)
        return second

    runner.start(Job("First", counting(1), done))
    qtbot.waitUntil(lambda: got == [1, 2])
    runner.start(None)


def test_the_global_pool_is_left_to_qt(qtbot, state):
    """Qt waits there, with Python's lock held, for the conversion of an image."""
    go_on, seen = threading.Event(), []

    def work():
        yield Progress("waiting")
        go_on.wait(5)
        yield Progress("done")

    runner = Runner(state)
    runner.start(Job("one", work, seen.append))
    qtbot.waitUntil(lambda: state.busy == "one: waiting")
    assert QThreadPool.globalInstance().activeThreadCount() == 0
    go_on.set()
    qtbot.waitUntil(lambda: seen == [None])


def test_all_sessions_share_one_pool_of_the_application(qapp):
    assert worker_pool() is worker_pool()
    assert worker_pool().parent() is qapp
    assert worker_pool() is not QThreadPool.globalInstance()


def test_the_application_that_quits_stops_its_workers(qtbot, qapp, state):
    steps = []

    def work():
        while True:
            steps.append(len(steps))
            time.sleep(0.01)
            yield Progress("on and on")

    pool = WorkerPool(qapp)
    runner = Runner(state, pool=pool)
    runner.start(Job("one", work, lambda _: None))
    qtbot.waitUntil(lambda: len(steps) > 2)
    pool.end()
    done = len(steps)
    time.sleep(0.1)
    assert len(steps) == done
    assert pool.activeThreadCount() == 0
    runner.cancel()
    pool.setParent(None)


@pytest.fixture
def notices(monkeypatch):
    """What is notified: sentence, and whether it is a fault."""
    said = []
    monkeypatch.setattr("napari_hep2.workers.notify", lambda *one: said.append(one))
    return said


@pytest.mark.parametrize(("seconds", "count"), [(9.0, 0), (11.0, 1)])
def test_the_end_of_a_long_job_is_notified(qtbot, state, notices, seconds, count):
    now = [0.0]
    runner = Runner(state, clock=lambda: now[0])

    def done(_):
        state.tell("3 cells written.")
        now[0] = seconds

    runner.start(Job("Writing", counting(1), done))
    qtbot.waitUntil(finished(runner))
    assert notices == [("3 cells written.", False)] * count


def test_the_fault_of_a_long_job_is_notified(qtbot, state, notices):
    times = iter([0.0, 60.0])
    runner = Runner(state, clock=lambda: next(times))

    def work():
        yield Progress("reading")
        raise StorageError("cells", "the disk is full", "free some space")

    runner.start(Job("Reading", work, lambda _: None))
    qtbot.waitUntil(finished(runner))
    ((text, is_fault),) = notices
    assert "the disk is full" in text
    assert is_fault
