"""Files written whole or not at all."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from training.errors import StorageError

_PART = re.compile(r"\..+\.(?:([0-9a-f]{8})[0-9a-f]{8}|\d+-\d+)\.part")
"""Names of parts, also of earlier versions; the first digits are the process."""

_PAUSE = 5.0
"""Seconds without a write after which nobody writes."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing: temporary name, fsync, rename, fsync of folder.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid():08x}{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as fault:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise storage_error(path, fault) from fault


def is_torn(part: Path, now: float) -> bool:
    """Whether what `write_bytes` began under this name is not written on.

    It is not where its writer does not live, or where nothing came for some seconds. Of
    another machine's writer the number says nothing.

    Parameters
    ----------
    now
        By the clock of the folder, which on a network drive need not be that of this
        machine, in seconds.
    """
    found = _PART.fullmatch(part.name)
    if found is None or part.is_dir():
        return False
    is_old = part.lstat().st_mtime < now - _PAUSE
    return is_old or found[1] is None or not _is_alive(int(found[1], 16))


def _is_alive(process: int) -> bool:
    try:
        return psutil.pid_exists(process)
    except OverflowError:
        return False


def check_there(folder: Path) -> None:
    """Raise where a folder has gone, which writing a file would make anew.

    Raises
    ------
    StorageError
        If it is not there.
    """
    if not folder.is_dir():
        raise StorageError(
            folder,
            "it was renamed or removed while something worked in it",
            "continue it where it is now",
        )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented and with a last newline, as `write_bytes` does."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a ``.npy`` file without pickled objects, as `write_bytes` does."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def storage_error(path: Path, fault: OSError) -> StorageError:
    """Return the sentence for an `OSError` met while writing `path`."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            path, "the disk is full", "free some space and try again; nothing is lost"
        )
    return StorageError(
        path,
        f"it cannot be written ({fault.strerror or fault})",
        "choose a folder you can write to",
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlast a power cut."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
