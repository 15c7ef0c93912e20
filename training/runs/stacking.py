"""A stack: the scores of classifiers of unlike kinds, pooled cell by cell.

Either as their plain mean, which fits nothing; or as a weighted product (a logarithmic
opinion pool): one weight a member, fitted where no specimen of the fold was seen. What
the weights are fitted on are scores of runs under ``inner-k``: of specimens that
neither the scoring fit nor the fold that is tested ever trained on or tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy

from training.config import StackSettings
from training.data.cells.cell_set import CellSet
from training.errors import BadRunError, BadSettingError, LeakError
from training.models.base import Classifier, EpochRecord, Fit, HeldOutScores, Scores
from training.runs.folder import RunFolder
from training.runs.predictions import read_predictions
from training.splits.protocols import make_folds
from training.splits.samples import Rows, Samples
from training.splits.sampling import balanced_weights

Floats = npt.NDArray[np.float64]

_FLOOR = 1e-4
"""Least score a logarithm is taken of: no member may veto a pattern."""

_BOUNDS = (0.0, 5.0)


@dataclass(frozen=True)
class RunScores:
    """Scores of a finished run for each cell of a cell set.

    Attributes
    ----------
    scores : (N, K) float32
        nan where the run did not test the cell.
    held : dict of (m,) int64
        Name of each fold to the rows that it did not train on.
    folds : (N,) str
        The fold that tested each cell; empty where none did.
    """

    scores: Scores
    held: dict[str, Rows]
    folds: npt.NDArray[np.str_]


def read_scores(path: Path, cells: CellSet) -> RunScores:
    """Read a finished run's scores of the cells of `cells`, whatever their size.

    Raises
    ------
    BadRunError
        If the run is not finished, ignores specimens, or is of other cells or patterns.
    """
    run = RunFolder.open(path)
    predictions = read_predictions(run)
    protocol = run.config().protocol
    if protocol.protocol == "k-fold":
        raise BadRunError(
            path, "its folds ignore specimens", "use a run under group-k or inner-k"
        )
    row_of = {name: row for row, name in enumerate(cells.ids.tolist())}
    rows = np.array([row_of.get(name, -1) for name in predictions.ids.tolist()])
    same = (rows >= 0).all() and predictions.patterns == cells.vocabulary.names
    if (
        not same
        or not np.array_equal(cells.patterns[rows], predictions.truth)
        or not np.array_equal(cells.specimens[rows], predictions.specimens)
    ):
        raise BadRunError(
            path, "it is of other cells or labels", "use runs of the same data"
        )
    scores = np.full((len(cells), len(cells.vocabulary)), np.nan, np.float32)
    scores[rows] = predictions.scores
    folds = np.zeros(len(cells), predictions.folds.dtype)
    folds[rows] = predictions.folds
    plan = make_folds(cells, protocol)
    return RunScores(scores, {fold.name: fold.held for fold in plan.folds}, folds)


def pool(members: list[Scores], weights: Floats) -> Scores:
    """Return the weighted product of the members' scores.

    Parameters
    ----------
    members : each (n, K) float32
        Rows sum to 1.
    weights : (M,) float64, 0 or more
        1 takes a member as it is; they need not sum to 1, and so temper the result.

    Returns
    -------
    pooled : (n, K) float32
        Rows sum to 1.
    """
    logs = np.log(np.maximum(np.stack(members).astype(np.float64), _FLOOR))
    pooled = scipy.special.log_softmax(np.tensordot(weights, logs, axes=1), axis=1)
    return np.exp(pooled).astype(np.float32)


def fit_weights(members: list[Scores], truth: Rows, importance: Floats) -> Floats:
    """Return the weights that make the truth most likely.

    Parameters
    ----------
    members : each (n, K) float32
        Of cells that no member had seen.
    truth : (n,) int64
    importance : (n,) float64
        Of each cell; see `training.splits.sampling.balanced_weights`.

    Returns
    -------
    weights : (M,) float64 in 0..5
    """
    logs = np.log(np.maximum(np.stack(members).astype(np.float64), _FLOOR))
    cell = np.arange(len(truth))

    def loss(weights: Floats) -> float:
        scores = scipy.special.log_softmax(np.tensordot(weights, logs, axes=1), axis=1)
        return -float(importance @ scores[cell, truth])

    start = np.full(len(members), 1.0 / len(members))
    bounds = [_BOUNDS] * len(members)
    found = scipy.optimize.minimize(loss, start, bounds=bounds, method="L-BFGS-B")
    return np.asarray(found.x, np.float64)


class StackClassifier(Classifier):
    """Finished runs of the same data, pooled fold by fold.

    Parameters
    ----------
    settings
        Which runs.
    cells
        The cell set that the runs are of, at any input size.

    Raises
    ------
    BadSettingError
        If no runs are given, or not as many inner ones, or inner ones for a mean.
    BadRunError
        See `read_scores`.
    """

    epochs = 1

    def __init__(self, settings: StackSettings, cells: CellSet) -> None:
        members, inner = _paths(settings.members), _paths(settings.inner)
        self._is_mean = settings.pooling == "mean"
        wanted = 0 if self._is_mean else len(members)
        if not members or len(inner) != wanted:
            raise BadSettingError(
                "members",
                f"{len(members)} runs and {len(inner)} inner runs were given",
                "give members=RUN,RUN alone for pooling=mean, else as many "
                "inner=RUN,RUN",
            )
        self._cells = cells
        self._members = [read_scores(path, cells) for path in members]
        self._inner = [read_scores(path, cells) for path in inner]

    def fit(
        self,
        train: Samples,
        test: Rows,
        *,
        seed: int,  # noqa: ARG002 - nothing is random
        folder: Path | None = None,  # noqa: ARG002 - a fit starts anew
        should_stop: Callable[[], bool] = lambda: False,  # noqa: ARG002
    ) -> Fit:
        """Pool the held-out scores of one fold, with weights fitted for it or alike.

        Raises
        ------
        LeakError
            If a member trained on a cell of `test`, or no inner fold kept out of it.
        """
        for member in self._members:
            _need_held(member, test)
        members = [member.scores[test] for member in self._members]
        spread = np.std(np.stack(members), axis=0, dtype=np.float32).max(axis=1)
        if self._is_mean:
            return HeldOutScores(np.mean(members, axis=0, dtype=np.float32), spread)
        weights = yield from self._fitted(np.unique(train.rows), test)
        return HeldOutScores(pool(members, weights), spread)

    def _fitted(self, rows: Rows, test: Rows) -> Generator[EpochRecord, None, Floats]:
        """Return the weights of a fold, fitted on those of `rows` kept apart from it.

        Raises
        ------
        LeakError
            If no inner fold was.
        """
        started = time.perf_counter()
        rows = rows[_kept_apart(self._inner, rows, test)]
        if not len(rows):
            raise LeakError(
                "the inner runs",
                "none of their folds excluded the specimens that are tested",
                "make them with --protocol inner-k and the folds and seed of the runs",
            )
        truth = self._cells.patterns[rows]
        known = [member.scores[rows] for member in self._inner]
        weights = fit_weights(known, truth, balanced_weights(self._cells, rows))
        pooled = pool(known, weights)
        right = np.maximum(pooled[np.arange(len(rows)), truth], _FLOOR)
        loss = -float(np.log(right).mean())
        accuracy = float((pooled.argmax(1) == truth).mean())
        yield EpochRecord(1, loss, accuracy, time.perf_counter() - started)
        return weights


def _paths(text: str) -> list[Path]:
    return [Path(part.strip()) for part in text.split(",") if part.strip()]


def _need_held(member: RunScores, test: Rows) -> None:
    """Refuse a member whose fits saw a cell that is tested."""
    folds = np.unique(member.folds[test])
    if "" in folds or not all(np.isin(test, member.held[name]).all() for name in folds):
        raise LeakError(
            "a member of the stack",
            "it tested other folds than these",
            "run all members with the protocol, folds and seed of the stack",
        )


def _kept_apart(
    inner: list[RunScores], rows: Rows, test: Rows
) -> npt.NDArray[np.bool_]:
    """Return which rows every inner run scored by a fit that never saw `test`."""
    apart = np.ones(len(rows), bool)
    for run in inner:
        fair = [name for name, held in run.held.items() if np.isin(test, held).all()]
        own = np.isin(run.folds[rows], [name for name in fair if name])
        apart &= own & np.isfinite(run.scores[rows, 0])
    return apart
