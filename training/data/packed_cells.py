"""Loads the cells of a folder, packed, from a cache on disk where it is still true.

The cache has a name that changes with any of its sources, so that many processes map
one copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cell_folder import is_cell_folder, read_cell_folder
from training.data.cells import CellSet, full_scale, join, pack_images, pack_masks
from training.data.crop_masks import crop_mask
from training.data.extraction import FrameCells, cell_id, crop_boxes, extract_frame
from training.data.images import (
    read_frame,
    read_mask,
    storage_error,
    write_array,
    write_json,
)
from training.data.layouts import CellFile, Collection, read_collection
from training.data.reviewed import apply_decisions, standing_decisions
from training.data.simulation import simulated_specimens
from training.errors import BadCellsError, BadMaskError
from training.patterns import VOCABULARIES

CACHE_VARIABLE = "HEP2_CACHE"
"""Environment variable that names another folder for the cache."""

_CACHE_FORMAT = 2


def load_cell_set(path: Path, input_size: int = 60, layout: str = "auto") -> CellSet:
    """Load every usable cell of a folder; see `load_packed`."""
    return load_packed(path, input_size, layout)[0]


def load_packed(
    path: Path,
    input_size: int = 60,
    layout: str = "auto",
    *,
    extra: Path | None = None,
    masks: bool = False,
) -> tuple[CellSet, Path]:
    """Load every usable cell of a folder, from the cache where it is still true.

    Parameters
    ----------
    path
        A cell folder or any layout that `read_collection` knows.
    input_size
        Side of the packed images in pixels.
    layout
        Name of the layout, or ``auto``.
    extra
        A folder of cells that are trained on and never tested.
    masks
        Whether the nuclei's masks are needed. Where the data have none they are made
        from the crops, and a note says so.

    Returns
    -------
    cells
        With memory-mapped images.
    packed
        The folder of the cache that other processes can read too.

    Raises
    ------
    BadLayoutError, BadImageError, BadMaskError, UnknownPatternError
        As the readers do.
    BadCellsError
        If no cell with a pattern is left.
    """
    own, packed = _load_one(path, input_size, layout, masks)
    if extra is None:
        return own, packed
    other, other_packed = _load_one(extra, input_size, "auto", masks)
    name = hashlib.blake2b(
        f"{packed.name} {other_packed.name}".encode(), digest_size=12
    ).hexdigest()
    joined = cache_folder() / f"cells-{name}"
    if not (joined / "cells.json").is_file():
        write_cell_set(join(own, other), joined)
    return read_cell_set(joined), joined


def _load_one(
    path: Path, input_size: int, layout: str, masks: bool
) -> tuple[CellSet, Path]:
    cached = cache_folder() / f"cells-{_cache_key(path, input_size, layout, masks)}"
    if not (cached / "cells.json").is_file():
        write_cell_set(_read(path, input_size, layout, masks), cached)
    return read_cell_set(cached), cached


def _read(path: Path, input_size: int, layout: str, masks: bool) -> CellSet:
    if is_cell_folder(path):
        return _from_cell_folder(path, input_size, masks)
    collection = read_collection(path, layout)
    reader = _from_cell_files if collection.cells else _from_frames
    cells = reader(collection, input_size, masks)
    if simulated_specimens(path) is None:
        return cells
    return replace(cells, notes=("the cells are simulated", *cells.notes))


def write_cell_set(cells: CellSet, folder: Path) -> None:
    """Write a cell set as `images.npy` and `cells.json`, whole or not at all."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        write_array(part / "images.npy", cells.images)
        if cells.masks is not None:
            write_array(part / "masks.npy", cells.masks)
        write_json(
            part / "cells.json",
            {
                "format": _CACHE_FORMAT,
                "vocabulary": cells.vocabulary.name,
                "source": cells.source,
                "notes": list(cells.notes),
                "patterns": cells.patterns.tolist(),
                "specimens": cells.specimens.tolist(),
                "ids": cells.ids.tolist(),
                "extra": None if cells.extra is None else cells.extra.tolist(),
            },
        )
        if not folder.exists():
            part.replace(folder)
    except OSError as fault:
        raise storage_error(folder, fault) from fault
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read_cell_set(folder: Path) -> CellSet:
    """Read what `write_cell_set` wrote; the images and masks are memory-mapped.

    Raises
    ------
    BadCellsError
        If the folder is broken.
    """
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        masks = None
        if (folder / "masks.npy").is_file():
            masks = np.load(folder / "masks.npy", mmap_mode="r", allow_pickle=False)
        table = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
        vocabulary = VOCABULARIES[table["vocabulary"]]
        cells = CellSet(
            images,
            np.asarray(table["patterns"], np.int64),
            np.asarray(table["specimens"], np.str_),
            np.asarray(table["ids"], np.str_),
            vocabulary,
            table["source"],
            tuple(table["notes"]),
            masks,
            None if table["extra"] is None else np.asarray(table["extra"], bool),
        )
    except (OSError, ValueError, KeyError) as fault:
        raise BadCellsError(
            folder, "the packed cells are damaged", "delete this folder; it is rebuilt"
        ) from fault
    if not len(cells.images) == len(cells.patterns) == len(cells.ids):
        raise BadCellsError(
            folder, "the packed cells are damaged", "delete this folder; it is rebuilt"
        )
    return cells


