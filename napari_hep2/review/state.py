"""State of *Review cells*: evented, without Qt or napari."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from psygnal import SignalGroupDescriptor

from training.curation.ordering import Filter, Group, Heading, PatternChoice, Sort

if TYPE_CHECKING:
    from training.curation.review_set import ReviewSet
    from training.decisions.store import Decision, Mark

# An array or a table has no truth value: such fields change when the object changes.
_BY_IDENTITY = dict.fromkeys(
    ("marks", "others", "measures", "shown", "limits", "scores"), operator.is_
)


@dataclass(frozen=True, eq=False)
class CellScores:
    """Scores of the cells under review by one model.

    Attributes
    ----------
    model
        Its name.
    values : (N, K) float32
        In the order of the review's vocabulary; nan where a cell has none.
    """

    model: str
    values: npt.NDArray[np.float32]

    def carried(self, before: ReviewSet, after: ReviewSet) -> CellScores:
        """Return the scores of the cells after, by their ids; nan for a new one."""
        rows = np.array([before.row_of.get(cell, -1) for cell in after.ids], np.int64)
        values = np.where(rows[:, None] < 0, np.float32(np.nan), self.values[rows])
        return CellScores(self.model, values)


@dataclass
class ReviewState:
    """What *Review cells* shows of the cells under review.

    Attributes
    ----------
    marks
        The reviewer's flag and note for each cell id that has one.
    others
        The decisions in force of the other reviewers for each cell id; empty for a
        blind reviewer.
    as_of
        The step after which decisions and marks are shown, for reading only; None:
        as they stand now.
    writable
        Whether the decisions can be changed.
    saved
        What the store last confirmed, or an empty string.
    measures
        (N,) arrays by name, one value for each cell under review, nan where not known.
    filter, pattern_filter, specimen_filter
        What a cell shown has to be; they combine. No pattern is None, no specimen ''.
    sort, descending
        What comes first within a group; `descending` turns it round.
    group
        What the cells shown are put together by.
    anchor
        The row that a sort by similarity compares with.
    shown
        (M,) int64, the rows of the review set that pass the filters, in order.
    headings
        One for each group of `shown`, written before it; none without a group.
    scores
        Of all cells under review by one model, or None.
    wanted
        The order that was asked for without scores to sort by, or None.
    contrast
        Whether each cell is stretched for the eye by itself or as its specimen is.
    limits
        (specimens, 2) float64, grey values that are shown black and white, or None.
    contours, context
        Whether outlines of nuclei are drawn on tiles, and whether the detail shows
        what lies around the current cell.
    """

    marks: Mapping[str, Mark] = field(default_factory=dict)
    others: Mapping[str, tuple[Decision, ...]] = field(default_factory=dict)
    as_of: int | None = None
    writable: bool = True
    saved: str = ""

    measures: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    filter: Filter = "all"
    pattern_filter: PatternChoice | None = None
    specimen_filter: str = ""
    sort: Sort = "order"
    descending: bool = False
    group: Group = "none"
    anchor: int | None = None
    shown: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.empty(0, dtype=np.int64)
    )
    headings: tuple[Heading, ...] = ()

    scores: CellScores | None = None
    wanted: Sort | None = None
    contrast: Literal["cell", "specimen"] = "cell"
    limits: npt.NDArray[np.float64] | None = None
    contours: bool = False
    context: bool = False

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor(
        equality_operators=_BY_IDENTITY
    )
