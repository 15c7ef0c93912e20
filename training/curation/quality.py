"""Quality of each cell, measured: how sharp, bright, round and whole it is.

The measures need the crop and the mask of its nucleus. A few hundred crops are looked
at together, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from training.data.cells.saturation import saturated_from
from training.data.masks.shapes import solidity
from training.data.masks.single_crops import crop_mask

Floats = npt.NDArray[np.float64]

MEASURES: dict[str, str] = {
    "focus": "Spread of the Laplacian over the mean of the crop; higher is sharper.",
    "detail": "Spread of the smoothed Laplacian at the nucleus over its signal.",
    "signal": "The brightest twentieth at the nucleus above the darkest tenth.",
    "saturation": "Share of the nucleus at the value where the camera ended, 0 to 1.",
    "area": "Pixels of the nucleus.",
    "roundness": "Its area over that of the disc with its second moments, 0 to 1.",
    "border": "Its length on the crop's edge over its diameter, 0 to 1.",
    "doublet": "Share of its convex hull that it does not fill, 0 to 1.",
    "brightness": "Its mean above the background, as a share of full scale.",
}
"""Columns of the table, and what each says."""

_CHUNK = 256
_SMOOTHING = 1 / 40
_AROUND = 1 / 20
_DARK, _BRIGHT = 10, 95
_SHAPE = ("roundness", "border", "doublet")
_TRUSTED = 0.25
_PIXEL_VARIANCE = 1 / 12


class Masks(Protocol):
    """Whatever gives the masks of some rows, an array or a reader of files."""

    def __getitem__(self, rows: slice, /) -> npt.NDArray[np.bool_]:
        """Return (n, S, S) bool, the nucleus of each crop."""


def measure_quality(
    crops: npt.NDArray[Any],
    masks: Masks | None = None,
    table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the quality of every cell; see `measure_quality_parts`."""
    parts = [part for _, part in measure_quality_parts(crops, masks, table)]
    return pd.concat(parts) if parts else pd.DataFrame(columns=list(MEASURES))


def measure_quality_parts(
    crops: npt.NDArray[Any],
    masks: Masks | None = None,
    table: pd.DataFrame | None = None,
) -> Iterator[tuple[float, pd.DataFrame]]:
    """Measure cells a few hundred at a time.

    Parameters
    ----------
    crops : (N, S, S) uint8 or uint16
        May be memory-mapped.
    masks : (N, S, S) bool, or None
        The nucleus of each crop. None makes a mask from each crop.
    table
        The table of a cell folder, one row a crop. ``area`` is then taken from it, and
        a nucleus that the extraction dropped as ``border`` counts as cut off.

    Yields
    ------
    share
        Of the cells that are measured, 0 to 1.
    part
        The columns `MEASURES` of the next cells, float64, indexed by their rows. nan
        where a crop of one grey value shows no nucleus. The measures of shape are nan,
        too, where the mask differs from the table's area by more than a quarter: it is
        not the nucleus.

    Notes
    -----
    *focus*: standard deviation of the four-neighbour Laplacian over the mean grey
    value of the crop (LAPV of Pertuz et al. 2013, over the mean).

    *signal*: the 95th percentile in the nucleus and 1/20 of the side around it, less
    the 10th of the crop, over full scale. Golgi and nuclear membrane lie outside of a
    dark nucleus, whose own mean says nothing of them.

    *detail*: spread of the Laplacian there, of the crop smoothed by a Gaussian of 1/40
    of its side, over the signal. Noise and the brightness of the specimen change it
    little, so that it tells blurred cells from sharp ones where *focus* does not.

    *roundness*: A / (2 pi (v_y + v_x)), with the area A and the variances v of the
    coordinates of the nucleus. 1 for a disc, 2ab / (a² + b²) for an ellipse, less for
    what is in pieces. Unlike 4 pi A / P² it needs no outline, whose length on a grid of
    pixels depends on its direction and on the noise of the mask.

    *brightness*: the mean in the nucleus less the median outside, over full scale: 255,
    or 65535 of 16 bits, whatever the camera used of them and whatever other cells have.

    *saturation*: see `training.data.cells.saturation`.

    References
    ----------
    Pertuz, Puig and Garcia 2013, doi:10.1016/j.patcog.2012.11.011
    Žunić, Hirota and Rosin 2010, doi:10.1016/j.patcog.2009.06.017
    """
    for start in range(0, len(crops), _CHUNK):
        rows = slice(start, min(start + _CHUNK, len(crops)))
        some = np.asarray(crops[rows])
        if masks is None:
            inside = np.stack([crop_mask(crop) for crop in some])
        else:
            inside = np.asarray(masks[rows], dtype=np.bool_)
        part = _measure(some, inside)
        part.index = pd.RangeIndex(rows.start, rows.stop)
        if table is not None:
            area = table["area"].to_numpy(np.float64)[rows]
            part.loc[_is_another(part, area), list(_SHAPE)] = np.nan
            part["area"] = area
            cut_off = table["dropped"].to_numpy()[rows] == "border"
            part.loc[cut_off, "border"] = 1.0
        yield rows.stop / len(crops), part


