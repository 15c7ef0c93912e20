"""The cells that a reviewer goes through, and the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_hep2.jobs import Progress
from training.data.cell_files import CELL_COLUMNS
from training.patterns import Vocabulary

if TYPE_CHECKING:
    from training.data.curation import Decision

Filter = Literal["all", "undecided", "accepted", "rejected", "relabelled", "dropped"]
Sort = Literal["order", "size", "focus", "uncertainty", "suspicion"]

VERDICTS = ("", "accepted", "rejected", "relabelled")
"""A verdict's place here is its code; a cleared decision counts as none."""

_CODES = {verdict: code for code, verdict in enumerate(VERDICTS) if verdict}
_CHUNK = 500


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
    """

    crops: npt.NDArray[Any]
    table: pd.DataFrame
    vocabulary: Vocabulary
    title: str
    store: Path | None = None
    is_folder: bool = False
    root: Path | None = None

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


def verdict_codes(
    review: ReviewSet, decisions: Mapping[str, Decision]
) -> npt.NDArray[np.int8]:
    """Return (N,) int8, the index of each cell's verdict in `VERDICTS`, 0 for none."""
    out = np.zeros(len(review), dtype=np.int8)
    return with_decisions(out, review, decisions, decisions)


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


def passing(
    review: ReviewSet, codes: npt.NDArray[np.int8], which: Filter
) -> npt.NDArray[np.bool_]:
    """Return (N,) bool, the rows that a filter lets through.

    ``undecided`` are kept cells without a decision: what is left to do.

    Parameters
    ----------
    codes : (N,) int8
        As `verdict_codes` returns them.
    """
    if which == "all":
        return np.ones(len(review), dtype=np.bool_)
    if which == "dropped":
        return review.dropped
    if which == "undecided":
        return (codes == 0) & ~review.dropped
    return codes == _CODES[which]


def sort_key(
    review: ReviewSet,
    sort: Sort,
    scores: npt.NDArray[np.float32] | None,
    focus: npt.NDArray[np.float64] | None,
) -> npt.NDArray[Any] | None:
    """Return (N,) values, the cell to look at first has the lowest; None: as it came.

    Parameters
    ----------
    scores : (N, K) float32 or None
        In the order of the vocabulary; nan where a cell has none.
    focus : (N,) float64 or None
        Sharpness of each crop, see `sharpness`.

    Notes
    -----
    ``uncertainty`` goes by the highest score, ``suspicion`` by the score of the
    specimen's own pattern; cells without scores come last.
    """
    if sort == "size":
        return review.table["area"].to_numpy()
    if sort == "focus":
        return focus
    if scores is None or sort == "order":
        return None
    if sort == "uncertainty":
        return np.nan_to_num(scores.max(axis=1), nan=2.0)
    own = scores[np.arange(len(review)), np.maximum(review.pattern_index, 0)]
    return np.where((review.pattern_index < 0) | np.isnan(own), 2.0, own)


def shown_rows(
    passes: npt.NDArray[np.bool_], key: npt.NDArray[Any] | None
) -> npt.NDArray[np.int64]:
    """Return (M,) int64, the rows that pass, sorted by `key` and then as they came."""
    rows = np.flatnonzero(passes)
    if key is None:
        return rows
    return rows[np.argsort(key[rows], kind="stable")]


def sharpness(crops: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return how sharp each crop is: the spread of its Laplacian over its mean.

    Parameters
    ----------
    crops : (N, S, S) uint8 or uint16

    Returns
    -------
    focus : (N,) float64
        Not negative; 0 for a flat crop.

    References
    ----------
    Pertuz, Puig and Garcia, Pattern Recognition 46 (2013) 1415, "LAPV".
    """
    grey = np.asarray(crops, dtype=np.float64)
    centre = grey[:, 1:-1, 1:-1]
    neighbours = (
        grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    )
    spread = (neighbours - 4 * centre).std(axis=(1, 2))
    return np.asarray(spread / np.maximum(grey.mean(axis=(1, 2)), 1.0))


def measure_focus(
    review: ReviewSet,
) -> Iterator[tuple[Progress, npt.NDArray[np.float64]]]:
    """Yield progress and the sharpness of the next crops, a few hundred at a time."""
    for start in range(0, len(review), _CHUNK):
        stop = min(start + _CHUNK, len(review))
        share = stop / len(review)
        yield Progress("measuring focus", share), sharpness(review.crops[start:stop])


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
