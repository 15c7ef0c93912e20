"""Known nuclei of a folder of decisions, from before its cells are cut again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from training.data.cells.extraction import FrameCells, cell_id
from training.data.cells.files import (
    CELLS,
    FILES,
    NUCLEI,
    PLACES_ONLY,
    SOURCE,
    current,
    read_source,
    read_table,
)
from training.data.cells.identity import (
    Bools,
    Identified,
    KnownNucleus,
    identify,
    only_number,
)
from training.data.cells.nuclei_file import Known, read_nuclei, write_nuclei
from training.data.masks.nuclei import find_nuclei
from training.decisions.applied import STORE, standing_decisions
from training.decisions.store import DecisionStore
from training.errors import BadCellsError


@dataclass(frozen=True)
class KnownCells:
    """Known nuclei of a folder of decisions, and which cells have a decision.

    Attributes
    ----------
    nuclei
        Of each frame, by its name.
    decided
        Numbers of the cells of each frame that have a decision now.
    """

    nuclei: Known = field(default_factory=dict)
    decided: dict[str, set[int]] = field(default_factory=dict)

    def identify(self, cells: FrameCells) -> Identified:
        """Give the nuclei of a frame that was cut their numbers."""
        return identify(self.of(cells.frame.name), find_nuclei(cells.labels))

    def of(self, frame: str) -> tuple[KnownNucleus, ...]:
        """Return the known nuclei of a frame."""
        return self.nuclei.get(frame, ())

    def asked(self, frame: str, found: Identified) -> Bools:
        """Return which of a frame's nuclei a reviewer is asked about, (N,) bool."""
        return found.asked(self.decided.get(frame, set()))


def known_cells(folder: Path) -> KnownCells:
    """Return what is known of a cell folder, or of a folder of decisions alone.

    A cell that was decided on and of which nothing else is known keeps its number from
    others. A folder in which no cell was ever cut knows nothing: a store that was put
    there before is taken to be of the cells that are cut first.

    Raises
    ------
    BadCellsError
        If the store or the file of nuclei is damaged.
    """
    names = (*FILES, NUCLEI)
    if not any(current(folder, name).exists() for name in names):
        return KnownCells()
    nuclei = _recorded(folder)
    touched = _by_frame(_touched(folder))
    for frame, numbers in touched.items():
        known = nuclei.get(frame, ())
        missing = numbers - {one.number for one in known}
        nuclei[frame] = (*known, *map(only_number, sorted(missing)))
    return KnownCells(nuclei, _by_frame(standing_decisions(folder)))


@dataclass(frozen=True)
class FrameNuclei:
    """The nuclei of a frame under review, before they are written down.

    Attributes
    ----------
    before, after
        What the folder of decisions knew of the frame, and what it has to know once one
        of these cells is decided on.
    """

    frame: str
    before: tuple[KnownNucleus, ...]
    after: tuple[KnownNucleus, ...]

    def keep(self, folder: Path) -> None:
        """Write the nuclei into a folder of decisions; a cell folder has its own.

        Raises
        ------
        BadCellsError
            If the frame's cells were cut otherwise there since; nothing is written.
        StorageError
            If it cannot be written.
        """
        if current(folder, SOURCE).exists():
            return
        known = read_nuclei(folder / NUCLEI)
        now = known.get(self.frame, ())
        if now == self.after:
            return
        if now != self.before:
            raise BadCellsError(
                folder / NUCLEI,
                f"the cells of {self.frame} were cut otherwise here since",
                "choose This frame again, then decide",
            )
        write_nuclei(folder / NUCLEI, {**known, self.frame: self.after})


def frame_cells(
    folder: Path | None, cells: FrameCells
) -> tuple[list[str], pd.DataFrame, FrameNuclei]:
    """Return the ids and the table of a frame's cells, as a folder of decisions has it.

    Parameters
    ----------
    folder
        Where the decisions are kept; None where nothing is known.

    Returns
    -------
    ids
    table
        Flagged where a reviewer is asked to decide anew.
    nuclei
        To be kept with the first decision.

    Raises
    ------
    BadCellsError
        If its store or its nuclei are damaged.
    """
    known = KnownCells() if folder is None else known_cells(folder)
    name, found = cells.frame.name, known.identify(cells)
    ids = [cell_id(name, number) for number in found.numbers.tolist()]
    flags = flagged(cells.cells.table, known.asked(name, found))
    before = () if folder is None else read_nuclei(folder / NUCLEI).get(name, ())
    nuclei = FrameNuclei(name, before, found.known)
    return ids, cells.cells.table.assign(flags=flags), nuclei


def flagged(table: pd.DataFrame, asked: Bools) -> list[str]:
    """Return the flags of cells, with that of those which a reviewer is asked about."""
    rows = zip(table["flags"].tolist(), asked.tolist(), strict=True)
    return [
        ";".join(word for word in (flags, "decide-anew" if one else "") if word)
        for flags, one in rows
    ]


def _recorded(folder: Path) -> Known:
    """Return the nuclei that were written down, else the places of the cells."""
    if _keeps_nuclei(folder):
        return read_nuclei(current(folder, NUCLEI))
    try:
        table = read_table(current(folder, CELLS))
    except BadCellsError:
        return {}
    columns = [table[name].tolist() for name in ("frame", "id", "y", "x", "area")]
    found: dict[str, list[KnownNucleus]] = defaultdict(list)
    for frame, cell, y, x, area in zip(*columns, strict=True):
        number = number_of(cell)
        if number is not None:
            place = only_number(number)._replace(y=y, x=x, area=area)
            found[frame].append(place._replace(present=True))
    return {frame: tuple(those) for frame, those in found.items()}


def _keeps_nuclei(folder: Path) -> bool:
    """Return whether the file of nuclei, if there is one, is of the cells here.

    A program that did not know the file may have cut the cells again since.
    """
    if not current(folder, NUCLEI).exists():
        return False
    try:
        source = read_source(current(folder, SOURCE))
    except BadCellsError:
        return True
    return bool(source["format"] != PLACES_ONLY)


def bears_all_decisions(folder: Path) -> bool:
    """Return whether every cell that was ever decided on has its nucleus now.

    It is quick: neither decisions nor nuclei are read. Of a folder of decisions alone
    it is not known.
    """
    touched = _touched(folder)
    if not touched:
        return True
    try:
        present = set(read_table(current(folder, CELLS))["id"].tolist())
    except BadCellsError:
        return False
    return present.issuperset(touched)


def _touched(folder: Path) -> tuple[str, ...]:
    """Return every cell that anybody ever decided on or marked."""
    path = folder / STORE
    if not path.is_file():
        return ()
    with DecisionStore(path, "extraction") as store:
        return store.changed_since(0)


def number_of(cell: str) -> int | None:
    """Return the number in an id, or None where it is none that we gave."""
    digits = cell.rpartition("_")[2]
    fits = digits.isascii() and digits.isdecimal() and len(digits) < 11
    return int(digits) if fits else None


def _by_frame(cells: Iterable[str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for cell in cells:
        number = number_of(cell)
        if number is not None:
            found[cell.rpartition("_")[0]].add(number)
    return found
