"""Ground truth: which pattern each specimen or cell has, by normalised id."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from training.data.layouts.files import files_in, shown
from training.data.layouts.names import aside_base, bare_stem
from training.data.layouts.titles import (
    FRAMES,
    INTENSITIES,
    PATTERNS,
    ROLES,
    SPECIMENS,
    Role,
    find_column,
    needed_column,
)
from training.errors import BadLayoutError, SpecimensError
from training.patterns import VOCABULARIES, Vocabulary
from training.storage.delimited import Table, first_row, read_table
from training.storage.images import IMAGE_SUFFIXES

_SPREADSHEETS = frozenset({".xlsx", ".xls", ".xlsm", ".ods"})
_TABLES = frozenset({".csv", ".tsv"})
_SHOWN, _LONGEST = 4, 30
"""Titles that a note names, and letters of each."""


@dataclass(frozen=True)
class Truth:
    """One row of a ground truth table.

    Attributes
    ----------
    id
        As the table spells it.
    pattern
        The pattern's name in the vocabulary, or None where the field is blank.
    intensity, specimen
        None where the table has no such column or the field is blank.
    """

    id: str
    pattern: str | None
    intensity: str | None = None
    specimen: str | None = None


@dataclass(frozen=True)
class TruthTable:
    """A ground truth table, and where in it its answers stand.

    Attributes
    ----------
    rows
        By `id_key` of their ids.
    ids_from, specimens_from
        The column of each in words, e.g. ``column 'Specimen' of truth.csv``; the second
        is empty where specimens were not asked for or have no column.
    note
        What was assumed of its columns, or an empty string.
    """

    rows: dict[str, Truth]
    ids_from: str
    specimens_from: str = ""
    note: str = ""


def read_truth(
    path: Path, vocabulary: Vocabulary, ids: Role, *, specimens: bool = False
) -> TruthTable:
    """Read a ground truth table.

    Parameters
    ----------
    ids
        What a row is of; the column is found by its title. A table without titles, or
        with none that we know of ids or of patterns, is taken as the contests give
        it: ids in the first column and patterns in the second.
    specimens
        Whether a further column may give the specimen of each row.

    Raises
    ------
    BadLayoutError
        If the table is broken, a column is missing or there are two for one thing, or
        one id has two patterns.
    UnknownPatternError
        If a pattern is not in the vocabulary.
    """
    table, of, to, note = _with_columns(path, ids)
    intensity = find_column(path, table.header, INTENSITIES)
    group = find_column(path, table.header, SPECIMENS) if specimens else None
    truth: dict[str, Truth] = {}
    for row in table.rows:
        word = row[to]
        index = vocabulary.index(word, path) if word else None
        pattern = None if index is None else vocabulary[index].name
        one = Truth(row[of], pattern, _word(row, intensity), _word(row, group))
        _add(truth, path, one)
    if not truth:
        raise BadLayoutError(path, "the table has no rows", "give the ground truth")
    of_specimens = "" if group is None else column_words(table, group)
    return TruthTable(truth, column_words(table, of), of_specimens, note)


def read_groups(path: Path, member: Role, *groups: Role) -> tuple[dict[str, str], str]:
    """Read a side table that says which specimen each cell, or frame, is of.

    Parameters
    ----------
    member
        The role of their column.
    groups
        Roles of the specimens' column; one that is there goes before the next.

    Returns
    -------
    groups
        The specimen by `id_key` of the cell.
    specimens_from
        Their column in words.

    Raises
    ------
    BadLayoutError
        If a column is missing, or there are two for one thing.
    SpecimensError
        If a cell is given two specimens or none.
    """
    table = read_table(path)
    of = needed_column(path, table.header, member)
    role = next((one for one in groups if one.columns(table.header)), groups[0])
    to = needed_column(path, table.header, role)
    found: dict[str, str] = {}
    for row in table.rows:
        key = id_key(row[of], path)
        if not row[to] or found.setdefault(key, row[to]) != row[to]:
            raise SpecimensError(
                path, f"{row[of]} has two specimens or none", "give it one"
            )
    return found, column_words(table, to)


def frame_table(root: Path) -> Path | None:
    """Return the table of a plain folder that gives specimens of frames, or None.

    Raises
    ------
    BadLayoutError
        If there are two.
    """
    found = [p for p, row in first_rows(root).items() if _has(row, FRAMES, SPECIMENS)]
    if len(found) > 1:
        names = " and ".join(path.name for path in found[:2])
        fault = f"{names} both give specimens of frames"
        raise BadLayoutError(root, fault, "keep one of them")
    return found[0] if found else None


def pattern_table(
    root: Path, folders: Iterable[Path]
) -> tuple[Path | None, tuple[str, ...]]:
    """Return the table of a plain folder that gives the patterns, and what to note.

    It has a column of specimens and one of patterns; other tables may lie beside it,
    and each that is not read is noted with the reason, but for one that gives roles.

    Parameters
    ----------
    folders
        Those of the frames, where no table is read.

    Raises
    ------
    BadLayoutError
        If two tables give patterns, or the only one does not say of which specimens.
    """
    headers = first_rows(root)
    both = [p for p in headers if _has(headers[p], SPECIMENS, PATTERNS)]
    if len(both) > 1:
        names = " and ".join(path.name for path in both[:2])
        raise BadLayoutError(root, f"{names} both give patterns", "keep one of them")
    read_elsewhere = {
        p
        for p, row in headers.items()
        if _has(row, ROLES) or _has(row, FRAMES, SPECIMENS)
    }
    others = [p for p in headers if p not in both and p not in read_elsewhere]
    for path in () if both else others:
        _check_no_patterns(path, headers[path])
    elsewhere = [
        path
        for folder in folders
        for path in files_in(root, folder, _TABLES | _SPREADSHEETS)
        if folder != root
    ]
    notes = (
        *_unread_tables({path: headers[path] for path in others}),
        *_unread(files_in(root, root, _SPREADSHEETS), "not read: save as CSV"),
        *_unread(elsewhere, "not read, as a table lies beside the folders of images"),
    )
    return (both[0] if both else None), notes


def first_rows(root: Path) -> dict[Path, tuple[str, ...]]:
    """Return the first rows of the tables in a folder; a text may be one, too.

    A text that is named after an image is what a microscope or a tool says of it.
    """
    images = {bare_stem(path.name) for path in files_in(root, root, IMAGE_SUFFIXES)}
    rows = {path: first_row(path) for path in files_in(root, root, _TABLES)}
    for path in files_in(root, root, {".txt"}):
        stem = bare_stem(path.name)
        if stem not in images and aside_base(stem) is None:
            with suppress(BadLayoutError):
                rows[path] = first_row(path)
    return {p: row for p, row in rows.items() if p.suffix != ".txt" or len(row) > 1}


def _unread_tables(headers: Mapping[Path, tuple[str, ...]]) -> tuple[str, ...]:
    """Name the tables that are not read, with the reason."""
    half = [path for path, header in headers.items() if _has(header, SPECIMENS)]
    rest = [path for path in headers if path not in half]
    no_pattern = f"it has no column {PATTERNS.titles[0]!r}"
    notes = [f"{p.name} gives specimens and no pattern: {no_pattern}." for p in half]
    if rest:
        first = ", ".join(repr(title[:_LONGEST]) for title in headers[rest[0]][:_SHOWN])
        why = f"not read, as its first row ({first}) lacks the titles"
        notes += _unread(rest, f"{why} 'specimen' and 'pattern'")
    return tuple(notes)


def _unread(paths: Sequence[Path], why: str) -> tuple[str, ...]:
    return (f"{shown(paths)}: {why}.",) if paths else ()


def _check_no_patterns(path: Path, header: Sequence[str]) -> None:
    """Refuse a table that gives patterns, but not of which specimens."""
    if len(header) > 1 and is_pattern(header[1]):
        raise BadLayoutError(
            path,
            f"its first row is no titles, as it holds {header[1]!r}",
            "put the titles specimen and pattern above",
        )
    columns = PATTERNS.columns(header)
    rows = read_table(path).rows if columns else ()
    if any(is_pattern(row[column]) for row in rows for column in columns):
        needed_column(path, header, SPECIMENS)


def _has(header: Sequence[str], *roles: Role) -> bool:
    return all(role.columns(header) for role in roles)


def column_words(table: Table, column: int) -> str:
    """Return how a column is called in a sentence."""
    title = table.header[column]
    named = f"column {title!r}" if title else f"column {column + 1}"
    return f"{named} of {table.path.name}"


def id_key(word: str, where: object) -> str:
    """Return what two spellings of one id share: 7, 007 and 007.png are the same.

    So are letters with accents, written as one character or as two.

    Raises
    ------
    BadLayoutError
        If the id is blank or a path; `where` names the table in the sentence.
    """
    word = unicodedata.normalize("NFC", word.strip())
    suffix = PurePosixPath(word).suffix
    stem = bare_stem(word) if suffix.lower() in IMAGE_SUFFIXES else word
    if not stem or _is_path(stem):
        raise BadLayoutError(
            where, f"{word!r} is no id of a file in this folder", "give plain ids"
        )
    is_number = stem.isascii() and stem.isdigit()
    return stem.lstrip("0") or "0" if is_number else stem


def keyed(names: Iterable[str], where: object) -> dict[str, str]:
    """Return the names by their `id_key`.

    Raises
    ------
    BadLayoutError
        If two names are one id, such as ``1`` and ``001``.
    """
    found: dict[str, str] = {}
    for name in names:
        key = id_key(name, where)
        if key in found:
            raise BadLayoutError(
                where, f"{found[key]} and {name} are one id", "keep one of the two"
            )
        found[key] = name
    return found


def count_note(words: Sequence[str], singular: str, plural: str) -> tuple[str, ...]:
    """Return a sentence on some ids with the first of them, or nothing."""
    if not words:
        return ()
    if len(words) == 1:
        return (f"{words[0]} {singular}.",)
    return (f"{len(words)} {plural} (the first is {words[0]}).",)


def _with_columns(path: Path, ids: Role) -> tuple[Table, int, int, str]:
    """Return a table, its columns of ids and of patterns, and what was assumed."""
    start = first_row(path)
    if ids.columns(start) or PATTERNS.columns(start):
        return _with_titles(read_table(path), ids)
    if len(start) > 1 and is_pattern(start[1]):
        blank = ("",) * (len(start) - 2)
        return read_table(path, ("id", "pattern", *blank)), 0, 1, ""
    table = read_table(path)
    words = [row[1] for row in table.rows if len(start) > 1 and row[1]]
    if words and all(is_pattern(word) for word in words):
        one, two = table.header[:2]
        note = f"{path.name}: {one!r} was taken as ids and {two!r} as patterns."
        return table, 0, 1, note
    return _with_titles(table, ids)


def _with_titles(table: Table, ids: Role) -> tuple[Table, int, int, str]:
    of = needed_column(table.path, table.header, ids)
    return table, of, needed_column(table.path, table.header, PATTERNS), ""


def is_pattern(word: str) -> bool:
    """Whether a word names a pattern of any vocabulary."""
    return any(one.find(word) is not None for one in VOCABULARIES.values())


def _word(row: Sequence[str], column: int | None) -> str | None:
    return (row[column] or None) if column is not None else None


def _add(truth: dict[str, Truth], path: Path, row: Truth) -> None:
    key = id_key(row.id, path)
    earlier = truth.setdefault(key, row)
    if earlier.pattern != row.pattern:
        raise BadLayoutError(
            path,
            f"{row.id} is given as {earlier.pattern} and as {row.pattern}",
            "keep the right row",
        )
    if earlier.specimen != row.specimen:
        raise SpecimensError(
            path, f"the cell {row.id} has two specimens", "keep the right row"
        )


def _is_path(word: str) -> bool:
    return (
        word in {".", ".."}
        or "/" in word
        or "\\" in word
        or PureWindowsPath(word).drive != ""
        or not word.isprintable()
    )
