"""The cell folder: crops, their table, and what they were made from.

``crops.npy`` (N, S, S), ``cells.csv`` with one row a cell, ``source.json``. The three
are written under other names and take effect together, by the renaming of one folder:
a reader sees the earlier cells or the new ones, whenever the writer is killed.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
import numpy.typing as npt
import pandas as pd
import psutil

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cell_files import (
    CELL_COLUMNS,
    CELLS,
    CROPS,
    FILES,
    FORMAT,
    HEADER_BYTES,
    READY,
    SOURCE,
    change_of,
    current,
    fingerprint,
    npy_header,
    put_in_place,
    read_crops,
    read_source,
    read_table,
    recorded_root,
    source_root,
)
from training.data.extraction import (
    TABLE_COLUMNS,
    FrameCells,
    cell_id,
    extract_frame,
)
from training.data.images import storage_error, sync_folder, write_json
from training.data.layouts import Collection, Frame, Specimen
from training.data.layouts.tables import safe_word
from training.data.mended import STEPS, mended_files, with_mended
from training.errors import BadCellsError, BadImageError, BadMaskError


@dataclass(frozen=True)
class ExtractionProgress:
    """What became of one frame.

    Attributes
    ----------
    done, total
        Frames read so far, this one counted, and all frames.
    kept, dropped
        Cells of this frame.
    fault
        Why the frame gave no cells, as a sentence, or None.
    note
        What the user should know of its mended mask, or an empty string.
    mended
        Whether the mended mask was used.
    """

    done: int
    total: int
    frame: str
    kept: int
    dropped: int
    fault: str | None
    note: str = ""
    mended: bool = False


@dataclass(frozen=True)
class CellFolder:
    """A cell folder that was read.

    Attributes
    ----------
    crops : (N, S, S) uint8 or uint16
        Memory-mapped, read-only.
    table
        The columns `CELL_COLUMNS`, one row a crop; words are '' where not known.
    source
        What the cells were made from, as in ``source.json``.
    """

    path: Path
    crops: npt.NDArray[Any]
    table: pd.DataFrame
    source: dict[str, Any]

    @property
    def root(self) -> Path | None:
        """The folder of the frames, or None where it was not recorded."""
        return source_root(self.path, self.source)

    def stale(self, root: Path | None = None) -> str | None:
        """Tell in a sentence whether a source has changed since, or None.

        Parameters
        ----------
        root
            The folder of the frames, where it was moved or not recorded.
        """
        root = root or self.root
        if root is None or not root.is_dir():
            return f"{self.path}: the frames that it was made from are not at hand."
        for entry in self.source["files"]:
            change = change_of(root / entry["name"], entry)
            if change:
                return (
                    f"{self.path}: {entry['name']} {change} since the cells were cut; "
                    "extract them again."
                )
        return self._mended_since(root)

    def _mended_since(self, root: Path) -> str | None:
        known = {entry["name"] for entry in self.source["files"]}
        for path, stands in mended_files(root):
            name = path.relative_to(root).as_posix()
            if stands and name not in known and not self.source.get("original_masks"):
                return (
                    f"{self.path}: the mask of {path.parent.name} was mended since the "
                    "cells were cut; extract them again."
                )
        return None


def write_cell_folder(
    collection: Collection,
    out: Path,
    extraction: ExtractionSettings,
    segmentation: SegmentationSettings,
    *,
    original_masks: bool = False,
) -> Iterator[ExtractionProgress]:
    """Cut the cells of a collection frame by frame into the folder `out`.

    Where a mask was mended the mended one is used, unless `original_masks` are wanted.
    A frame that cannot be read is reported and left out. Memory holds one frame at a
    time. The folder changes only at the end: where the generator is closed early, or
    anything fails, what was in it stays as it was. Files of other names in it, such as
    the reviewers' decisions, are not touched.

    Raises
    ------
    BadCellsError
        If the collection has no frames, or not one of them gave a cell.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    if not original_masks:
        collection = with_mended(collection)
    frames = [(s, frame) for s in collection.specimens for frame in s.frames]
    if not frames:
        raise BadCellsError(
            collection.root, "it holds no whole frames", "use its cells as they are"
        )
    with _storage_faults(out):
        out.mkdir(parents=True, exist_ok=True)
        _clear_dead_parts(out)
    part = out / f".part-{os.getpid()}"
    try:
        with _storage_faults(out):
            part.mkdir(exist_ok=True)
            writer = _Writer(part, extraction.size, original_masks)
        try:
            for done, (specimen, frame) in enumerate(frames, start=1):
                yield _one_frame(
                    writer,
                    collection,
                    specimen,
                    frame,
                    extraction,
                    segmentation,
                    (done, len(frames)),
                )
        finally:
            writer.close()
        _finish(writer, collection, out, extraction, segmentation)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read_cell_folder(path: Path) -> CellFolder:
    """Open a cell folder; crops stay on disk until used.

    Raises
    ------
    BadCellsError
        If a file is missing or broken, or the crops do not fit the table.
    """
    source = read_source(current(path, SOURCE))
    crops = read_crops(current(path, CROPS))
    table = read_table(current(path, CELLS))
    if len(crops) != len(table):
        raise BadCellsError(
            path,
            f"it has {len(crops)} crops but {len(table)} rows in {CELLS}",
            "extract the cells again",
        )
    return CellFolder(path, crops, table, source)


