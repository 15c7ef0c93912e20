"""Classifies the cells of a frame and exports what was found."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from training.config import VerdictSettings
from training.data.cells.extraction import FrameCells, cell_id, crop_boxes, cut
from training.evaluation.verdict import SpecimenVerdict, specimen_verdict
from training.inference.cards import NOTICE, ModelCard
from training.inference.scorers import Scorer
from training.patterns import Pattern, Vocabulary
from training.storage.csv_tables import csv_of
from training.storage.writing import write_bytes, write_json, write_text

_LETTERS_ACROSS = 42
"""Letters of a picture that is shown small, side by side over its width."""

_LEAST_CELLS = 5
"""Kept cells by which the usual nucleus of a frame is measured."""


@dataclass(frozen=True)
class FramePrediction:
    """The patterns predicted for the kept cells of a frame.

    Attributes
    ----------
    cells
        The frame and all its nuclei.
    rows : (n,) int64
        Rows of the cells' table that were kept, hence scored.
    scores : (n, K) float32
        Rows sum to 1, in the order of `vocabulary`.
    vocabulary
        The patterns of the model.
    verdict
        On this frame.
    card
        Of the model.
    crops : (n, S, S) uint8 or uint16
        What the model was shown.
    """

    cells: FrameCells
    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    vocabulary: Vocabulary
    verdict: SpecimenVerdict
    card: ModelCard
    crops: npt.NDArray[Any]

    @property
    def is_matched(self) -> bool:
        """Return whether crops were cut again at the model's nucleus size."""
        cut_before = self.cells.cells.crops.shape[1]
        return len(self.rows) > 0 and self.crops.shape[1] != cut_before

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the notes on the frame, last on the crops that were scored."""
        if not self.is_matched:
            return self.cells.notes
        unfit, size = self.cells.cells.notes, self.crops.shape[1]
        rest = tuple(note for note in self.cells.notes if note not in unfit)
        return (*rest, f"the model scored crops of {size} pixels, as in its training")

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The pattern of the highest score of each cell, (n,) int64."""
        return self.scores.argmax(axis=1).astype(np.int64)


def classify_frame(
    cells: FrameCells, model: Scorer, settings: VerdictSettings | None = None
) -> FramePrediction:
    """Score every kept cell of a frame and judge the frame.

    Parameters
    ----------
    cells
        As `training.data.cells.extraction.extract_frame` returns them.
    model
        As `training.inference.scorers.load_scorer` returns it.
    settings
        Of the verdict.
    """
    rows = np.flatnonzero((cells.cells.table["dropped"] == "").to_numpy())
    crops = matched_crops(cells, rows, model.card.nucleus_share)
    scores = model.scores(crops)
    verdict = specimen_verdict(scores, model.vocabulary, settings, model.card.verdict)
    return FramePrediction(
        cells, rows, scores, model.vocabulary, verdict, model.card, crops
    )


