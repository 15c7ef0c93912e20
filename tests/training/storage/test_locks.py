"""A folder is held by one living process, and let go by its death."""

import json
import os
import subprocess
import sys
import threading
import time
from unittest.mock import Mock

import psutil
import pytest

from training.errors import RunLockedError
from training.storage import locks
from training.storage.locks import (
    lock_holder,
    locked,
    read_lock,
    start_of,
    this_machine,
)


def test_a_folder_is_held_and_given_back(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / f".torn.{16 * 'f'}.part").write_bytes(b"half")
    stopped = tmp_path / "part" / f".stopped.{os.getpid():08x}{8 * 'f'}.part"
    stopped.write_bytes(b"half")
    os.utime(stopped, (0, 0))
    with locked(tmp_path):
        assert lock_holder(tmp_path).pid == os.getpid()
        with pytest.raises(RunLockedError, match="another process"), locked(tmp_path):
            pass
        assert lock_holder(tmp_path).pid == os.getpid()
    assert lock_holder(tmp_path) is None
    assert [path.name for path in tmp_path.rglob("*")] == ["part"]


def test_what_another_process_writes_at_this_moment_stays(tmp_path):
    written = tmp_path / f".report.html.{os.getppid():08x}{8 * 'f'}.part"
    with locked(tmp_path):
        written.write_bytes(b"half of a report")
    assert written.exists()


def test_what_is_not_ours_stays(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / f".torn.{16 * 'f'}.part").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "outside")
    theirs = (".notes.part", ".my.12.part", f".x.{16 * 'g'}.part")
    for name in theirs:
        (tmp_path / "in" / name).touch()
    with locked(tmp_path / "in"):
        pass
    assert {path.name for path in (tmp_path / "in").iterdir()} == {*theirs, "link"}
    assert list((tmp_path / "outside").iterdir())


def test_a_folder_that_was_renamed_or_taken_over_is_noticed(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with locked(folder) as held:
        held.check()
        folder.rename(tmp_path / "moved")
        with pytest.raises(RunLockedError, match="continue it where it is now"):
            held.check()
    assert (tmp_path / "moved" / "lock").exists()
    (tmp_path / "moved").rename(folder)
    (folder / "lock").unlink()
    with locked(folder) as held:
        (folder / "other").write_text("another's")
        (folder / "other").replace(folder / "lock")
        assert not held.is_ours
    assert (folder / "lock").read_text() == "another's"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A lock of another machine, watched for a moment; what it says does not count."""
    monkeypatch.setattr(locks, "REFRESH", 0.05)
    monkeypatch.setattr(locks, "STALE", 0.2)
    lock = {"machine": "another", "pid": os.getpid(), "started": 1.0, "seal": "0"}
    (tmp_path / "lock").write_text(json.dumps(lock))
    return tmp_path / "lock"


@pytest.mark.parametrize("moment", [0, 4_000_000_000])
def test_a_stale_lock_of_another_machine_is_taken_over(elsewhere, moment):
    """Whatever its clock says."""
    os.utime(elsewhere, (moment, moment))
    with locked(elsewhere.parent):
        assert read_lock(elsewhere.parent).machine == this_machine()


@pytest.mark.parametrize("moment", [0, 4_000_000_000])
def test_a_lock_of_another_machine_that_is_refreshed_is_respected(elsewhere, moment):
    os.utime(elsewhere, (moment, moment))
    ended = threading.Event()
    held = Mock(is_ours=True)
    refresher = threading.Thread(
        target=locks._refresh, args=(elsewhere.parent, held, ended)
    )
    refresher.start()
    try:
        with (
            pytest.raises(RunLockedError, match="of another machine or container"),
            locked(elsewhere.parent),
        ):
            pass
    finally:
        ended.set()
        refresher.join()
    assert lock_holder(elsewhere.parent).machine == "another"


def test_a_lock_says_whether_this_user_wrote_it(tmp_path):
    with locked(tmp_path):
        assert read_lock(tmp_path).is_mine
        content = json.loads((tmp_path / "lock").read_text())
        (tmp_path / "lock").write_text(json.dumps({**content, "pid": os.getppid()}))
        assert not read_lock(tmp_path).is_mine


def test_what_an_earlier_holder_was_sent_is_not_taken(tmp_path):
    (tmp_path / "stop").touch()
    with locked(tmp_path, stale=("stop", "never-written")):
        assert not (tmp_path / "stop").exists()


def test_the_lock_of_a_killed_process_clears_itself(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; "
        "from training.storage.locks import locked\nwith locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert lock_holder(tmp_path).pid == holder.pid
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert lock_holder(tmp_path) is None
    with locked(tmp_path):
        assert lock_holder(tmp_path).pid == os.getpid()


def test_a_process_id_that_was_given_again_holds_nothing(tmp_path):
    lock = {"pid": os.getpid(), "started": start_of(os.getpid()) - 100}
    (tmp_path / "lock").write_text(json.dumps(lock))
    assert read_lock(tmp_path) == ("", os.getpid(), lock["started"], False)
    assert lock_holder(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the start is noted once")
@pytest.mark.parametrize("seconds", [-86_400, -3600, 3600])
def test_a_clock_that_is_set_takes_no_lock_away(tmp_path, monkeypatch, seconds):
    real = psutil._pslinux.boot_time
    with locked(tmp_path):
        monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: real() + seconds)
        assert psutil.Process().create_time() != pytest.approx(time.time(), abs=1800)
        assert lock_holder(tmp_path).pid == os.getpid()
        with pytest.raises(RunLockedError), locked(tmp_path):
            pass


def test_a_lock_of_an_earlier_version_names_the_time_of_day(tmp_path):
    lock = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    (tmp_path / "lock").write_text(json.dumps(lock))
    assert lock_holder(tmp_path).pid == os.getpid()


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", '{"pid": "x"}', '{"pid": 1}', "[" * 4000),
        *('{"pid": 1e400, "started": 1}', '{"pid": -1, "started": 1}'),
    ],
)
def test_a_damaged_lock_holds_nothing(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    assert read_lock(tmp_path) is None
    assert lock_holder(tmp_path) is None


def test_a_lock_that_names_a_process_there_cannot_be(tmp_path):
    (tmp_path / "lock").write_text('{"pid": 99999999999999999, "started": 1}')
    assert lock_holder(tmp_path) is None
