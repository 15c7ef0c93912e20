"""Leave-one-specimen-out of the cells under review, anew after each decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from psygnal import SignalGroupDescriptor

from napari_hep2.jobs import Job, Work, reported
from napari_hep2.state import SessionState
from training.curation.review_set import ReviewSet, current_labels
from training.errors import Hep2Error
from training.evaluation.intervals import percent_range
from training.evaluation.metrics import basis_words
from training.splits.samples import Rows

if TYPE_CHECKING:
    from training.studies.live_loso import (
        HardSpecimen,
        LiveCurve,
        LiveFigures,
        LiveStudy,
    )

Floats = npt.NDArray[np.float64]

MOST = 50_000
"""Cells under review at which the figures still follow a decision within seconds."""


@dataclass
class LiveDesk:
    """What *Live LOSO* shows; a worker of its own writes what it does here.

    Attributes
    ----------
    figures
        The last that were measured, or None.
    curve
        What more specimens are worth, or None; it follows the figures.
    is_behind
        Whether a decision was made since the figures.
    busy, progress
        What the worker does, and its share done or None.
    fault
        Why there are no figures, or an empty string.
    """

    figures: LiveFigures | None = None
    curve: LiveCurve | None = None
    is_behind: bool = False
    busy: str = ""
    progress: float | None = None
    fault: str = ""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()


class LiveController:
    """Reads the cells under review once, then measures each change of their labels.

    Parameters
    ----------
    session
        Read, in the window's thread alone.
    sort
        Called with the doubt of each cell, to bring the most doubtful first.
    """

    def __init__(
        self, session: SessionState, sort: Callable[[Floats], Job | None]
    ) -> None:
        self._session, self._sort = session, sort
        self._draws_curve = False
        self.desk = LiveDesk()
        self._of: ReviewSet | None = None
        self._study: LiveStudy | None = None

    def next_job(self) -> Job | None:
        """Return what has to be done now, or None where all is up to date.

        A curve that is being drawn is left aside for figures that are behind.
        """
        review, desk = self._session.review, self.desk
        if review is not self._of:
            self._forget(review)
        if review is None or (self._study is None and desk.fault):
            return None
        if desk.busy and not self._draws_curve:
            return None
        if len(review) > MOST:
            desk.fault = f"{len(review):,} cells are under review; at most {MOST:,}."
            return None
        labels = current_labels(review, self._session.decisions)
        if self._study is None:
            return self._reading(review, labels)
        known = desk.figures
        desk.is_behind = known is None or not np.array_equal(known.labels, labels)
        if known is None or desk.is_behind:
            return self._measuring(review, self._study, labels)
        if desk.busy or (desk.curve is not None and desk.curve.labels is known.labels):
            return None
        return self._drawing(review, self._study, known)

    def again(self) -> None:
        """Try again what failed."""
        self.desk.fault = ""

    def sort_by_doubt(self) -> Job | None:
        """Sort by how far models that never saw a specimen doubt its labels."""
        figures = self.desk.figures
        if figures is None or self._session.review is not self._of:
            return None
        return self._sort(figures.doubt)

    def _forget(self, review: ReviewSet | None) -> None:
        self._of, self._study = review, None
        self.desk.figures, self.desk.curve = None, None
        self.desk.is_behind, self.desk.fault = False, ""

    def _reading(self, review: ReviewSet, labels: Rows) -> Job:
        def work() -> Work[LiveStudy]:
            # It loads torch, which the window does without until it is used.
            from training.studies.live_loso import live_steps

            return (
                yield from reported("reading the cells", live_steps(review, labels))
            )

        def done(study: LiveStudy) -> Job | None:
            if self._session.review is review:
                self._study = study
            return self.next_job()

        return Job("Live LOSO", work, done)

    def _measuring(self, review: ReviewSet, study: LiveStudy, labels: Rows) -> Job:
        self._draws_curve = False

        def work() -> Work[LiveFigures | Hep2Error]:
            yield from ()
            try:
                return study.measure(labels)
            except Hep2Error as fault:
                return fault

        def done(found: LiveFigures | Hep2Error) -> Job | None:
            if self._session.review is review:
                if isinstance(found, Hep2Error):
                    self.desk.fault = str(found)
                    return None
                self.desk.figures, self.desk.fault = found, ""
            return self.next_job()

        return Job("Live LOSO", work, done)

    def _drawing(
        self, review: ReviewSet, study: LiveStudy, figures: LiveFigures
    ) -> Job:
        self._draws_curve = True

        def work() -> Work[LiveCurve]:
            return (yield from reported("fewer specimens", study.curve(figures)))

        def done(found: LiveCurve) -> Job | None:
            self._draws_curve = False
            if self._session.review is review:
                self.desk.curve = found
            return self.next_job()

        return Job("Live LOSO", work, done)


def headline(figures: LiveFigures) -> str:
    """Return the accuracy of held-out cells, with its interval and what it rests on."""
    metrics = figures.metrics
    basis = (
        f"{metrics.n:,} cells of {figures.specimens} specimens, each left out in turn."
    )
    partly = basis_words(metrics)
    mean = f"{100 * metrics.mean_class_accuracy:.1f} % mean class accuracy"
    mean += f" {partly}" if partly else ""
    if metrics.interval is not None:
        mean += f" (95 %: {percent_range(metrics.interval)})"
    return f"{mean}, {basis}"


def curve_line(curve: LiveCurve) -> str:
    """Return the accuracy by the number of specimens that are trained on."""
    if len(curve.points) < 2:
        return ""
    sizes = ", ".join(str(one.specimens) for one in curve.points)
    found = ", ".join(f"{100 * one.mean_class_accuracy:.1f}" for one in curve.points)
    return f"Trained on {sizes} specimens: {found} %."


def specimen_line(one: HardSpecimen, patterns: tuple[str, ...]) -> str:
    """Return how many cells of a specimen are recognised, and what most seem to be."""
    taken = patterns[one.taken_for]
    return f"{one.name}: {one.right} of {one.cells} right, most taken for {taken}"
