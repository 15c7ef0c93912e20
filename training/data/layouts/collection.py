"""Common form of every layout: a collection of specimens or of cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from training.data.cells.census import specimen_census
from training.errors import BadImageError, BadMaskError
from training.patterns import Vocabulary

_SHOWN = 6
"""Files that a sentence names; of more it gives the number."""


@dataclass(frozen=True)
class Channel:
    """One channel or plane of a frame, in a file of its own.

    Attributes
    ----------
    name
        As it stands in the file's name, e.g. ``ch01``, ``w2FITC``, ``DAPI``, ``z03``.
    number
        The channel's number in it, or None.
    is_signal
        Whether it is named after fluorescein, in which the cells are read.
    is_plane
        Whether it is one of several planes or times.
    """

    name: str
    path: Path
    number: int | None = None
    is_signal: bool = False
    is_plane: bool = False

    def is_named(self, word: str) -> bool:
        """Whether a user means this channel by its name or its number."""
        word = word.strip()
        if word.isdecimal():
            return self.number == int(word[:9])
        return word.casefold() == self.name.casefold()


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
        Of a frame whose channels are files, `image` is the first until one is chosen.
    mended
        A label image that takes the mask's place; see `training.data.masks.history`.
    note
        What the user should know of its masks, or an empty string.
    channels
        Where each channel is a file; empty where one file is all.
    other_masks
        Further masks found for it; with one of them nobody knows which counts.
    fault
        Why it must not be cut, or an empty string.
    """

    name: str
    image: Path
    mask: Path | None
    mended: Path | None = None
    note: str = ""
    channels: tuple[Channel, ...] = ()
    other_masks: tuple[Path, ...] = ()
    fault: str = ""

    @property
    def images(self) -> tuple[Path, ...]:
        """The files that may hold its grey values: one, or one a channel."""
        return tuple(one.path for one in self.channels) or (self.image,)


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
    specimens_from
        What says which specimen is which, e.g. ``column 'Specimen' of truth.csv``;
        empty where nothing does.
    """

    layout: str
    root: Path
    vocabulary: Vocabulary
    specimens: tuple[Specimen, ...] = ()
    cells: tuple[CellFile, ...] = ()
    notes: tuple[str, ...] = ()
    specimens_from: str = ""

    def with_frames(self, change: Callable[[Frame], Frame]) -> Collection:
        """Return a collection with each of its frames changed."""
        specimens = tuple(
            replace(one, frames=tuple(change(frame) for frame in one.frames))
            for one in self.specimens
        )
        return replace(self, specimens=specimens)

    @property
    def census(self) -> str:
        """How many specimens there are of which patterns, and how they are known."""
        patterns = {
            one.id: one.pattern
            for one in self.specimens
            if not all(frame.fault for frame in one.frames)
        }
        patterns |= {
            c.specimen: c.pattern for c in self.cells if c.specimen is not None
        }
        return specimen_census(patterns, self.vocabulary.names, self.specimens_from)


def with_channel(frame: Frame, word: str = "") -> Frame:
    """Return a frame whose image is the channel that is to be cut.

    Parameters
    ----------
    word
        The name or the number of the channel; '' takes the one named after
        fluorescein.

    Raises
    ------
    BadImageError
        If no channel is meant, or more than one; the sentence names all there are.
    """
    if not frame.channels:
        return frame
    named = bool(word.strip())
    meant = [
        one
        for one in frame.channels
        if (one.is_named(word) if named else one.is_signal)
    ]
    if len(meant) == 1:
        return replace(frame, image=meant[0].path, channels=())
    shown = [f"{one.name} ({one.path.name})" for one in frame.channels[:_SHOWN]]
    more = len(frame.channels) - _SHOWN
    names = ", ".join([*shown, f"{more} more"] if more > 0 else shown)
    kinds = "channels"
    if any(one.is_plane for one in frame.channels):
        kinds = "channels, planes or times"
    wanted = repr(word) if named else "named as fluorescein"
    example = next((c.number for c in frame.channels if c.number is not None), None)
    raise BadImageError(
        frame.name,
        f"its {kinds} are {names}, and {len(meant) or 'none'} is {wanted}",
        "name the one to cut, as in --set "
        f"channel={frame.channels[0].name if example is None else example}, "
        "or rename files that are frames of their own",
    )


def check_no_fault(frame: Frame) -> None:
    """Refuse a frame that must not be cut.

    Raises
    ------
    BadImageError
        The sentence says why.
    """
    if frame.fault:
        raise BadImageError(
            frame.image, frame.fault, "keep the one that is named rightly"
        )


def check_one_mask(frame: Frame) -> None:
    """Refuse a frame with more than one mask.

    Raises
    ------
    BadMaskError
        The sentence names them.
    """
    if frame.mask is None or not frame.other_masks:
        return
    names = " and ".join(one.name for one in (frame.mask, *frame.other_masks))
    raise BadMaskError(
        frame.image, f"{names} are masks of it", "keep the one that counts"
    )
