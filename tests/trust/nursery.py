"""Programs that a test kills: forks of one that has imported what they need.

    python nursery.py

Each line on the input, ``KIND PATH REVIEWER UNTIL MOMENT LOG`` as a list in JSON,
starts a fork; its number is the answer. The fork adds a line to its log for each action
once it is saved. So one more kill costs milliseconds, not a start of Python.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from training.errors import Hep2Error

_PATIENCE = 60.0
_END = "end"


_KINDS = {
    "cells": ("reviewer_actions", "decide_cells"),
    "open": ("reviewer_actions", "open_only"),
    "specimens": ("specimen_actions", "judge_specimens"),
}
"""Where it says what a fork does; a module is imported once it is asked for."""


class Fork:
    """A program that acts on a file until it is killed, or done.

    Attributes
    ----------
    number
        Of its process.
    """

    def __init__(self, number: int, log: Path) -> None:
        self.number = number
        self._log = log

    def lines(self) -> list[str]:
        """Return what it has told; a line cut off does not count."""
        return self._log.read_text(encoding="utf-8").split("\n")[:-1]

    def saved(self) -> int:
        """Return how many steps it has called saved, those before it included."""
        told = [int(line) for line in self.lines() if line.isdigit()]
        return told[-1] if told else 0

    def refusals(self) -> list[str]:
        """Return the faults that it was told by the store."""
        return [one for one in self.lines() if one != _END and not one.isdigit()]

    @property
    def is_done(self) -> bool:
        """Whether it came to its end by itself."""
        return _END in self.lines()

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return False
        return True

    def wait_for(self, lines: int) -> None:
        """Wait until it has told so many lines, or is gone."""
        _wait(lambda: len(self.lines()) >= lines or not self.is_alive)

    def kill(self) -> None:
        """Kill it, wherever it is, and wait until it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.number, signal.SIGKILL)
        _wait(lambda: not self.is_alive)


class Nursery:
    """Starts forks.

    Parameters
    ----------
    folder
        Where they keep their logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forks: list[Fork] = []
        self._program = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._forks:
            one.kill()
        self._program.communicate(timeout=_PATIENCE)

    def start(
        self, kind: str, path: Path, reviewer: str, until: int = 0, moment: int = 0
    ) -> Fork:
        """Start a fork.

        Parameters
        ----------
        until
            It ends once the reviewer has so many steps; 0: never.
        moment
            It kills itself at this moment, of those before and after each statement
            that it gives to SQLite, counted from 1; 0: at none.
        """
        log = self._folder / f"log{len(self._forks)}"
        log.touch()
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        order = [kind, str(path), reviewer, until, moment, str(log)]
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()
        made = Fork(int(self._program.stdout.readline()), log)
        self._forks.append(made)
        return made


def _wait(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not is_so():
        assert time.monotonic() < end, "a fork hangs"
        time.sleep(0.0003)


def _main() -> None:
    # Nobody waits for the forks here: the system takes them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        kind, path, reviewer, until, moment, log = json.loads(line)
        module, name = _KINDS[kind]
        steps = getattr(import_module(module), name)
        number = os.fork()
        if number == 0:
            if moment:
                sys.setprofile(_killer(moment))
            _act(steps(Path(path), reviewer), until, Path(log))
        print(number, flush=True)


def _killer(moment: int) -> Callable[[FrameType, str, Any], None]:
    moments = count(1)

    def watch(_frame: FrameType, event: str, called: Any) -> None:
        is_statement = getattr(called, "__name__", "") in ("execute", "executemany")
        if is_statement and next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    return watch


def _act(steps: Iterator[int], until: int, log: Path) -> None:
    told = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        for done in steps:
            os.write(told, f"{done}\n".encode())
            if done == until:
                break
        os.write(told, f"{_END}\n".encode())
    except Hep2Error as fault:
        os.write(told, f"{fault}\n".encode())
    finally:
        os._exit(0)


if __name__ == "__main__":
    _main()
