"""A folder that one process at a time works in.

The lock names its holder by process id *and* start time, so that the lock of a killed
process clears itself.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from training.errors import RunLockedError
from training.storage.reading import parse_json
from training.storage.writing import write_text

if sys.platform != "win32":
    import fcntl

SAME_START = 1.0
"""Seconds by which a start time may differ and still be of the same process."""

_FILE = "lock"


@contextmanager
def locked(folder: Path, stale: tuple[str, ...] = ()) -> Iterator[None]:
    """Hold a folder that exists; clear what killed writers left half.

    Parameters
    ----------
    folder
        Its file ``lock`` names this process meanwhile.
    stale
        Files that an earlier holder was sent, removed before this one can be seen.

    Raises
    ------
    RunLockedError
        If another process that is alive holds it.
    StorageError
        If the lock cannot be written.
    """
    with _one_at_a_time(folder):
        holder = lock_holder(folder)
        if holder is not None:
            raise RunLockedError(
                folder,
                f"another trainer (process {holder}) works in this folder",
                "wait for it, or stop it first",
            )
        for name in stale:
            (folder / name).unlink(missing_ok=True)
        me = psutil.Process()
        content = {"pid": me.pid, "started": me.create_time()}
        write_text(folder / _FILE, json.dumps(content))
    try:
        yield
    finally:
        for torn in folder.rglob(".*.part"):
            torn.unlink(missing_ok=True)
        (folder / _FILE).unlink(missing_ok=True)


def lock_holder(folder: Path) -> int | None:
    """Return the process that holds a folder, or None where none that is alive does.

    A process that got the same id later started at another time and is not it.
    """
    lock = read_lock(folder)
    process = None if lock is None else find_process(*lock)
    return None if process is None else process.pid


def read_lock(folder: Path) -> tuple[int, float] | None:
    """Return process id and start time of a folder's lock, or None where none is."""
    try:
        content = parse_json((folder / _FILE).read_bytes()[:4096])
        pid, started = int(content["pid"]), float(content["started"])
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return None
    return (pid, started) if pid > 0 else None


def find_process(pid: int, started: float) -> psutil.Process | None:
    """Return the process of that id and start time, or None where it has ended."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < SAME_START
        return process if same and lives(process) else None
    except (psutil.Error, OverflowError):
        return None


def lives(process: psutil.Process) -> bool:
    """Return whether a process has not ended; one whose end nobody fetched has."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let no second process look at the lock of a folder while one takes it.

    The system lets go of this guard by itself when the process dies. Windows, and some
    network file systems, do not have it: there two that start at once may both pass.
    """
    if sys.platform == "win32":
        yield
        return
    guard = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)
