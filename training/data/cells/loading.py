"""Loads the cells of a folder, packed, from a cache on disk where it is still true.

They are packed cell by cell or frame by frame: memory holds no more images than that.
The cache has a name that changes with any of its sources, so that many processes map
one copy.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import platformdirs

from training.config import (
    ExtractionSettings,
    SegmentationSettings,
    SimulationSettings,
)
from training.data.cells.cell_set import SIMULATED, CellSet, pack_images, pack_masks
from training.data.cells.duplicate_frames import PicturesSeen
from training.data.cells.extraction import (
    FrameCells,
    cell_id,
    crop_boxes,
    extract_frame,
)
from training.data.cells.files import CELLS
from training.data.cells.folder import is_cell_folder, read_cell_folder
from training.data.cells.packed import (
    CACHE_FORMAT,
    PackedWriter,
    read_cell_set,
    write_cell_set,
    write_joined,
)
from training.data.layouts import Collection, read_collection
from training.data.layouts.edited_masks import edit_notes
from training.data.masks.files import read_mask
from training.data.masks.single_crops import crop_mask
from training.data.simulation import simulate, simulated_specimens, simulation_hash
from training.decisions.applied import ReviewManifest, Rule, review_cells
from training.errors import BadCellsError, BadMaskError, BadSettingError
from training.patterns import VOCABULARIES
from training.storage.images import read_frame
from training.storage.shown_paths import shown_fault

__all__ = [
    "CACHE_VARIABLE",
    "cache_folder",
    "load_cell_set",
    "load_packed",
    "read_cell_set",
    "write_cell_set",
]

_LONGEST = 300
"""Characters that are shown of what a file says of its origin."""

CACHE_VARIABLE = "HEP2_CACHE"
"""Environment variable that names another folder for the cache."""


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
    reviewed: Rule = "not-rejected",
    simulated: SimulationSettings | None = None,
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
    reviewed : {'not-rejected', 'accepted'}
        Which cells of a cell folder are used, by the decisions of its reviewers.
    simulated
        Specimens that are simulated, trained on and never tested.

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
    BadSettingError
        If only accepted cells are asked for and no folder is one that is reviewed.
    """
    if reviewed == "accepted" and not any(
        is_cell_folder(folder) for folder in (path, extra) if folder is not None
    ):
        raise BadSettingError(
            "reviewed=accepted",
            f"{path} is not a cell folder, so none of its cells is accepted",
            "extract a cell folder and review it",
        )
    found = _load_one(path, input_size, layout, masks, reviewed)
    if extra is not None:
        other = _load_one(extra, input_size, "auto", masks, reviewed)
        found = _join(found, other, "extra/")
    if simulated is not None:
        drawn = _load_simulated(simulated, input_size, masks)
        found = _join(found, drawn, SIMULATED)
    return found


def _join(
    own: tuple[CellSet, Path], extra: tuple[CellSet, Path], prefix: str
) -> tuple[CellSet, Path]:
    """Return cells with others that are trained on only, from the cache."""
    name = hashlib.blake2b(
        f"{own[1].name} {prefix} {extra[1].name}".encode(), digest_size=12
    ).hexdigest()
    joined = cache_folder() / f"cells-{name}"
    if not (joined / "cells.json").is_file():
        write_joined(own[0], extra[0], joined, prefix)
    extra_reviews = (replace(one, extra=True) for one in extra[0].reviews)
    reviews = *own[0].reviews, *extra_reviews
    return replace(read_cell_set(joined), reviews=reviews), joined


