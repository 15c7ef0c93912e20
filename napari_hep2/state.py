"""State that all widgets of a viewer share: evented, without Qt or napari.

A controller writes it, a view reads it and redraws on its events. Events are emitted
in the thread that writes, which is the window's: no worker writes a state.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt
from psygnal import SignalGroupDescriptor

from training.config import ExtractionSettings, SegmentationSettings
from training.curation.review_set import ReviewSet
from training.patterns import I3A, Vocabulary

if TYPE_CHECKING:
    from training.data.cells.extraction import FrameCells
    from training.data.layouts import Collection, Frame, Specimen
    from training.decisions.store import Decision
    from training.inference.frames import FramePrediction

UNNAMED = "reviewer"
"""Who decides as long as nobody gave a name."""

UNSIGNED = "Nothing was recorded: a decision carries the name of its reviewer."

# An array or a table has no truth value: such fields change when the object changes.
_BY_IDENTITY = dict.fromkeys(
    ("collection", "cells", "picture", "review", "decisions", "prediction"),
    operator.is_,
)


@dataclass(frozen=True, eq=False)
class FramePicture:
    """A frame that was read, whose cells are not cut yet.

    Attributes
    ----------
    image : (H, W) uint8 or uint16
    limits
        Grey values that are shown black and white.
    """

    frame: Frame
    image: npt.NDArray[Any]
    limits: tuple[float, float]


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
    picture
        The open frame where its cells are not there yet, or None.
    specimen, pattern
        Of the open frame; `pattern` is a name of the vocabulary or None.
    show_dropped
        Whether cells dropped by the extraction are boxed in the viewer.
    extraction, segmentation
        How cells are cut, and how a mask is made where there is none.
    review
        The cells under review: those of the frame or of a cell folder.
    current
        The row of `review` that keys act on, or None.
    selected
        Rows of `review`, in ascending order; holds `current` where there is one.
    reviewer
        Who decides; `UNNAMED` until a name is given.
    blind
        Whether the names of specimens and frames and the decisions of other
        reviewers are kept from the screen.
    store
        The folder in which decisions are kept, or None.
    decisions
        The reviewer's decision in force for each cell id.
    model
        The model file chosen, or None.
    prediction
        Of the open frame, or None.
    busy
        What runs now, or an empty string; `progress` is its share done, or None.
    opening
        Name of what is being opened, or an empty string. Until it is there, nothing
        that is shown of the frame before can be taken for it.
    message, fault
        The last good and the last bad news, one sentence each.
    """

    collection: Collection | None = None
    position: tuple[int, int] = (0, 0)
    cells: FrameCells | None = None
    picture: FramePicture | None = None
    specimen: str = ""
    pattern: str | None = None
    show_dropped: bool = True
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)

    review: ReviewSet | None = None
    current: int | None = None
    selected: tuple[int, ...] = ()
    reviewer: str = UNNAMED
    blind: bool = False
    store: Path | None = None
    decisions: Mapping[str, Decision] = field(default_factory=dict)

    model: Path | None = None
    device: str = "auto"
    prediction: FramePrediction | None = None

    busy: str = ""
    opening: str = ""
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

    @property
    def current_cell(self) -> str | None:
        """Id of the current cell, or None."""
        if self.review is None or self.current is None:
            return None
        return str(self.review.ids[self.current])

    @property
    def selected_cells(self) -> list[str]:
        """Ids of the selected cells."""
        review = self.review
        return [] if review is None else [str(review.ids[k]) for k in self.selected]

    @property
    def open_image(self) -> npt.NDArray[Any] | None:
        """The pixels of the open frame, (H, W), cut or not, or None."""
        opened = self.cells or self.picture
        return None if opened is None else opened.image

    def tell(self, message: str) -> None:
        """Give good news, which takes an earlier fault off the screen."""
        self.fault = ""
        self.message = message

    def complain(self, fault: object) -> None:
        """Give bad news."""
        self.message = ""
        self.fault = str(fault)
