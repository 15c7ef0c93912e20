"""A folder is held by one living process, and let go by its death."""

import json
import os
import subprocess
import sys

import psutil
import pytest

from training.errors import RunLockedError
from training.storage.locks import lock_holder, locked, read_lock


def test_a_folder_is_held_and_given_back(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / ".torn.part").write_bytes(b"half")
    with locked(tmp_path):
        assert lock_holder(tmp_path) == os.getpid()
        with pytest.raises(RunLockedError, match="another trainer"), locked(tmp_path):
            pass
        assert lock_holder(tmp_path) == os.getpid()
    assert lock_holder(tmp_path) is None
    assert [path.name for path in tmp_path.rglob("*")] == ["part"]


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
    assert lock_holder(tmp_path) == holder.pid
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert lock_holder(tmp_path) is None
    with locked(tmp_path):
        assert lock_holder(tmp_path) == os.getpid()


def test_a_process_id_that_was_given_again_holds_nothing(tmp_path):
    lock = {"pid": os.getpid(), "started": psutil.Process().create_time() - 100}
    (tmp_path / "lock").write_text(json.dumps(lock))
    assert read_lock(tmp_path) == (os.getpid(), lock["started"])
    assert lock_holder(tmp_path) is None


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
