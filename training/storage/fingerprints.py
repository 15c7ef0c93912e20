"""Fingerprints of files, by which a changed source is noticed.

A folder that is one image has one fingerprint over all of its files.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from training.storage.paths import is_inside


def fingerprint(root: Path, path: Path) -> dict[str, Any]:
    """Return what tells later whether a file has changed.

    One that may not be read has no hash and no time: once it is read, it has changed.
    """
    size, modified = state_of(path)
    digest = None
    try:
        digest = sha256_of(path)
    except PermissionError:
        modified = 0
    return {
        "name": path.relative_to(root).as_posix(),
        "bytes": size,
        "modified": modified,
        "sha256": digest,
    }


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Of a folder it is that of the names and the SHA-256 of its files.
    """
    if path.is_dir():
        lines = (
            f"{sha256_of(file)}  {file.relative_to(path).as_posix()}\n"
            for file in _files(path)
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def change_of(root: Path, entry: dict[str, Any]) -> str | None:
    """Return what happened to a file in `root` since its `fingerprint`, or None.

    A link that leads out of `root` is another file, and not read.
    """
    path = root / entry["name"]
    try:
        if not is_data(path):
            return "was removed"
        if not is_inside(root, path):
            return "has changed"
        size, modified = state_of(path)
        if size != entry["bytes"]:
            return "has changed"
        if modified == entry["modified"]:
            return None
        return None if sha256_of(path) == entry["sha256"] else "has changed"
    except OSError:
        return "can no longer be read"


def is_data(path: Path) -> bool:
    """Return whether a path is a file or a folder, and no pipe or device."""
    return path.is_file() or path.is_dir()


def state_of(path: Path) -> tuple[int, int]:
    """Return the bytes of a file or folder, and when it was last written to, in ns."""
    states = [file.stat() for file in (_files(path) if path.is_dir() else [path])]
    modified = max((state.st_mtime_ns for state in states), default=0)
    return sum(state.st_size for state in states), modified


def _files(folder: Path) -> list[Path]:
    """Return the regular files below a folder, sorted; no link is followed."""
    found = []
    for place, _, names in os.walk(folder):
        files = (Path(place) / name for name in names)
        found += [file for file in files if file.is_file() and not file.is_symlink()]
    return sorted(found)
