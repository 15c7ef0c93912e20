"""Decisions as a table: the whole log of a store to CSV or Parquet, and back.

One row a cell of a step, in the order of the steps; undo and redo are rows without a
cell. What is written can be read back without loss, also after a spreadsheet program
of another language has saved it again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from training.decisions.check import checked_steps
from training.decisions.records import DivergedError, Marked, Said, StepRecord
from training.decisions.store import DecisionStore
from training.errors import BadLayoutError, StorageError
from training.storage.csv_tables import csv_rows, plain_word, safe_word
from training.storage.delimited import split_off, table_text
from training.storage.writing import write_bytes, write_text

COLUMNS = (
    *("step", "reviewer", "time", "kind", "target", "cells"),
    *("cell", "verdict", "pattern", "reason", "flag", "note", "grade", "titre"),
)
"""Columns of the table; ``cells`` is the number of cells of the step."""

_LATER = ("grade", "titre")
"""Columns that an older table may lack."""

PARQUET = ".parquet"

_WHOLE = re.compile(r"(\d{1,15})(?:[.,]0+)?")
_Words = tuple[str | None, ...]


class Imported(NamedTuple):
    """Result of an import: steps in the file, new steps, and their reviewers."""

    steps: int
    added: int
    reviewers: tuple[str, ...]


def export_decisions(store: DecisionStore, path: Path) -> int:
    """Write every step of a store; return how many there are.

    Parameters
    ----------
    path
        Parquet where its name ends so, which needs pyarrow; else CSV, comma and UTF-8.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    records = store.records()
    rows = [row for record in records for row in _rows_of(record)]
    if path.suffix.lower() == PARQUET:
        write_bytes(path, _parquet_bytes(path, rows))
    else:
        write_text(path, _csv_text(rows))
    return len(records)


def import_decisions(
    store: DecisionStore, path: Path, names: Mapping[str, str] | None = None
) -> Imported:
    """Add the steps of a table that a store lacks; nothing is added twice.

    Parameters
    ----------
    path
        As `export_decisions` writes it.
    names
        Reviewers to be taken under another name, old name to new.

    Raises
    ------
    BadLayoutError
        If the table is damaged, or a reviewer's steps are not those that the store has
        or their sequel; then nothing is added.
    StorageError
        If it could not be saved.
    """
    given = names or {}
    records = [
        replace(one, reviewer=given.get(one.reviewer, one.reviewer))
        for one in read_decisions(path)
    ]
    try:
        added = store.merge(records)
    except DivergedError as fault:
        one = fault.record
        raise BadLayoutError(
            path,
            f"line {one.line}: {one.reviewer} went on differently here from step "
            f"{one.step} of the table on, and nothing was imported",
            "give this reviewer another name, or import into an empty folder",
        ) from fault
    return Imported(len(records), added, tuple({one.reviewer: 0 for one in records}))


def read_decisions(path: Path) -> list[StepRecord]:
    """Return the steps of a table of decisions, checked as a whole.

    Parameters
    ----------
    path
        Parquet or CSV; CSV may be separated by comma, semicolon or tab, and be UTF-8 or
        UTF-16 with or without a BOM.

    Raises
    ------
    BadLayoutError
        If it is damaged: the sentence names the line and the fault.
    """
    numbered = (
        _parquet_rows(path) if path.suffix.lower() == PARQUET else _csv_rows(path)
    )
    steps = []
    for _, rows in groupby(numbered, key=lambda row: row[1][0]):
        steps.append(_step(path, list(rows)))
    return checked_steps(path, steps)


# -- a step as rows


def _rows_of(record: StepRecord) -> Iterator[_Words]:
    target = None if record.target is None else str(record.target)
    n = str(len(record.decisions) + len(record.marks))
    start = (str(record.step), record.reviewer, record.time)
    if record.target is not None:
        yield *start, record.kind, target, n, *(None,) * 8
    for said in record.decisions:
        yield *start, "decide", None, n, *said[:4], None, None, *said[4:]
    for cell, flag, note in record.marks:
        kind, word = ("note", None) if flag is None else ("flag", _YES_NO[flag])
        yield *start, kind, None, n, cell, None, None, None, word, note, None, None


_YES_NO = ("no", "yes")


def _step(path: Path, rows: Sequence[tuple[int, _Words]]) -> StepRecord:
    """Put the rows of one step together again."""
    line, first = rows[0]
    number, reviewer, time, kind, target, cells = first[:6]
    for place, row in rows:
        if row[:6] != first[:6]:
            raise _damaged(path, place, "it does not go with the line before it")
    is_turn = kind in ("undo", "redo")
    said, marked = [], []
    for place, row in rows:
        content = row[6:]
        if is_turn:
            if len(rows) > 1 or any(word is not None for word in content):
                raise _damaged(path, place, f"'{kind}' is one line without a cell")
        elif kind == "decide":
            said.append(_said(path, place, content))
        else:
            marked.append(_marked(path, place, kind, content))
    if (0 if is_turn else len(rows)) != _number(path, line, "cells", cells):
        raise _damaged(
            path, line, f"step {number} does not have the {cells} cells it names"
        )
    return StepRecord(
        _number(path, line, "step", number),
        reviewer or "",
        kind if kind in ("undo", "redo") else "decide",
        None if target is None else _number(path, line, "target", target),
        time or "",
        tuple(said),
        tuple(marked),
        line,
    )


