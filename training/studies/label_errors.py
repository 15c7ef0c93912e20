"""Cells whose label a model that never saw their specimen doubts.

The scores are those of a run's held-out cells. How they are ranked follows confident
learning: a label is doubted where another pattern scores higher than its own, and
more so than on the other cells of the specimen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.cells.folder import is_cell_folder, read_cell_folder
from training.errors import BadRunError
from training.evaluation.intervals import Interval, pair, rate_intervals
from training.evaluation.metrics import by_specimen
from training.runs.execution import load_cells
from training.runs.folder import RunFolder
from training.runs.predictions import read_predictions
from training.runs.staleness import relabelled_predictions

Scores = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FEWEST = 10
"""Cells of a specimen from which its usual margin is known."""


@dataclass(frozen=True)
class Doubts:
    """Doubt about the label of each cell.

    Attributes
    ----------
    suspicion : (m,) float64 in -2..2
        Best score of another pattern less the score of its own, less what that margin
        usually is in its specimen; the cell to look at first has the highest.
    proposed : (m,) int64
        That other pattern.
    candidate : (m,) bool
        Whether confident learning counts the cell as mislabelled: of the patterns that
        reach their threshold the highest is not its own.
    thresholds : (K,) float64
        Mean score of each pattern over the cells that carry it; nan where none does.
    """

    suspicion: Floats
    proposed: Labels
    candidate: npt.NDArray[np.bool_]
    thresholds: Floats


def doubt_labels(
    scores: Scores, labels: Labels, specimens: npt.NDArray[np.str_]
) -> Doubts:
    """Compare the label of each cell with its out-of-fold scores.

    Parameters
    ----------
    scores : (m, K) float32
        Of models that did not train on the cell, nor on its specimen; K is at least 2.
    labels : (m,) int64
    specimens : (m,) str

    Notes
    -----
    The threshold of pattern j is the mean score of j over the cells labelled j, so that
    a pattern that models are less sure of is not counted more for it. A pattern that no
    cell carries has none and makes no candidate.

    A model often fails on a whole specimen, whose cells would then all stand first. So
    the margin of a cell is taken relative to the median of its specimen's cells, where
    there are ten or more of them.

    References
    ----------
    Northcutt, Jiang and Chuang (2021), Confident learning: estimating uncertainty in
    dataset labels, Journal of Artificial Intelligence Research 70, 1373-1411,
    doi:10.1613/jair.1.12125: the thresholds, the candidates, the order by the margin.
    That it is taken relative to the specimen is ours.
    """
    cells, count = np.arange(len(labels)), scores.shape[1]
    wide = scores.astype(np.float64)
    own = wide[cells, labels]
    others = wide.copy()
    others[cells, labels] = -np.inf
    margin = others.max(axis=1) - own
    total = np.bincount(labels, minlength=count)
    thresholds = np.full(count, np.nan)
    np.divide(
        np.bincount(labels, own, minlength=count),
        total,
        out=thresholds,
        where=total > 0,
    )
    # A comparison with nan is false: what has no threshold is never reached.
    reaching = np.where(wide >= thresholds, wide, -1.0)
    candidate = (reaching.max(axis=1) >= 0) & (reaching.argmax(axis=1) != labels)
    return Doubts(
        margin - _usual(margin, specimens),
        others.argmax(axis=1).astype(np.int64),
        candidate,
        thresholds,
    )


def _usual(margin: Floats, specimens: npt.NDArray[np.str_]) -> Floats:
    """Return the median margin of each cell's specimen, 0 where it has few cells."""
    _, unit, counts = np.unique(specimens, return_inverse=True, return_counts=True)
    order = np.argsort(unit, kind="stable")
    parts = np.split(margin[order], np.cumsum(counts)[:-1])
    medians = [float(np.median(part)) if len(part) >= FEWEST else 0.0 for part in parts]
    return np.array(medians)[unit]


@dataclass(frozen=True)
class DoubtedLabels:
    """The held-out cells of a run with the doubts on their labels, most doubted first.

    Attributes
    ----------
    ids, specimens : (m,) str
    labels, proposed : (m,) int64
        In the order of `patterns`; labels as they stand now.
    scores : (m, K) float32
    suspicion : (m,) float64
        See `Doubts`.
    candidate : (m,) bool
    disagreement : (m,) float32
        Of the epochs that voted, see `training.models.base.HeldOutScores`.
    of_specimen : (m,) float64 in 0..1
        Share of its specimen's cells that are candidates: where it is high the model
        fails on the whole specimen, which says little of a single label.
    patterns
        Names of the vocabulary.
    """

    ids: npt.NDArray[np.str_]
    specimens: npt.NDArray[np.str_]
    labels: Labels
    proposed: Labels
    scores: Scores
    suspicion: Floats
    candidate: npt.NDArray[np.bool_]
    disagreement: Scores
    of_specimen: Floats
    patterns: tuple[str, ...]

    def rows(self, top: int) -> list[dict[str, Any]]:
        """Return the first cells as JSON content."""
        return [
            {
                "id": str(self.ids[k]),
                "specimen": str(self.specimens[k]),
                "label": self.patterns[self.labels[k]],
                "proposed": self.patterns[self.proposed[k]],
                "label_score": round(float(self.scores[k, self.labels[k]]), 4),
                "proposed_score": round(float(self.scores[k, self.proposed[k]]), 4),
                "suspicion": round(float(self.suspicion[k]), 4),
                "candidate": bool(self.candidate[k]),
                "disagreement": round(float(self.disagreement[k]), 4),
                "of_specimen": round(float(self.of_specimen[k]), 3),
            }
            for k in range(min(top, len(self.ids)))
        ]


