"""Processes as in containers of their own: the first of a process namespace each."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from training.storage.locks import this_machine

_NEW_MOUNTS, _NEW_PROCESSES = 0x00020000, 0x20000000
_PRIVATE = 0x40000 | 0x4000
"""Mounts of this process are seen by no other: MS_PRIVATE | MS_REC."""


def can_separate() -> bool:
    """Whether this is Linux, and we may make process namespaces."""
    return sys.platform == "linux" and os.geteuid() == 0 and _code([lambda: 7]) == [7]


def together(acts: Sequence[Callable[[], int]]) -> list[int]:
    """Do some acts at once, each in its own namespace; return their exit codes."""
    return _code(acts)


def _code(acts: Sequence[Callable[[], int]]) -> list[int]:
    numbers = []
    for act in acts:
        number = os.fork()
        if number == 0:
            _leave(lambda act=act: _inside(act))
        numbers.append(number)
    return [os.waitstatus_to_exitcode(os.waitpid(one, 0)[1]) for one in numbers]


def _inside(act: Callable[[], int]) -> int:
    """Do an act as process 1 of a new namespace, with a /proc of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_PROCESSES | _NEW_MOUNTS):
        return 99
    number = os.fork()
    if number == 0:
        libc.mount(b"none", b"/", None, _PRIVATE, None)
        mounted = libc.mount(b"proc", b"/proc", b"proc", 0, None)
        this_machine.cache_clear()
        _leave(lambda: 98 if mounted else act())
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def _leave(act: Callable[[], int]) -> None:
    """End a fork with the code of an act; nothing of the tests runs after it."""
    code = 97
    with suppress(BaseException):
        code = act()
    os._exit(code)


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    while not path.exists():
        os.sched_yield()
