"""Fingerprints of files, by which a changed source is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from training.storage.paths import is_inside


def fingerprint(root: Path, path: Path) -> dict[str, Any]:
    """Return what tells later whether a file has changed."""
    state = path.stat()
    return {
        "name": path.relative_to(root).as_posix(),
        "bytes": state.st_size,
        "modified": state.st_mtime_ns,
        "sha256": sha256_of(path),
    }


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def change_of(root: Path, entry: dict[str, Any]) -> str | None:
    """Return what happened to a file in `root` since its `fingerprint`, or None.

    A link that leads out of `root` is another file, and not read.
    """
    path = root / entry["name"]
    try:
        if not path.is_file():
            return "was removed"
        state = path.stat()
        if state.st_size != entry["bytes"] or not is_inside(root, path):
            return "has changed"
        if state.st_mtime_ns == entry["modified"]:
            return None
        return None if sha256_of(path) == entry["sha256"] else "has changed"
    except OSError:
        return "can no longer be read"
