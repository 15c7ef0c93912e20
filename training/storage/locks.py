"""A folder that one process at a time writes, on this machine and on any other.

The lock names its holder by machine, process id and start time. On its own machine the
lock of a killed process clears itself. Elsewhere a process id means nothing: a live
lock is written to every `REFRESH` seconds, and one that nobody touched for `STALE`
seconds, by the clock of whoever watches it, is taken over. No two clocks are compared.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil

from training.errors import RunLockedError
from training.storage.reading import parse_json
from training.storage.seals import is_sealed, seal_of
from training.storage.writing import is_torn, storage_error, write_text

if sys.platform != "win32":
    import fcntl

SAME_START = 1.5
"""Seconds by which a start time may differ and still be of the same process."""

REFRESH, STALE = 5.0, 60.0
"""Seconds; network folders may show a change only after half a minute."""

_FILE = "lock"


class Lock(NamedTuple):
    """What a lock says of its holder.

    Attributes
    ----------
    machine
        As `this_machine` returns it there; empty in locks of earlier versions.
    is_mine
        Whether this user wrote it: a lock may have been handed over with its folder.
    """

    machine: str
    pid: int
    started: float
    is_mine: bool

    @property
    def is_here(self) -> bool:
        """Whether its process id is one of this machine."""
        return self.machine in ("", this_machine())


class Held:
    """A folder that this process holds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = _identity(folder)

    @property
    def is_ours(self) -> bool:
        """Whether the lock is still there, and still this one."""
        return self._lock is not None and _identity(self._folder) == self._lock

    def check(self) -> None:
        """Raise where the folder is not this process's any more.

        Raises
        ------
        RunLockedError
            If it was moved or removed, or another process took it over.
        """
        if not self.is_ours:
            raise RunLockedError(
                self._folder,
                "it was renamed or removed, or another process took it over, while "
                "this one worked in it",
                "continue it where it is now",
            )


@contextmanager
def locked(folder: Path, stale: tuple[str, ...] = ()) -> Iterator[Held]:
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
    dead = _watched_to_its_end(folder)
    with _one_at_a_time(folder):
        lock = read_lock(folder)
        if lock is not None and lock != dead and (not lock.is_here or _lives(lock)):
            raise _taken(folder, lock)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
        write_text(folder / _FILE, json.dumps(own_lock()))
        held = Held(folder)
    ended = threading.Event()
    threading.Thread(
        target=_refresh, args=(folder, held, ended), name="lock", daemon=True
    ).start()
    try:
        yield held
    finally:
        ended.set()
        if held.is_ours:
            _clear_parts(folder)
            (folder / _FILE).unlink(missing_ok=True)


def lock_holder(folder: Path) -> Lock | None:
    """Return the lock of a folder, or None where none that is alive holds it.

    A process that got the same id later started at another time and is not it. Of
    another machine's lock the file's age is taken; `locked` itself watches it.
    """
    lock = read_lock(folder)
    if lock is None:
        return None
    if lock.is_here:
        return lock if _lives(lock) else None
    with suppress(OSError):
        if abs(time.time() - (folder / _FILE).stat().st_mtime) < STALE:
            return lock
    return None


def read_lock(folder: Path) -> Lock | None:
    """Return a folder's lock, or None where there is none."""
    try:
        with (folder / _FILE).open("rb") as stream:
            content = parse_json(stream.read(4096))
        pid, started = int(content["pid"]), float(content["started"])
        machine = str(content.get("machine", ""))
        words = _words(machine, pid, started)
        mine = is_sealed(words, content.get("seal"))
    except (OSError, ValueError, LookupError, TypeError, OverflowError, AttributeError):
        return None
    return Lock(machine, pid, started, mine) if pid > 0 else None


def own_lock() -> dict[str, object]:
    """Return what a lock of this process says, as JSON content."""
    machine, pid, started = this_machine(), os.getpid(), start_of(os.getpid())
    seal = seal_of(_words(machine, pid, started))
    return {"machine": machine, "pid": pid, "started": started, "seal": seal}


