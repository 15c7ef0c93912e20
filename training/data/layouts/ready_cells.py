"""Cells that come already cut: I3A Task-1, and the ICPR 2012 contest (MIVIA)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from training.data.layouts.collection import CellFile, Collection
from training.data.layouts.files import Listing, files_in, folders_in, list_images
from training.data.layouts.titles import (
    CELLS,
    MIVIA_CELLS,
    MIVIA_IMAGES,
    SPECIMENS,
)
from training.data.layouts.truth import (
    Truth,
    TruthTable,
    count_note,
    id_key,
    keyed,
    read_groups,
    read_truth,
)
from training.errors import BadLayoutError, SpecimensError
from training.patterns import I3A, MIVIA
from training.storage.paths import by_name

_NO_SPECIMENS = (
    "The specimens of the cells are not known: leave-one-specimen-out and grouped "
    "folds need {}."
)


def read_task1(root: Path) -> Collection:
    """Read ``gt_training.csv`` and ``train/NNNNN.png`` with ``_Mask`` beside.

    Specimens come from ``specimens.csv`` (``Image ID,Specimen``), else from a column of
    ``gt_training.csv``; see `training.data.layouts.titles`.

    Raises
    ------
    BadLayoutError, UnknownPatternError, SpecimensError
        With one sentence on what is missing or wrong.
    """
    tables = files_in(root, root, {".csv"})
    table = _needed(root, by_name(tables, "gt_training.csv"), "gt_training.csv")
    folder = _needed(root, by_name(folders_in(root, root), "train"), "train")
    listing = _filled(list_images(root, folder))
    side = by_name(tables, "specimens.csv")
    truth = read_truth(table, I3A, CELLS, specimens=side is None)
    groups, named_by = (
        read_groups(side, CELLS, SPECIMENS) if side else _groups_of(truth)
    )
    cells = _cells(listing, truth.rows, groups, table, side or table)
    notes = _notes(listing, truth, table)
    if not groups:
        notes += (_NO_SPECIMENS.format("a table specimens.csv (Image ID,Specimen)"),)
    return Collection(
        "task1", root, I3A, cells=cells, notes=notes, specimens_from=named_by
    )


def read_mivia(root: Path) -> Collection:
    """Read ``gt_*.csv`` and ``NNN.png`` with ``_mask`` beside, in `root` or below.

    The images of ``gt_training.csv`` may lie in a folder ``training``, and so on. The
    image that a cell was cut from, given in ``cells.csv``, is its specimen.

    Raises
    ------
    BadLayoutError, UnknownPatternError, SpecimensError
        With one sentence on what is missing or wrong.
    """
    cells: list[CellFile] = []
    notes: tuple[str, ...] = ()
    named: list[str] = []
    tables = mivia_tables(root)
    if not tables:
        raise BadLayoutError(
            root, "it has no table gt_*.csv", "put it beside the images"
        )
    for table in tables:
        folder = mivia_folder(root, table)
        truth = read_truth(table, MIVIA, MIVIA_CELLS)
        listing = _filled(list_images(root, folder))
        side = _mivia_side_table(root, folder)
        groups, named_by = (
            read_groups(side, MIVIA_CELLS, SPECIMENS, MIVIA_IMAGES)
            if side
            else ({}, "")
        )
        prefix = f"{table.stem[3:]}_" if len(tables) > 1 else ""
        cells += _cells(listing, truth.rows, groups, table, side or table, prefix)
        notes += _notes(listing, truth, table)
        named += [named_by] if named_by else []
        if not groups:
            notes += (_NO_SPECIMENS.format("the table cells.csv"),)
    return Collection(
        "mivia",
        root,
        MIVIA,
        cells=tuple(cells),
        notes=tuple(dict.fromkeys(notes)),
        specimens_from=" and ".join(dict.fromkeys(named)),
    )


def mivia_tables(root: Path) -> list[Path]:
    """Return the tables ``gt_*.csv`` of a folder."""
    return [
        p for p in files_in(root, root, {".csv"}) if p.name.lower().startswith("gt_")
    ]


def mivia_folder(root: Path, table: Path) -> Path:
    """Return the folder with the images of one table ``gt_*.csv``."""
    part = table.stem[3:].lower()
    for folder in folders_in(root, root):
        name = folder.name.lower()
        if len(name) > 3 and (part.startswith(name) or name.startswith(part)):
            return folder
    return root


def _mivia_side_table(root: Path, folder: Path) -> Path | None:
    return by_name(files_in(root, folder, {".csv"}), "cells.csv") or by_name(
        files_in(root, root, {".csv"}), "cells.csv"
    )


def _cells(
    listing: Listing,
    truth: Mapping[str, Truth],
    groups: Mapping[str, str],
    table: Path,
    side: Path,
    prefix: str = "",
) -> tuple[CellFile, ...]:
    cells = []
    for key, stem in keyed(listing.images, listing.folder).items():
        row = truth.get(key)
        if row is None or row.pattern is None:
            raise BadLayoutError(
                table,
                f"it has no pattern for {listing.images[stem].name}",
                "add its row",
            )
        if groups and key not in groups:
            raise SpecimensError(
                side,
                f"it has no specimen for {listing.images[stem].name}",
                "add its row",
            )
        path, mask = listing.images[stem], listing.mask_of(stem)
        _check_files(listing, stem)
        cells.append(CellFile(prefix + stem, path, mask, row.pattern, groups.get(key)))
    _check_one_pattern_each(cells, side)
    return tuple(cells)


def _groups_of(truth: TruthTable) -> tuple[dict[str, str], str]:
    """Return the specimens that a ground truth table gives, and their column."""
    groups = {key: row.specimen for key, row in truth.rows.items() if row.specimen}
    return groups, truth.specimens_from


def _check_files(listing: Listing, stem: str) -> None:
    """Refuse a cell of two masks or of several channels."""
    files = [one.path for one in listing.channels.get(stem, ())]
    files = files or listing.masks_of(stem)
    if len(files) > 1:
        names = " and ".join(path.name for path in files)
        raise BadLayoutError(
            listing.folder, f"{names} are there of one cell", "keep the one that counts"
        )


def _check_one_pattern_each(cells: list[CellFile], side: Path) -> None:
    patterns: dict[str, set[str]] = defaultdict(set)
    for cell in cells:
        if cell.specimen is not None:
            patterns[cell.specimen].add(cell.pattern)
    for specimen, found in patterns.items():
        if len(found) > 1:
            raise SpecimensError(
                side,
                f"the cells of specimen {specimen} are given as "
                f"{' and as '.join(sorted(found))}",
                "give each specimen one pattern",
            )


def _notes(listing: Listing, truth: TruthTable, table: Path) -> tuple[str, ...]:
    present = {id_key(stem, listing.folder) for stem in listing.images}
    absent = [row.id for key, row in truth.rows.items() if key not in present]
    assumed = (truth.note,) if truth.note else ()
    return (
        *assumed,
        *count_note(
            absent,
            f"of {table.name} has no image",
            f"rows of {table.name} have no image",
        ),
        *count_note(
            listing.without_mask(),
            "has no mask, though the others have one",
            "images have no mask, though the others have one",
        ),
        *listing.notes(),
    )


def _needed(root: Path, path: Path | None, name: str) -> Path:
    if path is None:
        raise BadLayoutError(
            root, f"{name} is missing", "give the folder as the contest released it"
        )
    return path


def _filled(listing: Listing) -> Listing:
    if not listing.images:
        raise BadLayoutError(
            listing.folder, "it holds no images", "unpack the images into it"
        )
    return listing