def _said(path: Path, line: int, content: _Words) -> Said:
    cell, verdict, pattern, reason, flag, note, *answer = content
    if cell is None or verdict is None or flag is not None or note is not None:
        raise _damaged(path, line, "'decide' goes with a cell and a verdict alone")
    return Said(cell, verdict, pattern, reason, *answer)


def _marked(path: Path, line: int, kind: str | None, content: _Words) -> Marked:
    cell, flag, note = content[0], content[4], content[5]
    if cell is None or any(word is not None for word in content[1:4] + content[6:]):
        raise _damaged(path, line, f"'{kind}' goes with a cell and no verdict")
    if kind == "flag" and flag in _YES_NO and note is None:
        return Marked(cell, _YES_NO.index(flag), None)
    if kind == "note" and note is not None and flag is None:
        return Marked(cell, None, note)
    raise _damaged(path, line, f"the kind '{kind}' does not match its other columns")


def _number(path: Path, line: int, column: str, word: str | None) -> int:
    found = _WHOLE.fullmatch((word or "").strip())
    if found is None:
        raise _damaged(
            path, line, f"'{word or ''}' in '{column}' is not a whole number"
        )
    return int(found[1])


# -- CSV


def _csv_text(rows: Sequence[_Words]) -> str:
    out = io.StringIO(newline="")
    out.write("\ufeff")  # without it Excel takes UTF-8 for the local encoding
    writer = csv_rows(out)
    writer.writerow(COLUMNS)
    writer.writerows([_written(word) for word in row] for row in rows)
    return out.getvalue()


def _written(word: str | None) -> str:
    # A lone quote is an empty word, which an empty cell, None, is not.
    return "" if word is None else (safe_word(word) or "'")


def _csv_rows(path: Path) -> Iterator[tuple[int, _Words]]:
    text, separator = split_off(table_text(path))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] = []
    line = 1
    try:
        for row in reader:
            if header and any(row):
                yield line, _in_order(path, line, header, row)
            elif any(row):
                header = _header(path, line, row)
            line = reader.line_num + 1
    except csv.Error as fault:
        raise _damaged(path, line, f"it cannot be read ({fault})") from fault
    if not header:
        raise _damaged(path, 1, "the table is empty")
    if not text.endswith(("\r", "\n")):
        raise _damaged(path, text.count("\n") + 1, "the last line is incomplete")


def _header(path: Path, line: int, row: Sequence[str]) -> list[str]:
    titles = [word.strip().lower() for word in row]
    while titles and not titles[-1]:
        titles.pop()
    if sorted(titles) not in (sorted(COLUMNS), sorted(COLUMNS[: -len(_LATER)])):
        columns = ", ".join(COLUMNS)
        raise _damaged(path, line, f"the columns are not {columns}")
    return titles


def _in_order(path: Path, line: int, header: list[str], row: list[str]) -> _Words:
    if len(row) < len(header) or any(row[len(header) :]):
        raise _damaged(
            path, line, f"it does not have the {len(header)} columns of the header"
        )
    words = dict(zip(header, row, strict=False))
    return tuple(plain_word(words[k]) if words.get(k) else None for k in COLUMNS)


# -- Parquet


def _parquet_bytes(path: Path, rows: Sequence[_Words]) -> bytes:
    import pandas as pd

    out = io.BytesIO()
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    try:
        table.to_parquet(out, engine="pyarrow", index=False)
    except ImportError as fault:
        raise _no_parquet(path) from fault
    return out.getvalue()


def _parquet_rows(path: Path) -> Iterator[tuple[int, _Words]]:
    import pandas as pd

    if not path.is_file():
        raise BadLayoutError(path, "the table is missing", "check its name")
    try:
        table = pd.read_parquet(path, engine="pyarrow")
    except ImportError as fault:
        raise _no_parquet(path) from fault
    except (ValueError, OSError) as fault:
        raise _damaged(path, 1, "it is damaged or not a Parquet file") from fault
    header = _header(path, 1, [str(name) for name in table.columns])
    whole = table.set_axis(header, axis="columns").reindex(columns=list(COLUMNS))
    named = whole.astype(object)
    words = named.where(named.notna(), None)
    for line, row in enumerate(words.itertuples(index=False, name=None), start=1):
        yield line, tuple(None if word is None else str(word) for word in row)


def _no_parquet(path: Path) -> StorageError:
    return StorageError(
        path,
        "Parquet needs pyarrow, which is not installed",
        'pip install "napari-hep2[parquet]", or use CSV',
    )


def _damaged(path: Path, line: int, fault: str) -> BadLayoutError:
    return BadLayoutError(path, f"line {line}: {fault}", "export the decisions again")
