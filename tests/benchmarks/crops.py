"""How much faster cells are cut than by a loop over scikit-image's regions.

    python tests/benchmarks/crops.py

All get the same frame and mask and give the same crops and centroids. The loop is
compared with what gives no more than it does (``ratio``), and with the whole of
`extract_cells`, which gives flags and reasons for drops too (``whole_ratio``). Times
are CPU time, of turns taken with the loop, so that neither finds its data in the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from side_by_side import Row, frame, in_turn, print_rows
from skimage.measure import label, regionprops

from training.config import ExtractionSettings
from training.data.cells.extraction import crop_boxes, cut, extract_cells
from training.data.masks.nuclei import find_components

Array = npt.NDArray[Any]


def peer(image: Array, mask: Array, size: int = 77) -> tuple[Array, Array]:
    """Cut cells as a good user would: label, centroids of regions, slices."""
    half = size // 2
    padded = np.pad(image, half, mode="reflect")
    crops, centroids = [], []
    for region in regionprops(label(mask)):
        y, x = region.centroid
        top, left = round(y), round(x)
        crops.append(padded[top : top + size, left : left + size])
        centroids.append((y, x))
    return np.stack(crops), np.array(centroids)


def ours(image: Array, mask: Array, size: int = 77) -> tuple[Array, Array]:
    """Cut cells as `extract_cells` does, without flags and reasons."""
    y, x = find_components(mask).centroids
    return cut(image, crop_boxes(y, x, size)), np.column_stack([y, x])


def measure() -> dict[str, float]:
    """Return the number of cells, the seconds of each way and the ratios.

    Raises
    ------
    AssertionError
        If crops or centroids are not identical.
    """
    image, mask = frame()
    settings = ExtractionSettings()
    crops, centroids = peer(image, mask)
    cells = extract_cells(image, mask, settings)
    whole = cells.crops, cells.table[["y", "x"]].to_numpy()
    for found in (whole, ours(image, mask)):
        np.testing.assert_array_equal(found[0], crops)
        np.testing.assert_array_equal(found[1], centroids)
    theirs, own = in_turn(
        lambda: peer(image, mask), lambda: ours(image, mask), rounds=15
    )
    beside, with_flags = in_turn(
        lambda: peer(image, mask),
        lambda: extract_cells(image, mask, settings),
        rounds=15,
    )
    return {
        "cells": len(crops),
        "peer_seconds": theirs,
        "seconds": own,
        "whole_seconds": with_flags,
        "ratio": theirs / own,
        "whole_ratio": beside / with_flags,
    }


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    found = measure()
    cells = f"{found['cells']:.0f} cells of a frame"
    return [
        Row(
            f"crops: {cells}, against a regionprops loop, identical",
            found["ratio"],
            "at least",
            3,
            "x",
            found["peer_seconds"],
            found["seconds"],
            f"with flags and reasons for drops {found['whole_ratio']:.1f} x",
        )
    ]


if __name__ == "__main__":
    print_rows(rows())
