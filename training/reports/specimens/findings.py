"""Findings of a model in a specimen: all frames together, one verdict."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from training.config import VerdictSettings
from training.data.cells.cell_set import pack_images
from training.data.cells.extraction import FrameCells, cell_id
from training.data.cells.known import KnownCells
from training.data.layouts import Frame, Specimen
from training.data.signal import (
    FrameSignal,
    SpecimenSignal,
    frame_signal,
    pool_signals,
)
from training.evaluation.intensity import Intensity, with_intensity
from training.evaluation.verdict import NEGATIVE, SpecimenVerdict, specimen_verdict
from training.inference.frames import classify_frame, draw_field, draw_overlay
from training.inference.scorers import Scorer

TYPICAL, DOUBTFUL = 12, 6
"""Cells that a report shows."""

FRAMES = 6
"""Most frames that a report draws; the verdict is on all."""

_PICTURE_WIDTH = 900
_QUALITY = 82


@dataclass(frozen=True)
class FrameView:
    """A frame as a report shows it.

    Attributes
    ----------
    name
        Of the frame.
    cells
        That were scored.
    mask
        ``given``, ``mended`` or ``made from the image``.
    notes
        Sentences on what was done to read it.
    field, overlay
        JPEG files; None beyond `FRAMES` frames.
    """

    name: str
    cells: int
    mask: str
    notes: tuple[str, ...]
    field: bytes | None
    overlay: bytes | None


@dataclass(frozen=True)
class Findings:
    """Findings in a specimen.

    Attributes
    ----------
    specimen
        With its frames.
    table
        One row a nucleus of all frames, dropped ones too: ``id``, ``frame``, ``label``,
        ``y``, ``x``, ``area``, ``flags``, ``dropped``.
    rows : (n,) int64
        Of the table: the cells that were scored.
    scores : (n, K) float32
        Rows sum to 1.
    crops : (n, S, S) uint8
    verdict
        On all cells together; a negative specimen has no pattern.
    signal, intensity
        How far its cells stand out, and what that means in its series.
    frames
        Those that could be read, in order.
    faults
        One sentence for each that could not.
    """

    specimen: Specimen
    table: pd.DataFrame
    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    crops: npt.NDArray[np.uint8]
    verdict: SpecimenVerdict
    signal: SpecimenSignal
    intensity: Intensity
    frames: tuple[FrameView, ...]
    faults: tuple[str, ...]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The pattern of the highest score of each cell, (n,) int64."""
        return self.scores.argmax(axis=1).astype(np.int64)

    @property
    def leading(self) -> int | None:
        """The pattern that leads, verdict or none; None without cells or staining."""
        if not self.verdict.n_cells or self.verdict.withheld == NEGATIVE:
            return None
        return int(self.verdict.scores.argmax())


def find_in_specimen(
    specimen: Specimen,
    frames: Iterable[tuple[Frame, FrameCells | str]],
    model: Scorer,
    settings: VerdictSettings,
    known: KnownCells,
    judge: Callable[[str, SpecimenSignal], Intensity],
) -> Findings:
    """Score the cells of all frames of a specimen and judge them together.

    Parameters
    ----------
    specimen
        Whose frames they are.
    frames
        As `training.inference.stream.cut_frames` yields them; each is let go before the
        next is asked for.
    model
        As `training.inference.scorers.load_scorer` returns it.
    settings
        Of the verdict, where none was fitted.
    known
        The nuclei that the decisions are on.
    judge
        Gives the intensity of a specimen, by its id, from its signal.
    """
    found = _Gathered(known)
    for frame, cells in frames:
        if isinstance(cells, str):
            found.faults.append(cells)
        else:
            found.add(frame, cells, model)
        del cells
    scores = _joined(found.scores, np.zeros((0, len(model.vocabulary)), np.float32))
    signal = pool_signals(found.signals, found.faults)
    intensity = judge(specimen.id, signal)
    verdict = specimen_verdict(scores, model.vocabulary, settings, model.card.verdict)
    return Findings(
        specimen,
        _table(found.tables),
        _rows(found.tables),
        scores,
        _joined(found.crops, np.zeros((0, 1, 1), np.uint8)),
        with_intensity(verdict, intensity),
        signal,
        intensity,
        tuple(found.frames),
        tuple(found.faults),
    )


