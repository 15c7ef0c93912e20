"""Ground truth: which pattern each specimen or cell has, by normalised id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from training.errors import BadLayoutError, SpecimensError
from training.patterns import VOCABULARIES, Vocabulary
from training.storage.delimited import Table, first_row, read_table
from training.storage.images import IMAGE_SUFFIXES


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


def read_truth(path: Path, vocabulary: Vocabulary) -> dict[str, Truth]:
    """Read a ground truth table; the result's keys are `id_key` of the ids.

    Raises
    ------
    BadLayoutError
        If the table is broken, or gives one id two patterns.
    UnknownPatternError
        If a pattern is not in the vocabulary.
    """
    table = _with_header(path)
    ids = table.column("image id", "specimen id", "id", "specimen") or 0
    patterns = table.column("class", "pattern")
    patterns = 1 if patterns is None else patterns
    if len(table.header) < 2 or ids == patterns:
        raise BadLayoutError(
            path, "it has no column of patterns", "give the ids and their patterns"
        )
    truth: dict[str, Truth] = {}
    for row in table.rows:
        word = row[patterns]
        index = vocabulary.index(word, path) if word else None
        _add(
            truth,
            path,
            Truth(
                row[ids],
                None if index is None else vocabulary[index].name,
                _word(row, table.column("intensity")),
                _word(row, _specimen_column(table, {ids, patterns})),
            ),
        )
    if not truth:
        raise BadLayoutError(path, "the table has no rows", "give the ground truth")
    return truth


def read_groups(
    path: Path, member: Sequence[str], group: Sequence[str]
) -> dict[str, str]:
    """Read a side table that says which specimen each cell is of.

    Parameters
    ----------
    member, group
        Words that name the two columns, the best first; see `Table.column`.

    Returns
    -------
    groups
        The specimen by `id_key` of the cell.

    Raises
    ------
    SpecimensError
        If a column is missing, or a cell is given two specimens or none.
    """
    table = read_table(path)
    to = table.column(*group)
    of = _other_column(table, member, to)
    if to is None or of is None:
        raise SpecimensError(
            path, "it has no column of cells or none of specimens", "name both columns"
        )
    groups: dict[str, str] = {}
    for row in table.rows:
        key = id_key(row[of], path)
        if not row[to] or groups.setdefault(key, row[to]) != row[to]:
            raise SpecimensError(
                path, f"the cell {row[of]} has two specimens or none", "give it one"
            )
    return groups


def id_key(word: str, where: object) -> str:
    """Return what two spellings of one id share: 7, 007 and 007.png are the same.

    Raises
    ------
    BadLayoutError
        If the id is blank or a path; `where` names the table in the sentence.
    """
    word = word.strip()
    suffix = PurePosixPath(word).suffix
    stem = word[: -len(suffix)] if suffix.lower() in IMAGE_SUFFIXES else word
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


def _with_header(path: Path) -> Table:
    start = first_row(path)
    named = any(
        v.find(word) is not None for v in VOCABULARIES.values() for word in start[1:]
    )
    if named:
        return read_table(path, ("id", "pattern", *("",) * (len(start) - 2)))
    return read_table(path)


def _specimen_column(table: Table, taken: set[int]) -> int | None:
    for index, title in enumerate(table.header):
        if "specimen" in title and "intensity" not in title and index not in taken:
            return index
    return None


def _other_column(
    table: Table, choices: Sequence[str], taken: int | None
) -> int | None:
    for choice in choices:
        for index, title in enumerate(table.header):
            if index != taken and all(word in title for word in choice.split()):
                return index
    return next((i for i in range(len(table.header)) if i != taken), None)


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
