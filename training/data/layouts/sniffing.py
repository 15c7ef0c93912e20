"""Tell which layout a folder has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.data.layouts.collection import Collection
from training.data.layouts.duplicate_files import without_duplicates
from training.data.layouts.edited_masks import with_edits
from training.data.layouts.files import files_in, folders_in, list_images
from training.data.layouts.folders import holds_images
from training.data.layouts.frames import read_plain, read_task2
from training.data.layouts.ready_cells import (
    mivia_folder,
    mivia_tables,
    read_mivia,
    read_task1,
)
from training.errors import BadLayoutError
from training.storage.paths import by_name

_READERS: dict[str, Callable[[Path], Collection]] = {
    "task1": read_task1,
    "task2": read_task2,
    "mivia": read_mivia,
    "plain": read_plain,
}

LAYOUTS = ("auto", *_READERS)
"""What `read_collection` takes as its layout."""


def read_collection(folder: Path, layout: str = "auto") -> Collection:
    """List a folder's specimens or cells.

    Pixels are read only of images whose names leave open whether they are masks.

    Frames come with the mask that counts: the one edited by hand, where there is one.

    Parameters
    ----------
    folder
        The folder that holds the ground truth table and ``train``, this ``train``
        itself, or a folder with one such folder in it.
    layout : {'auto', 'task1', 'task2', 'mivia', 'plain'}
        How the folder is laid out; 'auto' finds out.

    Raises
    ------
    BadLayoutError
        If the folder is missing, has none of the layouts, or lacks a file or a row.
    UnknownPatternError
        If a table names a pattern that the vocabulary does not hold.
    SpecimensError
        If a cell has two specimens, or a specimen two patterns.
    """
    if layout not in LAYOUTS:
        raise BadLayoutError(
            layout, "there is no such layout", f"use one of {', '.join(LAYOUTS)}"
        )
    if not folder.is_dir():
        raise BadLayoutError(folder, "there is no such folder", "check its name")
    root = _root(folder.resolve())
    collection = _READERS[find_layout(root) if layout == "auto" else layout](root)
    return with_edits(without_duplicates(collection))


def find_layout(root: Path) -> str:
    """Return the layout of a folder that holds its tables directly.

    Raises
    ------
    BadLayoutError
        If it has none of the four.
    """
    names = {path.name.lower() for path in files_in(root, root, {".csv", ".npy"})}
    if {"crops.npy", "cells.csv"} <= names:
        raise BadLayoutError(
            root, "it is a cell folder, with cells already cut", "open it as cells"
        )
    has_train = by_name(folders_in(root, root), "train") is not None
    if "gt_train.csv" in names:
        return "task2"
    if "gt_training.csv" in names and (has_train or not _is_mivia(root)):
        return "task1"
    if mivia_tables(root):
        return "mivia"
    if holds_images(root, root):
        return "plain"
    raise BadLayoutError(
        root,
        "it has neither images nor a ground truth table",
        "give the folder of a data set or of images",
    )


def _is_mivia(root: Path) -> bool:
    tables = mivia_tables(root)
    beside = by_name(files_in(root, root, {".csv"}), "cells.csv") is not None
    apart = any(mivia_folder(root, table) != root for table in tables)
    return beside or apart or len(tables) > 1 or bool(list_images(root, root).images)


def _root(folder: Path) -> Path:
    if _has_truth(folder):
        return folder
    if folder.name.lower() == "train" and _has_truth(folder.parent):
        return folder.parent
    below = [path for path in folders_in(folder, folder) if _has_truth(path)]
    if len(below) > 1:
        raise BadLayoutError(
            folder,
            f"it holds several data sets ({', '.join(path.name for path in below)})",
            "give one of them",
        )
    return below[0] if below else folder


def _has_truth(folder: Path) -> bool:
    return bool(mivia_tables(folder))
