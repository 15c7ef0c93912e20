"""The cell set: the cells that an experiment trains and tests on.

Images are packed once to uint8 at the classifier's input size, whatever they came as:
Task-1's cells of 54 to 111 pixels, or 77 x 77 crops of a cell folder or of frames. The
pack is cached on disk under a name that changes with any of its sources, so that many
processes map one copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cell_folder import is_cell_folder, read_cell_folder
from training.data.extraction import cell_id, extract_frame
from training.data.images import read_frame, storage_error, write_array, write_json
from training.data.layouts import CellFile, Collection, read_collection
from training.data.reviewed import apply_decisions, standing_decisions
from training.errors import BadCellsError, BadMaskError
from training.patterns import VOCABULARIES, Vocabulary

CACHE_VARIABLE = "HEP2_CACHE"
"""Environment variable that names another folder for the cache of packed cells."""

_CACHE_FORMAT = 1


@dataclass(frozen=True)
class CellSet:
    """Cells with their patterns and specimens.

    Attributes
    ----------
    images : (N, S, S) uint8
    patterns : (N,) int64
        Index in the order of `vocabulary`.
    specimens : (N,) str
        Empty strings where the data name no specimens.
    ids : (N,) str
    vocabulary
        The patterns in use.
    source
        The folder and layout it came from, for people.
    notes
        Sentences that the user should read.
    """

    images: npt.NDArray[np.uint8]
    patterns: npt.NDArray[np.int64]
    specimens: npt.NDArray[np.str_]
    ids: npt.NDArray[np.str_]
    vocabulary: Vocabulary
    source: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def has_specimens(self) -> bool:
        """Whether every cell carries a specimen id."""
        return bool(np.all(self.specimens != ""))

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides a result: pixels, patterns, specimens, order."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(np.ascontiguousarray(self.images).tobytes())
        digest.update(np.ascontiguousarray(self.patterns).tobytes())
        digest.update("\n".join(self.specimens).encode())
        digest.update("\n".join(self.vocabulary.names).encode())
        return digest.hexdigest()

    def count_specimens(self) -> dict[str, int]:
        """Return the number of specimens of each pattern."""
        return {
            name: len(np.unique(self.specimens[self.patterns == k]))
            for k, name in enumerate(self.vocabulary.names)
        }

    def take(self, rows: npt.NDArray[np.int64]) -> CellSet:
        """Return the cells of these rows, in this order."""
        return CellSet(
            self.images[rows],
            self.patterns[rows],
            self.specimens[rows],
            self.ids[rows],
            self.vocabulary,
            self.source,
            self.notes,
        )


def pack_images(
    images: Iterable[npt.NDArray[Any]], size: int, top: int = 255
) -> npt.NDArray[np.uint8]:
    """Resize grey images to `size` and pack them as uint8.

    Parameters
    ----------
    images : each (H, W) uint8 or uint16
    size
        Side of the square result in pixels.
    top
        The grey value that becomes 255; see `full_scale`.

    Returns
    -------
    packed : (N, size, size) uint8
        Bilinear, with the support widened when shrinking, as Pillow does it.
    """
    packed = [_pack_one(image, size, top) for image in images]
    return np.stack(packed) if packed else np.zeros((0, size, size), np.uint8)


def full_scale(images: npt.NDArray[Any]) -> int:
    """Return the full scale of a stack: 255, or 4095 or 65535 for 16-bit files."""
    if images.dtype == np.uint8:
        return 255
    return 4095 if images.size == 0 or images.max() <= 4095 else 65535


def _pack_one(image: npt.NDArray[Any], size: int, top: int) -> npt.NDArray[np.uint8]:
    if image.dtype != np.uint8:
        image = np.clip(image * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.uint8)


def load_cell_set(path: Path, input_size: int = 60, layout: str = "auto") -> CellSet:
    """Load every usable cell of a folder; see `load_packed`."""
    return load_packed(path, input_size, layout)[0]


def load_packed(
    path: Path, input_size: int = 60, layout: str = "auto"
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
    key = _cache_key(path, input_size, layout)
    cached = _cache_folder() / f"cells-{key}"
    if (cached / "cells.json").is_file():
        return read_cell_set(cached), cached
    if is_cell_folder(path):
        cells = _from_cell_folder(path, input_size)
    else:
        collection = read_collection(path, layout)
        reader = _from_cell_files if collection.cells else _from_frames
        cells = reader(collection, input_size)
    write_cell_set(cells, cached)
    return read_cell_set(cached), cached


def write_cell_set(cells: CellSet, folder: Path) -> None:
    """Write a cell set as `images.npy` and `cells.json`, whole or not at all."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        write_array(part / "images.npy", cells.images)
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
            },
        )
        if not folder.exists():
            part.replace(folder)
    except OSError as fault:
        raise storage_error(folder, fault) from fault
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read_cell_set(folder: Path) -> CellSet:
    """Read what `write_cell_set` wrote; the images are memory-mapped.

    Raises
    ------
    BadCellsError
        If the folder is broken.
    """
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
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


