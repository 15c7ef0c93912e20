"""Derived from the prediction shown: cells by doubt, the verdict with decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_hep2.state import SessionState
from training.curation.review_set import ReviewSet, frame_ids
from training.decisions.model import Decision
from training.evaluation.decided_verdict import DecidedVerdict, verdict_as_decided
from training.patterns import Pattern

if TYPE_CHECKING:
    from training.inference.frames import FramePrediction


@dataclass(frozen=True, eq=False)
class ScoredCell:
    """A cell as the model scored it.

    Attributes
    ----------
    cell
        Its id.
    crop : (S, S) uint8 or uint16
    first, second
        The patterns of its two highest scores.
    score, second_score
        These scores.
    """

    cell: str
    crop: npt.NDArray[Any]
    first: Pattern
    score: float
    second: Pattern
    second_score: float


class VerdictController:
    """Reads the prediction and the decisions; writes neither.

    Parameters
    ----------
    state
        Only read, but for sentences.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state

    def cells(self) -> tuple[str, ...]:
        """Return the ids of the scored cells, in the order of the scores."""
        prediction = self._state.prediction
        return () if prediction is None else scored_ids(prediction, self._state.review)

    def decided(self) -> DecidedVerdict | None:
        """Return the verdict with the reviewer's decisions, or None without one.

        Nothing is written: it follows from the decisions in force each time.
        """
        prediction = self._state.prediction
        if prediction is None:
            return None
        return verdict_as_decided(
            prediction.scores,
            scored_ids(prediction, self._state.review),
            self._decisions(),
            prediction.vocabulary,
            fitted=prediction.card.verdict,
        )

    def _decisions(self) -> Mapping[str, Decision]:
        """Return the decisions on cells of the open folder, none on another's."""
        state, review = self._state, self._state.review
        if review is None:
            return {}
        root = state.collection.root if state.collection is not None else None
        if review.is_folder and (review.root is None or review.root != root):
            return {}
        return state.decisions

    def judged_on(self) -> str:
        """Return what the verdict is on where it is not the whole specimen, or ''.

        So is said where the model was shown other crops than those that are boxed, or
        where nuclei do not fit them.
        """
        prediction, specimen = self._state.prediction, self._state.open_specimen
        if prediction is None:
            return ""
        frames = len(specimen.frames) if specimen is not None else 1
        told = [
            f"Caution, see Specimen: {note}."
            for note in prediction.cells.cells.notes
            if note in prediction.notes
        ]
        if prediction.is_matched:
            told.append(f"{prediction.notes[-1].capitalize()}.")
        if frames > 1:
            told.append(
                f"From this frame only, 1 of {frames} of the specimen; its report "
                "uses all of them."
            )
        return " ".join(told)

    # -- by doubt

    def shown(self) -> tuple[tuple[ScoredCell, ...], tuple[ScoredCell, ...]]:
        """Return the most doubtful cells, and the most typical of the others."""
        prediction = self._state.prediction
        if prediction is None or not len(prediction.scores):
            return (), ()
        from training.reports.specimens.content import shown_rows

        leading = int(prediction.verdict.scores.argmax())
        rows = shown_rows(prediction.scores, leading)
        return (
            self._scored(prediction, rows.doubtful),
            self._scored(prediction, rows.typical),
        )

    def _scored(
        self, prediction: FramePrediction, rows: npt.NDArray[np.int64]
    ) -> tuple[ScoredCell, ...]:
        ids, patterns = (
            scored_ids(prediction, self._state.review),
            prediction.vocabulary,
        )
        found = []
        for row in rows.tolist():
            scores = prediction.scores[row]
            first, second = np.argsort(-scores, kind="stable")[:2].tolist()
            found.append(
                ScoredCell(
                    ids[row],
                    prediction.crops[row],
                    patterns[first],
                    float(scores[first]),
                    patterns[second],
                    float(scores[second]),
                )
            )
        return tuple(found)

    def next_doubtful(self) -> str | None:
        """Return the next most doubtful cell without a decision.

        It follows the current cell in the order of doubt and begins anew after the
        last; where the current cell is not among the scored ones, it is the most
        doubtful of all.
        """
        prediction, state = self._state.prediction, self._state
        if prediction is None:
            state.complain("Classify the cells first: none is scored yet.")
            return None
        from training.reports.specimens.findings import doubtful_cells

        ids, decisions = scored_ids(prediction, self._state.review), self._decisions()
        order = [ids[k] for k in doubtful_cells(prediction.scores, len(ids))]
        current = self.current()
        place = order.index(current) + 1 if current in order else 0
        for cell in (*order[place:], *order[:place]):
            if cell not in decisions and cell != current:
                return cell
        state.tell("Every scored cell has a decision.")
        return None

    def current(self) -> str:
        """Return the id of the current cell, or ''."""
        review, row = self._state.review, self._state.current
        return "" if review is None or row is None else str(review.ids[row])

    def can_show(self, cell: str) -> bool:
        """Return whether a cell is under review; complain if not."""
        review = self._state.review
        if review is not None and cell in review.row_of:
            return True
        self._state.complain(
            "Review cells shows other cells: choose This frame there to go to this one."
        )
        return False


def scored_ids(
    prediction: FramePrediction, review: ReviewSet | None
) -> tuple[str, ...]:
    """Return the ids of the cells of a prediction, in the order of its scores."""
    name = prediction.cells.frame.name
    labels = prediction.cells.cells.table["label"].to_numpy()[prediction.rows]
    return tuple(frame_ids(review, name, labels.tolist()))
