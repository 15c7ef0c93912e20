"""A cell folder with the cells of one frame cut anew, after its mask was mended.

All other cells stay byte for byte. The folder is written whole beside the old one, and
takes its place by the renaming of one folder: a reader sees the cells before or after,
whenever the writer is killed. A nucleus keeps its id, and the decisions on it stand, by
the rule of `training.data.cells.identity`; what is written is what ``extract`` would
write now.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import FrameCells, extract_frame
from training.data.cells.files import CELLS, FORMAT, current
from training.data.cells.folder import CellFolder, read_cell_folder
from training.data.cells.writer import (
    CellWriter,
    files_of,
    our_version,
    without_root,
)
from training.data.layouts import Collection, Frame, Specimen
from training.data.layouts.edited_masks import edited_frame
from training.data.masks.history import MENDED
from training.storage.fingerprints import fingerprint


class Recut(NamedTuple):
    """Cells of one frame in the folder before and after, by id: gone and new."""

    gone: tuple[str, ...]
    new: tuple[str, ...]


def recut_frame(folder: Path, collection: Collection, name: str) -> Recut | None:
    """Cut the cells of one frame of a cell folder anew, with the folder's settings.

    Parameters
    ----------
    folder
        The cell folder.
    collection
        The frames that the folder was made from.
    name
        Of the frame.

    Returns
    -------
    recut
        None where the folder has to be written again as a whole, and stays as it is: it
        was made from other frames, with the original masks, or has no cell of this one.

    Raises
    ------
    BadCellsError, BadImageError, BadMaskError
        If the folder or the frame cannot be read.
    StorageError
        If the disk is full or the folder cannot be written; it stays as it is.
    """
    cells = read_cell_folder(folder)
    found = _frame_of(collection, name)
    span = _span(cells, name)
    settings = _settings(cells.source)
    is_ours = cells.root == collection.root.resolve()
    if found is None or span is None or settings is None or not is_ours:
        return None
    if cells.source.get("original_masks"):
        return None
    first = cells.table.iloc[span[0]]
    specimen = replace(
        found[0], id=str(first["specimen"]), pattern=str(first["pattern"]) or None
    )
    made = extract_frame(found[1], *settings)
    _write(cells, collection, specimen, made, span)
    before = cells.table["id"].iloc[slice(*span)].tolist()
    after = read_cell_folder(folder).table
    now = after["id"][after["frame"] == name].tolist()
    gone, new = set(before) - set(now), set(now) - set(before)
    return Recut(
        tuple(one for one in before if one in gone),
        tuple(one for one in now if one in new),
    )


def _frame_of(collection: Collection, name: str) -> tuple[Specimen, Frame] | None:
    for specimen in collection.specimens:
        for frame in specimen.frames:
            if frame.name == name:
                return specimen, edited_frame(frame, collection.root)
    return None


def _span(cells: CellFolder, name: str) -> tuple[int, int] | None:
    """Return the rows of a frame, which stand together, or None where it has none."""
    rows = (cells.table["frame"] == name).to_numpy().nonzero()[0]
    if not len(rows) or rows[-1] - rows[0] + 1 != len(rows):
        return None
    return int(rows[0]), int(rows[-1]) + 1


def _settings(
    source: dict[str, Any],
) -> tuple[ExtractionSettings, SegmentationSettings] | None:
    """Return the settings that the folder was made with, or None if not known.

    One that names no method was made before there was a network.
    """
    try:
        return (
            ExtractionSettings.model_validate(source["extraction"]),
            SegmentationSettings.model_validate(
                {"method": "classical", **source["segmentation"]}
            ),
        )
    except (KeyError, ValidationError):
        return None


def _write(
    cells: CellFolder,
    collection: Collection,
    specimen: Specimen,
    made: FrameCells,
    span: tuple[int, int],
) -> None:
    start, end = span
    with current(cells.path, CELLS).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    name, size = cells.path.name, cells.crops.shape[1]
    with CellWriter.beside(cells.path, size, False) as writer:
        writer.copy(cells.crops[:start], rows[:start], name)
        writer.add(specimen, made)
        writer.copy(cells.crops[end:], rows[end:], name)
        source = _source(cells.source, collection, made)
        sizes = {**source.get("pixel_sizes", {}), **writer.pixel_sizes}
        now: dict[str, Any] = {"cells": writer.n, "dropped": writer.dropped}
        now |= {"format": FORMAT, "pixel_sizes": sizes, "version": our_version()}
        writer.commit({**source, **now})


def _source(
    source: dict[str, Any], collection: Collection, made: FrameCells
) -> dict[str, Any]:
    """Return what the cells were made from, with the files of one frame as they are."""
    frame, root = made.frame, collection.root
    entries = [fingerprint(root, path) for path in files_of(frame)]
    mended = f"{MENDED}/{frame.name}/"
    ours = {entry["name"] for entry in entries}
    known = source["files"]
    old = [e["name"] in ours or e["name"].startswith(mended) for e in known]
    place = old.index(True) if True in old else len(known)
    rest = [entry for entry, is_old in zip(known, old, strict=True) if not is_old]
    notes = [f"{frame.name}: {without_root(note, root)}" for note in made.notes]
    kept = [n for n in source["notes"] if not n.startswith(f"{frame.name}: ")]
    faults = {k: v for k, v in source["faults"].items() if k != frame.name}
    return {
        **source,
        "files": [*rest[:place], *entries, *rest[place:]],
        "notes": [*kept, *notes],
        "faults": faults,
    }
