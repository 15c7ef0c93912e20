"""Writes the files of a cell folder, which take effect together at the end."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO, Self, TextIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.data.cells.extraction import TABLE_COLUMNS, FrameCells, cell_id
from training.data.cells.files import (
    CELL_COLUMNS,
    CELLS,
    CROPS,
    HEADER_BYTES,
    NUCLEI,
    READY,
    SOURCE,
    current,
    npy_header,
    put_in_place,
)
from training.data.cells.identity import KnownNucleus
from training.data.cells.known import KnownCells, flagged, known_cells
from training.data.cells.nuclei_file import NUCLEI_COLUMNS, nuclei_rows
from training.data.layouts import Frame, Specimen
from training.data.masks.history import STEPS
from training.errors import BadCellsError, BadImageError
from training.storage.csv_tables import csv_rows, plain_word, safe_word
from training.storage.fingerprints import is_data
from training.storage.locks import locked
from training.storage.writing import storage_error, sync_folder, write_json

_AT_ONCE = 4096
_PART = re.compile(r"\.part-([0-9a-f]{16}|\d{1,9})")
"""Name of a folder of ours, also of earlier versions."""

_FRAME = CELL_COLUMNS.index("frame")


@dataclass
class CellWriter:
    """Appends crops and rows to files in a folder of its own.

    Attributes
    ----------
    folder, out
        Where it writes, and the cell folder in which that takes effect.
    known
        What that knew of the nuclei before; see `training.data.cells.identity`.
    before
        By which it is noticed at the end that another writer was first.
    kept, dropped
        Cells so far.
    files, faults, notes, pixel_sizes
        What ``source.json`` says of the frames.
    """

    folder: Path
    out: Path
    size: int
    known: KnownCells
    before: tuple[int, int] | None = None
    original_masks: bool = False
    dtype: np.dtype[Any] | None = None
    kept: int = 0
    dropped: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    pixel_sizes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._crops: BinaryIO = (self.folder / CROPS).open("wb")
        self._crops.write(b"\0" * HEADER_BYTES)
        self._cells: TextIO = (self.folder / CELLS).open(
            "w", encoding="utf-8", newline=""
        )
        self._rows = csv_rows(self._cells)
        self._rows.writerow(CELL_COLUMNS)
        self._nuclei: TextIO = (self.folder / NUCLEI).open(
            "w", encoding="utf-8", newline=""
        )
        self._runs = csv_rows(self._nuclei)
        self._runs.writerow(NUCLEI_COLUMNS)
        self._done: set[str] = set()

    @classmethod
    @contextmanager
    def beside(cls, out: Path, size: int, original_masks: bool) -> Iterator[Self]:
        """Give a writer; what it wrote and did not commit is gone at the end.

        Raises
        ------
        BadCellsError
            If what is known of the nuclei, or the store of decisions, is damaged.
        RunLockedError
            If another process writes cells into the folder.
        StorageError
            If the disk is full or the folder cannot be written.
        """
        with storage_faults(out):
            out.mkdir(parents=True, exist_ok=True)
        with locked(out), _own_part(out) as part:
            before = _state_of(out)
            known = known_cells(out)
            with storage_faults(out):
                writer = cls(part, out, size, known, before, original_masks)
            try:
                yield writer
            finally:
                # Of a disk that is full it was told when it was written to.
                with suppress(OSError):
                    writer.close()

    @property
    def n(self) -> int:
        """Cells so far."""
        return self.kept + self.dropped

    def add(self, specimen: Specimen, cells: FrameCells) -> None:
        """Append the cells of a frame, each under the number of its nucleus."""
        dropped = int((cells.cells.table["dropped"] != "").sum())
        crops = cells.cells.crops
        self._check(crops.dtype, cells.frame.image.name)
        name, found = cells.frame.name, self.known.identify(cells)
        flags = flagged(cells.cells.table, self.known.asked(name, found))
        table = cells.cells.table.assign(flags=flags, number=found.numbers)
        rows = _rows(specimen, name, table)
        with storage_faults(self.out):
            self._append([crops], rows, len(crops) - dropped, dropped)
            self._keep(name, found.known)
        if cells.pixel_size is not None:
            self.pixel_sizes[name] = round(cells.pixel_size, 6)

    def copy(
        self, crops: npt.NDArray[Any], rows: Sequence[Sequence[str]], name: str
    ) -> None:
        """Append cells of a cell folder as they are.

        Parameters
        ----------
        crops : (N, S, S) uint8 or uint16
        rows
            The words of each row, as they stand in ``cells.csv``.
        name
            Of the folder, for messages.
        """
        dropped = sum(bool(row[-1]) for row in rows)
        self._check(crops.dtype, name)
        parts = (crops[k : k + _AT_ONCE] for k in range(0, len(crops), _AT_ONCE))
        with storage_faults(self.out):
            self._append(parts, rows, len(rows) - dropped, dropped)
            for frame in dict.fromkeys(plain_word(row[_FRAME]) for row in rows):
                self._keep(frame, self.known.of(frame))

    def _check(self, dtype: np.dtype[Any], name: str) -> None:
        if self.dtype not in (None, dtype):
            raise BadImageError(
                name,
                f"its pixels are {dtype} but those before are {self.dtype}",
                "give frames of one depth",
            )
        self.dtype = dtype

    def _append(
        self,
        crops: Iterable[npt.NDArray[Any]],
        rows: Iterable[Iterable[object]],
        kept: int,
        dropped: int,
    ) -> None:
        for part in crops:
            self._crops.write(np.ascontiguousarray(part).tobytes())
        self._rows.writerows(rows)
        self.kept += kept
        self.dropped += dropped

    def _keep(self, frame: str, nuclei: Iterable[KnownNucleus]) -> None:
        """Write what is known of a frame from now on."""
        self._runs.writerows(nuclei_rows(frame, nuclei))
        self._done.add(frame)

    def close(self) -> None:
        """Close the files, all of them whatever one raises."""
        with ExitStack() as files:
            for file in (self._crops, self._cells, self._nuclei):
                files.callback(file.close)

    def commit(self, source: dict[str, Any]) -> None:
        """Replace the old files by the new ones.

        Parameters
        ----------
        source
            The content of ``source.json``.

        Raises
        ------
        BadCellsError
            If another writer was first: it may have given the same numbers to others.
        StorageError
            If the disk is full or the folder cannot be written.
        """
        if _state_of(self.out) != self.before:
            raise BadCellsError(
                self.out, "its cells were cut by another program meanwhile", "cut again"
            )
        with storage_faults(self.out):
            self._keep_absent()
            self.close()
            self._finish()
            write_json(self.folder / SOURCE, source)
            put_in_place(self.out)
            self.folder.rename(self.out / READY)
            sync_folder(self.out)
            put_in_place(self.out)

    def _keep_absent(self) -> None:
        """Write what was known of frames that gave no cells this time."""
        for frame, nuclei in self.known.nuclei.items():
            if frame not in self._done:
                self._keep(frame, (one._replace(present=False) for one in nuclei))

    def _finish(self) -> None:
        """Write the header, now that the number of cells is known, and sync."""
        assert self.dtype is not None
        with (self.folder / CROPS).open("r+b") as stream:
            stream.write(npy_header(self.dtype, (self.n, self.size, self.size)))
            stream.flush()
            os.fsync(stream.fileno())
        for name in (CELLS, NUCLEI):
            with (self.folder / name).open("rb") as stream:
                os.fsync(stream.fileno())


def _rows(
    specimen: Specimen, name: str, table: pd.DataFrame
) -> Iterator[tuple[object, ...]]:
    known = [safe_word(word) for word in (specimen.id, specimen.pattern or "", name)]
    columns = [table[column].tolist() for column in ("number", *TABLE_COLUMNS)]
    for number, label, y, x, area, flags, dropped in zip(*columns, strict=True):
        first = safe_word(cell_id(name, number))
        yield (first, *known, label, f"{y:.3f}", f"{x:.3f}", area, flags, dropped)


def _state_of(out: Path) -> tuple[int, int] | None:
    """Return what changes when the known nuclei of a cell folder do."""
    path = current(out, NUCLEI)
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_mtime_ns, found.st_ino


@contextmanager
def _own_part(out: Path) -> Iterator[Path]:
    """Make a folder for what is written; remove it, and those of killed writers."""
    part = out / f".part-{secrets.token_hex(8)}"
    _clear_parts(out)
    try:
        with storage_faults(out):
            part.mkdir()
        yield part
    finally:
        _clear_parts(out)


def _clear_parts(out: Path) -> None:
    for part in out.glob(".part-*"):
        if _PART.fullmatch(part.name):
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def storage_faults(out: Path) -> Iterator[None]:
    """Raise a StorageError for a fault of the disk."""
    try:
        yield
    except OSError as fault:
        raise storage_error(out, fault) from fault


def our_version() -> str:
    """Return the version of this program."""
    try:
        return version("napari-hep2")
    except PackageNotFoundError:
        return "not installed"


def files_of(frame: Frame) -> list[Path]:
    """Return the files that the cells of a frame are made from."""
    files = [frame.image, frame.mask, frame.mended]
    if frame.mended is not None:
        files.append(frame.mended.with_name(STEPS))
    return [path for path in files if path is not None and is_data(path)]


def without_root(sentence: str, root: Path) -> str:
    """Return a sentence that names files as they are called in the data."""
    return sentence.replace(f"{root}{os.sep}", "")
