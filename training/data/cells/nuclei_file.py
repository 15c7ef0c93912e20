"""The nuclei that cells were cut from, in a file beside the decisions on them.

``nuclei.runs`` is a table of text, comma and UTF-8, with one row a nucleus and its
pixels as run lengths: about 500 bytes a cell. It ends in no ``.csv``, so that none
takes it for the table of a data folder.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from math import isfinite
from pathlib import Path

from training.data.cells.identity import KnownNucleus
from training.errors import BadCellsError
from training.storage.csv_tables import csv_rows, plain_word, safe_word
from training.storage.paths import is_inside
from training.storage.writing import write_text

NUCLEI_COLUMNS = ("frame", *KnownNucleus._fields)

_HIGHEST = 2**31
_RUNS = re.compile(r"\d{1,10} [1-9]\d{0,9}(?: \d{1,10} [1-9]\d{0,9})*", re.ASCII)

Known = dict[str, tuple[KnownNucleus, ...]]
"""The known nuclei of each frame, by its name."""


def read_nuclei(path: Path) -> Known:
    """Read the known nuclei of each frame; none where there is no file.

    Raises
    ------
    BadCellsError
        If it is damaged, or a link that leads out of its folder.
    """
    if not path.exists() and not path.is_symlink():
        return {}
    try:
        if not is_inside(path.parent, path) or not path.is_file():
            raise ValueError("it is no file of this folder")
        with path.open(encoding="utf-8", newline="") as stream:
            return _read(csv.reader(stream, strict=True))
    except (OSError, ValueError, csv.Error) as fault:
        raise BadCellsError(
            path,
            "it is damaged, so that decisions cannot be told to follow their nuclei",
            "put back a copy, or move it away to recognise nuclei by their places",
        ) from fault


def write_nuclei(path: Path, known: Mapping[str, Iterable[KnownNucleus]]) -> None:
    """Write the known nuclei of each frame in place of an earlier file.

    Raises
    ------
    StorageError
        If it cannot be written; the earlier file stays.
    """
    out = io.StringIO(newline="")
    rows = csv_rows(out)
    rows.writerow(NUCLEI_COLUMNS)
    for frame, nuclei in known.items():
        rows.writerows(nuclei_rows(frame, nuclei))
    write_text(path, out.getvalue())


def nuclei_rows(
    frame: str, nuclei: Iterable[KnownNucleus]
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a frame."""
    name = safe_word(frame)
    for one in nuclei:
        yield (name, *one._replace(present=int(one.present)))


def _read(rows: Iterator[list[str]]) -> Known:
    if tuple(next(rows, ())) != NUCLEI_COLUMNS:
        raise ValueError("other columns")
    found: dict[str, dict[int, KnownNucleus]] = {}
    for frame, *words in rows:
        one, of_frame = _nucleus(words), found.setdefault(plain_word(frame), {})
        if one.number in of_frame:
            raise ValueError("two nuclei have one number")
        of_frame[one.number] = one
    return {frame: tuple(those.values()) for frame, those in found.items()}


def _nucleus(words: list[str]) -> KnownNucleus:
    number, present, height, width, y, x, area, runs = words
    whole = [int(word) for word in (number, present, height, width, area)]
    one = KnownNucleus(
        whole[0], whole[1] == 1, *whole[2:4], float(y), float(x), whole[4], runs
    )
    if not all(0 <= value < _HIGHEST for value in whole) or whole[1] > 1:
        raise ValueError("a number is out of range")
    if runs and not (_is_drawn(one) and isfinite(one.y) and isfinite(one.x)):
        raise ValueError("its pixels are not those of a nucleus")
    return one


def _is_drawn(one: KnownNucleus) -> bool:
    """Whether the runs of a nucleus lie in its frame and have its area."""
    if not _RUNS.fullmatch(one.runs):
        return False
    steps = [int(word) for word in one.runs.split()]
    *_, end = accumulate(steps)
    return end <= one.height * one.width and sum(steps[1::2]) == one.area
