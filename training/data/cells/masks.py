"""The nuclei of a cell folder's crops, cut out of the masks of its frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.data.cells.extraction import crop_boxes
from training.data.layouts import Frame, check_one_mask, read_collection
from training.data.masks.files import read_nuclei
from training.data.masks.nuclei import Nuclei, find_nuclei
from training.data.masks.single_crops import crop_mask
from training.errors import BadImageError, BadMaskError, Hep2Error
from training.storage.images import frame_size, read_labels

_SAME_PLACE = 0.01
"""Pixels; the table has three decimals."""

Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]


def cut_masks(labels: Labels, table: pd.DataFrame, size: int) -> Bools:
    """Return the nucleus of each crop, cut as the crop was.

    Parameters
    ----------
    labels : (H, W) int32
        Of the frame; 0 is background.
    table
        The columns ``label``, ``y`` and ``x`` of its cells.
    size
        Side of the crops in pixels.

    Returns
    -------
    masks : (N, size, size) bool
        False beyond the frame.
    """
    boxes = crop_boxes(table["y"].to_numpy(), table["x"].to_numpy(), size)
    padded = np.pad(labels, size)
    masks = np.empty((len(table), size, size), np.bool_)
    own = table["label"].to_numpy()
    for mask, (y0, x0, y1, x1), label in zip(masks, boxes + size, own, strict=True):
        np.equal(padded[y0:y1, x0:x1], label, out=mask)
    return masks


class NucleusMasks:
    """Masks of crops, read frame by frame as rows are asked for.

    A mask is made from the crop where the frame's cannot be used: where there is none,
    or its nucleus has not the area and the centroid of the table.

    Parameters
    ----------
    crops : (N, S, S) uint8 or uint16
    table
        One row a crop, with ``frame``, ``label``, ``y``, ``x`` and ``area``.
    frames
        The frames at hand, by name.

    Attributes
    ----------
    made
        How many masks were made so far.
    """

    def __init__(
        self, crops: npt.NDArray[Any], table: pd.DataFrame, frames: dict[str, Frame]
    ) -> None:
        self.made = 0
        self._crops = crops
        self._table = table
        self._frames = frames
        self._read: tuple[str, _FrameLabels | None] = ("", None)

    def __getitem__(self, rows: slice, /) -> Bools:
        """Return the masks of some rows, (n, S, S) bool."""
        table = self._table.iloc[rows].reset_index(drop=True)
        crops: npt.NDArray[Any] = self._crops[rows]
        masks = np.empty(crops.shape, np.bool_)
        right = np.zeros(len(table), np.bool_)
        for name, cells in table.groupby("frame", sort=False):
            frame = self._labels(str(name))
            if frame is not None:
                places = cells.index.to_numpy()
                masks[places] = cut_masks(frame.labels, cells, crops.shape[1])
                right[places] = frame.holds(cells)
        for place in np.flatnonzero(~right).tolist():
            masks[place] = crop_mask(crops[place])
            self.made += 1
        return masks

    def _labels(self, name: str) -> _FrameLabels | None:
        """Return the labels of a frame; the last ones are kept."""
        if self._read[0] != name:
            frame = self._frames.get(name)
            self._read = (name, _read_labels(frame) if frame else None)
        return self._read[1]


def nucleus_masks(
    crops: npt.NDArray[Any],
    table: pd.DataFrame,
    root: Path | None,
    layout: str = "auto",
) -> NucleusMasks:
    """Return the masks of a cell folder, from its frames where these are at hand.

    Parameters
    ----------
    crops, table
        Of the cell folder.
    root
        The folder of its frames, or None where that is not known.
    layout
        Of that folder, as `read_collection` takes it.
    """
    frames: dict[str, Frame] = {}
    if root is not None and root.is_dir():
        try:
            specimens = read_collection(root, layout).specimens
        except Hep2Error:
            specimens = ()
        frames = {frame.name: frame for s in specimens for frame in s.frames}
    return NucleusMasks(crops, table, frames)


@dataclass(frozen=True)
class _FrameLabels:
    """The labels of a frame, (H, W) int32, and the nuclei in them."""

    labels: Labels
    nuclei: Nuclei

    def holds(self, cells: pd.DataFrame) -> Bools:
        """Return which cells of a table are nuclei of the frame, (n,) bool."""
        nuclei, own = self.nuclei, cells["label"].to_numpy()
        at = np.searchsorted(nuclei.labels, own).clip(max=len(nuclei) - 1)
        right = (nuclei.labels[at] == own) & (
            nuclei.areas[at] == cells["area"].to_numpy()
        )
        for name, places in zip(("y", "x"), nuclei.centroids, strict=True):
            right &= np.abs(places[at] - cells[name].to_numpy()) < _SAME_PLACE
        return right


def _read_labels(frame: Frame) -> _FrameLabels | None:
    """Return the mended labels of a frame, else those of its mask, None without."""
    if frame.mended is None and frame.mask is None:
        return None
    try:
        height, width = frame_size(frame.image)
        if frame.mended is not None:
            labels = read_labels(frame.mended, (height, width))
        else:
            assert frame.mask is not None
            check_one_mask(frame)
            nuclei = read_nuclei(frame.mask, (height, width)).nuclei
            return _FrameLabels(nuclei.paint(), nuclei)
    except (BadImageError, BadMaskError):
        return None
    return _FrameLabels(labels, find_nuclei(labels))