@cache
def this_machine() -> str:
    """Return a name of this start of this machine; of a container, one of its own.

    Processes that share it see each other's process ids.
    """
    parts = [platform.node(), f"{uuid.getnode()}"]
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        parts = [boot, str(Path("/proc/self/ns/pid").readlink())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def start_of(pid: int) -> float:
    """Return when a process started, in seconds by a clock that nobody sets.

    On Linux that is since the system started: psutil gives the time of day, and gives
    another one when the clock has been set.

    Raises
    ------
    psutil.Error
        If there is no such process, or it may not be looked at.
    """
    if sys.platform != "linux":
        return float(psutil.Process(pid).create_time())
    booted = psutil.boot_time()
    return float(psutil.Process(pid).create_time() - booted)


def find_process(pid: int, started: float) -> psutil.Process | None:
    """Return the process of that id and start time, or None where it has ended."""
    try:
        process = psutil.Process(pid)
        # Locks of earlier versions have the time of day.
        starts = (start_of(pid), process.create_time())
        same = any(abs(start - started) < SAME_START for start in starts)
        return process if same and lives(process) else None
    except (psutil.Error, OverflowError):
        return None


def lives(process: psutil.Process) -> bool:
    """Return whether a process has not ended; one whose end nobody fetched has."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _lives(lock: Lock) -> bool:
    return find_process(lock.pid, lock.started) is not None


def _words(machine: str, pid: int, started: float) -> str:
    return f"lock {machine} {pid} {started}"


def _taken(folder: Path, lock: Lock) -> RunLockedError:
    where = "" if lock.is_here else " of another machine or container"
    return RunLockedError(
        folder,
        f"another process ({lock.pid}{where}) works in this folder",
        "wait for it, or stop it first",
    )


def _watched_to_its_end(folder: Path) -> Lock | None:
    """Return another machine's lock that is stale; None where there is none.

    Raises
    ------
    RunLockedError
        If it is refreshed while this watches.
    """
    lock, first = read_lock(folder), _touched(folder)
    if lock is None or lock.is_here:
        return None
    until = time.monotonic() + STALE
    while time.monotonic() < until:
        time.sleep(min(REFRESH / 5, STALE / 5))
        if read_lock(folder) != lock:
            return None
        if _touched(folder) != first:
            raise _taken(folder, lock)
    return lock


def _touched(folder: Path) -> int | None:
    """Return when a lock was last written to; it is opened, lest a cache answers."""
    with suppress(OSError), (folder / _FILE).open("rb") as stream:
        return os.fstat(stream.fileno()).st_mtime_ns
    return None


def _identity(folder: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = (folder / _FILE).stat()
        return found.st_dev, found.st_ino
    return None


def _refresh(folder: Path, held: Held, ended: threading.Event) -> None:
    while not ended.wait(REFRESH) and held.is_ours:
        with suppress(OSError):
            os.utime(folder / _FILE)


def _clear_parts(folder: Path) -> None:
    """Remove what killed writers left half; files of any other name stay.

    What a process writes at this moment stays too: one that writes a report, say,
    needs no lock.
    """
    with suppress(OSError):
        os.utime(folder / _FILE)
        now = (folder / _FILE).stat().st_mtime
        for part in folder.rglob(".*.part"):
            with suppress(FileNotFoundError):
                if is_torn(part, now):
                    part.unlink()


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let no second process look at the lock of a folder while one takes it.

    The system lets go of this guard by itself when the process dies. Windows, and some
    network file systems, do not have it: there two that start at once may both pass.
    """
    if sys.platform == "win32":
        yield
        return
    try:
        guard = os.open(folder, os.O_RDONLY)
    except OSError as fault:
        raise storage_error(folder, fault) from fault
    try:
        with suppress(OSError):
            fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)
