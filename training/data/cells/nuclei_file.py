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

from training.data.cells.identity import KnownNucleus, painted
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
        number, present, *rest = one
        yield (name, number, int(present), *rest)


def _read(rows: Iterator[list[str]]) -> Known:
    if tuple(next(rows, ())) != NUCLEI_COLUMNS:
        raise ValueError("other columns")
    found: dict[str, dict[int, KnownNucleus]] = {}
    for frame, *words in rows:
        one, of_frame = _nucleus(words), found.setdefault(plain_word(frame), {})
        if one.number in of_frame:
            raise ValueError("two nuclei have one number")
        of_frame[one.number] = one
    known = {frame: tuple(those.values()) for frame, those in found.items()}
    if not all(map(_are_apart, known.values())):
        raise ValueError("two nuclei of a frame share a pixel")
    return known


def _are_apart(known: tuple[KnownNucleus, ...]) -> bool:
    """Whether the present nuclei of a frame are those of one mask."""
    present = [one for one in known if one.present and one.runs]
    nuclei = painted(present)
    one_size = len({(one.height, one.width) for one in present}) < 2
    return one_size and bool((nuclei.starts[1:] >= nuclei.ends[:-1]).all())


def _nucleus(words: list[str]) -> KnownNucleus:
    number, present, height, width, y, x, area, runs = words
    if present not in ("0", "1"):
        raise ValueError("a nucleus is present or not")
    one = KnownNucleus(
        int(number),
        present == "1",
        int(height),
        int(width),
        float(y),
        float(x),
        int(area),
        runs,
    )
    whole = one.number, one.height, one.width, one.area
    if not all(0 <= value < _HIGHEST for value in whole):
        raise ValueError("a number is out of range")
    if not (isfinite(one.y) and isfinite(one.x)) or (runs and not _is_drawn(one)):
        raise ValueError("its pixels are not those of a nucleus")
    return one


def _is_drawn(one: KnownNucleus) -> bool:
    """Whether the runs of a nucleus lie in its frame and have its area."""
    if not _RUNS.fullmatch(one.runs):
        return False
    steps = [int(word) for word in one.runs.split()]
    *_, end = accumulate(steps)
    return end <= one.height * one.width and sum(steps[1::2]) == one.area
