"""Paths that stay inside a data folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from training.errors import BadLayoutError


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


def by_name(paths: Iterable[Path], name: str) -> Path | None:
    """Return the path of this name in any case, or None."""
    return next((path for path in paths if path.name.lower() == name), None)
