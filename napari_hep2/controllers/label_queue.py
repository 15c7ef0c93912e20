"""Brings what a finished run doubts to the cells under review, for the gallery's sort.

A run's models never saw the specimens that they score. Nothing here decides anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review_set import ReviewSet
from napari_hep2.state import SessionState
from training.data.cells import full_scale

if TYPE_CHECKING:
    from training.label_errors import DoubtedLabels

SUSPICION, UNCERTAINTY = "suspicion", "uncertainty"
"""What the gallery sorts by."""

DISAGREEMENT, VIEW_SPREAD = "disagreement", "view_spread"
"""What a run, and a model, say of how sure they are."""

_CHUNK = 250

Values = npt.NDArray[np.float64]


class LabelQueue:
    """Fills ``measures`` of the state: the cell to look at first has the highest value.

    Parameters
    ----------
    state
        Read and written, in the window's thread alone.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state

    def load_job(self, run_folder: Path) -> Job:
        """Take suspicion, disagreement and uncertainty of cells from a finished run.

        Cells that the run did not hold out get nan. Labels are those that stand in the
        run's cell folder now. Uncertainty is the disagreement of the epochs that voted;
        of a classifier without votes it is what the highest score lacks of 1.
        """
        review = self._state.review

        def work() -> Work[dict[str, Values]]:
            # These load torch, which the window does without until they are used.
            from training.label_errors import find_label_errors
            from training.runs import RunFolder

            yield Progress(f"reading {run_folder.name}")
            queue = find_label_errors(RunFolder.open(run_folder))
            yield Progress("finding its cells")
            return {} if review is None else queue_values(review, queue)

        def done(values: dict[str, Values]) -> None:
            state = self._state
            if review is None or state.review is not review:
                state.complain("Other cells are under review now; load the run again.")
                return
            known = int(np.isfinite(values[SUSPICION]).sum())
            if not known:
                state.complain(f"{run_folder.name} held out none of these cells.")
                return
            state.measures = {**state.measures, **values}
            state.tell(
                f"{known:,} of {len(review):,} cells scored by {run_folder.name}."
            )

        return Job("Loading the label-error queue", work, done)

    def views_job(self, model: Path, device: str = "auto") -> Job:
        """Measure how far a model's scores of each cell differ over its eight views.

        That is then the uncertainty by which the gallery sorts.
        """
        review = self._state.review

        def work() -> Work[Values]:
            from training.label_errors import scores_in_views
            from training.scorers import load_scorer

            yield Progress(f"reading {model.name}")
            scorer = load_scorer(model, device=device)
            if review is None:
                return np.zeros(0)
            spread, top = np.zeros(len(review)), full_scale(review.crops)
            for start in range(0, len(review), _CHUNK):
                some = np.asarray(review.crops[start : start + _CHUNK])
                found = scores_in_views(scorer, some, top)
                spread[start : start + len(some)] = found.spread
                share = (start + len(some)) / len(review)
                yield Progress("scoring eight views", share)
            return spread

        def done(spread: Values) -> None:
            state = self._state
            if review is None or state.review is not review:
                state.complain("Other cells are under review now; measure them again.")
                return
            state.measures = {
                **state.measures,
                VIEW_SPREAD: spread,
                UNCERTAINTY: spread,
            }
            state.tell(f"{len(review):,} cells scored in their eight views.")

        return Job("Scoring the eight views", work, done)


def queue_values(review: ReviewSet, queue: DoubtedLabels) -> dict[str, Values]:
    """Return what a run says of each row of a review, nan where it held it not out.

    Returns
    -------
    values : dict of str to (N,) float64
    """
    found: dict[str, npt.NDArray[Any]] = {
        SUSPICION: queue.suspicion,
        DISAGREEMENT: queue.disagreement,
        UNCERTAINTY: queue.disagreement,
    }
    if not queue.disagreement.any():
        found[UNCERTAINTY] = 1 - queue.scores.max(axis=1)
    known = [
        (row, k)
        for k, cell in enumerate(queue.ids.tolist())
        if (row := review.row_of.get(cell)) is not None
    ]
    rows, places = np.array(known, np.int64).reshape(-1, 2).T
    values = {name: np.full(len(review), np.nan) for name in found}
    for name, of_queue in found.items():
        values[name][rows] = of_queue[places]
    return values
