"""Reviewers' decisions on whole specimens: a pattern, with a name and a time.

The store is a second file of the kind of `training.decisions.store`, in which a
specimen stands where a cell does. A file of its own, because what is read to train, to
count and to compare reviewers is the other one: a pattern that is said of a specimen
changes no training cell, no count of decided cells, no agreement, and undoing a cell
never undoes a specimen. It is append-only, and exported and imported, as the other is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from training.decisions.applied import STORE
from training.decisions.model import Decision
from training.decisions.store import DecisionStore, now
from training.patterns import Vocabulary

SPECIMENS = "specimens.sqlite"
"""Name of the file, beside `training.decisions.applied.STORE`."""

NONE_OF_THESE = "none of the patterns"
_READER = "reading"


def specimen_store(place: Path) -> Path:
    """Return the file that belongs to a folder of decisions, or to their file."""
    return place / SPECIMENS if place.is_dir() else place.with_name(SPECIMENS)


def say_pattern(
    folder: Path,
    specimen: str,
    reviewer: str,
    pattern: str | None,
    clock: Callable[[], datetime] = now,
) -> None:
    """Record which pattern a reviewer says a specimen has; None: none of them.

    What was said before stays in the file and no longer stands.

    Raises
    ------
    BadCellsError, StorageError
        If it could not be saved.
    """
    with DecisionStore(folder / SPECIMENS, reviewer, clock) as store:
        if pattern is None:
            store.decide([specimen], "rejected", reason=NONE_OF_THESE)
        else:
            store.decide([specimen], "relabelled", pattern=pattern)


def take_back(
    folder: Path,
    specimen: str,
    reviewer: str,
    clock: Callable[[], datetime] = now,
) -> None:
    """Record that what a reviewer said of a specimen no longer stands.

    Raises
    ------
    BadCellsError, StorageError
        If it could not be saved.
    """
    with DecisionStore(folder / SPECIMENS, reviewer, clock) as store:
        store.decide([specimen], "cleared")


def read_sayings(
    place: Path | None, specimens: Iterable[str] | None = None
) -> dict[str, tuple[Decision, ...]]:
    """Return what stands of each specimen, one a reviewer; nothing without a file.

    Parameters
    ----------
    place
        The folder of decisions, or their file.
    specimens
        Look at these alone.

    Raises
    ------
    BadCellsError, StorageError
        If the file is damaged or cannot be opened.
    """
    if place is None or not specimen_store(place).is_file():
        return {}
    asked = None if specimens is None else list(specimens)
    found: dict[str, tuple[Decision, ...]] = {}
    with DecisionStore(specimen_store(place), _READER) as store:
        for reviewer in store.reviewers():
            for name, said in store.current(reviewer, asked).items():
                found[name] = (*found.get(name, ()), said)
    return found


def has_decisions(place: Path) -> bool:
    """Return whether a folder, or that of a file, holds decisions of any kind."""
    cells = place / STORE if place.is_dir() else place
    return cells.is_file() or specimen_store(place).is_file()


def saying_text(said: Decision, vocabulary: Vocabulary) -> str:
    """Return what was said of a specimen, as ``Golgi``; an unknown name as it is."""
    if said.pattern is None:
        return NONE_OF_THESE
    place = vocabulary.find(said.pattern)
    return said.pattern if place is None else vocabulary[place].title
