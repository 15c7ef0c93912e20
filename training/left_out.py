"""Trains a run's recipe without each pattern in turn, to meet it as an unknown one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.classifiers.base import HeldOutScores
from training.errors import BadRunError
from training.execution import fold_seed, load_cells
from training.protocols import make_folds
from training.results import read_predictions
from training.runs import RunFolder
from training.sampling import choose_samples
from training.systems import build_classifier


@dataclass(frozen=True)
class LeftOutFold:
    """What a fold says that was trained without a pattern.

    Attributes
    ----------
    pattern
        Its index.
    fold
        Name.
    ids : (m,) str
        The held-out cells.
    scores : (m, K) float32
        That of the left-out pattern means nothing.
    """

    pattern: int
    fold: str
    ids: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float32]


def train_left_out(run: RunFolder) -> Iterator[LeftOutFold]:
    """Train each fold of a finished run once more for each pattern, without it.

    Yields
    ------
    fold
        Folds times patterns of them; each costs as much as the fold did.

    Raises
    ------
    BadRunError
        If the run's cells have changed since.
    """
    config = run.config()
    cells, _ = load_cells(config)
    if cells.fingerprint != run.description()["data_fingerprint"]:
        raise BadRunError(run.path, "its cells have changed since", "do the run again")
    classifier = build_classifier(config.classifier, cells, config.device)
    classifier.prepare(config.training_set.views)
    plan = make_folds(cells, config.protocol)
    for pattern in np.unique(cells.patterns[cells.own]):
        for number, fold in enumerate(plan.folds):
            train = fold.train[cells.patterns[fold.train] != pattern]
            samples = choose_samples(
                cells, train, config.training_set, config.protocol.seed
            )
            seed = fold_seed(config.protocol.seed, number)
            steps = classifier.fit(samples, fold.test, seed=seed)
            try:
                while True:
                    next(steps)
            except StopIteration as end:
                found: HeldOutScores = end.value
            yield LeftOutFold(
                int(pattern), fold.name, cells.ids[fold.test], found.scores
            )


def gather_left_out(
    run: RunFolder, folds: list[LeftOutFold]
) -> dict[int, npt.NDArray[np.float32]]:
    """Return the scores of each left-out pattern in the order of the predictions.

    Raises
    ------
    BadRunError
        If they are not of the cells that the run held out.
    """
    said = read_predictions(run)
    place = {str(name): row for row, name in enumerate(said.ids)}
    gathered: dict[int, npt.NDArray[np.float32]] = {}
    for one in folds:
        empty = np.full(said.scores.shape, np.nan, np.float32)
        table = gathered.setdefault(one.pattern, empty)
        rows = [place.get(str(name), -1) for name in one.ids]
        if -1 in rows:
            raise BadRunError(
                run.path, "its folds hold out other cells now", "do the run again"
            )
        table[rows] = one.scores
    if any(np.isnan(table).any() for table in gathered.values()):
        raise BadRunError(
            run.path, "some of its folds were not done again", "do the run again"
        )
    return gathered
