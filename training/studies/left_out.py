"""Trains a run's recipe without each pattern in turn, to meet it as an unknown one.

The fits run where the folds of the run did and are kept beside them, in ``left-out``:
what was interrupted goes on, and what is finished is not trained again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.cells.cell_set import CellSet
from training.errors import BadRunError
from training.runs.classifiers import build_classifier, needs_masks
from training.runs.engines import FoldTask, open_engine
from training.runs.engines.base import is_done
from training.runs.engines.spool import clear_spools
from training.runs.execution import fold_tasks, load_cells
from training.runs.fold_result import (
    FoldResult,
    damaged_result,
    has_result,
    read_result,
)
from training.runs.folder import RunConfig, RunFolder
from training.runs.predictions import read_predictions
from training.splits.protocols import make_folds

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LeftOutFits:
    """The fits of a finished run's folds without each pattern that it tested.

    Attributes
    ----------
    run, config, cells, packed
        The run, its settings, its cells, and the folder that they are packed in.
    tasks
        Of each pattern's index, its folds; those of the pattern are held out too.
    """

    run: RunFolder
    config: RunConfig
    cells: CellSet
    packed: Path
    tasks: dict[int, list[FoldTask]]

    @classmethod
    def of(cls, run: RunFolder) -> LeftOutFits:
        """Return the fits of a finished run.

        Raises
        ------
        BadRunError
            If its cells have changed since.
        """
        config = run.config()
        cells, packed = load_cells(config)
        if cells.fingerprint != run.description()["data_fingerprint"]:
            raise BadRunError(
                run.path, "its cells have changed since", "repeat the run"
            )
        plan = make_folds(cells, config.protocol)
        folds = fold_tasks(run, config, packed, plan, cells.fingerprint)
        tasks = {
            pattern: [_without(pattern, task, run, cells) for task in folds]
            for pattern in np.unique(cells.patterns[cells.own]).tolist()
        }
        return cls(run, config, cells, packed, tasks)

    def __len__(self) -> int:
        return sum(map(len, self.tasks.values()))

    def train(self) -> Iterator[str]:
        """Train what is not finished yet, where the folds of the run were trained.

        Yields
        ------
        name
            Of each fit that is finished; folds times patterns of them.

        Raises
        ------
        RunLockedError
            If a trainer works in the run folder.
        BadRunError
            If one of them could not be trained.
        InterruptedRunError
            If the run was asked to stop; called again, it goes on.
        """
        tasks = [task for folds in self.tasks.values() for task in folds]
        done = [task.fold.name for task in tasks if is_done(task)]
        yield from done
        if len(done) == len(tasks):
            return
        with self.run.lock():
            clear_spools(self.run.path)
            failure = yield from self._train(
                [task for task in tasks if task.fold.name not in done]
            )
        if failure:
            raise BadRunError(
                self.run.path,
                f"it could not be trained without each pattern ({failure})",
                "correct that and repeat the command",
            )

    def _train(self, tasks: list[FoldTask]) -> Generator[str, None, str]:
        """Train fits; yield the names of those done, return why one was not."""
        config, failure = self.config, ""
        if needs_masks(config.classifier):
            classifier = build_classifier(config.classifier, self.cells, config.device)
            classifier.prepare(config.training_set.views)
        engine = open_engine(
            self.run.engine(), config.device, config.workers, config.classifier
        )
        with engine as where:
            where.check(self.run.path, self.packed)
            for event in where.run(tasks):
                if event["kind"] == "fold-failed":
                    failure = failure or event["message"]
                elif event["kind"] == "fold-done":
                    yield event["fold"]
        return failure

    def scores(self) -> dict[int, Scores]:
        """Return the scores of each left-out pattern in the order of the predictions.

        The score of the pattern itself means nothing.

        Raises
        ------
        BadRunError
            If they are not of the cells that the run held out, or not all are there.
        """
        said = read_predictions(self.run)
        place = {str(name): row for row, name in enumerate(said.ids)}
        gathered = {}
        for pattern, tasks in self.tasks.items():
            table = np.full(said.scores.shape, np.nan, np.float32)
            for task in tasks:
                found = self._result(task)
                rows = [place.get(str(name), -1) for name in self.cells.ids[found.rows]]
                if -1 in rows:
                    raise BadRunError(
                        self.run.path,
                        "its folds hold out other cells now",
                        "repeat the run",
                    )
                table[rows] = found.scores
            if np.isnan(table).any():
                raise BadRunError(
                    self.run.path,
                    "its predictions are of more cells than its folds hold out now",
                    "repeat the run",
                )
            gathered[pattern] = table
        return gathered

    def _result(self, task: FoldTask) -> FoldResult:
        if not has_result(task.folder):
            raise BadRunError(
                self.run.path,
                f"{task.fold.name} was not trained",
                "repeat the command",
            )
        found = read_result(task.folder, len(self.cells), len(self.cells.vocabulary))
        if not np.array_equal(found.rows, task.fold.test):
            raise damaged_result(task.folder)
        return found


def _without(pattern: int, task: FoldTask, run: RunFolder, cells: CellSet) -> FoldTask:
    """Return a fold that trains on no cell of a pattern."""
    name = f"{task.fold.name}-without-{cells.vocabulary.names[pattern]}"
    held = np.union1d(task.fold.held, np.flatnonzero(cells.patterns == pattern))
    return replace(
        task,
        fold=replace(task.fold, name=name, held=held),
        folder=run.left_out_folder(name).absolute(),
    )
