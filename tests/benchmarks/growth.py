"""How time and memory grow to ten times Task-2: 500,000 cells of 2,500 specimens.

    OMP_NUM_THREADS=1 python tests/benchmarks/growth.py
    OMP_NUM_THREADS=1 python tests/benchmarks/growth.py --plot docs/images/growth.png

The cells are noise, 200 a specimen where nothing else is said. The first prints rows of
the table; the second takes some minutes, 4 GB of memory and 5 GB of disk, and draws
every step. Times are CPU seconds of one thread. Memory is what a step asked for at its
worst, by tracemalloc: images that were there before do not count.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from side_by_side import Row, print_rows

from training.config import (
    ExtractionSettings,
    PaperNetworkSettings,
    ProtocolSettings,
    SegmentationSettings,
    TrainingSetSettings,
)
from training.data.cells.cell_set import CellSet
from training.data.cells.files import CELL_COLUMNS, FORMAT, HEADER_BYTES, npy_header
from training.data.cells.loading import CACHE_VARIABLE, load_packed
from training.patterns import I3A
from training.runs.fold_result import FoldResult
from training.runs.running_metrics import HeldOutCounts
from training.splits.protocols import FoldPlan, make_folds
from training.splits.samples import Samples
from training.splits.sampling import choose_samples

Array = npt.NDArray[Any]

PER_SPECIMEN = 200
SIDE = 60
CROP = 77
_LOSO = ProtocolSettings(protocol="loso")
_QUICK = 1.0
STEPS = {
    "folds": ("folds and proof", "#0072b2"),
    "sampling": ("samples of one fold, 30 cells a specimen", "#e69f00"),
    "metrics": ("metrics of all folds, with interval", "#009e73"),
    "packing": ("packing of a cell folder", "#cc79a7"),
}


@dataclass(frozen=True)
class Size:
    """How much a step is measured on; 0 folds leave one specimen out."""

    cells: int
    specimens: int
    folds: int = 0

    @property
    def protocol(self) -> ProtocolSettings:
        """How the folds are made."""
        if self.folds:
            return ProtocolSettings(protocol="group-k", folds=self.folds)
        return _LOSO


SERIES = {
    "cells, 200 a specimen, one fold a specimen": [
        (n, Size(n, n // PER_SPECIMEN))
        for n in (5_000, 15_000, 50_000, 150_000, 500_000)
    ],
    "specimens of 50,000 cells, one fold each": [
        (n, Size(50_000, n)) for n in (25, 80, 250, 800, 2_500)
    ],
    "folds of 50,000 cells of 2,500 specimens": [
        (n, Size(50_000, 2_500, n)) for n in (5, 20, 80, 300, 1_000)
    ],
}


def draw_cells(size: Size) -> CellSet:
    """Return noise, with specimens of one pattern each."""
    rng = np.random.default_rng(0)
    shape = (size.cells, SIDE, SIDE)
    specimens = np.arange(size.cells) * size.specimens // size.cells
    return CellSet(
        rng.integers(0, 256, shape, np.uint8),
        specimens % len(I3A),
        specimens.astype(np.str_),
        np.arange(size.cells).astype(np.str_),
        I3A,
    )


# -- steps --------------------------------------------------------------------


def folds_step(size: Size, folder: Path) -> Callable[[], object]:
    """Make all folds and prove that none leaks."""
    cells = draw_cells(size)
    return lambda: make_folds(cells, size.protocol)


def sampling_step(size: Size, folder: Path) -> Callable[[], object]:
    """Choose what the first fold trains on, a draw from each specimen."""
    cells = draw_cells(size)
    fold = make_folds(cells, size.protocol).folds[0]
    settings = TrainingSetSettings(cells_per_specimen=30)
    return lambda: choose_samples(cells, fold.train, settings, seed=0)


def metrics_step(size: Size, folder: Path) -> Callable[[], object]:
    """Count all folds one by one, and measure them once."""
    cells = draw_cells(size)
    results = draw_results(cells, make_folds(cells, size.protocol))

    def step() -> object:
        counts = HeldOutCounts(cells)
        for name, result in results.items():
            counts.add(name, result)
        return counts.measure()

    return step


def packing_step(size: Size, folder: Path) -> Callable[[], object]:
    """Read crops, resize and write them, and map what was written."""
    write_noise_folder(folder / "cells", size)

    def step() -> object:
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            os.environ[CACHE_VARIABLE] = cache
            cells = load_packed(folder / "cells", SIDE)[0]
            assert len(cells) == size.cells
        return None

    return step


MAKERS = {
    "folds": folds_step,
    "sampling": sampling_step,
    "metrics": metrics_step,
    "packing": packing_step,
}


def draw_results(cells: CellSet, plan: FoldPlan) -> dict[str, FoldResult]:
    """Return scores by chance for all folds of a plan."""
    rng = np.random.default_rng(1)
    return {
        fold.name: FoldResult(
            fold.test,
            rng.random((len(fold.test), len(cells.vocabulary)), np.float32),
            np.zeros(len(fold.test), np.float32),
            (),
        )
        for fold in plan.folds
    }


def write_noise_folder(folder: Path, size: Size) -> None:
    """Write a cell folder of noise, as `extract` would of frames."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (folder / "crops.npy").open("wb") as stream:
        header = npy_header(np.dtype(np.uint8), (size.cells, CROP, CROP))
        assert len(header) == HEADER_BYTES
        stream.write(header)
        for start in range(0, size.cells, 5000):
            shape = (min(5000, size.cells - start), CROP, CROP)
            stream.write(rng.integers(0, 256, shape, np.uint8).data)
    with (folder / "cells.csv").open("w") as table:
        print(*CELL_COLUMNS, sep=",", file=table)
        for k in range(size.cells):
            specimen = k * size.specimens // size.cells
            pattern = I3A.names[specimen % len(I3A)]
            row = f"{specimen},{pattern},{specimen}_p0,{k},50.000,50.000,900,,"
            print(f"{specimen}_p0-{k}", row, sep=",", file=table)
    source = {
        "format": FORMAT,
        "vocabulary": I3A.name,
        "root": None,
        "extraction": ExtractionSettings().model_dump(mode="json"),
        "segmentation": SegmentationSettings().model_dump(mode="json"),
        "files": [],
    }
    (folder / "source.json").write_text(json.dumps(source))


