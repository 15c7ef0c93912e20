"""The files of a cell folder: their names, how they are read, and where they are."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.errors import BadCellsError
from training.patterns import VOCABULARIES
from training.storage.csv_tables import plain_word
from training.storage.paths import own_path
from training.storage.reading import read_array, read_json
from training.storage.writing import sync_folder

CELL_COLUMNS = (
    "id",
    "specimen",
    "pattern",
    "frame",
    "label",
    "y",
    "x",
    "area",
    "flags",
    "dropped",
)

CROPS, CELLS, SOURCE = "crops.npy", "cells.csv", "source.json"
FILES = (CROPS, CELLS, SOURCE)
_WORDS = ("id", "specimen", "pattern", "frame", "flags", "dropped")
FORMAT = 2
PLACES_ONLY = 1
"""The format in which a cell's number was its label and its pixels were not kept."""
NUCLEI = "nuclei.runs"
"""The nuclei that the cells were cut from; see `training.data.cells.nuclei_file`."""
READY = ".ready"
_LONGEST_WAY = 1000
HEADER_BYTES = 128


def current(path: Path, name: str) -> Path:
    """Return a file where it is now: a cut-off move left it in the ready folder."""
    ready = path / READY / name
    return ready if ready.is_file() else path / name


def _broken(path: Path, fault: str) -> BadCellsError:
    return BadCellsError(path, fault, "extract the cells again")


def read_source(path: Path) -> dict[str, Any]:
    """Read what the cells were made from."""
    try:
        source = read_json(path)
    except (OSError, ValueError) as fault:
        raise _broken(path, "it is missing or cannot be read") from fault
    if not isinstance(source, dict):
        raise _broken(path, "it does not say what the cells were made from")
    if source.get("format") not in (PLACES_ONLY, FORMAT):
        raise BadCellsError(
            path, "it was written by another version", "use that one, or extract again"
        )
    if not _well_formed(source):
        raise _broken(path, "it does not say what the cells were made from")
    return source


def _well_formed(source: dict[str, Any]) -> bool:
    files = source.get("files")
    root = source.get("root", 0)
    return (
        source.get("vocabulary") in list(VOCABULARIES)
        and (root is None or _is_way(root))
        and isinstance(source.get("pixel_sizes", {}), dict)
        and isinstance(files, list)
        and all(
            isinstance(entry, dict)
            and _is_way(entry.get("name"))
            and ".." not in PurePosixPath(entry["name"]).parts
            and {"bytes", "modified", "sha256"} <= set(entry)
            for entry in files
        )
    )


def _is_way(words: object) -> bool:
    """Whether words lead from one folder to another place, and from no fixed one."""
    if not isinstance(words, str) or "\0" in words or len(words) > _LONGEST_WAY:
        return False
    way = PurePosixPath(words)
    fixed = way.is_absolute() or PureWindowsPath(words).drive
    return not fixed and all(len(part) < 256 for part in way.parts)


def read_crops(path: Path) -> npt.NDArray[Any]:
    """Map the crops, (N, S, S) uint8 or uint16, read-only."""
    try:
        crops = read_array(path, "r")
    except (OSError, ValueError) as fault:
        raise _broken(path, "it is missing, cut short or not an array") from fault
    depths = (np.dtype(np.uint8), np.dtype(np.uint16))
    if not isinstance(crops, np.memmap) or crops.ndim != 3 or crops.dtype not in depths:
        raise _broken(path, "it does not hold crops")
    if crops.shape[1] != crops.shape[2]:
        raise _broken(path, "its crops are not square")
    return crops


def read_table(path: Path) -> pd.DataFrame:
    """Read the table of cells, with the columns `CELL_COLUMNS`."""
    kinds = dict.fromkeys(_WORDS, "str")
    try:
        if not path.is_file():
            raise ValueError("it is not a file")
        _check_shape(path)
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False, encoding="utf-8")
        table = table[list(CELL_COLUMNS)].astype(
            {"label": np.int64, "area": np.int64, "y": np.float64, "x": np.float64}
        )
    except (OSError, ValueError, KeyError, OverflowError, csv.Error) as fault:
        raise _broken(path, "it is missing or not a table of cells") from fault
    for column in ("id", "specimen", "pattern", "frame"):
        table[column] = table[column].map(plain_word)
    if not np.isfinite(table[["y", "x"]].to_numpy()).all():
        raise _broken(path, "a centroid is not a number")
    if table["id"].duplicated().any():
        raise _broken(path, "two cells have one id")
    return table


def _check_shape(path: Path) -> None:
    """Refuse what pandas would read as something else: a missing or a moved column."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        if tuple(next(rows, ())) != CELL_COLUMNS:
            raise ValueError("other columns")
        if any(len(row) != len(CELL_COLUMNS) for row in rows if row):
            raise ValueError("a row of another length")


def put_in_place(out: Path) -> None:
    """Move what was made ready to its place, or end a move that was cut off."""
    ready = own_path(out, READY)
    if not ready.is_dir():
        return
    for name in (*FILES, NUCLEI):
        if (ready / name).exists():
            (ready / name).replace(out / name)
    sync_folder(out)
    shutil.rmtree(ready)


def npy_header(dtype: np.dtype[Any], shape: tuple[int, int, int]) -> bytes:
    """Return a header of version 1.0, padded to a fixed length.

    References
    ----------
    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    text = repr({"descr": dtype.str, "fortran_order": False, "shape": shape})
    length = HEADER_BYTES - 10
    start = b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little")
    return start + text.ljust(length - 1).encode("ascii") + b"\n"


def source_root(path: Path, source: dict[str, Any]) -> Path | None:
    """Return the folder of the frames, or None where it was not recorded."""
    return None if source["root"] is None else (path / source["root"]).resolve()
