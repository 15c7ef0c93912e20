"""The files of a packed cell set, written bit by bit and memory-mapped.

``images.npy`` and, where there are masks, ``masks.npy``; a ``.npy`` file for each other
column, and ``cells.json`` for what is said of all cells.
"""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import psutil

from training.data.cells.cell_set import CellSet
from training.data.cells.files import HEADER_BYTES, npy_header
from training.decisions.applied import ReviewManifest
from training.errors import BadCellsError
from training.patterns import VOCABULARIES, Vocabulary
from training.storage.locks import this_machine
from training.storage.reading import read_array, read_json
from training.storage.writing import storage_error, write_array, write_json

CACHE_FORMAT = 5
_CHUNK = 4096
"""Cells that are copied at a time: 15 MB of images of 60 x 60."""


class PackedWriter:
    """Writes a packed cell set, whole or not at all.

    A context manager: what was not finished is gone at its end.

    Parameters
    ----------
    folder
        Where the cells will be. They are written beside it until they are finished;
        if another process was quicker its cells are left alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        owner = f"{this_machine()}-{os.getpid()}"
        self._part = folder.with_name(f".{folder.name}.{owner}.part")
        _clear_dead_parts(folder)
        self._images = _Stack(self._part / "images.npy", folder)
        self._masks = _Stack(self._part / "masks.npy", folder)
        self._patterns: list[int] = []
        self._specimens: list[str] = []
        self._ids: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._images.close()
        self._masks.close()
        shutil.rmtree(self._part, ignore_errors=True)

    @property
    def n(self) -> int:
        """Cells written so far."""
        return len(self._ids)

    def add(
        self,
        images: npt.NDArray[np.uint8],
        masks: npt.NDArray[np.bool_] | None,
        patterns: Sequence[int],
        specimens: Sequence[str],
        ids: Sequence[str],
    ) -> None:
        """Write cells.

        Parameters
        ----------
        images : (n, S, S) uint8
        masks : (n, S, S) bool or None
            None for all cells or for none.
        patterns, specimens, ids : (n,)

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        self._images.add(images)
        if masks is not None:
            self._masks.add(masks)
        self._patterns += patterns
        self._specimens += specimens
        self._ids += ids

    def add_set(
        self,
        cells: CellSet,
        rows: npt.NDArray[np.int64],
        *,
        masks: bool,
        prefix: str = "",
    ) -> None:
        """Write cells of a set, with their masks or without.

        Parameters
        ----------
        rows : (n,) int64
        prefix
            Of ids, and of specimens that have one.
        """
        for start in range(0, len(rows), _CHUNK):
            some = rows[start : start + _CHUNK]
            self.add(
                cells.images[some],
                cells.masks[some] if masks and cells.masks is not None else None,
                cells.patterns[some].tolist(),
                _prefixed(cells.specimens[some], prefix),
                _prefixed(cells.ids[some], prefix),
            )

    def finish(
        self,
        vocabulary: Vocabulary,
        source: str,
        notes: Iterable[str],
        extra: npt.NDArray[np.bool_] | None = None,
        reviews: Iterable[ReviewManifest] = (),
        specimens_from: str = "",
    ) -> None:
        """Write what is said of all cells, and put them in place.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        columns = {
            "patterns": np.asarray(self._patterns, np.int64),
            "specimens": np.asarray(self._specimens, np.str_),
            "ids": np.asarray(self._ids, np.str_),
        }
        if extra is not None:
            columns["extra"] = extra
        for name, column in columns.items():
            write_array(self._part / f"{name}.npy", column)
        self._images.finish()
        self._masks.finish()
        content = {
            "format": CACHE_FORMAT,
            "cells": self.n,
            "vocabulary": vocabulary.name,
            "source": source,
            "notes": list(notes),
            "reviews": [review.content() for review in reviews],
            "specimens_from": specimens_from,
        }
        write_json(self._part / "cells.json", content)
        try:
            if not self._folder.exists():
                self._part.replace(self._folder)
        except OSError as fault:
            raise storage_error(self._folder, fault) from fault


class _Stack:
    """A ``.npy`` file of images that is appended to; none where nothing was added."""

    def __init__(self, path: Path, blamed: Path) -> None:
        self._path = path
        self._blamed = blamed
        self._shape = (0, 0, 0)
        self._dtype = np.dtype(np.uint8)
        self._file: BinaryIO | None = None
        self._open = ExitStack()

    def add(self, images: npt.NDArray[Any]) -> None:
        """Append images of one size and type."""
        n, height, width = images.shape
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._open.enter_context(self._path.open("wb"))
                self._file.write(b"\0" * HEADER_BYTES)
            self._file.write(np.ascontiguousarray(images).data)
        except OSError as fault:
            raise storage_error(self._blamed, fault) from fault
        self._shape, self._dtype = (self._shape[0] + n, height, width), images.dtype

    def finish(self) -> None:
        """Write the header, now that the number of images is known, and sync."""
        if self._file is None:
            return
        try:
            self._file.seek(0)
            self._file.write(npy_header(self._dtype, self._shape))
            self._file.flush()
            os.fsync(self._file.fileno())
            self.close()
        except OSError as fault:
            raise storage_error(self._blamed, fault) from fault

    def close(self) -> None:
        """Close the file; of what could not be written it was told before."""
        with suppress(OSError):
            self._open.close()


def write_cell_set(cells: CellSet, folder: Path) -> None:
    """Write a cell set, whole or not at all.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with PackedWriter(folder) as writer:
        writer.add_set(cells, np.arange(len(cells)), masks=cells.masks is not None)
        writer.finish(
            cells.vocabulary,
            cells.source,
            cells.notes,
            cells.extra,
            cells.reviews,
            cells.specimens_from,
        )