def _load_simulated(
    settings: SimulationSettings, input_size: int, masks: bool
) -> tuple[CellSet, Path]:
    """Simulate specimens and pack their cells; only these are kept."""
    drawn = settings.model_dump_json(), simulation_hash(), ExtractionSettings()
    asked = repr((CACHE_FORMAT, input_size, masks, drawn)).encode()
    name = hashlib.blake2b(asked, digest_size=12).hexdigest()
    cached = cache_folder() / f"cells-{name}"
    if not (cached / "cells.json").is_file():
        with (
            tempfile.TemporaryDirectory() as folder,
            PackedWriter(cached) as writer,
        ):
            path = Path(folder) / f"{settings.specimens} simulated specimens"
            for _ in simulate(path, settings):
                pass
            _pack(path, input_size, "auto", masks, "not-rejected", writer)
    return read_cell_set(cached), cached


def _load_one(
    path: Path, input_size: int, layout: str, masks: bool, reviewed: Rule
) -> tuple[CellSet, Path]:
    key = _cache_key(path, input_size, layout, masks, reviewed)
    cached = cache_folder() / f"cells-{key}"
    if not (cached / "cells.json").is_file():
        with PackedWriter(cached) as writer:
            _pack(path, input_size, layout, masks, reviewed, writer)
    cells = read_cell_set(cached)
    reviews = tuple(review.stored_in(path) for review in cells.reviews)
    return replace(cells, reviews=reviews), cached


def _pack(
    path: Path,
    input_size: int,
    layout: str,
    masks: bool,
    reviewed: Rule,
    writer: PackedWriter,
) -> None:
    if is_cell_folder(path):
        _pack_cell_folder(path, input_size, masks, reviewed, writer)
        return
    collection = read_collection(path, layout)
    notes = (*collection.notes, *edit_notes(collection))
    collection = replace(collection, notes=notes)
    if simulated_specimens(path) is not None:
        notes = ("the cells are simulated", *collection.notes)
        collection = replace(collection, notes=notes)
    pack = _pack_cell_files if collection.cells else _pack_frames
    pack(_Gathered(writer, collection), input_size, masks)


