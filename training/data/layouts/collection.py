"""Common form of every layout: a collection of specimens or of cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.patterns import Vocabulary


@dataclass(frozen=True)
class Frame:
    """One fluorescence image of a specimen and its mask.

    Attributes
    ----------
    name
        Unique in its collection, e.g. ``00001_p0``.
    image, mask
        Files; `mask` is None in a collection without masks. Where the other frames
        have one and this one's is missing, `mask` is the file that should be there.
    mended
        A label image that takes the mask's place; see `training.data.masks.history`.
    note
        What the user should know of its masks, or an empty string.
    """

    name: str
    image: Path
    mask: Path | None
    mended: Path | None = None
    note: str = ""


@dataclass(frozen=True)
class Specimen:
    """One patient serum on one well: the group that is never split.

    Attributes
    ----------
    pattern
        The pattern's name in the collection's vocabulary, or None if not known.
    intensity
        As given (``positive`` or ``intermediate``), or None.
    """

    id: str
    frames: tuple[Frame, ...]
    pattern: str | None = None
    intensity: str | None = None


@dataclass(frozen=True)
class CellFile:
    """One cell that comes already cut, as in Task-1.

    Attributes
    ----------
    id
        Unique in its collection, e.g. ``00131``.
    image, mask
        Files, as in `Frame`.
    pattern
        The pattern's name in the collection's vocabulary.
    specimen
        None where the collection names no specimens.
    """

    id: str
    image: Path
    mask: Path | None
    pattern: str
    specimen: str | None


@dataclass(frozen=True)
class Collection:
    """Contents of a folder: specimens with frames, or cells already cut.

    Attributes
    ----------
    layout
        ``task1``, ``task2``, ``mivia`` or ``plain``.
    root
        The folder that holds the tables, resolved.
    notes
        Sentences the user should read: what was left out, what was assumed.
    """

    layout: str
    root: Path
    vocabulary: Vocabulary
    specimens: tuple[Specimen, ...] = ()
    cells: tuple[CellFile, ...] = ()
    notes: tuple[str, ...] = ()