def write_joined(
    own: CellSet, extra: CellSet, folder: Path, prefix: str = "extra/"
) -> None:
    """Write one cell set of cells to test and of cells to train on only.

    Ids and specimens of `extra` get the prefix. Its cells of patterns that `own` does
    not have are left out, with a note; cells of `own` may be extra already.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    index = [own.vocabulary.find(name) for name in extra.vocabulary.names]
    mapped = np.array([-1 if k is None else k for k in index], np.int64)
    patterns = mapped[extra.patterns]
    known = np.flatnonzero(patterns >= 0)
    kind = prefix.rstrip("/")
    notes = [*own.notes, *(f"{kind} cells: {note}" for note in extra.notes)]
    if len(known) < len(extra):
        left = len(extra) - len(known)
        notes.append(f"{left} {kind} cells of other patterns were left out")
    masks = own.masks is not None and extra.masks is not None
    renamed = replace(extra, patterns=patterns, vocabulary=own.vocabulary)
    with PackedWriter(folder) as writer:
        writer.add_set(own, np.arange(len(own)), masks=masks)
        writer.add_set(renamed, known, masks=masks, prefix=prefix)
        writer.finish(
            own.vocabulary,
            f"{own.source} with {extra.source}",
            notes,
            np.concatenate([~own.own, np.ones(len(known), bool)]),
            (*own.reviews, *(replace(one, extra=True) for one in extra.reviews)),
            own.specimens_from,
        )


def read_cell_set(folder: Path) -> CellSet:
    """Read a packed cell set; the images and masks are memory-mapped.

    They are mapped to be copied on write: torch takes such arrays as they are, and
    nothing reaches the files.

    Raises
    ------
    BadCellsError
        If the folder is broken.
    """
    try:
        images = read_array(folder / "images.npy", "c")
        masks = None
        if (folder / "masks.npy").is_file():
            masks = read_array(folder / "masks.npy", "c")
        said = read_json(folder / "cells.json")
        extra = None
        if (folder / "extra.npy").is_file():
            extra = read_array(folder / "extra.npy")
        patterns, specimens, ids = (
            read_array(folder / f"{name}.npy")
            for name in ("patterns", "specimens", "ids")
        )
        cells = CellSet(
            images,
            patterns,
            specimens,
            ids,
            VOCABULARIES[said["vocabulary"]],
            said["source"],
            tuple(said["notes"]),
            masks,
            extra,
            tuple(map(ReviewManifest.from_content, said["reviews"])),
            str(said["specimens_from"]),
        )
        lengths = {said["cells"], *map(len, (images, patterns, specimens, ids))}
        lengths |= {len(some) for some in (masks, extra) if some is not None}
    except (OSError, EOFError, ValueError, KeyError, TypeError) as fault:
        raise _damaged(folder) from fault
    if len(lengths) > 1 or not _fit(cells):
        raise _damaged(folder)
    return cells


def _fit(cells: CellSet) -> bool:
    """Return whether the columns of a cell set hold what they should."""
    columns: list[tuple[npt.NDArray[Any] | None, str, int]] = [
        (cells.images, "u1", 3),
        (cells.masks, "b1", 3),
        (cells.extra, "b1", 1),
        (cells.patterns, "i8", 1),
    ]
    size, patterns = cells.images.shape[1:], cells.patterns
    return (
        all(c is None or (c.dtype == kind and c.ndim == n) for c, kind, n in columns)
        and cells.specimens.dtype.kind == cells.ids.dtype.kind == "U"
        and cells.specimens.ndim == cells.ids.ndim == 1
        and len(set(size)) == 1
        and (cells.masks is None or cells.masks.shape[1:] == size)
        and bool(((patterns >= 0) & (patterns < len(cells.vocabulary))).all())
    )


def _clear_dead_parts(folder: Path) -> None:
    """Remove what writers on this machine left that were killed."""
    start = f".{folder.name}.{this_machine()}-"
    for part in folder.parent.glob(f"{glob.escape(start)}*.part"):
        owner = part.name.removeprefix(start).removesuffix(".part")
        if owner.isdecimal() and len(owner) < 10 and not psutil.pid_exists(int(owner)):
            shutil.rmtree(part, ignore_errors=True)


def _damaged(folder: Path) -> BadCellsError:
    return BadCellsError(
        folder, "the packed cells are damaged", "delete this folder; it is rebuilt"
    )


def _prefixed(names: npt.NDArray[np.str_], prefix: str) -> list[str]:
    return [f"{prefix}{name}" if name else "" for name in names.tolist()]
