"""The runs in a folder, and which of them later decisions have made stale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from training.errors import BadRunError, Hep2Error
from training.runs.folder import RunFolder
from training.runs.staleness import Staleness, find_stale

_DEPTH = 2
"""A study keeps its runs in a folder of its own: ``STUDY/runs/NAME``."""


def find_runs(folder: Path) -> list[RunFolder]:
    """Return a run, or else the runs in a folder and in its folders, by path.

    Raises
    ------
    BadRunError
        If there is none, or the folder cannot be read.
    """
    try:
        found = sorted(_runs_below(folder, _DEPTH))
    except OSError as fault:
        raise BadRunError(
            folder, "the folder cannot be read", "give a run, or a folder of runs"
        ) from fault
    if not found:
        raise BadRunError(
            folder,
            "it is not a run folder and contains none",
            "give the --out of a run",
        )
    return [RunFolder.open(path) for path in found]


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    if RunFolder.is_at(folder):
        yield folder
    elif depth:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                yield from _runs_below(path, depth - 1)


def find_stale_runs(runs: Sequence[RunFolder]) -> Iterator[tuple[float, Staleness]]:
    """Yield the staleness of each run; a damaged one is reported as unknown.

    Yields
    ------
    share, found
        The share of the runs that is done, in 0..1, and what is said of one.
    """
    for number, run in enumerate(runs, 1):
        try:
            found = find_stale(run)
        except Hep2Error as fault:
            found = Staleness(str(run.path), "unknown", str(fault).rstrip("."))
        yield number / len(runs), found
