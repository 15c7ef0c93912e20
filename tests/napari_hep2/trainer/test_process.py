"""The detached trainer, with real processes."""

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from napari_hep2.trainer import process as tp
from training.config.commands import shown_line
from training.errors import BadRunError, RunLockedError, StorageError
from training.runs.folder import RunFolder
from training.storage.locks import start_of, this_machine

FAKE = Path(__file__).with_name("fake_trainer.py")


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def write_events(run, folds, epochs):
    fake = runpy.run_path(str(FAKE))
    with (run / "events.jsonl").open("w") as log:
        log.writelines(map(fake["line"], fake["events"](folds, epochs)))


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def trainer(tmp_path):
    """Start a fake trainer; nothing of it outlives the test."""
    handles = []

    def run(*options, wait=True, folder=tmp_path / "run"):
        command = [sys.executable, str(FAKE), str(folder), *options]
        handle = tp.start(command, folder)
        handles.append(handle)
        if wait:
            wait_for(
                lambda: (
                    RunFolder(folder).is_running()
                    and (folder / "events.jsonl").exists()
                )
            )
        return handle

    yield run
    for handle in handles:
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(handle.pid, signal.SIGKILL)
        handle.process.wait()


def drained(follower):
    while follower.poll():
        pass
    return follower.state


# --- commands


def test_the_command_is_what_a_person_would_type(tmp_path):
    command = tp.build_command(
        "set-1",
        tmp_path / "my data",
        tmp_path / "run",
        {"width": 0.5, "folds": 3, "protocol": "loso", "device": None},
    )
    assert shown_line(command) == (
        f"hep2 run set-1 --data '{tmp_path}/my data' --out {tmp_path}/run"
        " --protocol loso --folds 3 --set width=0.5"
    )


# --- start and follow


def test_a_run_is_followed_to_its_end(trainer, tmp_path):
    handle = trainer("--fail-first", wait=False)
    follower = tp.Follower(handle.run, handle)
    assert drained(follower).status == "starting"
    wait_for(lambda: drained(follower).status == "done")
    state = follower.state
    assert [fold.status for fold in state.folds.values()] == ["failed", "done", "done"]
    assert state.metrics.n == 43
    assert handle.process.wait() == 0
    assert follower.tail.bad == 0


