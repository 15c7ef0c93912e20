"""Frames that are one picture under two names, told by the bytes of their files.

A picture under two specimens would be trained on and tested with at once.
"""

from __future__ import annotations

import filecmp
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from training.data.layouts.collection import Collection, Frame
from training.data.layouts.names import bare_stem

_SAMPLE = 4096
"""Bytes in the middle of a file: only where they are equal all are compared."""

_COPY = re.compile(r"(?:copy|copie|copia|kopie|of|von|de|\(\d+\)|[\d\W_])*", re.I)
"""What systems add to the name of a copy: ``S1 - Copy``, ``S1 (2)``, ``Copy of S1``."""


def without_duplicates(collection: Collection) -> Collection:
    """Leave out frames that are copies of others by name, and refuse other copies.

    Of files with the same bytes the one with the shortest name stays. One that is named
    as a copy of it is left out, with a note; any other has a fault, by which it is
    refused, as nobody knows which specimen the picture is of.
    """
    frames = [one for specimen in collection.specimens for one in specimen.frames]
    first = _first_of_each(file for frame in frames for file in frame.images)
    owner = {file: frame.name for frame in frames for file in frame.images}
    specimens, notes = [], []
    for specimen in collection.specimens:
        kept = []
        for frame in specimen.frames:
            twin = _twin(frame, first, owner)
            if twin is None:
                kept.append(frame)
            elif _is_named_copy(frame.image, twin):
                notes.append(f"{frame.image.name}: not read, as a copy of {twin.name}.")
            else:
                folder = "" if twin.parent == frame.image.parent else twin.parent.name
                named = f"{folder}/{twin.name}" if folder else twin.name
                fault = f"it is the same picture as {named}"
                kept.append(replace(frame, fault=fault))
        if kept:
            specimens.append(replace(specimen, frames=tuple(kept)))
    return replace(
        collection,
        specimens=tuple(specimens),
        notes=(*collection.notes, *notes),
    )


def _twin(frame: Frame, first: dict[Path, Path], owner: dict[Path, str]) -> Path | None:
    """Return the file that a frame is a copy of, in all of its channels, or None.

    Channels without a signal are alike in all frames.
    """
    twins = [first.get(file) for file in frame.images]
    if any(twin is None or owner[twin] == frame.name for twin in twins):
        return None
    return twins[0]


def _is_named_copy(path: Path, of: Path) -> bool:
    before, found, after = bare_stem(path.name).partition(bare_stem(of.name))
    return (
        path.parent == of.parent
        and bool(found)
        and _COPY.fullmatch(f"{before} {after}") is not None
    )


def _first_of_each(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return the files that are copies, each with the one that stays."""
    alike: dict[tuple[int, bytes], list[Path]] = defaultdict(list)
    for size, files in _by_size(paths).items():
        for path in files if len(files) > 1 else ():
            alike[size, _sample(path, size)].append(path)
    found: dict[Path, Path] = {}
    for files in alike.values():
        firsts: list[Path] = []
        for path in sorted(files, key=lambda one: (len(one.name), str(one))):
            first = next((f for f in firsts if filecmp.cmp(f, path, False)), None)
            if first is None:
                firsts.append(path)
            else:
                found[path] = first
    return found


def _by_size(paths: Iterable[Path]) -> dict[int, list[Path]]:
    sizes: dict[int, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        if path.is_file():
            sizes[path.stat().st_size].append(path)
    return sizes


def _sample(path: Path, size: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, size // 2))
        return stream.read(_SAMPLE)