# -- figures ------------------------------------------------------------------


def measure_steps(size: Size, names: list[str]) -> dict[str, dict[str, float]]:
    """Return the CPU seconds of each step and the MB it asked for."""
    found = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            step = MAKERS[name](size, Path(folder))
            seconds = _seconds(step)
            if seconds < _QUICK:
                seconds = min(seconds, *(_seconds(step) for _ in range(2)))
            found[name] = {"seconds": seconds, "megabytes": _megabytes(step)[0]}
    return found


def _seconds(step: Callable[[], object]) -> float:
    started = time.process_time()
    step()
    return time.process_time() - started


def _megabytes(step: Callable[[], object]) -> tuple[float, float]:
    """Return what a step asked for at its worst, and what its result keeps, in MB."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = step()
        now, peak = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return peak / 1e6, now / 1e6


def exponent(points: list[tuple[float, float]]) -> float:
    """Return the slope of a line through points in logarithms: 1 is linear."""
    x, y = np.log(np.asarray(points)).T
    return float(np.polyfit(x, y, 1)[0])


def training_points(cells: CellSet) -> list[tuple[float, float]]:
    """Return image-steps and CPU seconds of one epoch on a fifth of smaller sets."""
    import torch

    from training.models.networks.devices import ResidentCells
    from training.models.networks.loop import begin, fit

    torch.set_num_threads(1)
    network = PaperNetworkSettings(width=0.04, epochs=1, vote_epochs=1, batch_size=100)
    points = []
    for n in (2_500, 10_000, 40_000):
        resident = ResidentCells.place(
            cells.images[:n], cells.patterns[:n], torch.device("cpu")
        )
        samples = Samples.plain(np.arange(0, n, 5))

        def epoch(resident: Any = resident, samples: Samples = samples) -> None:
            state = begin(network, len(I3A), seed=0)
            list(fit(state, resident, samples, network, seed=0))

        # The first of all warms torch up.
        seconds = min(_seconds(epoch) for _ in range(3))
        points.append((float(len(samples)), seconds))
    return points


def _planned(cells: CellSet) -> float:
    return min(_seconds(partial(make_folds, cells, _LOSO)) for _ in range(3))


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    whole = draw_cells(Size(500_000, 2_500))
    tenth = whole.take(np.arange(50_000))
    points = [(float(len(cells)), _planned(cells)) for cells in (tenth, whole)]
    peak, kept = _megabytes(partial(make_folds, whole, _LOSO))
    steps = training_points(tenth)
    return [
        Row(
            "growth: exponent of time against cells, 50,000 to 500,000",
            exponent(points),
            "at most",
            1.15,
            "",
            seconds=points[-1][1],
            note="folds and proof; 200 cells a specimen, one fold each; 1 is linear",
        ),
        Row(
            "growth: memory of the folds' plan, 2,500 specimens, 500,000 cells",
            peak,
            "at most",
            500,
            "MB",
            note=f"while it is made; {kept:.0f} MB are kept",
        ),
        Row(
            "growth: slope of training time against image-steps, "
            f"{steps[0][0]:.0f} to {steps[-1][0]:.0f}",
            exponent(steps),
            "at most",
            1.1,
            "",
            seconds=steps[-1][1],
            note="a tiny network, a fifth of the cells that are resident",
        ),
    ]


# -- plot ---------------------------------------------------------------------


Series = dict[str, list[dict[str, float]]]
"""Of each step: its points, with the keys x, seconds and megabytes."""


def measure_series() -> dict[str, Series]:
    """Measure the steps of every series, each size in a process of its own."""
    found: dict[str, Series] = {}
    for title, series in SERIES.items():
        found[title] = {name: [] for name in STEPS}
        for x, size in series:
            # Packing knows of no folds.
            names = [name for name in STEPS if not size.folds or name != "packing"]
            for name, figures in _apart(size, names).items():
                found[title][name].append({"x": x, **figures})
    return found


def _apart(size: Size, names: list[str]) -> dict[str, dict[str, float]]:
    words = [*map(str, (size.cells, size.specimens, size.folds)), *names]
    command = [sys.executable, __file__, "--measure", *words]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, dict[str, float]] = json.loads(answer.stdout)
    print(size, figures, file=sys.stderr, flush=True)
    return figures


def draw(found: dict[str, Series], path: Path) -> None:
    """Draw time and memory of all series, in logarithms, with a line of slope 1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots(2, len(found), sharey="row")
    for column, (title, steps) in enumerate(found.items()):
        for row, key in enumerate(("seconds", "megabytes")):
            axis = axes[row, column]
            for step, points in steps.items():
                label, colour = STEPS[step]
                axis.loglog(
                    [point["x"] for point in points],
                    [point[key] for point in points],
                    marker="o",
                    color=colour,
                    label=label,
                )
            axis.grid(visible=True, alpha=0.3)
        axes[1, column].set_xlabel(title)
    for row, label in enumerate(("CPU time, s", "memory beyond the images, MB")):
        axes[row, 0].set_ylabel(label)
        for axis in axes[row]:
            _slope_one(axis)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle("Growth, on simulated cells: noise of 60 x 60 pixels, one core")
    figure.savefig(path, dpi=110)


def _slope_one(axis: Any) -> None:
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    middle = math.sqrt(bottom * top)
    ends = np.array([left, right])
    line = middle * ends / math.sqrt(left * right)
    axis.loglog(ends, line, "--", color="0.6", label="linear", zorder=0)
    axis.set(xlim=(left, right), ylim=(bottom, top))


def main() -> None:
    """Print rows, or measure some steps, or draw all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, help="draw all series into this file")
    parser.add_argument("--measure", nargs="+", help="CELLS SPECIMENS FOLDS STEP...")
    given = parser.parse_args()
    if given.measure:
        numbers, names = map(int, given.measure[:3]), given.measure[3:]
        print(json.dumps(measure_steps(Size(*numbers), names)))
    elif given.plot:
        draw(measure_series(), given.plot)
    else:
        print_rows(rows())


if __name__ == "__main__":
    main()
