"""A cell folder in which the same nucleus stands in two specimens."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.folder import write_cell_folder
from training.data.layouts import read_collection

_TILE = 90
_COLUMNS, _ROWS = 5, 2
PATTERNS = ("Homogeneous", "Speckled", "Homogeneous")
COPIES = (((1, 2), (2, 6)), ((1, 4), (3, 9)))
"""Specimen and label of a nucleus, and of its copy in another specimen."""


def _nucleus(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:_TILE, :_TILE] - _TILE // 2
    a, b, angle = *rng.uniform(22, 29, 2), rng.uniform(0, np.pi)
    along = np.cos(angle) * y + np.sin(angle) * x
    across = np.cos(angle) * x - np.sin(angle) * y
    grain = ndimage.gaussian_filter(rng.normal(size=(_TILE, _TILE)), 2.5)
    disc = np.hypot(along / a, across / b) < 1
    return disc * (90 + 25 * grain / grain.std())


def _draw(tiles: list[np.ndarray], rng: np.random.Generator) -> tuple:
    lines = [np.hstack(tiles[k : k + _COLUMNS]) for k in range(0, len(tiles), _COLUMNS)]
    frame = np.pad(np.vstack(lines), 20)
    noisy = 15 + frame + rng.normal(0, 2, frame.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), ((frame > 0) * 255).astype(np.uint8)


def write_copied_cells(folder: Path) -> Path:
    """Write three specimens of ten nuclei and cut them; return the cell folder."""
    rng = np.random.default_rng(4)
    tiles = [[_nucleus(rng) for _ in range(_COLUMNS * _ROWS)] for _ in PATTERNS]
    for k, ((specimen, label), (other, its)) in enumerate(COPIES):
        turned = np.rot90(tiles[specimen - 1][label - 1], k + 1)
        tiles[other - 1][its - 1] = 1.3 * turned
    (folder / "frames" / "train").mkdir(parents=True)
    lines = ["Specimen ID;Specimen class ;Intensity"]
    for number, (pattern, its) in enumerate(zip(PATTERNS, tiles, strict=True), 1):
        image, mask = _draw(its, rng)
        stem = folder / "frames" / "train" / f"{number:05d}_p0"
        Image.fromarray(image).save(f"{stem}.tif")
        Image.fromarray(mask).save(f"{stem}_Mask.tif")
        lines.append(f"{number};{pattern}   ;positive")
    (folder / "frames" / "gt_train.csv").write_text("\n".join(lines) + "\n")
    collection = read_collection(folder / "frames")
    settings = ExtractionSettings(), SegmentationSettings()
    list(write_cell_folder(collection, folder / "cells", *settings))
    return folder / "cells"
