"""A small study of folds, trained in this process for comparison."""

from pathlib import Path

import numpy as np
import pytest

from training.config import ProtocolSettings
from training.data.cells.loading import load_packed
from training.runs.execution import execute, start_run
from training.runs.folder import RunConfig, RunFolder
from training.runs.results import pool_folds
from training.splits.protocols import make_folds


@pytest.fixture
def config(cells, task1, tiny_network) -> RunConfig:
    return RunConfig(
        experiment="set-1",
        data=str(task1(cells)),
        classifier=tiny_network.model_copy(
            update={"epochs": 15, "learning_rate": 0.003}
        ),
        protocol=ProtocolSettings(protocol="k-fold", folds=3),
        device="cpu",
        workers=1,
    )


@pytest.fixture
def scores_of(config):
    def scores(run: RunFolder) -> np.ndarray:
        cells, _ = load_packed(Path(config.data), config.classifier.input_size)
        return pool_folds(run, make_folds(cells, run.config().protocol), 6).scores

    return scores


@pytest.fixture
def local_scores(tmp_path, config, scores_of, one_thread) -> np.ndarray:
    """What this process finds, one fold after the other."""
    run = start_run(tmp_path / "local", config)
    list(execute(run))
    return scores_of(run)


class Watch:
    """Counts the folds of a run that are in the middle of their training."""

    def __init__(self) -> None:
        self.reached: dict[str, int] = {}

    def sees(self, event, folds: int) -> bool:
        """Take an event; tell whether so many folds are beyond their second epoch."""
        if event["kind"] == "epoch":
            self.reached[event["fold"]] = event["epoch"]
        if event["kind"] == "fold-done":
            del self.reached[event["fold"]]
        return sum(epoch >= 2 for epoch in self.reached.values()) >= folds


@pytest.fixture
def watch() -> Watch:
    return Watch()