def is_cell_folder(path: Path) -> bool:
    """Whether a folder holds the files of a cell folder."""
    return path.is_dir() and all(current(path, name).is_file() for name in FILES)


@dataclass
class _Writer:
    """Appends crops and rows to files in a folder of its own."""

    folder: Path
    size: int
    original_masks: bool = False
    dtype: np.dtype[Any] | None = None
    kept: int = 0
    dropped: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._crops: BinaryIO = (self.folder / CROPS).open("wb")
        self._crops.write(b"\0" * HEADER_BYTES)
        self._cells: TextIO = (self.folder / CELLS).open(
            "w", encoding="utf-8", newline=""
        )
        self._rows = csv.writer(self._cells, lineterminator="\n")
        self._rows.writerow(CELL_COLUMNS)

    @property
    def n(self) -> int:
        return self.kept + self.dropped

    def add(self, specimen: Specimen, cells: FrameCells) -> None:
        crops = cells.cells.crops
        if self.dtype not in (None, crops.dtype):
            raise BadImageError(
                cells.frame.image.name,
                f"its pixels are {crops.dtype} but those before are {self.dtype}",
                "give frames of one depth",
            )
        self.dtype = crops.dtype
        self._crops.write(np.ascontiguousarray(crops).tobytes())
        self._rows.writerows(_rows(specimen, cells))
        n_dropped = int((cells.cells.table["dropped"] != "").sum())
        self.dropped += n_dropped
        self.kept += len(crops) - n_dropped

    def close(self) -> None:
        self._crops.close()
        self._cells.close()

    def finish(self) -> None:
        """Write the header, now that the number of cells is known, and sync."""
        assert self.dtype is not None
        with (self.folder / CROPS).open("r+b") as stream:
            stream.write(npy_header(self.dtype, (self.n, self.size, self.size)))
            stream.flush()
            os.fsync(stream.fileno())
        with (self.folder / CELLS).open("rb") as stream:
            os.fsync(stream.fileno())


def _rows(specimen: Specimen, cells: FrameCells) -> Iterator[tuple[object, ...]]:
    name = cells.frame.name
    known = [safe_word(word) for word in (specimen.id, specimen.pattern or "", name)]
    columns = [cells.cells.table[column].tolist() for column in TABLE_COLUMNS]
    for label, y, x, area, flags, dropped in zip(*columns, strict=True):
        first = safe_word(cell_id(name, label))
        yield (first, *known, label, f"{y:.3f}", f"{x:.3f}", area, flags, dropped)


def _one_frame(
    writer: _Writer,
    collection: Collection,
    specimen: Specimen,
    frame: Frame,
    extraction: ExtractionSettings,
    segmentation: SegmentationSettings,
    count: tuple[int, int],
) -> ExtractionProgress:
    done, total = count
    kept, dropped, fault = writer.kept, writer.dropped, None
    try:
        cells = extract_frame(frame, extraction, segmentation)
        with _storage_faults(writer.folder.parent):
            writer.add(specimen, cells)
        writer.notes += [
            f"{frame.name}: {_without_root(note, collection.root)}"
            for note in cells.notes
        ]
    except (BadImageError, BadMaskError) as met:
        fault = str(met)
        writer.faults[frame.name] = _without_root(fault, collection.root)
    writer.files += [fingerprint(collection.root, path) for path in _files_of(frame)]
    new = writer.kept - kept, writer.dropped - dropped
    mended = frame.mended is not None and fault is None
    return ExtractionProgress(done, total, frame.name, *new, fault, frame.note, mended)


def _finish(
    writer: _Writer,
    collection: Collection,
    out: Path,
    extraction: ExtractionSettings,
    segmentation: SegmentationSettings,
) -> None:
    if writer.n == 0:
        first = next(iter(writer.faults.values()), "no nucleus was found")
        raise BadCellsError(
            collection.root, f"no frame gave a cell ({first.rstrip('.')})", "mend it"
        )
    source = {
        "format": FORMAT,
        "version": _our_version(),
        "layout": collection.layout,
        "vocabulary": collection.vocabulary.name,
        "root": recorded_root(collection.root, out),
        "cells": writer.n,
        "dropped": writer.dropped,
        "extraction": extraction.model_dump(mode="json"),
        "segmentation": segmentation.model_dump(mode="json"),
        "original_masks": writer.original_masks,
        "notes": [*collection.notes, *writer.notes],
        "faults": writer.faults,
        "files": writer.files,
    }
    with _storage_faults(out):
        writer.finish()
        write_json(writer.folder / SOURCE, source)
        put_in_place(out)
        writer.folder.rename(out / READY)
        sync_folder(out)
        put_in_place(out)


def _clear_dead_parts(out: Path) -> None:
    for part in out.glob(".part-*"):
        owner = part.name.removeprefix(".part-")
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _storage_faults(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise storage_error(out, fault) from fault


def _our_version() -> str:
    try:
        return version("napari-hep2")
    except PackageNotFoundError:
        return "not installed"


def _files_of(frame: Frame) -> list[Path]:
    files = [frame.image, frame.mask, frame.mended]
    if frame.mended is not None:
        files.append(frame.mended.with_name(STEPS))
    return [path for path in files if path is not None and path.is_file()]


def _without_root(sentence: str, root: Path) -> str:
    return sentence.replace(f"{root}{os.sep}", "")
