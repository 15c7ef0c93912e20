"""The detached trainer, with real processes."""

import contextlib
import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from napari_hep2.trainer import process as tp
from napari_hep2.trainer.tail import EventTail
from training.errors import BadRunError, RunLockedError, StorageError

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
        command = ["python", str(FAKE), str(folder), *options]
        handle = tp.start(command, folder)
        handles.append(handle)
        if wait:
            wait_for(
                lambda: tp.is_running(folder) and (folder / "events.jsonl").exists()
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
    line = tp.display(command)
    assert shlex.split(line) == command
    assert line == (
        f"python -m training run set-1 --data '{tmp_path}/my data' --out {tmp_path}/run"
        " --protocol loso --folds 3 --set width=0.5"
    )
    assert tp.display(tp.resume_command(tmp_path)) == (
        f"python -m training resume {tmp_path}"
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
    wait_for(lambda: tp.is_running(run))
    assert os.getsid(pid) == pid != os.getsid(0)
    assert tp.reattach(run).status in {"starting", "running"}
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
        tp.start(["python", "-c", ""], tmp_path / "file" / "run")


# --- killed and reattached


def test_a_killed_trainer_has_vanished_and_can_be_started_again(trainer):
    handle = trainer("--pause", "0.05")
    follower = tp.follow(handle.run)
    wait_for(lambda: drained(follower).status == "running")
    handle.process.kill()
    handle.process.wait()
    assert not tp.is_running(handle.run), "a dead process holds no lock"
    assert drained(follower).status == "vanished"
    trainer("--pause", "0", wait=False)
    wait_for(lambda: drained(follower).status == "done")


def test_a_recycled_process_id_is_not_the_trainer(tmp_path):
    me = psutil.Process()
    lock = {"pid": me.pid, "started": me.create_time()}
    (tmp_path / "lock").write_text(json.dumps(lock))
    assert tp.is_running(tmp_path)
    lock["started"] -= 60
    (tmp_path / "lock").write_text(json.dumps(lock))
    assert not tp.is_running(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": -1, "started": 0}', "null"])
def test_a_broken_lock_holds_nothing(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    assert not tp.is_running(tmp_path)


def test_reattach_brings_252_folds_with_their_whole_curves(tmp_path):
    write_events(tmp_path, folds=252, epochs=50)
    state = tp.reattach(tmp_path)
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
        tp.reattach(tmp_path)


# --- stop


def test_stop_asks_and_the_trainer_ends_by_itself(trainer):
    handle = trainer("--pause", "0.05")
    assert tp.stop(handle.run, handle) == "asked"
    assert handle.process.wait() == 3
    assert tp.reattach(handle.run).status == "stopped"


def test_stop_leaves_nothing_of_a_stubborn_trainer(trainer):
    handle = trainer("--pause", "0.2", "--stubborn", "--child")
    child = int((handle.run / "child").read_text())
    assert tp.stop(handle.run, grace=0.3) == "killed"
    assert not lives(handle.pid)
    assert not lives(child)
    assert tp.reattach(handle.run).status == "stopped", "asked for, so not vanished"


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
        lock = {"pid": bystander.pid, "started": time.time() - 3600}
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


# --- events


def test_the_tail_reads_whole_lines_only(tmp_path):
    path = tmp_path / "events.jsonl"
    tail = EventTail(path)
    assert tail.read() == []
    path.write_bytes(b'{"a": 1}\n{"a": ')
    assert tail.read() == [{"a": 1}]
    assert tail.read() == []
    with path.open("ab") as file:
        file.write(b'2}\n{"a": 3}\n')
    assert tail.read() == [{"a": 2}, {"a": 3}]
    assert tail.read() == []
    assert tail.bad == 0


def test_the_tail_counts_what_a_killed_writer_left(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": {"b"\n\xff\xfe\n7\n{"a": 2}\n')
    tail = EventTail(path)
    assert tail.read() == [{"a": 1}, {"a": 2}]
    assert tail.bad == 3


def test_a_file_begun_anew_is_read_anew(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n')
    tail = EventTail(path)
    tail.read()
    path.write_bytes(b'{"a": 9}\n')
    assert tail.read() == [{"a": 9}]


def test_a_line_longer_than_a_portion_is_one_event(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_hep2.trainer.tail.CHUNK", 16)
    path = tmp_path / "events.jsonl"
    text = "x" * 100
    path.write_text("".join(json.dumps({"t": text, "i": i}) + "\n" for i in range(3)))
    tail = EventTail(path)
    found = []
    while events := tail.read():
        found += events
    assert [event["i"] for event in found] == [0, 1, 2]


def test_a_reader_beside_killed_writers_misses_nothing(tmp_path):
    """Each line that was whole on disk is read once, in order."""
    path = tmp_path / "events.jsonl"
    code = (
        "import sys\nwith open(sys.argv[1], 'ab', buffering=0) as f:\n"
        " f.write(b'\\n')\n i = 0\n"
        " while True:\n"
        '  f.write(b\'{"w": %s, "i": %d\' % (sys.argv[2].encode(), i))\n'
        "  f.write(b'}\\n')\n  i += 1\n"
    )
    tail = EventTail(path)
    found = []
    for writer in range(4):
        process = subprocess.Popen([sys.executable, "-c", code, str(path), str(writer)])
        late, seen = time.monotonic() + 30, 0
        while seen < 200 and time.monotonic() < late:
            news = tail.read()
            found += news
            seen += sum(event["w"] == writer for event in news)
        process.kill()
        process.wait()
    with path.open("ab") as file:
        file.write(b"\n")
    while events := tail.read():
        found += events
    whole = []
    for text in path.read_bytes().splitlines():
        if text.endswith(b"}"):
            whole.append(json.loads(text))
    assert found == whole
    assert len({event["w"] for event in found}) == 4


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


def test_a_line_that_is_nested_too_deeply_is_counted_as_bad(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("[" * 100_000 + '\n{"kind": "stopped"}\n')
    tail = EventTail(path)
    assert tail.read() == [{"kind": "stopped"}]
    assert tail.bad == 1


def test_a_line_that_is_written_over_while_it_is_read_is_read_again(tmp_path):
    """The half that a killed writer left, and then the end of the line in its place."""
    path = tmp_path / "events.jsonl"
    lines = [b'{"kind": "a", "k": 1}\n', b'{"kind": "b", "words": "long", "k": 2}\n']
    path.write_bytes(lines[0] + lines[1])
    half = b'{"kind": "metrics"'
    mixed = lines[0] + half + lines[1][len(half) + 2 :]

    met = [mixed]

    class Interrupted(EventTail):
        def _block(self):
            return met.pop() if met else super()._block()

    tail = Interrupted(path)
    assert [event["k"] for event in tail.read()] == [1, 2]
    assert tail.bad == 0
    assert tail.offset == path.stat().st_size
    path.write_bytes(mixed)
    tail = EventTail(path)
    assert [event["k"] for event in tail.read()] == [1]
    assert tail.bad == 1, "it stays as it is"
