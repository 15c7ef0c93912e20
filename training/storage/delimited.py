"""Tables as people save them: comma, semicolon, tab or bar, with or without a BOM."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from training.errors import BadLayoutError
from training.storage.reading import not_read

MAX_TABLE_BYTES = 64 * 2**20
"""Largest table that is read; the official ones have under 1 MB."""

_EXCEL_LINE = re.compile(r'\s*"?sep=(.)"?[,;\t]*(?=[\r\n]|$)', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Table:
    """A small table of text.

    Attributes
    ----------
    header
        The first row, without outer blanks and with single ones inside.
    rows
        The other rows that are not blank, each with as many words as the header.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_table(path: Path, header: Sequence[str] | None = None) -> Table:
    """Read a table of text.

    Parameters
    ----------
    path
        Comma, semicolon, tab, or what Excel's line ``sep=`` names; UTF-8 or UTF-16,
        with or without a BOM, else taken as Windows' Latin-1, or as Mac Roman where the
        lines end as they did on a Mac.
    header
        Titles for a file that has none.

    Raises
    ------
    BadLayoutError
        If it is missing, empty, too large, ragged or in letters we do not know.
    """
    text = table_text(path)
    lines = _split(path, text)
    if header is None:
        if not lines:
            raise BadLayoutError(path, "the table is empty", "fill it in")
        header, lines = lines[0], lines[1:]
    titles = tuple(" ".join(title.split()) for title in header)
    rows = (_fitted(path, n, row, len(titles)) for n, row in enumerate(lines, start=1))
    return Table(path, titles, tuple(rows))


def first_row(path: Path) -> tuple[str, ...]:
    """Return the first row as it stands, or an empty tuple."""
    lines = _split(path, table_text(path))
    return tuple(lines[0]) if lines else ()


def table_text(path: Path) -> str:
    """Return the text of a table, in whatever encoding `read_table` takes.

    Raises
    ------
    BadLayoutError
        If it is missing, too large or in another encoding.
    """
    if not path.is_file():
        raise BadLayoutError(path, "the table is missing", "put it back in its folder")
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise BadLayoutError(
            path, "the table is over 64 MB", "give the table of this data set"
        )
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise BadLayoutError(path, *not_read(fault)) from fault
    for encoding in _encodings(content):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise BadLayoutError(
        path, "its letters are in an unknown encoding", "save it as CSV UTF-8"
    )


def split_off(text: str) -> tuple[str, str]:
    """Return a table and what separates its columns: comma, semicolon, tab or bar.

    A line ``sep=;`` of Excel comes back as a blank line, and is obeyed where the header
    has what it names.
    """
    named = _EXCEL_LINE.match(text)
    text = text[named.end() :] if named else text
    start = next((line for line in text.splitlines() if line.strip()), "")
    header = _QUOTED.sub("", start)
    if named and named[1] in header:
        return text, named[1]
    return text, max(",;\t|", key=header.count)


def _encodings(content: bytes) -> tuple[str, ...]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    if content[1:2] == b"\0":
        return ("utf-16-le",)
    if content[:1] == b"\0":
        return ("utf-16-be",)
    is_old_mac = b"\r" in content and b"\n" not in content
    return "utf-8-sig", "mac-roman" if is_old_mac else "cp1252"


def _split(path: Path, text: str) -> list[list[str]]:
    text, separator = split_off(text)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as fault:
        raise BadLayoutError(
            path, f"the table cannot be read ({fault})", "save it as CSV again"
        ) from fault
    rows = [[word.strip() for word in row] for row in rows]
    return [row for row in rows if any(row)]


def _fitted(path: Path, number: int, row: Sequence[str], width: int) -> tuple[str, ...]:
    words = list(row)
    while len(words) > width and not words[-1]:
        words.pop()
    if len(words) == width:
        return tuple(words)
    raise BadLayoutError(
        path,
        f"data row {number} has {len(words)} columns where the header has {width}",
        "correct this row",
    )
