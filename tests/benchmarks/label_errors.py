"""How many wrong labels of simulated cells stand first in the queue of label errors.

    OMP_NUM_THREADS=1 python tests/benchmarks/label_errors.py --seed 11

Specimens are simulated and cut, 3 % of the cells are given another pattern at random by
a reviewer, an experiment is run in grouped folds, and `training.studies.label_errors`
ranks the held-out cells. Prints one line of JSON. The order was chosen on the seeds 5
and 7.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from training.config import (
    ExtractionSettings,
    SegmentationSettings,
    SimulationSettings,
)
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.cells.loading import CACHE_VARIABLE
from training.data.layouts import read_collection
from training.data.simulation import simulate
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.patterns import I3A
from training.runs.execution import execute, start_run
from training.runs.experiments import configure
from training.runs.figures import load_metrics
from training.studies.label_errors import find_label_errors, queue_quality


def cut(folder: Path, specimens: int, seed: int) -> Path:
    """Simulate specimens of all six patterns and cut their cells."""
    words = {
        "specimens": str(specimens),
        "seed": str(seed),
        "cells_min": "40",
        "cells_max": "50",
        "patterns": ",".join(I3A.names),
    }
    list(simulate(folder / "specimens", SimulationSettings.parse(words)))
    collection = read_collection(folder / "specimens")
    cells = folder / "cells"
    steps = write_cell_folder(
        collection, cells, ExtractionSettings(), SegmentationSettings()
    )
    list(steps)
    return cells


def plant(cells: Path, share: float, rng: np.random.Generator) -> dict[str, str]:
    """Give a share of the kept cells a wrong pattern; return the true one of each."""
    table = read_cell_folder(cells).table
    table = table[table["dropped"] == ""]
    names, truth = sorted(set(table["pattern"])), {}
    with DecisionStore(cells / STORE, "planted") as store:
        for row in rng.choice(len(table), round(share * len(table)), replace=False):
            cell, pattern = table.iloc[row][["id", "pattern"]]
            others = [name for name in names if name != pattern]
            store.decide([str(cell)], "relabelled", str(rng.choice(others)))
            truth[str(cell)] = str(pattern)
    return truth


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--experiment", default="shape-index")
    parser.add_argument("--specimens", type=int, default=36)
    parser.add_argument("--share", type=float, default=0.03)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    changes = dict(pair.split("=", 1) for pair in given.set)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ[CACHE_VARIABLE] = str(folder / "cache")
        cells = cut(folder, given.specimens, given.seed)
        truth = plant(cells, given.share, np.random.default_rng(given.seed))
        folds = {"protocol": "group-k", "folds": "6"}
        config = configure(
            given.experiment, str(cells), device="cpu", changes={**folds, **changes}
        )
        run = start_run(folder / "run", config)
        list(execute(run))
        quality = queue_quality(find_label_errors(run), truth)
        accuracy = load_metrics(run)[0].mean_class_accuracy
    print(json.dumps(vars(given) | {"accuracy": accuracy} | asdict(quality)))


if __name__ == "__main__":
    main()
