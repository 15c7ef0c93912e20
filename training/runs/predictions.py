"""The table of held-out predictions of a run: its columns, written and read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.data.cells.cell_set import CellSet
from training.errors import BadRunError
from training.evaluation.predictions import Predictions
from training.runs.fold_result import FoldResult
from training.runs.folder import PREDICTIONS, RunFolder
from training.storage.csv_tables import csv_text, plain_word
from training.storage.writing import write_text

PREDICTION_WORDS = ("id", "specimen", "fold", "pattern", "predicted")


@dataclass(frozen=True)
class HeldOut:
    """Held-out cells pooled over the finished folds; no cell stands twice.

    Attributes
    ----------
    rows : (m,) int64
        Rows of the cell set.
    scores : (m, K) float32
    disagreement : (m,) float32
    folds : (m,) str
        The fold that held each cell out.
    results
        Each finished fold by name.
    """

    rows: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    disagreement: npt.NDArray[np.float32]
    folds: npt.NDArray[np.str_]
    results: dict[str, FoldResult]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The pattern of the highest score, (m,) int64."""
        return self.scores.argmax(axis=1).astype(np.int64)


def write_predictions(run: RunFolder, cells: CellSet, held_out: HeldOut) -> None:
    """Write `predictions.csv`: one row a held-out cell.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    write_text(run.path / PREDICTIONS, csv_text(_rows(cells, held_out)))


def read_predictions(run: RunFolder) -> Predictions:
    """Read what a finished run said of each held-out cell.

    Raises
    ------
    BadRunError
        If the run is not finished, or the table damaged.
    """
    path = finished_file(run, PREDICTIONS)
    try:
        kinds = dict.fromkeys(PREDICTION_WORDS, str)
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False).rename(
            columns=plain_word
        )
        for name in PREDICTION_WORDS:
            table[name] = table[name].map(plain_word)
        columns = [str(name) for name in table if str(name).startswith("score_")]
        names = tuple(name.removeprefix("score_") for name in columns)
        index = {name: k for k, name in enumerate(names)}
        return Predictions(
            table["id"].to_numpy(np.str_),
            table["specimen"].to_numpy(np.str_),
            np.asarray([index[name] for name in table["pattern"]], np.int64),
            np.asarray([index[name] for name in table["predicted"]], np.int64),
            table[columns].to_numpy(np.float32),
            names,
            table["fold"].to_numpy(np.str_),
            table["disagreement"].to_numpy(np.float32),
        )
    except (OSError, ValueError, KeyError) as fault:
        raise BadRunError(path, "the table is damaged", "resume the run") from fault


def finished_file(run: RunFolder, name: str) -> Path:
    """Return a file of a finished run.

    Raises
    ------
    BadRunError
        If the run has none yet.
    """
    path = run.path / name
    if not path.is_file():
        raise BadRunError(run.path, "the run is not finished", "resume it first")
    return path


def _rows(cells: CellSet, held_out: HeldOut) -> Iterator[list[str]]:
    names = cells.vocabulary.names
    yield [*PREDICTION_WORDS, *(f"score_{name}" for name in names), "disagreement"]
    for row, fold, predicted, scores, disagreement in zip(
        held_out.rows,
        held_out.folds,
        held_out.predicted,
        held_out.scores,
        held_out.disagreement,
        strict=True,
    ):
        yield [
            str(cells.ids[row]),
            str(cells.specimens[row]),
            str(fold),
            names[cells.patterns[row]],
            names[predicted],
            *(f"{score:.6f}" for score in scores),
            f"{disagreement:.6f}",
        ]
