"""Brings what runs and models doubt to the cells under review, for the gallery's sort.

A run's models never saw the specimens that they score. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from napari_hep2.jobs import Job, Progress, Work
from napari_hep2.review.controllers.scores import Scores, translated
from napari_hep2.review.state import CellScores, ReviewState
from napari_hep2.state import SessionState
from training.curation.ordering import Sort
from training.curation.review_set import ReviewSet

if TYPE_CHECKING:
    from training.inference.orientation_spread import ViewSpread
    from training.studies.label_errors import DoubtedLabels

SUSPICION, UNCERTAINTY = "suspicion", "uncertainty"
"""What the gallery sorts by."""

DISAGREEMENT, VIEW_SPREAD = "disagreement", "view_spread"
"""What a run, and a model, say of how sure they are."""

Source = Literal["run", "views", "model"]
"""Who is uncertain: the models of a run, a model over the eight views, or a model."""

_CHUNK = 512
"""Cells that are scored between two reports of progress."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Uncertainty:
    """One measure of how uncertain the cells under review are.

    Attributes
    ----------
    title
        Whose it is, in a few words.
    said
        From where it comes and how many cells have it, one or two sentences.
    values : (N,) float64
        A value for each row of the review, nan where not known.
    """

    title: str
    said: str
    values: Values


class LabelQueue:
    """Fills ``measures`` of the state: the cell to look at first has the highest value.

    Parameters
    ----------
    session, state
        Read and written, in the window's thread alone.
    show
        Called with what to sort by once there is something to sort by.
    """

    def __init__(
        self,
        session: SessionState,
        state: ReviewState,
        show: Callable[[Sort], Job | None] | None = None,
    ) -> None:
        self._session, self._state = session, state
        self._show = show
        self._of: ReviewSet | None = None
        self._found: dict[Source, Uncertainty] = {}

    @property
    def sources(self) -> dict[Source, Uncertainty]:
        """Known uncertainties of the cells under review, by source."""
        review = self._session.review
        return dict(self._found) if review is not None and review is self._of else {}

    @property
    def taken(self) -> Source | None:
        """Whose uncertainty the gallery sorts by."""
        values = self._state.measures.get(UNCERTAINTY)
        for source, found in self.sources.items():
            if found.values is values:
                return source
        return None

    def take(self, source: Source) -> Job | None:
        """Sort by the uncertainty of a source that is known."""
        found = self.sources.get(source)
        if found is None:
            return None
        self._state.measures = {**self._state.measures, UNCERTAINTY: found.values}
        return self._show("uncertainty") if self._show else None

    def load_job(self, run_folder: Path) -> Job:
        """Load suspicion, disagreement and uncertainty of cells from a finished run.

        Cells that the run did not hold out get nan. Labels are those that stand in the
        run's cell folder now. Uncertainty is the disagreement of the epochs that voted;
        of a classifier without votes it is what the highest score lacks of 1.
        """
        review = self._session.review

        def work() -> Work[tuple[dict[str, Values], Uncertainty] | None]:
            # These load torch, which the window does without until they are used.
            from training.runs.folder import RunFolder
            from training.studies.label_errors import find_label_errors

            yield Progress(f"reading {run_folder.name}")
            run = RunFolder.open(run_folder)
            queue = find_label_errors(run)
            yield Progress("finding its cells")
            if review is None:
                return None
            values = queue_values(review, queue)
            elsewhere = _elsewhere(review, run.config().data)
            return values, _of_run(run_folder.name, queue, values, elsewhere)

        def done(result: tuple[dict[str, Values], Uncertainty] | None) -> Job | None:
            session = self._session
            if review is None or session.review is not review or result is None:
                session.complain(
                    "Other cells are under review now; load the run again."
                )
                return None
            values, found = result
            if not np.isfinite(values[SUSPICION]).any():
                session.complain(f"{run_folder.name} held out none of these cells.")
                return None
            return self._keep(review, "run", found, values, "suspicion")

        return Job("Loading the label-error queue", work, done)

    def views_job(self, model: Path, device: str = "auto") -> Job:
        """Measure how far a model's scores of each cell differ over its eight views.

        That is then the uncertainty by which the gallery sorts.
        """
        review = self._session.review

        def work() -> Work[ViewSpread | None]:
            from training.inference.orientation_spread import spread_in_views
            from training.inference.scorers import load_scorer

            yield Progress(f"reading {model.name}")
            scorer = load_scorer(model, device=device)
            if review is None:
                return None
            specimens = review.table["specimen"].fillna("").to_numpy(dtype=object)
            steps = spread_in_views(scorer, review.crops, specimens)
            while True:
                try:
                    yield Progress("scoring eight orientations", next(steps))
                except StopIteration as end:
                    spread: ViewSpread = end.value
                    return spread

        def done(spread: ViewSpread | None) -> Job | None:
            session = self._session
            if review is None or session.review is not review or spread is None:
                session.complain(
                    "Other cells are under review now; measure them again."
                )
                return None
            found = _of_views(model.stem, spread)
            values = {VIEW_SPREAD: spread.spread, UNCERTAINTY: spread.spread}
            return self._keep(review, "views", found, values, "uncertainty")

        return Job("Scoring the eight orientations", work, done)

    def scores_job(self, model: Path, device: str = "auto") -> Job:
        """Score every cell under review by a model, once; then sort by its doubt."""
        review = self._session.review

        def work() -> Work[tuple[Scores, bool] | None]:
            from training.inference.scorers import load_scorer

            yield Progress(f"reading {model.name}")
            scorer = load_scorer(model, device=device)
            if review is None or not len(review):
                return None
            parts = []
            for start in range(0, len(review), _CHUNK):
                crops = np.asarray(review.crops[start : start + _CHUNK])
                parts.append(scorer.scores(crops))
                share = min(start + _CHUNK, len(review)) / len(review)
                yield Progress("scoring the cells", share)
            scores = np.concatenate(parts)
            seen = np.isin(review.specimen_names, scorer.card.specimens).any()
            return translated(scores, scorer.vocabulary, review.vocabulary), bool(seen)

        def done(result: tuple[Scores, bool] | None) -> Job | None:
            session, state = self._session, self._state
            if review is None or session.review is not review or result is None:
                session.complain("Other cells are under review now; score them again.")
                return None
            scores, seen = result
            state.scores = CellScores(model.stem, scores)
            doubts = _doubts(review, scores)
            found = _of_model(model.stem, doubts[UNCERTAINTY], seen)
            wanted = state.wanted or "uncertainty"
            return self._keep(review, "model", found, doubts, wanted)

        return Job("Scoring all cells", work, done)

    def _keep(
        self,
        review: ReviewSet,
        source: Source,
        found: Uncertainty,
        values: dict[str, Values],
        sort: Sort,
    ) -> Job | None:
        """Keep what was found, and show the cells in that order."""
        kept = self._found if self._of is review else {}
        self._of, self._found = review, {**kept, source: found}
        self._state.measures = {**self._state.measures, **values}
        following = self._show(sort) if self._show else None
        self._session.tell(found.said)
        return following


