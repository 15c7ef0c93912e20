"""Tables as we write them: no word in them is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

_BEFORE = r'(?:[^\S\t\r\n]|["\x00-\x08\x0e-\x1b\x7f\u200b-\u200f\u2060\ufeff])*'
_LIVE = rf"{_BEFORE}[=+\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(rf"^(?=['\t\r\n]|{_LIVE})|([;\t\r\n])(?='|{_LIVE})")
_QUOTED = re.compile(r"(^|[;\t\r\n])'")


class _Stream(Protocol):
    def write(self, text: str, /) -> Any: ...


class _Lines:
    """Ends rows with a line feed.

    Of a writer that ends them with a carriage return too: else `csv` leaves a word with
    a lone carriage return without quotes (Python 3.12 and before).
    """

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        self._stream.write(row[:-2] + "\n")


def safe_word(word: str) -> str:
    """Return `word` so that no spreadsheet takes it, or a part of it, for a formula.

    A quote goes before whatever starts like a formula, at the start and after what some
    spreadsheets split at (``;``, tab, line ends), and before a quote there, so that
    `plain_word` gives every word back.

    References
    ----------
    OWASP, CSV injection. https://owasp.org/www-community/attacks/CSV_Injection
    """
    return _FORMULA.sub(r"\g<1>'", word)


def plain_word(word: str) -> str:
    """Undo `safe_word`."""
    return _QUOTED.sub(r"\1", word) if "'" in word else word


def csv_rows(stream: _Stream, delimiter: str = ",") -> Any:
    """Return a writer of rows as they are: see `csv.writer`."""
    return csv.writer(_Lines(stream), delimiter=delimiter, lineterminator="\r\n")


def csv_text(rows: Iterable[Iterable[object]], delimiter: str = ",") -> str:
    """Return rows as CSV, words safe, numbers as they are; None is an empty cell."""
    buffer = io.StringIO()
    csv_rows(buffer, delimiter).writerows(map(_safe, row) for row in rows)
    return buffer.getvalue()


def csv_of(table: pd.DataFrame) -> str:
    """Return a table as CSV, words safe, six digits; what is missing is empty."""
    shown = table.astype(object).where(table.notna(), None)
    buffer = io.StringIO()
    writer = csv_rows(buffer)
    writer.writerow(map(_safe, table))
    writer.writerows(
        map(_six_digits, row) for row in shown.itertuples(index=False, name=None)
    )
    return buffer.getvalue()


def _six_digits(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else _safe(value)


def _safe(value: object) -> object:
    return safe_word(value) if isinstance(value, str) else value
