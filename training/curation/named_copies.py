"""Near copies among the cells that training would use, with names, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.config import NearCopySettings
from training.curation.copy_search import ChosenImages
from training.curation.near_copies import near_copies_parts
from training.data.cells.folder import is_cell_folder, read_cell_folder
from training.data.cells.loading import load_cell_set
from training.decisions.applied import review_cells
from training.errors import SpecimensError


@dataclass(frozen=True, eq=False)
class ComparedCells:
    """Cells among which near copies are looked for.

    Attributes
    ----------
    images : (M, S, S) uint8 or uint16
        May be memory-mapped.
    rows : (N,) int64
        Those of `images` that are looked at.
    ids, specimens, patterns : (N,) str
        '' where not known.
    notes
        What the user should know of the choice, a sentence each.
    """

    images: npt.NDArray[Any]
    rows: npt.NDArray[np.int64]
    ids: npt.NDArray[np.object_]
    specimens: npt.NDArray[np.object_]
    patterns: npt.NDArray[np.object_]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)


def cells_to_compare(data: Path, layout: str = "auto") -> ComparedCells:
    """Return the cells of a folder that training would use, those decided on as said.

    Of a cell folder the crops as they were cut, with or without a pattern; of another
    layout the images that training packs.

    Raises
    ------
    Hep2Error
        As the readers do.
    """
    if not is_cell_folder(data):
        cells = load_cell_set(data, layout=layout)
        names = np.array(cells.vocabulary.names, object)
        columns = (cells.ids, cells.specimens, names[cells.patterns])
        ids, specimens, patterns = (column.astype(object) for column in columns)
        rows = np.arange(len(cells))
        notes = list(cells.notes)
        return ComparedCells(cells.images, rows, ids, specimens, patterns, notes)
    folder = read_cell_folder(data)
    review = review_cells(data, folder.table, "not-rejected")
    rows = np.flatnonzero(review.table["dropped"].to_numpy(object) == "")
    known = review.table.iloc[rows].fillna("").astype(str)
    ids, specimens, patterns = (
        known[name].to_numpy(object) for name in ("id", "specimen", "pattern")
    )
    return ComparedCells(folder.crops, rows, ids, specimens, patterns, review.notes)


def named_copies(
    data: Path,
    cells: ComparedCells,
    within: bool = False,
    settings: NearCopySettings | None = None,
) -> Iterator[tuple[float, pd.DataFrame]]:
    """Find the pairs of near copies, as `near_copies_parts` does.

    Parameters
    ----------
    data
        Where the cells come from, for a fault's sentence.
    within
        Whether two cells of one specimen are a pair as well.

    Yields
    ------
    share
        Of the pairs that are looked at, 0 to 1.
    part
        The columns of `near_copies_parts`; ``first`` and ``second`` are ids, and beside
        them stand ``first_specimen``, ``second_specimen``, ``first_pattern`` and
        ``second_pattern``.

    Raises
    ------
    SpecimensError
        If a cell has no specimen, unless they are looked for within specimens too.
    """
    if not within and (cells.specimens == "").any():
        raise SpecimensError(
            data, "some cells have no specimen", "add them, or use --within"
        )
    chosen = ChosenImages(cells.images, cells.rows)
    groups = None if within else cells.specimens
    for share, part in near_copies_parts(chosen, groups, settings):
        yield share, _named(part, cells)


def _named(part: pd.DataFrame, cells: ComparedCells) -> pd.DataFrame:
    first, second = part["first"].to_numpy(), part["second"].to_numpy()
    return part.assign(
        first=cells.ids[first],
        second=cells.ids[second],
        first_specimen=cells.specimens[first],
        second_specimen=cells.specimens[second],
        first_pattern=cells.patterns[first],
        second_pattern=cells.patterns[second],
    )
