"""Paths that a system takes, and that stay inside a data folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from training.errors import BadLayoutError, StorageError

_LONGEST_NAME, _LONGEST_PATH = 255, 4000
"""Bytes of a name and of a path that systems take."""


def can_be(path: str) -> bool:
    """Return whether a system takes a path: to ask for a longer one is an error."""
    long = len(os.fsencode(path)) > _LONGEST_PATH
    names = Path(path).parts
    return not (long or any(len(os.fsencode(one)) > _LONGEST_NAME for one in names))


def is_inside(root: Path, path: Path) -> bool:
    """Return whether `path`, links followed, lies in `root`."""
    return path.resolve().is_relative_to(root.resolve())


def checked(root: Path, path: Path) -> Path:
    """Return `path` if it is a file or folder inside `root`.

    Raises
    ------
    BadLayoutError
        If it is a link that leads out, or a pipe or a device.
    """
    if not is_inside(root, path):
        raise BadLayoutError(
            path,
            "it is a link that leads out of the folder",
            "copy the file itself here",
        )
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise BadLayoutError(
            path, "it is not a regular file", "remove it from the folder"
        )
    return path


def own_path(folder: Path, *names: str) -> Path:
    """Return the path of what is written in a folder of ours, at or below it.

    The folder itself may be a link, since the user named it. A link inside it may have
    come with it, and would lead what is written, moved or removed to elsewhere.

    Raises
    ------
    StorageError
        If one of `names`, each in the one before, is a link.
    """
    path = folder
    for name in names:
        path = path / name
        if path.is_symlink():
            raise StorageError(
                path,
                "it is a link, through which nothing is written",
                "remove it, or put what it leads to in its place",
            )
    return path


def by_name(paths: Iterable[Path], name: str) -> Path | None:
    """Return the path of this name in any case, or None."""
    return next((path for path in paths if path.name.lower() == name), None)