def test_the_trainer_has_its_own_session_and_outlives_its_starter(tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, str(FAKE), str(run), "--pause", "0.2"]
    code = (
        "import sys; from pathlib import Path; from napari_hep2.trainer.process import "
        f"start; print(start({command!r}, Path({str(run)!r})).pid)"
    )
    root = Path(tp.__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    starter = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    pid = int(starter.stdout)
    wait_for(lambda: RunFolder(run).is_running())
    assert os.getsid(pid) == pid != os.getsid(0)
    assert drained(tp.follow(run)).status in {"starting", "running"}
    tp.stop(run)
    assert not lives(pid)


def test_a_second_start_is_refused(trainer, tmp_path):
    handle = trainer("--pause", "0.2")
    with pytest.raises(RunLockedError, match="already works"):
        trainer()
    assert handle.exit_code is None


def test_a_trainer_that_refuses_is_quoted(trainer):
    handle = trainer("--refuse", wait=False)
    assert handle.process.wait() == 2
    state = drained(tp.Follower(handle.run, handle))
    assert state.status == "failed"
    assert state.message == "data.csv: the file is empty; choose another."


def test_a_folder_that_cannot_be_made_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be started"):
        tp.start([sys.executable, "-c", ""], tmp_path / "file" / "run")


# --- killed and reattached


def test_a_killed_trainer_has_vanished_and_can_be_started_again(trainer):
    handle = trainer("--pause", "0.05")
    follower = tp.follow(handle.run)
    wait_for(lambda: drained(follower).status == "running")
    handle.process.kill()
    handle.process.wait()
    assert not RunFolder(handle.run).is_running(), "a dead process holds no lock"
    assert drained(follower).status == "vanished"
    trainer("--pause", "0", wait=False)
    wait_for(lambda: drained(follower).status == "done")


def test_a_recycled_process_id_is_not_the_trainer(tmp_path):
    me = psutil.Process()
    lock = {"pid": me.pid, "started": start_of(me.pid)}
    (tmp_path / "lock").write_text(json.dumps(lock))
    assert RunFolder(tmp_path).is_running()
    lock["started"] -= 60
    (tmp_path / "lock").write_text(json.dumps(lock))
    assert not RunFolder(tmp_path).is_running()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": -1, "started": 0}', "null"])
def test_a_broken_lock_holds_nothing(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    assert not RunFolder(tmp_path).is_running()


def test_reattach_brings_252_folds_with_their_whole_curves(tmp_path):
    write_events(tmp_path, folds=252, epochs=50)
    state = drained(tp.follow(tmp_path))
    assert state.status == "done"
    assert {len(fold.curve) for fold in state.folds.values()} == {50}


def test_a_long_history_comes_in_portions(tmp_path):
    """So that no poll holds the window long."""
    write_events(tmp_path, folds=252, epochs=50)
    follower = tp.follow(tmp_path)
    polls = 1
    while follower.poll():
        polls += 1
    assert polls > 5


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(BadRunError, match="holds no run"):
        drained(tp.follow(tmp_path))


# --- stop


def test_stop_asks_and_the_trainer_ends_by_itself(trainer):
    handle = trainer("--pause", "0.05")
    assert tp.stop(handle.run, handle) == "asked"
    assert handle.process.wait() == 3
    assert drained(tp.follow(handle.run)).status == "stopped"


def test_stop_leaves_nothing_of_a_stubborn_trainer(trainer):
    handle = trainer("--pause", "0.2", "--stubborn", "--child")
    child = int((handle.run / "child").read_text())
    assert tp.stop(handle.run, grace=0.3) == "killed"
    assert not lives(handle.pid)
    assert not lives(child)
    state = drained(tp.follow(handle.run))
    assert state.status == "stopped", "asked for, so not vanished"


def test_stop_clears_the_workers_of_a_killed_trainer(trainer):
    handle = trainer("--pause", "0.2", "--child")
    child = int((handle.run / "child").read_text())
    handle.process.kill()
    handle.process.wait()
    assert lives(child)
    tp.stop(handle.run, grace=0)
    assert not lives(child)


def test_stop_spares_a_process_that_got_the_id_later(tmp_path):
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(30)"], start_new_session=True
    )
    try:
        lock = {"pid": bystander.pid, "started": start_of(bystander.pid) - 60}
        (tmp_path / "lock").write_text(json.dumps(lock))
        tp.stop(tmp_path, grace=0)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_default_grace_keeps_the_promise_of_5_s(tmp_path, monkeypatch):
    """Told after 3 s, killed after 4 s, by a clock of our own."""
    monkeypatch.setattr(tp, "_family", lambda *_: {psutil.Process()})
    signals = []
    monkeypatch.setattr(tp, "_signal", lambda _, what: signals.append((now, what)))
    monkeypatch.setattr(tp, "_leader", lambda *_: (os.getpid(), 0.0))
    now = 0.0
    steps = tp.stopping(tmp_path, clock=lambda: now)
    seen = []
    for tenth in range(45):
        now = tenth / 10
        seen.append(next(steps))
    assert seen[30] == "asked"
    assert seen[31] == "terminated"
    assert seen[41] == "killed"
    assert signals[0] == (3.1, "terminate")
    assert signals[1] == (4.1, "kill")


def test_neither_qt_nor_napari_nor_torch_is_imported():
    code = (
        "import sys, napari_hep2.trainer.process; "
        "bad = {'torch', 'napari', 'qtpy', 'PyQt5', 'PyQt6'} & set(sys.modules); "
        "sys.exit(str(bad) if bad else 0)"
    )
    root = Path(tp.__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )


def test_stop_ends_no_process_that_only_a_lock_of_others_names(tmp_path):
    """A lock may come with a folder, and name any process of this user."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        lock = {"pid": other.pid, "started": start_of(other.pid)}
        for more in ({}, {"seal": "0" * 64, "machine": this_machine()}):
            (tmp_path / "lock").write_text(json.dumps({**lock, **more}))
            assert tp.stop(tmp_path, grace=0.0) == "asked"
            assert (tmp_path / "stop").exists()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
