"""Tables as people save them: comma, semicolon or tab, with or without a BOM."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import BadLayoutError

MAX_TABLE_BYTES = 64 * 2**20
"""Largest table that is read; the official ones have under 1 MB."""

_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


@dataclass(frozen=True)
class Table:
    """A small table of text.

    Attributes
    ----------
    header
        The first row, lower case, without outer blanks.
    rows
        The other rows that are not blank, each with as many words as the header.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, *choices: str) -> int | None:
        """Return the first column whose header holds all words of one choice."""
        for choice in choices:
            words = choice.split()
            for index, title in enumerate(self.header):
                if all(word in title for word in words):
                    return index
        return None


def read_table(path: Path, header: Sequence[str] | None = None) -> Table:
    """Read a table of text.

    Parameters
    ----------
    path
        UTF-8 or UTF-16, with or without a BOM, else taken as Windows' Latin-1.
    header
        Titles for a file that has none.

    Raises
    ------
    BadLayoutError
        If it is missing, empty, too large or ragged.
    """
    text = table_text(path)
    lines = _split(path, text)
    if header is None:
        if not lines:
            raise BadLayoutError(path, "the table is empty", "fill it in")
        header, lines = lines[0], lines[1:]
    titles = tuple(" ".join(title.lower().split()) for title in header)
    rows = (_fitted(path, n, row, len(titles)) for n, row in enumerate(lines, start=1))
    return Table(path, titles, tuple(rows))


def first_row(path: Path) -> tuple[str, ...]:
    """Return the first row as it stands, or an empty tuple."""
    lines = _split(path, table_text(path))
    return tuple(lines[0]) if lines else ()


def safe_word(word: str) -> str:
    """Return `word` so that no spreadsheet takes it for a formula.

    A quote goes before a word that starts like one, and before a word that starts with
    a quote, so that `plain_word` gives every word back.
    """
    return "'" + word if word.startswith(_FORMULA_START) else word


def plain_word(word: str) -> str:
    """Undo `safe_word`."""
    return word[1:] if word.startswith("'") else word


def table_text(path: Path) -> str:
    """Return the text of a table, in whatever encoding `read_table` takes.

    Raises
    ------
    BadLayoutError
        If it is missing or too large.
    """
    if not path.is_file():
        raise BadLayoutError(path, "the table is missing", "put it back in its folder")
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise BadLayoutError(
            path, "the table is over 64 MB", "give the table of this data set"
        )
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if content[1:2] == b"\0":
        return content.decode("utf-16-le", errors="replace")
    if content[:1] == b"\0":
        return content.decode("utf-16-be", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def separator_of(text: str) -> str:
    """Return what separates the columns of a table: comma, semicolon or tab."""
    start = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=start.count)


def _split(path: Path, text: str) -> list[list[str]]:
    separator = separator_of(text)
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
        "mend this row",
    )
