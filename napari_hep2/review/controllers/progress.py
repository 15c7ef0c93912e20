"""Progress of a review: decided cells in all and of each specimen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_hep2.review.controllers.decision_session import DecisionSession
from napari_hep2.state import SessionState
from training.curation.review_set import VERDICTS


@dataclass(frozen=True)
class ReviewProgress:
    """Decided cells of those that the extraction kept, and how they were decided."""

    decided: int
    total: int
    accepted: int
    rejected: int
    relabelled: int


@dataclass(frozen=True)
class SpecimenProgress:
    """Decided cells of one specimen, of those that the extraction kept."""

    specimen: str
    decided: int
    total: int


class ProgressCounter:
    """Counts of decided cells; a dropped cell counts once it is decided."""

    def __init__(self, session: SessionState, decisions: DecisionSession) -> None:
        self._session, self._decisions = session, decisions

    def count(self) -> ReviewProgress:
        """Return how far the whole review is."""
        review, codes = self._session.review, self._decisions.shown.codes
        if review is None:
            return ReviewProgress(0, 0, 0, 0, 0)
        accepted, rejected, relabelled = (
            int(n) for n in np.bincount(codes, minlength=len(VERDICTS))[1:]
        )
        total = int(((codes > 0) | ~review.dropped).sum())
        decided = accepted + rejected + relabelled
        return ReviewProgress(decided, total, accepted, rejected, relabelled)

    def of_specimens(self) -> list[SpecimenProgress]:
        """Return how far each specimen is, in the order of their first cells."""
        review, decided = self._session.review, self._decisions.shown.codes > 0
        if review is None:
            return []
        n, index = len(review.specimen_names), review.specimen_index
        total = np.bincount(index[decided | ~review.dropped], minlength=n)
        done = np.bincount(index[decided], minlength=n)
        counts = zip(review.specimen_names, done.tolist(), total.tolist(), strict=True)
        return [SpecimenProgress(*one) for one in counts]

    def of_current(self) -> SpecimenProgress | None:
        """Return how far the current cell's specimen is, None without a cell."""
        review, current = self._session.review, self._session.current
        if review is None or current is None:
            return None
        return self.of_specimens()[review.specimen_index[current]]
