"""Frames that were cut and scored, kept so that neither is done twice.

Cells are known by the files of their frame and the settings that they were cut with,
scores by the pixels that the model was shown: what decides on both is the key, and a
verdict with decisions is made from them anew each time.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import CutStep, FrameCells, extracting
from training.data.layouts import Frame
from training.inference.cards import ModelCard
from training.inference.frames import FramePrediction, classify_frame
from training.inference.scorers import Scorer
from training.patterns import Vocabulary
from training.steps import Steps, drain

FRAMES, SCORES = 12, 20_000
"""Frames whose cells are kept, some 10 MB each, and frames whose scores are."""

Kept = TypeVar("Kept")
Scores = npt.NDArray[np.float32]
ModelKey = tuple[Hashable, ...]


class Latest(Generic[Kept]):
    """The values used last, by their keys; several threads may use it."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._values: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable) -> Kept | None:
        """Return a value, which is then the one used last, or None."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: Kept) -> None:
        """Keep a value in place of the one that was not used for longest."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)


class KeptFrames:
    """Cells of frames and their scores, as they were found before.

    Parameters
    ----------
    frames, scores
        Most frames whose cells, and whose scores, are kept.
    """

    def __init__(self, frames: int = FRAMES, scores: int = SCORES) -> None:
        self._cells: Latest[FrameCells] = Latest(frames)
        self._scores: Latest[Scores] = Latest(scores)
        self._models: Latest[tuple[ModelCard, Vocabulary]] = Latest(scores)

    def cut(
        self,
        frame: Frame,
        extraction: ExtractionSettings,
        segmentation: SegmentationSettings,
    ) -> FrameCells:
        """Return what `cutting` does, in one call."""
        return drain(self.cutting(frame, extraction, segmentation))

    def cutting(
        self,
        frame: Frame,
        extraction: ExtractionSettings,
        segmentation: SegmentationSettings,
    ) -> Steps[CutStep, FrameCells]:
        """Cut as `training.data.cells.extraction.extracting` does, where not kept.

        Raises
        ------
        BadImageError, BadMaskError
            If a file cannot be read, or no nucleus is found.
        """
        key = _frame_key(frame, extraction, segmentation)
        found = None if key is None else self._cells.get(key)
        if found is None:
            found = yield from extracting(frame, extraction, segmentation)
            if key is not None:
                self._cells.put(key, found)
        return found

    def scorer(self, model: Scorer, key: ModelKey) -> Scorer:
        """Return a model that scores no crops twice; `key` tells it from others."""
        self._models.put(key, (model.card, model.vocabulary))
        return _KeptScorer(model.card, model.vocabulary, key, self._scores, model)

    def prediction(self, cells: FrameCells, key: ModelKey) -> FramePrediction | None:
        """Return the prediction of a model for cells it scored before, or None."""
        known = self._models.get(key)
        if known is None:
            return None
        try:
            return classify_frame(cells, _KeptScorer(*known, key, self._scores))
        except KeyError:
            return None


@dataclass(frozen=True, eq=False)
class _KeptScorer:
    """A scorer that looks scores up, and asks the model, where there is one, for new.

    Without a model, crops that were not scored raise a `KeyError`.
    """

    card: ModelCard
    vocabulary: Vocabulary
    key: ModelKey
    kept: Latest[Scores]
    model: Scorer | None = None

    def scores(self, crops: npt.NDArray[Any]) -> Scores:
        """Return the scores of crops, as `Scorer.scores` does."""
        key = (self.key, _digest(crops))
        found = self.kept.get(key)
        if found is None:
            if self.model is None:
                raise KeyError(key)
            found = self.model.scores(crops)
            self.kept.put(key, found)
        return found


def model_key(model: Path, device: str) -> ModelKey:
    """Return what tells a model file from others, and from itself before a change."""
    return (model, device, *_states([model, model.with_suffix(".json")]))


def _frame_key(
    frame: Frame, extraction: ExtractionSettings, segmentation: SegmentationSettings
) -> Hashable | None:
    """Return what decides on the cells of a frame; None where a file is a folder."""
    masks = (frame.mended, frame.mask, *frame.other_masks)
    files = [*frame.images, *(one for one in masks if one is not None)]
    if any(one.is_dir() for one in files):
        return None
    return (frame, *_states(files), extraction, segmentation)


def _states(files: list[Path]) -> list[tuple[int, int] | None]:
    """Return time and size of files, None where one cannot be asked."""
    return [_state(one) for one in files]


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _digest(crops: npt.NDArray[Any]) -> bytes:
    """Return a hash of the pixels that a model is shown."""
    words = f"{crops.shape} {crops.dtype}".encode()
    digest = hashlib.blake2b(words, digest_size=16)
    digest.update(np.ascontiguousarray(crops).data)
    return digest.digest()
