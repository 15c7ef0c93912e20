"""Roles of specimens in their series: patients and controls of a plate or slide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from training.data.layouts.titles import (
    ACQUISITION,
    ROLES,
    SERIES,
    SPECIMEN_ROWS,
    TITRES,
    find_column,
    needed_column,
)
from training.data.layouts.truth import count_note, first_rows, id_key
from training.errors import BadLayoutError
from training.storage.delimited import read_table

SpecimenRole = Literal[
    "patient", "negative control", "positive control", "cut-off control"
]

SPECIMEN_ROLES: tuple[SpecimenRole, ...] = get_args(SpecimenRole)

_SPELLINGS: dict[str, SpecimenRole] = {
    **dict.fromkeys(("", "patient", "sample", "serum", "test"), "patient"),
    **dict.fromkeys(("negativecontrol", "negative", "neg", "nc"), "negative control"),
    **dict.fromkeys(("positivecontrol", "positive", "pos", "pc"), "positive control"),
    **dict.fromkeys(
        ("cutoffcontrol", "cutoff", "calibrator", "borderlinecontrol"),
        "cut-off control",
    ),
}


@dataclass(frozen=True)
class SeriesMember:
    """One row of a table of series.

    Attributes
    ----------
    specimen
        As the table spells it.
    series
        Name of the plate, slide or run; '' where the table has one series.
    role
        In it.
    titre
        As the table states it, e.g. ``1:320``; '' where it does not.
    acquisition
        The table's words on exposure, gain, lamp and conjugate, by the column's title.
    """

    specimen: str
    series: str = ""
    role: SpecimenRole = "patient"
    titre: str = ""
    acquisition: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SeriesTable:
    """Who belongs to which series; without a table, nobody does.

    Attributes
    ----------
    members
        By `id_key` of the specimen.
    path
        The table, or None.
    """

    members: dict[str, SeriesMember] = field(default_factory=dict)
    path: Path | None = None

    def of(self, specimen: str) -> SeriesMember | None:
        """Return the row of a specimen, or None."""
        return self.members.get(id_key(specimen, "specimen")) if self.members else None

    def controls(self, series: str) -> list[SeriesMember]:
        """Return the controls of a series, in the order of the table."""
        return [one for one in self.members_of(series) if one.role != "patient"]

    def members_of(self, series: str) -> list[SeriesMember]:
        """Return all members of a series, in the order of the table."""
        return [one for one in self.members.values() if one.series == series]

    def differing(self, series: str) -> list[str]:
        """Return a sentence for each word on acquisition that differs in a series."""
        sentences = []
        rows = self.members_of(series)
        for title in rows[0].acquisition if rows else ():
            values = sorted({row.acquisition[title] for row in rows})
            if len(values) > 1:
                sentences.append(
                    f"The column {title!r} differs in {series_words(series)} "
                    f"({', '.join(values[:3])}): intensities are not comparable."
                )
        return sentences

    def missing(self, specimens: Iterable[str]) -> tuple[str, ...]:
        """Return notes on rows without a specimen, and on specimens without a row."""
        here = {id_key(one, "specimen"): one for one in specimens}
        absent = [one.specimen for key, one in self.members.items() if key not in here]
        unlisted = [one for key, one in here.items() if key not in self.members]
        unlisted = unlisted if self.members else []
        name = self.path.name if self.path else ""
        return (
            *count_note(
                absent,
                f"of {name} has no image",
                f"specimens of {name} have no image",
            ),
            *count_note(
                unlisted,
                f"is not in {name}: its intensity is not judged",
                f"specimens are not in {name}: their intensity is not judged",
            ),
        )


def series_words(series: str) -> str:
    """Return how a series is called in a sentence."""
    return f"the series {series}" if series else "the series"


def find_series(root: Path) -> Path | None:
    """Return the table of a folder that gives roles of specimens, or None.

    Raises
    ------
    BadLayoutError
        If there are two.
    """
    found = [
        path
        for path, header in first_rows(root).items()
        if ROLES.columns(header) and SPECIMEN_ROWS.columns(header)
    ]
    if len(found) > 1:
        names = " and ".join(path.name for path in found[:2])
        raise BadLayoutError(root, f"{names} both give roles", "keep one of them")
    return found[0] if found else None


def read_series(path: Path | None) -> SeriesTable:
    """Read a table of specimens, their roles and their series.

    Parameters
    ----------
    path
        With a column of specimens, one of roles and, unless there is one series alone,
        one of series; None gives an empty table.

    Raises
    ------
    BadLayoutError
        If the table is broken, a column is missing, a role is unknown or a specimen
        has two rows that differ.
    """
    if path is None:
        return SeriesTable()
    table = read_table(path)
    of = needed_column(path, table.header, SPECIMEN_ROWS)
    to = needed_column(path, table.header, ROLES)
    group = find_column(path, table.header, SERIES)
    measured = find_column(path, table.header, TITRES)
    columns = [find_column(path, table.header, role) for role in ACQUISITION]
    taken = {table.header[one]: one for one in columns if one is not None}
    members: dict[str, SeriesMember] = {}
    for row in table.rows:
        series = "" if group is None else row[group]
        words = {title: row[column] for title, column in taken.items()}
        titre = "" if measured is None else row[measured]
        member = SeriesMember(row[of], series, _role(row[to], path), titre, words)
        if members.setdefault(id_key(row[of], path), member) != member:
            raise BadLayoutError(
                path, f"{row[of]} has two rows that differ", "keep the right row"
            )
    return SeriesTable(members, path)


def _role(word: str, path: Path) -> SpecimenRole:
    role = _SPELLINGS.get("".join(c for c in word.casefold() if c.isalnum()))
    if role is None:
        roles = ", ".join(SPECIMEN_ROLES)
        raise BadLayoutError(path, f"the role {word!r} is unknown", f"use {roles}")
    return role