def _from_cell_files(collection: Collection, size: int) -> CellSet:
    images = pack_images((_read_cell(cell) for cell in collection.cells), size)
    patterns = [collection.vocabulary.index(c.pattern) for c in collection.cells]
    return _checked(
        collection,
        images,
        patterns,
        [cell.specimen or "" for cell in collection.cells],
        [cell.id for cell in collection.cells],
        list(collection.notes),
    )


def _read_cell(cell: CellFile) -> npt.NDArray[np.uint8]:
    pixels = read_frame(cell.image).pixels
    if pixels.dtype == np.uint8:
        return pixels
    return np.clip(pixels * (255.0 / full_scale(pixels)) + 0.5, 0, 255).astype(np.uint8)


def _from_frames(collection: Collection, size: int) -> CellSet:
    """Cut the frames of every specimen that has a pattern; note what is left out."""
    packs: list[npt.NDArray[np.uint8]] = []
    patterns: list[int] = []
    specimens: list[str] = []
    ids: list[str] = []
    notes = list(collection.notes)
    for specimen in collection.specimens:
        if specimen.pattern is None:
            notes.append(f"specimen {specimen.id} has no pattern and was left out")
            continue
        for frame in specimen.frames:
            try:
                cut = extract_frame(frame, ExtractionSettings(), SegmentationSettings())
            except BadMaskError as fault:
                notes.append(str(fault))
                continue
            kept = (cut.cells.table["dropped"] == "").to_numpy()
            crops = cut.cells.crops[kept]
            packs.append(pack_images(crops, size, full_scale(crops)))
            labels = cut.cells.table.loc[kept, "label"]
            ids.extend(cell_id(frame.name, int(label)) for label in labels)
            index = collection.vocabulary.index(specimen.pattern)
            patterns.extend([index] * len(crops))
            specimens.extend([specimen.id] * len(crops))
    images = np.concatenate(packs) if packs else np.zeros((0, size, size), np.uint8)
    return _checked(collection, images, patterns, specimens, ids, notes)


def _from_cell_folder(path: Path, size: int) -> CellSet:
    """Take the cells that the extraction kept, as reviewers changed them."""
    folder = read_cell_folder(path)
    table, notes = apply_decisions(folder.table, standing_decisions(path))
    rows = np.flatnonzero((table["dropped"] == "") & (table["pattern"] != ""))
    vocabulary = VOCABULARIES[folder.source["vocabulary"]]
    chosen = table.iloc[rows]
    top = full_scale(folder.crops)
    return _checked(
        Collection("cells", path, vocabulary),
        pack_images((folder.crops[row] for row in rows), size, top),
        [vocabulary.index(name) for name in chosen["pattern"]],
        chosen["specimen"].astype(str).tolist(),
        chosen["id"].tolist(),
        notes,
    )


def _checked(
    collection: Collection,
    images: npt.NDArray[np.uint8],
    patterns: Sequence[int],
    specimens: Sequence[str],
    ids: Sequence[str],
    notes: list[str],
) -> CellSet:
    """Leave out blank images: they carry nothing and look like copies of each other."""
    keep = np.flatnonzero(np.any(images != images[:, :1, :1], axis=(1, 2)))
    if len(keep) < len(images):
        notes.append(f"{len(images) - len(keep)} blank cells were left out")
    if len(keep) == 0:
        raise BadCellsError(
            collection.root,
            "it holds no cell with a pattern",
            "give the pattern of each specimen in its table",
        )
    return CellSet(
        images[keep],
        np.asarray(patterns, np.int64)[keep],
        np.asarray(specimens, np.str_)[keep],
        np.asarray(ids, np.str_)[keep],
        collection.vocabulary,
        f"{collection.root.name} ({collection.layout})",
        tuple(notes),
    )


def _cache_folder() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_cache_dir("napari-hep2"))


def _cache_key(path: Path, input_size: int, layout: str) -> str:
    """Hash names, sizes and times of all files, so that any change is noticed."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(repr((_CACHE_FORMAT, str(path.resolve()), input_size)).encode())
    digest.update(repr((layout, ExtractionSettings(), SegmentationSettings())).encode())
    for folder, _, names in sorted(os.walk(path)):
        for name in sorted(names):
            status = (Path(folder) / name).stat()
            digest.update(repr((folder, name, status.st_size)).encode())
            digest.update(str(status.st_mtime_ns).encode())
    return digest.hexdigest()
