"""The detached trainer: start it, follow it, stop it, find it again.

The trainer outlives the window. Only files stand between the two: the events it
appends, the lock with its process id and start time, and the stop file that asks it to
end. Nothing here waits unless its name says so (`stop`).
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import psutil

from training.config import as_typed
from training.config.commands import command_words, process_words
from training.errors import BadRunError, RunLockedError, StorageError
from training.runs.deviations import changed_settings
from training.runs.folder import EVENTS, LOG, RunFolder
from training.runs.replay import RunState, observe, replay
from training.runs.tail import EventTail
from training.storage.locks import (
    SAME_START,
    find_process,
    lives,
    read_lock,
    start_of,
)
from training.storage.paths import own_path

StopStep = Literal["asked", "terminated", "killed"]

FLAGS = ("extra", "protocol", "folds", "epochs", "device", "workers")
"""Options that are flags of the command; all others are settings."""


# --- commands -----------------------------------------------------------------------


def build_command(
    experiment: str, data: Path, out: Path, options: Mapping[str, object]
) -> list[str]:
    """Return the command that starts a run, as a person would type it.

    Parameters
    ----------
    options
        Values of `FLAGS`, and settings by name; None leaves a default alone.
    """
    given = {key: value for key, value in options.items() if value is not None}
    flags = {key: given.pop(key) for key in FLAGS if key in given}
    return command_words("run", experiment, data=data, out=out, **flags, changed=given)


def resume_command(run: Path) -> list[str]:
    """Return the command that resumes the run in a folder."""
    return command_words("resume", run)


def fit_command(run: Path, out: Path) -> list[str]:
    """Return the command that fits one model on all cells, by the recipe of a run.

    Raises
    ------
    BadRunError
        If the configuration of the run is damaged.
    """
    config = RunFolder.open(run).config()
    return command_words(
        "fit",
        config.experiment,
        data=config.data,
        extra=config.extra,
        out=out,
        layout=None if config.layout == "auto" else config.layout,
        measured=run,
        changed={k: as_typed(value) for k, value in changed_settings(config).items()},
    )


# --- start --------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainerHandle:
    """A trainer that this process has started."""

    run: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The trainer's process id, also its process group on POSIX."""
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll()