def typical_cells(
    scores: npt.NDArray[np.float32], pattern: int, count: int = TYPICAL
) -> npt.NDArray[np.int64]:
    """Return the cells that are surest of a pattern, the surest first.

    Parameters
    ----------
    scores : (n, K) float32
    pattern
        Cells of which another pattern has the highest score are none.
    """
    own = np.flatnonzero(scores.argmax(axis=1) == pattern)
    order = np.argsort(-scores[own, pattern], kind="stable")
    return own[order[:count]].astype(np.int64)


def doubtful_cells(
    scores: npt.NDArray[np.float32], count: int = DOUBTFUL
) -> npt.NDArray[np.int64]:
    """Return the cells whose two highest scores are nearest, the nearest first."""
    return np.argsort(margins(scores), kind="stable")[:count].astype(np.int64)


def margins(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the highest less the second highest score of each cell, (n,) in 0..1."""
    ordered = np.sort(scores, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def specimen_doubt(verdict: SpecimenVerdict) -> float:
    """Return how doubtful a verdict is, 0..1.

    One less its probability where one was fitted; else one less what the leading
    pattern's share of cells is above the next. 1 without cells. 0 where a negative
    specimen has no pattern to doubt.
    """
    if verdict.withheld == NEGATIVE:
        return 0.0
    if not verdict.n_cells:
        return 1.0
    if verdict.probabilities is not None:
        return float(1 - verdict.probabilities.max())
    first = int(verdict.scores.argmax())
    others = np.delete(verdict.shares, first)
    return float(np.clip(1 - (verdict.shares[first] - others.max()), 0, 1))


class _Gathered:
    """Sums over the frames so far; no frame is kept."""

    def __init__(self, known: KnownCells) -> None:
        self.known = known
        self.tables: list[pd.DataFrame] = []
        self.scores: list[npt.NDArray[np.float32]] = []
        self.crops: list[npt.NDArray[np.uint8]] = []
        self.frames: list[FrameView] = []
        self.signals: list[tuple[str, FrameSignal]] = []
        self.faults: list[str] = []

    def add(self, frame: Frame, cells: FrameCells, model: Scorer) -> None:
        prediction = classify_frame(cells, model)
        table = cells.cells.table[["label", "y", "x", "area", "flags", "dropped"]]
        table.insert(0, "frame", frame.name)
        numbers = self.known.identify(cells).numbers.tolist()
        table.insert(0, "id", [cell_id(frame.name, one) for one in numbers])
        self.tables.append(table)
        self.signals.append((frame.name, frame_signal(cells)))
        self.scores.append(prediction.scores)
        size = cells.cells.crops.shape[1]
        self.crops.append(pack_images(prediction.crops, size))
        shown = len(self.frames) < FRAMES
        mask = "mended" if frame.mended else "given"
        self.frames.append(
            FrameView(
                frame.name,
                len(prediction.scores),
                "made from the image" if cells.mask_made else mask,
                prediction.notes,
                _jpeg(draw_field(prediction)) if shown else None,
                _jpeg(draw_overlay(prediction, letters_only=True)) if shown else None,
            )
        )


def _table(tables: list[pd.DataFrame]) -> pd.DataFrame:
    if not tables:
        names = ("id", "frame", "label", "y", "x", "area", "flags", "dropped")
        return pd.DataFrame({name: [] for name in names})
    return pd.concat(tables, ignore_index=True)


def _rows(tables: list[pd.DataFrame]) -> npt.NDArray[np.int64]:
    table = _table(tables)
    return np.flatnonzero((table["dropped"] == "").to_numpy()).astype(np.int64)


def _joined(parts: list[npt.NDArray[Any]], empty: npt.NDArray[Any]) -> Any:
    filled = [part for part in parts if len(part)]
    return np.concatenate(filled) if filled else empty


def _jpeg(picture: Image.Image) -> bytes:
    picture.thumbnail((_PICTURE_WIDTH, _PICTURE_WIDTH))
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()