def matched_crops(
    cells: FrameCells, rows: npt.NDArray[np.int64], share: float | None
) -> npt.NDArray[Any]:
    """Cut cells so that nuclei are as large in their crops as in a model's training.

    Parameters
    ----------
    cells
        Of a frame.
    rows : (n,) int64
        Of the cells' table.
    share
        `nucleus_share` of the model's card. Without it, and where the frame has fewer
        than 5 kept cells to measure by, the crops are left as they were cut.

    Returns
    -------
    crops : (n, S, S) of the frame's dtype
    """
    fit = cells.cells.fit
    if share is None or fit is None or len(rows) < _LEAST_CELLS:
        return cells.cells.crops[rows]
    size = fit.matched_size(share)
    if size == fit.size:
        return cells.cells.crops[rows]
    size = min(size, min(cells.image.shape) // 2 * 2 - 1)
    table = cells.cells.table.iloc[rows]
    boxes = crop_boxes(table["y"].to_numpy(), table["x"].to_numpy(), size)
    return cut(cells.seen, boxes)


def export_prediction(prediction: FramePrediction, folder: Path) -> list[Path]:
    """Write the cells as CSV, the verdict as JSON and the overlay as PNG.

    Returns
    -------
    files
        Named after the frame, in `folder`.

    Raises
    ------
    StorageError
        If they cannot be written.
    """
    name = prediction.cells.frame.name
    table, verdict, picture = (
        folder / f"{name}_cells.csv",
        folder / f"{name}_verdict.json",
        folder / f"{name}_overlay.png",
    )
    write_text(table, _table(prediction))
    write_json(verdict, verdict_content(prediction))
    write_bytes(picture, _png(draw_overlay(prediction)))
    return [table, verdict, picture]


def verdict_content(prediction: FramePrediction) -> dict[str, object]:
    """Return the verdict as JSON content."""
    verdict, names = prediction.verdict, prediction.vocabulary.names
    return {
        "frame": prediction.cells.frame.name,
        **told_verdict(verdict, names),
        "mask": "made from the image" if prediction.cells.mask_made else "given",
        "notes": list(prediction.notes),
        "model": prediction.card.name,
        "trained_on": prediction.card.trained_on,
        "measured": prediction.card.measured,
        "notice": NOTICE,
    }


def told_verdict(verdict: SpecimenVerdict, names: tuple[str, ...]) -> dict[str, object]:
    """Return a verdict as JSON content; `names` are those of its patterns, in order."""
    pattern, odds = verdict.pattern, verdict.probabilities
    return {
        "pattern": pattern.name if pattern else None,
        "icap_group": pattern.icap if pattern else None,
        "second_pattern": verdict.second.name if verdict.second else None,
        "mixed": verdict.mixed,
        "withheld": verdict.withheld,
        "reason": verdict.reason,
        "cells": verdict.n_cells,
        "shares": _named(names, verdict.shares),
        "scores": _named(names, verdict.scores),
        "probabilities": None if odds is None else _named(names, odds),
    }


def draw_field(prediction: FramePrediction) -> Image.Image:
    """Return the frame in grey, stretched for the eye."""
    image = prediction.cells.image
    low, high = prediction.cells.limits
    frame = image.astype(np.float32)
    grey = np.clip((frame - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return Image.fromarray(grey)


def draw_overlay(
    prediction: FramePrediction, letters_only: bool = False
) -> Image.Image:
    """Return the frame, stretched for the eye, with a box and a letter a cell.

    Parameters
    ----------
    prediction
        Of the frame.
    letters_only
        Draw letters that can be read where the picture is shown small, and no scores.
    """
    picture = draw_field(prediction).convert("RGB")
    pen = ImageDraw.Draw(picture)
    table = prediction.cells.cells.table.iloc[prediction.rows]
    size = prediction.cells.cells.crops.shape[1]
    boxes = crop_boxes(table["y"].to_numpy(), table["x"].to_numpy(), size)
    letter_size = min(size // 2, max(14, picture.width // _LETTERS_ACROSS))
    for (y0, x0, y1, x1), best, scores in zip(
        boxes, prediction.predicted, prediction.scores, strict=True
    ):
        pattern = prediction.vocabulary[best]
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline=pattern.colour, width=2)
        if letters_only:
            _plate(pen, (int(x0), int(y0)), pattern, letter_size)
            continue
        text = f"{pattern.letter} {scores[best]:.2f}"
        pen.text((x0 + 4, y0 + 2), text, fill=pattern.colour, font_size=14)
    return picture


def _plate(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], pattern: Pattern, size: int
) -> None:
    """Draw a pattern's letter in black on its colour, `size` pixels high."""
    x0, y0 = corner
    pen.rectangle((x0, y0, x0 + size, y0 + size), fill=pattern.colour)
    middle = (x0 + size / 2, y0 + size / 2)
    pen.text(middle, pattern.letter, fill="black", font_size=size, anchor="mm")


def _named(names: tuple[str, ...], values: npt.NDArray[np.float64]) -> dict[str, float]:
    return {n: round(float(v), 4) for n, v in zip(names, values, strict=True)}


def _table(prediction: FramePrediction) -> str:
    names = prediction.vocabulary.names
    frame = prediction.cells.frame.name
    table = prediction.cells.cells.table[
        ["label", "y", "x", "area", "flags", "dropped"]
    ].round({"y": 2, "x": 2})
    table.insert(0, "id", [cell_id(frame, int(label)) for label in table["label"]])
    scored = table.index[prediction.rows]
    table.loc[scored, "predicted"] = [names[k] for k in prediction.predicted]
    for k, name in enumerate(names):
        table.loc[scored, f"score_{name}"] = prediction.scores[:, k].round(4)
    return csv_of(table)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