def start(command: list[str], run: Path) -> TrainerHandle:
    """Start `command` detached, in its own session, with its output in a log.

    The program itself runs in this interpreter. The current folder is kept off the
    import path, so that no file beside the data is imported by accident.

    Raises
    ------
    RunLockedError
        If a trainer already works in `run`.
    StorageError
        If the run folder cannot be written.
    """
    if RunFolder(run).is_running():
        raise RunLockedError(
            run,
            "a trainer already works in this run folder",
            "follow it or choose another run folder",
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
        RunFolder(run).stop_file.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(run, error) from error
    return TrainerHandle(run, launch(command, own_path(run, LOG)))


def launch(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command detached, its output at the end of a log; see `start`.

    Raises
    ------
    StorageError
        If the log cannot be written.
    """
    try:
        with log.open("ab") as output:
            return subprocess.Popen(
                process_words(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(),
                start_new_session=True,
                creationflags=_creation_flags(),
            )
    except OSError as error:
        raise _unwritable(log.parent, error) from error


def _unwritable(folder: Path, error: OSError) -> StorageError:
    fault = f"the process could not be started ({error.strerror})"
    return StorageError(folder, fault, "choose a folder you can write to")


def environment() -> dict[str, str]:
    """Return the environment of a trainer: unbuffered, no import from its folder."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0


# --- who runs -----------------------------------------------------------------------


def last_words(log: Path) -> str:
    """Return the last line of a log that is not blank, or ''."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4096))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


# --- follow -------------------------------------------------------------------------


@dataclass
class Follower:
    """Keeps a `RunState` in step with a run folder.

    Parameters
    ----------
    handle
        The trainer, where this process started it; else the lock tells of it.
    """

    run: Path
    handle: TrainerHandle | None = None
    state: RunState = field(default_factory=RunState)
    tail: EventTail = field(init=False)

    def __post_init__(self) -> None:
        self.tail = EventTail(self.run / EVENTS)

    @property
    def alive(self) -> bool:
        """Return whether the trainer runs, its lock written or not yet."""
        if self.handle is not None and self.handle.exit_code is None:
            return True
        return RunFolder(self.run).is_running()

    def expect(self, handle: TrainerHandle) -> None:
        """Follow the trainer that has just been started in this folder."""
        self.handle = handle
        self.state = replace(self.state, status="starting", message="")

    def poll(self) -> bool:
        """Read one portion of events; return whether there may be more."""
        alive = self.alive
        events = self.tail.read()
        self.state = replay(events, self.state)
        if not events:
            self.state = observe(
                self.state,
                alive=alive,
                stop_asked=RunFolder(self.run).stop_file.exists(),
                last_words="" if alive else last_words(self.run / LOG),
            )
        return bool(events)


def follow(run: Path) -> Follower:
    """Return a follower at the beginning of the run in a folder.

    Raises
    ------
    BadRunError
        If the folder holds no run.
    """
    if not (run / EVENTS).is_file() and not RunFolder(run).is_running():
        raise BadRunError(
            run, "this folder holds no run", "choose the folder given to --out"
        )
    return Follower(run)


# --- stop ---------------------------------------------------------------------------


def stopping(
    run: Path,
    handle: TrainerHandle | None = None,
    grace: float = 3.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[StopStep]:
    """Stop the trainer and all that it started; end when nothing of it is left.

    Each step returns at once; the caller decides how to wait between steps. The
    trainer is asked, after `grace` seconds told (SIGTERM), a second later killed with
    its workers. A kill costs at most one epoch: the run can be resumed.

    Raises
    ------
    StorageError
        If the run folder cannot be written.
    """
    pid, started = _leader(run, handle)
    RunFolder(run).request_stop()
    begin = clock()
    family: set[psutil.Process] = set()
    told = False
    while True:
        late = clock() - begin
        family = {p for p in family | _family(pid, started) if lives(p)}
        if not family:
            return
        if late > grace + 1:
            _signal(family, "kill")
            yield "killed"
        elif late > grace:
            if not told:
                _signal({p for p in family if p.pid == pid}, "terminate")
                told = True
            yield "terminated"
        else:
            yield "asked"


def stop(
    run: Path, handle: TrainerHandle | None = None, grace: float = 3.0
) -> StopStep:
    """Stop the trainer, wait until nothing of it is left, return the last step."""
    last: StopStep = "asked"
    for step in stopping(run, handle, grace):
        last = step
        if handle is not None:
            handle.process.poll()
        time.sleep(0.05)
    return last


def _leader(run: Path, handle: TrainerHandle | None) -> tuple[int, float]:
    lock = read_lock(run)
    # The lock of another user, or one that came with the folder, ends no process here.
    if lock is not None and lock.is_here and lock.is_mine:
        return lock.pid, lock.started
    if handle is None:
        return 0, 0.0
    try:
        return handle.pid, start_of(handle.pid)
    except psutil.Error:
        return handle.pid, math.inf


def _family(pid: int, started: float) -> set[psutil.Process]:
    """Return the trainer, its descendants and what is left of its process group."""
    leader = find_process(pid, started)
    if leader is None:
        return _group(pid, started) if _free(pid) else set()
    family = {leader} | _group(pid, started)
    with contextlib.suppress(psutil.Error):
        family.update(leader.children(recursive=True))
    return family


def _free(pid: int) -> bool:
    """Whether no living process has this id, so that its group is still the old one."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _group(pid: int, started: float) -> set[psutil.Process]:
    """Return the members of the process group `pid` that are not older than it."""
    if sys.platform == "win32" or pid <= 0:
        return set()
    members = set()
    for member in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getpgid(member) != pid:
                continue
            if start_of(member) > started - SAME_START:
                members.add(psutil.Process(member))
    return members


def _signal(family: set[psutil.Process], what: Literal["terminate", "kill"]) -> None:
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.terminate() if what == "terminate" else process.kill()