def _is_another(part: pd.DataFrame, area: Floats) -> npt.NDArray[np.bool_]:
    """Tell where the mask is not of the nucleus's area; the crop's edge may cut it."""
    pixels, whole = part["area"].to_numpy(np.float64), part["border"].to_numpy() == 0
    too_small = (pixels < (1 - _TRUSTED) * area) & whole
    another: npt.NDArray[np.bool_] = (pixels > (1 + _TRUSTED) * area) | too_small
    return another


def sharpness(crops: npt.NDArray[Any]) -> Floats:
    """Return how sharp each crop is: the spread of its Laplacian over its mean.

    Parameters
    ----------
    crops : (N, S, S) uint8 or uint16

    Returns
    -------
    focus : (N,) float64
        Not negative; 0 for a flat crop.

    References
    ----------
    Pertuz, Puig and Garcia 2013, doi:10.1016/j.patcog.2012.11.011, "LAPV".
    """
    grey = np.asarray(crops, dtype=np.float32)
    spread = laplacian(grey).std(axis=(1, 2), dtype=np.float64)
    mean = grey.mean(axis=(1, 2), dtype=np.float64)
    return np.asarray(spread / np.maximum(mean, 1.0))


def laplacian(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the Laplacian of four neighbours.

    Parameters
    ----------
    grey : (N, S, S) float32

    Returns
    -------
    found : (N, S - 2, S - 2) float32
    """
    neighbours = (
        grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    )
    return neighbours - 4 * grey[:, 1:-1, 1:-1]


def roundness(masks: npt.NDArray[np.bool_]) -> Floats:
    """Return the area over that of the disc with the same second moments.

    Parameters
    ----------
    masks : (N, S, S) bool

    Returns
    -------
    roundness : (N,) float64, 0 to 1
        nan for an empty mask.
    """
    area = masks.sum(axis=(1, 2)).astype(np.float64)
    area[area == 0] = np.nan
    places = np.arange(masks.shape[1], dtype=np.float64)
    spread = np.zeros(len(masks))
    for axis in (1, 2):
        share = masks.sum(axis=axis) / area[:, None]
        mean = share @ places
        # Each pixel is a square and has a spread of its own.
        spread += share @ places**2 - mean**2 + _PIXEL_VARIANCE
    return np.minimum(area / (2 * np.pi * spread), 1.0)


def _measure(crops: npt.NDArray[Any], masks: npt.NDArray[np.bool_]) -> pd.DataFrame:
    top = np.iinfo(crops.dtype).max
    pixels = masks.sum(axis=(1, 2)).astype(np.float64)
    area = np.where(pixels > 0, pixels, np.nan)
    inside = np.where(masks, crops, 0).sum(axis=(1, 2), dtype=np.float64) / area
    side = crops.shape[1]
    width = 2 * round(_AROUND * side) + 1
    near = scipy.ndimage.maximum_filter(masks, (1, width, width))
    everywhere = np.ones_like(masks)
    signal = _percentile(crops, near, _BRIGHT) - _percentile(crops, everywhere, _DARK)
    background = np.where(
        masks.all(axis=(1, 2)),
        crops.min(axis=(1, 2)),
        _percentile(crops, ~masks, 50),
    )
    flat = crops.min(axis=(1, 2)) == crops.max(axis=(1, 2))
    hollow = [1 - solidity(mask) for mask in masks]
    shape = {
        "roundness": roundness(masks),
        "border": _on_edge(masks) / np.sqrt(4 * area / np.pi),
        "doublet": np.where(pixels > 0, hollow, np.nan),
    }
    return pd.DataFrame(
        {
            "focus": sharpness(crops),
            "detail": _spread(crops, near) / np.where(signal > 0, signal, np.nan),
            "signal": signal / top,
            "saturation": _saturation(crops, masks),
            "area": pixels,
            **{
                name: np.where(flat, np.nan, np.clip(values, 0, 1))
                for name, values in shape.items()
            },
            "brightness": (inside - background) / top,
        }
    )


def _saturation(crops: npt.NDArray[Any], masks: npt.NDArray[np.bool_]) -> Floats:
    """Return the share of each nucleus at the value where its camera ended, (N,)."""
    shares = np.full(len(crops), np.nan)
    for row, (crop, mask) in enumerate(zip(crops, masks, strict=True)):
        values = crop[mask]
        if len(values):
            end = saturated_from(np.bincount(values))
            shares[row] = 0.0 if end is None else (values >= end).mean()
    return shares


def _spread(crops: npt.NDArray[Any], near: npt.NDArray[np.bool_]) -> Floats:
    """Return the spread of the Laplacian of each smoothed crop in a mask, (N,)."""
    side = crops.shape[1]
    grey = crops.astype(np.float32)
    smooth = scipy.ndimage.gaussian_filter(
        grey, side * _SMOOTHING, mode="nearest", axes=(1, 2)
    )
    laplacian = -4 * smooth
    for axis in (1, 2):
        laplacian += _shifted(smooth, 1, axis) + _shifted(smooth, -1, axis)
    count = np.maximum(near.sum(axis=(1, 2)), 1)
    laplacian[~near] = 0
    mean = laplacian.sum(axis=(1, 2), dtype=np.float64) / count
    square = (laplacian**2).sum(axis=(1, 2), dtype=np.float64) / count
    return np.sqrt(np.maximum(square - mean**2, 0))


def _shifted(
    images: npt.NDArray[np.float32], step: int, axis: int
) -> npt.NDArray[np.float32]:
    """Return the neighbour of each pixel; those at the edge are their own."""
    last = images.shape[axis] - 1
    return images.take(np.clip(np.arange(last + 1) + step, 0, last), axis=axis)


def _on_edge(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the pixels of each mask in the first and last row and column, (N,)."""
    edge = np.ones(masks.shape[1:], np.bool_)
    edge[1:-1, 1:-1] = False
    return masks[:, edge].sum(axis=1)


def _percentile(
    crops: npt.NDArray[Any], masks: npt.NDArray[np.bool_], percent: float
) -> Floats:
    """Return the lower percentile of each crop in its mask, (N,), nan if empty."""
    n = len(crops)
    inside = np.where(masks, crops, np.iinfo(crops.dtype).max).reshape(n, -1)
    inside.sort(axis=1)
    count = masks.sum(axis=(1, 2))
    place = (np.maximum(count - 1, 0) * percent / 100).astype(np.int64)
    values = inside[np.arange(n), place].astype(np.float64)
    return np.where(count > 0, values, np.nan)