def _of_run(
    name: str, queue: DoubtedLabels, values: dict[str, Values], elsewhere: str
) -> Uncertainty:
    known = int(np.isfinite(values[SUSPICION]).sum())
    said = (
        f"{known:,} of {len(values[SUSPICION]):,} cells scored by {name}, by models "
        "that never saw the cell's specimen."
    )
    votes = "epoch vote" if queue.disagreement.any() else "scores"
    if elsewhere:
        said += f" Its labels are those of {elsewhere}."
    return Uncertainty(f"{votes} of {name}", said, values[UNCERTAINTY])


def _doubts(review: ReviewSet, scores: Scores) -> dict[str, Values]:
    """Return what the highest score, and the one of the label, lack of 1."""
    own = review.pattern_index
    of_label = scores[np.arange(len(scores)), np.maximum(own, 0)].astype(np.float64)
    return {
        UNCERTAINTY: 1 - scores.max(axis=1).astype(np.float64),
        SUSPICION: np.where(own < 0, np.nan, 1 - of_label),
    }


def _of_model(name: str, doubt: Values, seen: bool) -> Uncertainty:
    known = int(np.isfinite(doubt).sum())
    said = f"{known:,} of {len(doubt):,} cells scored by {name}."
    if seen:
        said += (
            " It was trained on specimens with the names of some of these: if they are "
            "the same, it is more certain of their cells than of new ones."
        )
    return Uncertainty(f"scores of {name}", said, doubt)


def _of_views(name: str, found: ViewSpread) -> Uncertainty:
    said = f"{len(found.spread):,} cells scored in eight orientations by {name}."
    if found.seen.any():
        said += (
            " It was trained on specimens with the names of those of "
            f"{int(found.seen.sum()):,} of them: if they are the same, it is more "
            "certain of these than of new ones."
        )
    return Uncertainty(f"eight orientations of {name}", said, found.spread)


def _elsewhere(review: ReviewSet, data: str) -> str:
    """Return the name of the folder of a run's cells if it is not under review."""
    folder = Path(data)
    if review.is_folder and review.store is not None:
        same = folder.resolve() == review.store.resolve()
        return "" if same else folder.name
    return folder.name


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
