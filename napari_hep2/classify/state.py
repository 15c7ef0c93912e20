"""State of *Classify* beside the prediction: evented, without Qt or napari.

As `napari_hep2.state`: a controller writes it, a view redraws on its events.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from psygnal import SignalGroupDescriptor

from training.patterns import Pattern

if TYPE_CHECKING:
    from training.decisions.model import Decision


@dataclass(frozen=True)
class NearCell:
    """A training cell that the network sees as it sees another cell.

    Attributes
    ----------
    pattern, specimen, cell
        Which it is.
    likeness
        Cosine between what the network computes of both, -1..1.
    picture : (S, S) uint8
    """

    pattern: Pattern
    specimen: str
    cell: str
    likeness: float
    picture: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CellReasons:
    """Why a cell was given its pattern.

    Attributes
    ----------
    cell
        Its id.
    pattern, score
        What the model calls it.
    crop : (S, S) uint8 or uint16
    map : (S, S) float32 in 0..1, or None
        Where the network found what speaks for the pattern.
    agreeing
        Of its eight views, those that keep the pattern; None where that is not known.
    low, high
        Lowest and highest score of the pattern over the views.
    near
        The nearest training cell of each pattern; empty without an index.
    notes
        Sentences on what could not be told.
    """

    cell: str
    pattern: Pattern
    score: float
    crop: npt.NDArray[Any]
    map: npt.NDArray[np.float32] | None
    agreeing: int | None
    low: float
    high: float
    near: tuple[NearCell, ...]
    notes: tuple[str, ...]


@dataclass
class WhyState:
    """Why the current cell was given its pattern, or None where it is not known yet."""

    reasons: CellReasons | None = None

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor(
        equality_operators={"reasons": operator.is_}
    )


@dataclass
class WorklistState:
    """The specimens of a folder as they were reported.

    Attributes
    ----------
    folder, out
        Of the specimens, and for the reports.
    rows
        Ranked by doubt, as `training.reports.specimens.worklist.rank` returns them.
    total
        Specimens to be reported by the run that goes on or went last, 0 before.
    is_whole
        Whether the run came to its end, so that the worklist's own page is written.
    """

    folder: Path | None = None
    out: Path | None = None
    rows: tuple[dict[str, Any], ...] = ()
    total: int = 0
    is_whole: bool = False

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor(
        equality_operators={"rows": operator.is_}
    )


@dataclass
class SayingState:
    """Reviewers' answers on the open specimen as a whole, one a reviewer.

    Attributes
    ----------
    teacher
        Whose answers are the known ones while a person practises, else ''.
    """

    sayings: tuple[Decision, ...] = ()
    teacher: str = ""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()
