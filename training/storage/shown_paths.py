"""Paths as they may stand in a file that is passed on: they name no home of a user."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from training.errors import Hep2Error

_HOMES = frozenset({"home", "users"})


def shown_path(given: str) -> str:
    """Return an absolute path by its last part alone, and any other as it is."""
    return PurePath(given).name if PurePath(given).is_absolute() else given


def shown_fault(fault: Hep2Error) -> str:
    """Return its sentence, a file of an absolute path by its name alone."""
    path = PurePath(fault.what)
    return (
        str(fault).replace(str(path), path.name) if path.is_absolute() else str(fault)
    )


def recorded_root(root: Path, out: Path) -> str | None:
    """Return the way from `out` to `root`, unless it would name a user's home."""
    out = out.resolve()
    try:
        common = Path(os.path.commonpath([root.resolve(), out]))
    except ValueError:
        return None
    at_top = common == Path(common.anchor)
    if at_top or (
        common.parent == Path(common.anchor) and common.name.lower() in _HOMES
    ):
        return None
    return Path(os.path.relpath(root.resolve(), out)).as_posix()


def way_from(folder: Path, given: str) -> str | None:
    """Return the way from a folder to an absolute path, for `end_of_way`.

    Returns
    -------
    way
        None where the path is relative, where the way would name a user's home, and
        where it does not lead back, as through links.
    """
    if not PurePath(given).is_absolute():
        return None
    way = recorded_root(Path(given), folder)
    return way if way and end_of_way(folder, way) == given else None


def end_of_way(folder: Path, way: str) -> str:
    """Undo `way_from`."""
    return str((folder / way).resolve())
