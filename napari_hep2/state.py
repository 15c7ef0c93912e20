"""Session state (open, selected, decided, running): evented, without Qt or napari.

A controller writes it, a view reads it and redraws on its events. Events are emitted
in the thread that writes, which is the window's: no worker writes a state.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from psygnal import SignalGroupDescriptor

from training.config import ExtractionSettings, SegmentationSettings, Settings
from training.curation.ordering import Filter, Group, Heading, PatternChoice, Sort
from training.curation.review_set import ReviewSet
from training.patterns import I3A, Vocabulary

if TYPE_CHECKING:
    from training.data.cells.extraction import FrameCells
    from training.data.layouts import Collection, Frame, Specimen
    from training.decisions.store import Decision, Mark
    from training.inference.frames import FramePrediction

# An array or a table has no truth value: such fields change when the object changes.
_BY_IDENTITY = dict.fromkeys(
    (
        "collection",
        "cells",
        "review",
        "decisions",
        "marks",
        "others",
        "measures",
        "shown",
        "limits",
        "prediction",
    ),
    operator.is_,
)


@dataclass
class SessionState:
    """The one truth of a viewer that all its widgets show.

    Attributes
    ----------
    collection
        The open folder, or None where layers of the viewer are used.
    position
        Index of the specimen in the collection and of the frame in the specimen.
    cells
        The open frame with its cells, kept and dropped, or None.
    specimen, pattern
        Of the open frame; `pattern` is a name of the vocabulary or None.
    show_dropped
        Whether cells dropped by the extraction are boxed in the viewer.
    extraction, segmentation
        How cells are cut, and how a mask is made where there is none.
    review
        The cells under review: those of the frame or of a cell folder.
    decisions
        The reviewer's decision in force for each cell id.
    marks
        The reviewer's flag and note for each cell id that has one.
    others
        The decisions in force of the other reviewers for each cell id; empty while
        `blind`.
    blind
        Whether the names of specimens and frames and the decisions of other
        reviewers are kept from the screen.
    as_of
        The step after which decisions and marks are shown, for reading only; None:
        as they stand now.
    measures
        (N,) arrays by name, one value for each row of `review`, nan where not known.
    filter, pattern_filter, specimen_filter
        What a cell shown has to be; they combine. No pattern is None, no specimen ''.
    sort, descending
        What comes first within a group; `descending` turns it round.
    group
        What the cells shown are put together by.
    anchor
        The row that a sort by similarity compares with.
    headings
        One for each group of `shown`, written before it; none without a group.
    shown
        (M,) int64, the rows of `review` that pass the filters, in order.
    current
        The row of `review` that keys act on, or None.
    selected
        Rows of `review`, in ascending order; holds `current` where there is one.
    contrast
        Whether each cell is stretched for the eye by itself or as its specimen is.
    limits
        (specimens, 2) float64, grey values that are shown black and white, or None.
    contours, context
        Whether outlines of nuclei are drawn on tiles, and whether the detail shows
        what lies around the current cell.
    saved
        What the store last confirmed, or an empty string.
    model
        The model file chosen, or None.
    prediction
        Of the open frame, or None.
    busy
        What runs now, or an empty string; `progress` is its share done, or None.
    message, fault
        The last good and the last bad news, one sentence each.
    """

    collection: Collection | None = None
    position: tuple[int, int] = (0, 0)
    cells: FrameCells | None = None
    specimen: str = ""
    pattern: str | None = None
    show_dropped: bool = True
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)

    review: ReviewSet | None = None
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    others: Mapping[str, tuple[Decision, ...]] = field(default_factory=dict)
    blind: bool = False
    as_of: int | None = None
    measures: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    filter: Filter = "all"
    pattern_filter: PatternChoice | None = None
    specimen_filter: str = ""
    sort: Sort = "order"
    descending: bool = False
    group: Group = "none"
    anchor: int | None = None
    headings: tuple[Heading, ...] = ()
    shown: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.empty(0, dtype=np.int64)
    )
    current: int | None = None
    selected: tuple[int, ...] = ()
    contrast: Literal["cell", "specimen"] = "cell"
    limits: npt.NDArray[np.float64] | None = None
    contours: bool = False
    context: bool = False
    reviewer: str = "reviewer"
    store: Path | None = None
    writable: bool = True
    saved: str = ""

    model: Path | None = None
    device: str = "auto"
    prediction: FramePrediction | None = None

    busy: str = ""
    progress: float | None = None
    message: str = ""
    fault: str = ""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor(
        equality_operators=_BY_IDENTITY
    )

    @property
    def vocabulary(self) -> Vocabulary:
        """The patterns in use: the collection's, else the review's, else I3A."""
        if self.collection is not None:
            return self.collection.vocabulary
        return self.review.vocabulary if self.review is not None else I3A

    @property
    def open_specimen(self) -> Specimen | None:
        """The specimen at `position`, or None."""
        if self.collection is None or not self.collection.specimens:
            return None
        return self.collection.specimens[self.position[0]]

    @property
    def open_frame(self) -> Frame | None:
        """The frame at `position`, or None."""
        specimen = self.open_specimen
        return specimen.frames[self.position[1]] if specimen else None

    def tell(self, message: str) -> None:
        """Give good news, which takes an earlier fault off the screen."""
        self.fault = ""
        self.message = message

    def complain(self, fault: object) -> None:
        """Give bad news."""
        self.message = ""
        self.fault = str(fault)


def changed_words(*settings: Settings) -> list[str]:
    """Return the options of a command line for settings that are not the defaults."""
    words: list[str] = []
    for one in settings:
        for key, value in one.differing().items():
            words += ["--set", f"{key}={value}"]
    return words
