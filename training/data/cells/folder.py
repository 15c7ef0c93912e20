"""The cell folder: crops, their table, and what they were made from.

``crops.npy`` (N, S, S), ``cells.csv`` with one row a cell, ``source.json``. The three
are written under other names and take effect together, by the renaming of one folder:
a reader sees the earlier cells or the new ones, whenever the writer is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.duplicate_frames import PicturesSeen
from training.data.cells.extraction import extract_frame
from training.data.cells.files import (
    CELLS,
    CROPS,
    FILES,
    FORMAT,
    SOURCE,
    current,
    read_crops,
    read_source,
    read_table,
    source_root,
)
from training.data.cells.writer import (
    CellWriter,
    files_of,
    our_version,
    without_root,
)
from training.data.layouts import Collection, Frame, Specimen
from training.data.layouts.edited_masks import with_edits, without_edits
from training.data.masks.history import mended_files
from training.errors import BadCellsError, BadImageError, BadMaskError
from training.storage.fingerprints import change_of, fingerprint
from training.storage.paths import checked
from training.storage.shown_paths import recorded_root


@dataclass(frozen=True)
class ExtractionProgress:
    """Result of the extraction of one frame.

    Attributes
    ----------
    done, total
        Frames read so far, this one counted, and all frames.
    kept, dropped
        Cells of this frame.
    fault
        Why the frame gave no cells, as a sentence, or None.
    note
        What the user should know of its mended mask, or why it has no kept cell, or an
        empty string.
    mended
        Whether the edited mask was used.
    read_as
        What the mask and the frame were taken for, in words.
    """

    done: int
    total: int
    frame: str
    kept: int
    dropped: int
    fault: str | None
    note: str = ""
    mended: bool = False
    read_as: tuple[str, ...] = ()


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
        """Return a sentence on a source that has changed since, or None.

        Parameters
        ----------
        root
            The folder of the frames, where it was moved or not recorded.
        """
        root = root or self.root
        if root is None or not root.is_dir():
            return f"{self.path}: the frames it was made from were not found."
        for entry in self.source["files"]:
            change = change_of(root, entry)
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
                    f"{self.path}: the mask of {path.parent.name} was edited since "
                    "the cells were cut; extract them again."
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
    if original_masks:
        collection = collection.with_frames(without_edits)
    else:
        collection = with_edits(collection)
    frames = [(s, frame) for s in collection.specimens for frame in s.frames]
    if not frames:
        raise BadCellsError(
            collection.root, "it holds no whole frames", "use its cells as they are"
        )
    seen = PicturesSeen()
    with CellWriter.beside(out, extraction.size, original_masks) as writer:
        for done, (specimen, frame) in enumerate(frames, start=1):
            yield _one_frame(
                writer,
                seen,
                collection,
                specimen,
                frame,
                extraction,
                segmentation,
                (done, len(frames)),
            )
        _finish(writer, collection, out, extraction, segmentation)


def read_cell_folder(path: Path) -> CellFolder:
    """Open a cell folder; crops stay on disk until used.

    Raises
    ------
    BadCellsError
        If a file is missing or broken, or the crops do not fit the table.
    BadLayoutError
        If one is a link that leads out of the folder, or no regular file.
    """
    for name in FILES:
        checked(path, current(path, name))
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
    """Return whether a folder holds the files of a cell folder."""
    return path.is_dir() and all(current(path, name).is_file() for name in FILES)


def _one_frame(
    writer: CellWriter,
    seen: PicturesSeen,
    collection: Collection,
    specimen: Specimen,
    frame: Frame,
    extraction: ExtractionSettings,
    segmentation: SegmentationSettings,
    count: tuple[int, int],
) -> ExtractionProgress:
    done, total = count
    kept, dropped, fault = writer.kept, writer.dropped, None
    read_as: tuple[str, ...] = ()
    said = [frame.note]
    try:
        cells = extract_frame(frame, extraction, segmentation)
        frame = cells.frame
        seen.add(cells)
        writer.add(specimen, cells)
        read_as, said = cells.read_as, [frame.note, cells.cells.none_kept]
        writer.notes += [
            f"{frame.name}: {without_root(note, collection.root)}"
            for note in cells.notes
        ]
    except (BadImageError, BadMaskError) as met:
        fault = str(met)
        writer.faults[frame.name] = without_root(fault, collection.root)
    writer.files += [fingerprint(collection.root, path) for path in files_of(frame)]
    new = writer.kept - kept, writer.dropped - dropped
    mended = frame.mended is not None and fault is None
    note = "; ".join(words for words in said if words)
    return ExtractionProgress(
        done, total, frame.name, *new, fault, note, mended, read_as
    )


def _finish(
    writer: CellWriter,
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
        "version": our_version(),
        "layout": collection.layout,
        "vocabulary": collection.vocabulary.name,
        "root": recorded_root(collection.root, out),
        "cells": writer.n,
        "dropped": writer.dropped,
        "extraction": extraction.model_dump(mode="json"),
        "segmentation": segmentation.model_dump(mode="json"),
        "original_masks": writer.original_masks,
        "specimens_from": collection.specimens_from,
        "notes": [*collection.notes, *writer.notes],
        "faults": writer.faults,
        "pixel_sizes": writer.pixel_sizes,
        "files": writer.files,
    }
    writer.commit(source)
