"""Size of nuclei in the images that a network is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.crop_size import SHARES, diameters
from training.data.cells.extraction import extract_frame
from training.data.cells.folder import is_cell_folder, read_cell_folder
from training.data.layouts import CellFile, Frame, read_collection
from training.data.masks.files import read_mask
from training.errors import BadMaskError
from training.storage.images import read_frame

_CELLS, _FRAMES = 1000, 40
"""Images that are looked at, spread over the data; all where they are fewer."""

Floats = npt.NDArray[np.float64]
One = TypeVar("One")


def nucleus_share(path: Path, layout: str = "auto") -> float | None:
    """Return how much of the side of its image the usual nucleus takes.

    It is the median, over the cells that are trained on, of the diameter of a circle as
    large as the nucleus over the side of the crop, or over the square root of the area
    of an image that was cut already.

    Parameters
    ----------
    path, layout
        Of the cells, as `training.data.cells.loading.load_packed` takes them.

    Returns
    -------
    share
        0.2 to 1.5; None where it is not, or the data have no mask.
    """
    if is_cell_folder(path):
        folder = read_cell_folder(path)
        kept = folder.table["dropped"] == ""
        shares = diameters(folder.table.loc[kept, "area"]) / folder.crops.shape[1]
    else:
        collection = read_collection(path, layout)
        frames = [
            frame
            for specimen in collection.specimens
            if specimen.pattern is not None
            for frame in specimen.frames
        ]
        of_files = map(_of_file, _spread(collection.cells, _CELLS))
        of_frames = map(_of_frame, _spread(frames, _FRAMES))
        shares = np.concatenate([*of_files, *of_frames, np.zeros(0)])
    share = float(np.median(shares)) if len(shares) else 0.0
    return share if SHARES[0] <= share <= SHARES[1] else None


def _spread(many: Sequence[One], most: int) -> list[One]:
    places = np.linspace(0, len(many) - 1, min(most, len(many)))
    return [many[int(place)] for place in places]


def _of_file(cell: CellFile) -> Floats:
    if cell.mask is None or not cell.mask.is_file():
        return np.zeros(0)
    shape = read_frame(cell.image).pixels.shape
    area = np.count_nonzero(read_mask(cell.mask, (shape[0], shape[1])))
    return diameters([area]) / np.sqrt(shape[0] * shape[1])


def _of_frame(frame: Frame) -> Floats:
    settings = ExtractionSettings()
    try:
        cells = extract_frame(frame, settings, SegmentationSettings()).cells
    except BadMaskError:
        return np.zeros(0)
    kept = cells.table["dropped"] == ""
    return diameters(cells.table.loc[kept, "area"]) / settings.size
