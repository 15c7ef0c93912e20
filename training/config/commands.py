"""The program's own command lines: every one that is shown or started is made here."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from training.config.base import Settings

PROGRAM = "hep2"
"""The installed command; ``python -m training`` is the same program."""


def command_words(
    name: str,
    *words: object,
    changed: Mapping[str, object] | Iterable[Settings] = (),
    **options: object,
) -> list[str]:
    """Return a command as words.

    Parameters
    ----------
    name
        Of the command.
    words
        Its arguments.
    changed
        Settings for ``--set``: values by name, or models of which only what is not the
        default is written.
    options
        Values by name, ``left_out`` for ``--left-out``. None, False and '' are left
        out, True is a flag.
    """
    line = [PROGRAM, name, *map(str, words)]
    for option, value in options.items():
        if value is None or value is False or value == "":
            continue
        line.append(f"--{option.replace('_', '-')}")
        line += [] if value is True else [str(value)]
    for key, value in _changed(changed).items():
        line += ["--set", f"{key}={value}"]
    return line


def command_line(
    name: str,
    *words: object,
    changed: Mapping[str, object] | Iterable[Settings] = (),
    **options: object,
) -> str:
    """Return a command as one line; see `command_words`."""
    return shown_line(command_words(name, *words, changed=changed, **options))


def shown_line(words: Iterable[str]) -> str:
    """Return words as one line that can be pasted into a shell."""
    if sys.platform == "win32":
        return subprocess.list2cmdline(list(words))
    return shlex.join(words)


def process_words(words: Sequence[str]) -> list[str]:
    """Return what starts a command as a process: the program by this interpreter."""
    if words[0] != PROGRAM:
        return list(words)
    return [sys.executable, "-m", "training", *words[1:]]


def _changed(given: Mapping[str, object] | Iterable[Settings]) -> Mapping[str, object]:
    if isinstance(given, Mapping):
        return given
    return {key: value for one in given for key, value in one.differing().items()}
