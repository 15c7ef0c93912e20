"""The table of held-out predictions of a finished run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from training.errors import BadRunError
from training.evaluation.predictions import Predictions
from training.runs.folder import PREDICTIONS, RunFolder
from training.storage.csv_tables import plain_word

PREDICTION_WORDS = ("id", "specimen", "fold", "pattern", "predicted")


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
