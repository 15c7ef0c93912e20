"""How long it takes to measure cells, and to find near copies among them.

    python tests/benchmarks/cell_quality.py
    python tests/benchmarks/cell_quality.py --cells 50000 --seed 1    three minutes

The cells are ellipses with a size and a grain of their own; 200 of them are then copied
to the end: turned, moved by up to two pixels, with another gain and noise. The crops
lie in a file. Times are CPU time on one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from side_by_side import Row, print_rows

from training.curation.near_copies import near_copies, view_of
from training.curation.quality import measure_quality

_CELLS = 10_000
_COPIES = 200
_OF_A_SPECIMEN = 250
_CHUNK = 500
_SIDE = 77

Crops = npt.NDArray[np.uint8]


def write_crops(path: Path, n: int, rng: np.random.Generator) -> Crops:
    """Write (n, 77, 77) uint8 and return them memory-mapped."""
    crops: Crops = np.lib.format.open_memmap(path, "w+", np.uint8, (n, _SIDE, _SIDE))
    y, x = np.mgrid[:_SIDE, :_SIDE] - _SIDE // 2
    for start in range(0, n, _CHUNK):
        size = min(_CHUNK, n - start)
        a, b = rng.uniform(18, 28, (2, size, 1, 1))
        angle = rng.uniform(0, np.pi, (size, 1, 1))
        along = np.cos(angle) * y + np.sin(angle) * x
        across = np.cos(angle) * x - np.sin(angle) * y
        nucleus = np.hypot(along / a, across / b) < 1
        grain = ndimage.gaussian_filter(
            rng.normal(size=(size, _SIDE, _SIDE)), (0, 2.5, 2.5)
        )
        level = 15 + nucleus * (90 + 25 * grain / grain.std())
        noise = rng.normal(0, 2, level.shape)
        crops[start : start + size] = np.clip(level + noise, 0, 255)
    return crops


def turned(images: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Return each image in a view drawn for it."""
    views = rng.integers(0, 8, len(images))
    return np.stack([view_of(i, int(v)) for i, v in zip(images, views, strict=True)])


def plant(crops: Crops, rng: np.random.Generator) -> set[tuple[int, int]]:
    """Make the last crops near copies of others; return the pairs."""
    first = len(crops) - _COPIES
    sources = rng.choice(first, _COPIES, replace=False)
    for row, source in enumerate(sources.tolist(), start=first):
        shift = tuple(rng.integers(-2, 3, 2).tolist())
        moved = np.roll(crops[source], shift, (0, 1))
        changed = rng.uniform(0.6, 1.4) * turned(moved[None], rng)[0]
        noise = rng.normal(0, 0.05 * np.ptp(changed), changed.shape)
        crops[row] = np.clip(changed + noise, 0, 255)
    return {(source, first + k) for k, source in enumerate(sources.tolist())}


def rows(cells: int = _CELLS, seed: int = 0) -> list[Row]:
    """Return the figures as rows of the table."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "crops.npy"
        planted = plant(write_crops(path, cells, rng), rng)
        crops = np.load(path, mmap_mode="r")
        specimens = np.arange(cells) // _OF_A_SPECIMEN
        # A copy in the specimen of its original would be no pair.
        specimens[-_COPIES:] = -1
        started = time.process_time()
        measure_quality(crops)
        measured = time.process_time() - started
        found = near_copies(crops, specimens)
        compared = time.process_time() - started - measured
    pairs = set(map(tuple, found[["first", "second"]].to_numpy().tolist()))
    reached = len(pairs & planted) / len(planted)
    return [
        Row(
            f"quality: {cells:,} cells, each with its mask made",
            measured,
            "under",
            120 * cells / 50_000,
            "s",
            seconds=measured,
            note=f"{1e3 * measured / cells:.2f} ms a cell",
        ),
        Row(
            f"near copies: {cells:,} cells in eight views",
            compared,
            "under",
            300 * cells / 50_000,
            "s",
            seconds=compared,
            note=f"of {cells // _OF_A_SPECIMEN} specimens",
        ),
        Row(
            f"near copies: of {_COPIES} planted among {cells:,}, found",
            100 * reached,
            "at least",
            90,
            "%",
            note=f"{len(pairs - planted):,} other pairs reach the limit",
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=_CELLS)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print_rows(rows(asked.cells, asked.seed))