@dataclass
class _Gathered:
    """Cells as they are read: each goes to the disk, blank ones are left out.

    Blank images carry nothing and look like copies of each other.
    """

    writer: PackedWriter
    collection: Collection
    made: int = 0
    blank: int = 0

    def add(
        self,
        images: npt.NDArray[np.uint8],
        masks: npt.NDArray[np.bool_] | None,
        pattern: str,
        specimen: str,
        ids: list[str],
    ) -> None:
        """Add cells of one specimen; `images` (n, S, S), `masks` likewise."""
        kept = np.flatnonzero(np.any(images != images[:, :1, :1], axis=(1, 2)))
        self.blank += len(images) - len(kept)
        self.writer.add(
            images[kept],
            None if masks is None else masks[kept],
            [self.collection.vocabulary.index(pattern)] * len(kept),
            [specimen] * len(kept),
            [ids[k] for k in kept],
        )

    def make_masks(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return the masks that images of cells show, and count them."""
        self.made += len(images)
        return np.stack([crop_mask(image) for image in images])

    def finish(
        self, notes: list[str], reviews: tuple[ReviewManifest, ...] = ()
    ) -> None:
        """Return the cells at their place, with the notes for the user.

        Raises
        ------
        BadCellsError
            If none was added.
        """
        collection, notes = self.collection, list(notes)
        if self.writer.n == 0:
            raise BadCellsError(
                collection.root,
                "it holds no cell with a pattern",
                "give the pattern of each specimen in its table",
            )
        if self.blank:
            notes.append(f"{self.blank} blank cells were left out")
        if self.made:
            notes.append(f"{self.made} cells have no mask: one was made from the crop")
        source = f"{collection.root.name} ({collection.layout})"
        self.writer.finish(
            collection.vocabulary,
            source,
            notes,
            reviews=reviews,
            specimens_from=collection.specimens_from,
        )


def _pack_cell_files(gathered: _Gathered, size: int, masks: bool) -> None:
    for cell in gathered.collection.cells:
        pixels = read_frame(cell.image).pixels
        image = pack_images([pixels], size)
        mask = None
        if masks and cell.mask is not None and cell.mask.is_file():
            mask = pack_masks([read_mask(cell.mask, pixels.shape) > 0], size)
        elif masks:
            mask = gathered.make_masks(image)
        gathered.add(image, mask, cell.pattern, cell.specimen or "", [cell.id])
    gathered.finish(list(gathered.collection.notes))


def _pack_frames(gathered: _Gathered, size: int, masks: bool) -> None:
    """Cut the frames of every specimen that has a pattern; note what is left out."""
    notes, seen = list(gathered.collection.notes), PicturesSeen()
    for specimen in gathered.collection.specimens:
        if specimen.pattern is None:
            notes.append(f"specimen {specimen.id} has no pattern and was left out")
            continue
        for frame in specimen.frames:
            try:
                cut = extract_frame(frame, ExtractionSettings(), SegmentationSettings())
                seen.add(cut)
            except BadMaskError as fault:
                notes.append(shown_fault(fault))
                continue
            kept = np.flatnonzero((cut.cells.table["dropped"] == "").to_numpy())
            if len(kept) == 0:
                continue
            crops = cut.cells.crops[kept]
            images = pack_images(crops, size)
            cut_masks = pack_masks(_masks_of(cut, kept), size) if masks else None
            labels = cut.cells.table["label"].to_numpy()[kept]
            ids = [cell_id(frame.name, int(label)) for label in labels]
            gathered.add(images, cut_masks, specimen.pattern, specimen.id, ids)
    gathered.finish(notes)


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


def _pack_cell_folder(
    path: Path, size: int, masks: bool, reviewed: Rule, writer: PackedWriter
) -> None:
    """Take the cells that the extraction kept, as reviewers changed them."""
    folder = read_cell_folder(path)
    review = review_cells(path, folder.table, reviewed)
    table = review.table
    rows = _with_pattern(table)
    if not len(rows) and len(_with_pattern(folder.table)):
        raise BadCellsError(
            path,
            "the reviewers' decisions leave no cell with a pattern",
            "accept some cells, or train without reviewed=accepted",
        )
    vocabulary = VOCABULARIES[folder.source["vocabulary"]]
    named_by = f"column 'specimen' of {CELLS}"
    if first := folder.source.get("specimens_from"):
        named_by += f", first {str(first)[:_LONGEST]}"
    collection = Collection("cells", path, vocabulary, specimens_from=named_by)
    gathered = _Gathered(writer, collection)
    columns = (table[name].to_numpy()[rows] for name in ("pattern", "specimen", "id"))
    for row, pattern, specimen, name in zip(rows, *columns, strict=True):
        image = pack_images([folder.crops[row]], size)
        mask = gathered.make_masks(image) if masks else None
        gathered.add(image, mask, str(pattern), str(specimen), [str(name)])
    notes = review.notes
    if folder.root is not None and simulated_specimens(folder.root) is not None:
        notes = ["the cells are simulated", *notes]
    gathered.finish(notes, (review.manifest,))


def _with_pattern(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    return np.flatnonzero((table["dropped"] == "") & (table["pattern"] != ""))


def cache_folder() -> Path:
    """Return the folder of everything that can be computed again."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_cache_dir("napari-hep2"))


def _cache_key(
    path: Path, input_size: int, layout: str, masks: bool, reviewed: Rule
) -> str:
    """Hash names, sizes and times of all files, so that any change is noticed."""
    digest = hashlib.blake2b(digest_size=12)
    asked = (CACHE_FORMAT, str(path.resolve()), input_size, masks, reviewed)
    digest.update(repr(asked).encode())
    digest.update(repr((layout, ExtractionSettings(), SegmentationSettings())).encode())
    for folder, _, names in sorted(os.walk(path)):
        for name in sorted(names):
            # A link to nowhere is not data, nor is a journal that has just gone.
            with suppress(FileNotFoundError):
                status = (Path(folder) / name).stat()
                digest.update(repr((folder, name, status.st_size)).encode())
                digest.update(str(status.st_mtime_ns).encode())
    return digest.hexdigest()
