"""The worst cells of each specimen, as one picture a specimen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.data.cells.cell_set import CellSet
from training.evaluation.predictions import Predictions
from training.reports.pages import data_address

CELLS = 8
"""Cells in a strip."""

SPECIMENS = 120
"""Most specimens that get one: a report stays a file that can be mailed."""


def specimen_strips(
    said: Predictions, cells: CellSet, specimens: list[str]
) -> dict[str, str]:
    """Return a picture of the worst cells of each specimen.

    Parameters
    ----------
    said
        What the run said of each held-out cell.
    cells
        Those of the run.
    specimens
        Which get a strip; the first `SPECIMENS` do.

    Returns
    -------
    strips
        Address of a PNG by specimen: the cells whose own pattern has the lowest score,
        lowest first, each stretched between its 1st and 99th percentile.
    """
    row_of = {str(name): row for row, name in enumerate(cells.ids)}
    own_score = said.scores[np.arange(len(said.ids)), said.truth]
    strips = {}
    for specimen in specimens[:SPECIMENS]:
        its = np.flatnonzero(said.specimens == specimen)
        worst = its[np.argsort(own_score[its], kind="stable")[:CELLS]]
        rows = [row_of[name] for name in said.ids[worst].tolist() if name in row_of]
        if rows:
            strips[specimen] = data_address(_strip(cells.images[np.array(rows)]))
    return strips


def _strip(images: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.hstack([_stretched(image) for image in images]))


def _stretched(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    low, high = np.percentile(image, [1, 99])
    scaled = (image - low) / max(high - low, 1.0) * 255
    return np.clip(scaled, 0, 255).astype(np.uint8)
