"""A spreadsheet program's view of a CSV file: which cells it would compute.

It knows nothing of how the product writes tables. The same file is opened as programs
of several languages do: split at comma, semicolon or tab, or at all three.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SPLITS = (",", ";", "\t", ",;\t")
"""What programs split at: English, German, a paste, LibreOffice's first offer."""

_PLAIN_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?%?")
_STARTS = "=+-@\uff1d\uff0b\uff0d\uff20"
_UNSEEN = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\x7f")


def cells_of(text: str, separators: str) -> Iterator[str]:
    """Give each cell as such a program splits the text.

    A quote opens a quoted cell only where the cell begins; what follows the closing one
    is taken as it is.
    """
    cell: list[str] = []
    quoted, at, n = False, 0, len(text)
    while at < n:
        letter = text[at]
        at += 1
        if quoted:
            if letter != '"':
                cell.append(letter)
            elif text[at : at + 1] == '"':
                cell.append('"')
                at += 1
            else:
                quoted = False
        elif letter == '"' and not cell:
            quoted = True
        elif letter in separators or letter in "\r\n":
            yield "".join(cell)
            cell = []
        else:
            cell.append(letter)
    yield "".join(cell)


def is_live(cell: str) -> bool:
    """Whether a program would compute the cell: it starts like a formula.

    Blanks and what cannot be seen before it are skipped, as some programs do. Plain
    numbers are no formulas.
    """
    start = 0
    while start < len(cell) and _is_blank(cell[start]):
        start += 1
    rest = cell[start:].strip()
    return rest.startswith(tuple(_STARTS)) and _PLAIN_NUMBER.fullmatch(rest) is None


def live_cells(text: str) -> list[str]:
    """Return the cells that any of the programs would compute."""
    text = text.removeprefix("\ufeff")
    return [
        cell
        for separators in SPLITS
        for cell in cells_of(text, separators)
        if is_live(cell)
    ]


def _is_blank(letter: str) -> bool:
    return letter.isspace() or letter < " " or letter in _UNSEEN
