"""Whether the same command gives the same bits on another number of cores or workers.

    python tests/benchmarks/same_bits.py
    python tests/benchmarks/same_bits.py --experiment shape-index

Simulates specimens, runs an experiment in grouped folds again and again, each time with
one thing changed, and compares the scores of all held-out cells with those of the
first. Prints a row of Markdown each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.config import SimulationSettings
from training.data.cells.loading import CACHE_VARIABLE
from training.data.simulation import simulate
from training.patterns import I3A
from training.runs.folder import RunFolder
from training.runs.predictions import read_predictions


@dataclass(frozen=True)
class Way:
    """A way to do the same run: workers, threads of a worker, cores of the machine."""

    name: str
    workers: int = 1
    threads: int = 1
    cores: int = 2
    backwards: bool = False


WAYS = (
    Way("one worker, one thread, two cores"),
    Way("the same again"),
    Way("two workers", workers=2),
    Way("two threads", threads=2),
    Way("one core", cores=1),
    Way("files written backwards", backwards=True),
)


def written_backwards(data: Path) -> Path:
    """Return a copy of the data whose files were created last to first."""
    copy = data.with_name("backwards")
    for file in sorted(data.rglob("*"), reverse=True):
        if file.is_file():
            target = copy / file.relative_to(data)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    return copy


def scores(data: Path, out: Path, way: Way, words: list[str]) -> dict[str, np.ndarray]:
    """Do the run that way; return the scores of each held-out cell by its id."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(way.threads)}
    command = [sys.executable, "-m", "training", "run", *words]
    command += ["--data", str(data), "--out", str(out), "--device", "cpu"]
    command += ["--workers", str(way.workers)]

    def bind() -> None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: way.cores])

    subprocess.run(
        command, env=environment, check=True, capture_output=True, preexec_fn=bind
    )
    said = read_predictions(RunFolder.open(out))
    return dict(zip(said.ids.tolist(), said.scores, strict=True))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="set-1")
    given = parser.parse_args()
    words = [given.experiment, "--protocol", "group-k", "--folds", "2"]
    if given.experiment != "shape-index":
        words += ["--epochs", "3", "--set", "width=0.125", "--set", "vote_epochs=1"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ[CACHE_VARIABLE] = str(folder / "cache")
        settings = {"specimens": "18", "cells_min": "20", "cells_max": "30"}
        settings["patterns"] = ",".join(I3A.names)
        list(simulate(folder / "data", SimulationSettings.parse(settings)))
        backwards, first = written_backwards(folder / "data"), None
        print(
            f"| {given.experiment} | scores that differ | by at most |\n|---|---|---|"
        )
        for number, way in enumerate(WAYS):
            data = backwards if way.backwards else folder / "data"
            found = scores(data, folder / f"run{number}", way, words)
            first = first or found
            assert found.keys() == first.keys(), "other cells were held out"
            apart = np.abs([found[cell] - first[cell] for cell in first])
            print(f"| {way.name} | {(apart > 0).sum()} of {apart.size} ", end="")
            print(f"| {apart.max():.1e} |", flush=True)


if __name__ == "__main__":
    main()
