"""The cells that a reviewer goes through, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.data.cells.extraction import cell_id
from training.data.cells.files import CELL_COLUMNS
from training.data.cells.folder import CellFolder
from training.decisions.current import words_of
from training.patterns import Vocabulary, vocabulary_for

if TYPE_CHECKING:
    from training.data.cells.known import FrameNuclei
    from training.decisions.store import Decision

VERDICTS = ("", "accepted", "rejected", "relabelled")
"""A verdict's place here is its code; a cleared decision counts as none."""

_CODES = {verdict: code for code, verdict in enumerate(VERDICTS) if verdict}


@dataclass(frozen=True, eq=False)
class ReviewSet:
    """Crops and their table; row k of one belongs to row k of the other.

    Attributes
    ----------
    crops : (N, S, S) uint8 or uint16
        May be memory-mapped.
    table
        One row a cell with the columns `CELL_COLUMNS`; ``pattern`` is '' where unknown
        and ``dropped`` is '' for a cell that the extraction kept.
    title
        What is reviewed, as the user knows it.
    store
        Folder of the decisions, or None where none is known.
    is_folder
        Whether the cells come from a cell folder and not from the open frame.
    root
        Folder of the frames that a cell folder was made from, where it is known.
    nuclei
        Of the open frame, to be kept with the first decision on one.
    """

    crops: npt.NDArray[Any]
    table: pd.DataFrame
    vocabulary: Vocabulary
    title: str
    store: Path | None = None
    is_folder: bool = False
    root: Path | None = None
    nuclei: FrameNuclei | None = None

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def ids(self) -> npt.NDArray[np.object_]:
        """(N,) str, the cell ids."""
        return self.table["id"].to_numpy(dtype=object)

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each cell id."""
        return {str(cell): row for row, cell in enumerate(self.ids)}

    @cached_property
    def _by_label(self) -> dict[str, dict[int, str]]:
        """Ids by frame and label; of frames that were asked for."""
        return {}

    def ids_of(self, frame: str) -> dict[int, str]:
        """Return the id of each cell of a frame by its label in the mask."""
        if frame not in self._by_label:
            own = self.table[(self.table["frame"] == frame).to_numpy()]
            ids = zip(own["label"].tolist(), own["id"].tolist(), strict=True)
            self._by_label[frame] = dict(ids)
        return self._by_label[frame]

    @cached_property
    def dropped(self) -> npt.NDArray[np.bool_]:
        """(N,) bool, whether the extraction dropped the cell."""
        return np.asarray(
            self.table["dropped"].to_numpy(dtype=object) != "", dtype=np.bool_
        )

    @cached_property
    def pattern_index(self) -> npt.NDArray[np.int64]:
        """(N,) int64, index of the specimen's pattern in the vocabulary, -1 unknown."""
        names = self.table["pattern"].fillna("").astype(str)
        index = {name: self.vocabulary.find(name) for name in names.unique()}
        found = {name: -1 if k is None else k for name, k in index.items()}
        return names.map(found).to_numpy(dtype=np.int64)

    @cached_property
    def captions(self) -> list[str]:
        """(N,) str, what stands under a tile: why it was dropped, else its label."""
        columns = (self.table[name].tolist() for name in ("dropped", "label"))
        return [str(why or label) for why, label in zip(*columns, strict=True)]

    @cached_property
    def _specimens(self) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        names = self.table["specimen"].fillna("").astype(str)
        codes, found = pd.factorize(names.to_numpy(dtype=object))
        return codes.astype(np.int64), tuple(str(name) for name in found)

    @property
    def specimen_index(self) -> npt.NDArray[np.int64]:
        """(N,) int64, the place of each cell's specimen in `specimen_names`."""
        return self._specimens[0]

    @property
    def specimen_names(self) -> tuple[str, ...]:
        """The specimens, in the order of their first cells."""
        return self._specimens[1]


def frame_ids(review: ReviewSet | None, frame: str, labels: Iterable[int]) -> list[str]:
    """Return the ids of the cells of a frame by their labels in its mask.

    Where the frame is under review they are those of the cells there, which keep them
    when the labels change.
    """
    known = {} if review is None else review.ids_of(frame)
    return [known.get(int(k)) or cell_id(frame, int(k)) for k in labels]


def verdict_codes(
    review: ReviewSet, decisions: Mapping[str, Decision]
) -> npt.NDArray[np.int8]:
    """Return (N,) int8, the index of each cell's verdict in `VERDICTS`, 0 for none."""
    out, row_of = np.zeros(len(review), dtype=np.int8), review.row_of
    for cell, verdict, _ in words_of(decisions):
        row = row_of.get(cell)
        if row is not None:
            out[row] = _CODES.get(verdict, 0)
    return out


def current_labels(
    review: ReviewSet, decisions: Mapping[str, Decision]
) -> npt.NDArray[np.int64]:
    """Return the label of each cell as decisions leave it, (N,) int64.

    Returns
    -------
    labels
        Index in the vocabulary; -1 for a cell that was rejected, that the extraction
        dropped and nobody accepted, or that has no pattern or no specimen.
    """
    known, row_of = review.pattern_index, review.row_of
    index = {name: k for k, name in enumerate(review.vocabulary.names)}
    labels = np.where(review.dropped, -1, known)
    for cell, verdict, pattern in words_of(decisions):
        row = row_of.get(cell)
        if row is None or verdict not in _CODES:
            continue
        labels[row] = (
            -1 if verdict == "rejected" else index.get(pattern or "", known[row])
        )
    unnamed = [k for k, name in enumerate(review.specimen_names) if not name]
    labels[np.isin(review.specimen_index, unnamed)] = -1
    return labels


def with_decisions(
    codes: npt.NDArray[np.int8],
    review: ReviewSet,
    decisions: Mapping[str, Decision],
    cells: Iterable[str],
) -> npt.NDArray[np.int8]:
    """Return the codes with those of `cells` as they stand now; `codes` is kept."""
    out = codes.copy()
    for cell in cells:
        row, decision = review.row_of.get(cell), decisions.get(cell)
        if row is not None:
            out[row] = 0 if decision is None else _CODES.get(decision.verdict, 0)
    return out


def carried(
    measures: Mapping[str, npt.NDArray[Any]], before: ReviewSet, after: ReviewSet
) -> dict[str, npt.NDArray[np.float64]]:
    """Return (N,) measures of the cells after, by their ids; nan for a new cell."""
    rows = np.array([before.row_of.get(cell, -1) for cell in after.ids], np.int64)
    return {
        name: np.where(rows < 0, np.nan, values[rows].astype(np.float64))
        for name, values in measures.items()
        if len(values) == len(before) and len(before)
    }


def frame_review(
    cells_table: pd.DataFrame,
    ids: list[str],
    specimen: str,
    pattern: str | None,
    frame: str,
) -> pd.DataFrame:
    """Return the table of a `ReviewSet` from the table of one frame's cells."""
    table = cells_table.copy()
    table["id"], table["specimen"], table["frame"] = ids, specimen, frame
    table["pattern"] = pattern or ""
    return table[list(CELL_COLUMNS)].reset_index(drop=True)


def review_of_folder(folder: Path, cells: CellFolder) -> ReviewSet:
    """Return the cells of a cell folder for review; decisions are kept in it."""
    names = [str(name) for name in cells.table["pattern"].dropna().unique() if name]
    table = cells.table.fillna({"pattern": "", "flags": "", "dropped": ""})
    return ReviewSet(
        cells.crops,
        table,
        vocabulary_for(names, folder),
        folder.name,
        folder,
        is_folder=True,
        root=cells.root,
    )