@dataclass
class _Gathered:
    """Cells as they are read, one list a column."""

    images: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    masks: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    patterns: list[int] = field(default_factory=list)
    specimens: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    made: int = 0

    def add(
        self,
        images: npt.NDArray[np.uint8],
        masks: npt.NDArray[np.bool_] | None,
        pattern: int,
        specimen: str,
        ids: list[str],
    ) -> None:
        """Add cells of one specimen; `images` (n, S, S), `masks` likewise."""
        self.images.append(images)
        if masks is not None:
            self.masks.append(masks)
        self.patterns += [pattern] * len(images)
        self.specimens += [specimen] * len(images)
        self.ids += ids

    def make_masks(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return the masks that images of cells show, and count them."""
        self.made += len(images)
        return np.stack([crop_mask(image) for image in images])


def _from_cell_files(collection: Collection, size: int, masks: bool) -> CellSet:
    gathered = _Gathered()
    for cell in collection.cells:
        pixels = _read_cell(cell)
        image = pack_images([pixels], size)
        mask = None
        if masks and cell.mask is not None and cell.mask.is_file():
            mask = pack_masks([read_mask(cell.mask, pixels.shape) > 0], size)
        elif masks:
            mask = gathered.make_masks(image)
        index = collection.vocabulary.index(cell.pattern)
        gathered.add(image, mask, index, cell.specimen or "", [cell.id])
    return _checked(collection, gathered, list(collection.notes))


def _read_cell(cell: CellFile) -> npt.NDArray[np.uint8]:
    pixels = read_frame(cell.image).pixels
    if pixels.dtype == np.uint8:
        return pixels
    return np.clip(pixels * (255.0 / full_scale(pixels)) + 0.5, 0, 255).astype(np.uint8)


def _from_frames(collection: Collection, size: int, masks: bool) -> CellSet:
    """Cut the frames of every specimen that has a pattern; note what is left out."""
    gathered = _Gathered()
    notes = list(collection.notes)
    for specimen in collection.specimens:
        if specimen.pattern is None:
            notes.append(f"specimen {specimen.id} has no pattern and was left out")
            continue
        index = collection.vocabulary.index(specimen.pattern)
        for frame in specimen.frames:
            try:
                cut = extract_frame(frame, ExtractionSettings(), SegmentationSettings())
            except BadMaskError as fault:
                notes.append(str(fault))
                continue
            kept = np.flatnonzero((cut.cells.table["dropped"] == "").to_numpy())
            if len(kept) == 0:
                continue
            crops = cut.cells.crops[kept]
            images = pack_images(crops, size, full_scale(crops))
            cut_masks = pack_masks(_masks_of(cut, kept), size) if masks else None
            labels = cut.cells.table["label"].to_numpy()[kept]
            ids = [cell_id(frame.name, int(label)) for label in labels]
            gathered.add(images, cut_masks, index, specimen.id, ids)
    return _checked(collection, gathered, notes)


def _masks_of(
    cut: FrameCells, rows: npt.NDArray[np.int64]
) -> list[npt.NDArray[np.bool_]]:
    """Return the nucleus of each crop, (S, S) bool, cut as the crop was."""
    table, size = cut.cells.table.iloc[rows], cut.cells.crops.shape[1]
    boxes = crop_boxes(table["y"].to_numpy(), table["x"].to_numpy(), size)
    padded = np.pad(cut.labels, size)
    return [
        padded[y0 + size : y1 + size, x0 + size : x1 + size] == label
        for (y0, x0, y1, x1), label in zip(boxes, table["label"], strict=True)
    ]


def _from_cell_folder(path: Path, size: int, masks: bool) -> CellSet:
    """Take the cells that the extraction kept, as reviewers changed them."""
    folder = read_cell_folder(path)
    table, notes = apply_decisions(folder.table, standing_decisions(path))
    rows = np.flatnonzero((table["dropped"] == "") & (table["pattern"] != ""))
    vocabulary = VOCABULARIES[folder.source["vocabulary"]]
    gathered = _Gathered()
    top = full_scale(folder.crops)
    for row in rows:
        cell = table.iloc[row]
        image = pack_images([folder.crops[row]], size, top)
        mask = gathered.make_masks(image) if masks else None
        index = vocabulary.index(cell["pattern"])
        gathered.add(image, mask, index, str(cell["specimen"]), [cell["id"]])
    return _checked(Collection("cells", path, vocabulary), gathered, notes)


def _checked(collection: Collection, cells: _Gathered, notes: list[str]) -> CellSet:
    """Leave out blank images: they carry nothing and look like copies of each other."""
    nothing = np.zeros((0, 1, 1), np.uint8)
    images = np.concatenate([nothing] if not cells.images else cells.images)
    keep = np.flatnonzero(np.any(images != images[:, :1, :1], axis=(1, 2)))
    if len(keep) < len(images):
        notes.append(f"{len(images) - len(keep)} blank cells were left out")
    if len(keep) == 0:
        raise BadCellsError(
            collection.root,
            "it holds no cell with a pattern",
            "give the pattern of each specimen in its table",
        )
    if cells.made:
        notes.append(f"{cells.made} cells have no mask: it was made from the crop")
    return CellSet(
        images,
        np.asarray(cells.patterns, np.int64),
        np.asarray(cells.specimens, np.str_),
        np.asarray(cells.ids, np.str_),
        collection.vocabulary,
        f"{collection.root.name} ({collection.layout})",
        tuple(notes),
        np.concatenate(cells.masks) if cells.masks else None,
    ).take(keep)


def cache_folder() -> Path:
    """Return the folder of everything that can be computed again."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_cache_dir("napari-hep2"))


def _cache_key(path: Path, input_size: int, layout: str, masks: bool) -> str:
    """Hash names, sizes and times of all files, so that any change is noticed."""
    digest = hashlib.blake2b(digest_size=12)
    asked = (_CACHE_FORMAT, str(path.resolve()), input_size, masks)
    digest.update(repr(asked).encode())
    digest.update(repr((layout, ExtractionSettings(), SegmentationSettings())).encode())
    for folder, _, names in sorted(os.walk(path)):
        for name in sorted(names):
            status = (Path(folder) / name).stat()
            digest.update(repr((folder, name, status.st_size)).encode())
            digest.update(str(status.st_mtime_ns).encode())
    return digest.hexdigest()
