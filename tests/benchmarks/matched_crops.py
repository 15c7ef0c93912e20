"""What it costs to show a network other crops than it was fitted on.

    OMP_NUM_THREADS=1 python tests/benchmarks/matched_crops.py DATA --epochs 6

DATA are cells that come cut and with masks, as those of Task-1: the nucleus takes about
0.7 of the side. A frame of the same specimen would be cut with 77 pixels about each
nucleus, so the held-out cells are padded, or cut, to that; then to the size that
`training.inference.frames.matched_crops` would choose by the usual nucleus of the
specimen, for which its other cells are looked at, without their labels. Each group of
specimens is tested by a network fitted on the others, and by the share that their
nuclei take. Prints one line of JSON: mean class accuracies in per cent, and what is
gained over 77 pixels with 95 % of a bootstrap over specimens.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import NetworkSettings
from training.data.cells.crop_size import CropFit, diameters
from training.data.cells.extraction import crop_boxes, cut
from training.data.layouts import CellFile, read_collection
from training.data.masks.files import read_mask
from training.evaluation.comparison import compare
from training.inference.model_file import Model, load_model
from training.runs.execution import load_cells
from training.runs.experiments import configure
from training.runs.final_fit import fit_model
from training.splits.protocols import make_folds
from training.storage.images import read_frame

SIZE = 77

Pixels = npt.NDArray[np.uint8]


def about_the_nucleus(image: Pixels, mask: npt.NDArray[Any], size: int) -> Pixels:
    """Return the crop of a cell that a frame would give, its edge mirrored."""
    y, x = (places.mean() for places in np.nonzero(mask))
    found: Pixels = cut(image, crop_boxes([y], [x], size))[0]
    return found


def score(
    model: Model, cells: list[tuple[Pixels, npt.NDArray[Any]]], sizes: list[int]
) -> npt.NDArray[np.int64]:
    """Return the pattern of each cell, cut with the size that is given for it."""
    found = np.zeros(len(cells), np.int64)
    for size in set(sizes):
        rows = [row for row, its in enumerate(sizes) if its == size]
        crops = np.stack([about_the_nucleus(*cells[row], size) for row in rows])
        found[rows] = model.scores(crops, 255).argmax(axis=1)
    return found


def read(cell: CellFile) -> tuple[Pixels, npt.NDArray[Any]]:
    """Return the image and the mask of a cell that has one."""
    assert cell.mask is not None
    image = read_frame(cell.image).pixels
    return image, read_mask(cell.mask, (image.shape[0], image.shape[1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--experiment", default="modern-lenet")
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    changes = {"epochs": str(given.epochs), "protocol": "group-k"}
    config = configure(given.experiment, str(given.data), changes=changes)
    cells, _ = load_cells(config)
    assert isinstance(config.classifier, NetworkSettings)
    files = {cell.id: cell for cell in read_collection(given.data).cells}
    pairs = [read(files[str(name)]) for name in cells.ids]
    across = diameters([np.count_nonzero(mask) for _, mask in pairs])
    shares = across / np.sqrt([image.size for image, _ in pairs])
    native, fixed, fitted = (np.zeros(len(cells), np.int64) for _ in range(3))
    tested = np.zeros(len(cells), bool)
    for fold in make_folds(cells, config.protocol).folds:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            some = cells.take(fold.train)
            list(fit_model("m", some, config.classifier, path, config.training_set))
            model = load_model(path)
        native[fold.test] = model.scores(cells.images[fold.test], 255).argmax(axis=1)
        share = float(np.median(shares[fold.train]))
        for specimen in np.unique(cells.specimens[fold.test]):
            rows = fold.test[cells.specimens[fold.test] == specimen]
            its = [pairs[row] for row in rows]
            size = CropFit(float(np.median(across[rows])), SIZE).matched_size(share)
            fixed[rows] = score(model, its, [SIZE] * len(rows))
            fitted[rows] = score(model, its, [size] * len(rows))
            tested[rows] = True
    truth, names, k = cells.patterns[tested], cells.specimens[tested], 6
    told: dict[str, Any] = {"cells": len(truth)}
    for name, found in (("as they came", native), ("cut to fit", fitted)):
        against = compare(truth, fixed[tested], found[tested], names, k)
        told[name] = {
            "mean_class_accuracy": round(100 * against.second, 1),
            "gained": round(100 * against.difference, 1),
            "interval": [round(100 * one, 1) for one in against.interval or ()],
        }
        told[f"{SIZE} pixels"] = round(100 * against.first, 1)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