def find_label_errors(run: RunFolder) -> DoubtedLabels:
    """Rank the held-out cells of a finished run by the doubt on their labels.

    Labels are those that stand now, so that a cell that was relabelled or rejected
    since is no longer doubted for what it was.

    Raises
    ------
    BadRunError
        If the run is not finished, ignored specimens, or its cells have been extracted
        again.
    """
    said = read_predictions(run)
    if run.config().protocol.protocol == "k-fold":
        raise BadRunError(
            run.path,
            "its models were trained on the specimens of the cells that they score",
            "use a run under loso or group-k",
        )
    said = relabelled_predictions(run, said)
    doubts = doubt_labels(said.scores, said.truth, said.specimens)
    _, unit = np.unique(said.specimens, return_inverse=True)
    share = np.bincount(unit, doubts.candidate) / np.maximum(np.bincount(unit), 1)
    order = np.lexsort((said.ids, -doubts.suspicion))
    return DoubtedLabels(
        said.ids[order],
        said.specimens[order],
        said.truth[order],
        doubts.proposed[order],
        said.scores[order],
        doubts.suspicion[order],
        doubts.candidate[order],
        said.disagreement[order],
        share[unit][order],
        said.patterns,
    )


def crops_of(run: RunFolder, ids: npt.NDArray[np.str_]) -> npt.NDArray[Any]:
    """Return the crops of some cells of a run, (n, S, S), in the order of `ids`.

    Those of a cell folder, or else the packed images that the run trained on.

    Raises
    ------
    Hep2Error
        If the cells cannot be read any more.
    BadRunError
        If a cell is not among them.
    """
    config = run.config()
    if is_cell_folder(Path(config.data)):
        folder = read_cell_folder(Path(config.data))
        known, images = folder.table["id"].tolist(), folder.crops
    else:
        cells, _ = load_cells(config)
        known, images = cells.ids.tolist(), cells.images
    row_of = {cell: row for row, cell in enumerate(known)}
    if not set(ids.tolist()) <= set(row_of):
        raise BadRunError(
            run.path, "its cells have changed since", "start a new run on them"
        )
    rows = np.array([row_of[cell] for cell in ids.tolist()], np.int64)
    return np.asarray(images[rows])


@dataclass(frozen=True)
class QueueQuality:
    """Performance of a queue at finding labels that are known to be wrong.

    Attributes
    ----------
    n, wrong
        Cells, and those of a wrong label.
    precision_at : dict of int to float
        Share of wrong labels among the first so many.
    precision_interval : dict of int to (float, float)
        Its 95 % over specimens, or None where they are too few.
    recall_at : dict of int to float
        Share of all wrong labels that stand among the first so many.
    average_precision
        Mean of the precision at each wrong label; `wrong / n` for a random order.
    candidates, candidates_wrong
        Cells that confident learning counts as mislabelled, and how many of them are.
    proposed_right
        Share of the wrong labels for which the true pattern is the proposed one.
    """

    n: int
    wrong: int
    precision_at: dict[int, float]
    precision_interval: dict[int, Interval | None]
    recall_at: dict[int, float]
    average_precision: float
    candidates: int
    candidates_wrong: int
    proposed_right: float


def queue_quality(queue: DoubtedLabels, truth: dict[str, str]) -> QueueQuality:
    """Measure a queue against the true patterns of the cells with a wrong label.

    Parameters
    ----------
    truth
        The true pattern of each cell whose label is wrong, by id.
    """
    wrong = np.isin(queue.ids, list(truth))
    found, n = np.cumsum(wrong), int(wrong.sum())
    places = np.flatnonzero(wrong)
    at = sorted({min(k, len(wrong)) for k in (10, 20, 50, n, 2 * n) if k})
    right = [
        queue.patterns[queue.proposed[k]] == truth[str(queue.ids[k])] for k in places
    ]
    return QueueQuality(
        len(wrong),
        n,
        {k: float(found[k - 1] / k) for k in at},
        {k: _interval(wrong[:k], queue.specimens[:k]) for k in at},
        {k: float(found[k - 1] / max(n, 1)) for k in at},
        float(np.mean(found[places] / (places + 1))) if n else float("nan"),
        int(queue.candidate.sum()),
        int((queue.candidate & wrong).sum()),
        float(np.mean(right)) if n else float("nan"),
    )


def _interval(
    hits: npt.NDArray[np.bool_], specimens: npt.NDArray[np.str_]
) -> Interval | None:
    """Return the 95 % interval over specimens of the share of hits."""
    one = np.zeros(len(hits), np.int64)
    right = by_specimen(hits, one, specimens, 1)
    total = by_specimen(np.ones(len(hits)), one, specimens, 1)
    return pair(rate_intervals(right, total).mean)
