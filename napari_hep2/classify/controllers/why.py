"""Verbs on the reasons of a cell's pattern: found in a worker, kept, shown."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hep2.classify.controllers.model import ClassifyController
from napari_hep2.classify.controllers.verdict import VerdictController, scored_ids
from napari_hep2.classify.state import CellReasons, NearCell, WhyState
from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.state import SessionState
from training.config.commands import command_line
from training.data.cells.orientations import VIEWS

if TYPE_CHECKING:
    from training.inference.frames import FramePrediction
    from training.inference.why.neighbours import NeighbourIndex
    from training.inference.why.reasons import Reasons
    from training.patterns import Vocabulary

_KEPT = 256
"""Cells whose reasons are kept: some 15 MB."""


class WhyController:
    """Says why the current cell was given its pattern.

    torch is imported, and computes, only in the worker.

    Parameters
    ----------
    state
        Read; sentences are written.
    classify
        Has the model of the prediction.
    verdict
        Knows the current cell.
    found
        Written.
    """

    def __init__(
        self,
        state: SessionState,
        classify: ClassifyController,
        verdict: VerdictController,
        found: WhyState,
    ) -> None:
        self._state, self._classify, self._verdict = state, classify, verdict
        self.found = found
        self._of: FramePrediction | None = None
        self._kept: OrderedDict[str, CellReasons] = OrderedDict()
        self._tried: set[str] = set()
        self._index: tuple[Path, float, NeighbourIndex | None, str] | None = None
        state.events.current.connect(self.follow)
        state.events.prediction.connect(self.follow)

    def follow(self) -> None:
        """Show what is known of the current cell; nothing of an older prediction."""
        if self._of is not self._state.prediction:
            self._of = self._state.prediction
            self._kept.clear()
            self._tried.clear()
        self.found.reasons = self._kept.get(self._verdict.current())

    def cell(self) -> str:
        """Return the id of the current cell where the model scored it, else ''."""
        cell = self._verdict.current()
        return cell if cell in self._verdict.cells() else ""

    @property
    def is_wanted(self) -> bool:
        """Return whether the current cell can be explained and was not tried yet."""
        cell = self.cell()
        return bool(cell) and cell not in self._kept and cell not in self._tried

    def explain(self) -> Job | None:
        """Find out why the current cell was given its pattern."""
        self.follow()
        prediction, cell = self._state.prediction, self.cell()
        weights, load = self._state.model, self._classify.loading()
        if prediction is None or not cell or weights is None:
            self._state.complain(
                "Classify the cells first, and choose one that was scored."
            )
            return None
        row = scored_ids(prediction, self._state.review).index(cell)
        known = self._index
        self._tried.add(cell)

        def work() -> Work[tuple[CellReasons, Any]]:
            model = yield from load()
            yield Progress("looking up the training cells")
            index = _read_index(weights, model.vocabulary, known)
            yield Progress(f"looking at {'the cell' if self._state.blind else cell}")
            why = explained(prediction, row, cell, model, index[2], index[3])
            return why, index

        def done(result: tuple[CellReasons, Any]) -> None:
            reasons, self._index = result
            if self._of is prediction:
                self._kept[cell] = reasons
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self.follow()

        return Job("Why this pattern", work, done, apart=True)


def explained(
    prediction: FramePrediction,
    row: int,
    cell: str,
    model: Any,
    index: NeighbourIndex | None,
    note: str,
) -> CellReasons:
    """Explain one scored cell; for a worker, as it computes.

    Parameters
    ----------
    prediction
        Of the frame.
    row
        Of its scores.
    cell
        The cell's id.
    model
        That made it.
    index
        Of the model's training cells, or None, then `note` says why.
    """
    from training.inference.why.reasons import explain_cells

    crop = prediction.crops[row]
    best = int(prediction.predicted[row])
    reasons = explain_cells(model, np.asarray(crop)[None], np.array([best]), index)
    agreeing, low, high = _views(reasons)
    return CellReasons(
        cell,
        prediction.vocabulary[best],
        float(prediction.scores[row, best]),
        crop,
        None if reasons.maps is None else reasons.maps[0],
        agreeing,
        low,
        high,
        _near(reasons, prediction.vocabulary),
        (*reasons.notes, note) if note else reasons.notes,
    )


def _views(reasons: Reasons) -> tuple[int | None, float, float]:
    found = reasons.stability
    if found is None:
        return None, 0.0, 0.0
    agreeing = round(float(found.agreeing[0]) * VIEWS)
    return agreeing, float(found.low[0]), float(found.high[0])


def _near(reasons: Reasons, vocabulary: Vocabulary) -> tuple[NearCell, ...]:
    found = () if reasons.neighbours is None else reasons.neighbours[0]
    return tuple(
        NearCell(
            vocabulary[one.pattern], one.specimen, one.cell, one.likeness, one.picture
        )
        for one in found
    )


def _read_index(
    weights: Path,
    vocabulary: Vocabulary,
    known: tuple[Path, float, NeighbourIndex | None, str] | None,
) -> tuple[Path, float, NeighbourIndex | None, str]:
    """Return where a model's index lies, of when, the index, or why there is none."""
    from training.errors import BadModelError
    from training.inference.why.neighbours import index_path, read_index

    path = index_path(weights)
    if not path.is_file():
        command = command_line("neighbours", weights, data="TRAINING-DATA")
        note = (
            "Similar training cells are not shown: this model has no index of them "
            f"yet. This command creates it: {command}"
        )
        return path, 0.0, None, note
    changed = path.stat().st_mtime
    if known is not None and known[:2] == (path, changed):
        return known
    try:
        return path, changed, read_index(path, weights, vocabulary), ""
    except BadModelError as fault:
        return path, changed, None, str(fault)
