"""Decodes OME-Zarr: the level of full resolution, as one picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import BadImageError
from training.storage.picture import Channel, Picture, Pixels, check_size, plain
from training.storage.zarr_arrays import Stored, check_array, check_chunks
from training.storage.zarr_metadata import ZarrImage, read_zarr_image

_USUAL = ("t", "c", "z", "y", "x")
"""Order of axes in the versions that name none."""


def decode_zarr(path: Path) -> Picture:
    """Decode the image, or the label image, of a folder.

    Raises
    ------
    BadImageError
        As `training.storage.decoding.decode`; also where the extra is not installed.
    """
    image = read_zarr_image(path)
    stored = check_array(path, image.array)
    axes = image.axes or _USUAL[-len(stored.shape) :]
    if len(axes) != len(stored.shape) or len(set(axes)) != len(axes):
        raise BadImageError(
            path,
            f"its axes are {', '.join(axes)[:80]} but its array has "
            f"{len(stored.shape)}",
            "export it again",
        )
    if not {"y", "x"} <= set(axes):
        raise BadImageError(
            path, f"its axes are {', '.join(axes)[:80]}", "give an image of y and x"
        )
    height, width = stored.shape[axes.index("y")], stored.shape[axes.index("x")]
    check_size(path, height, width, math.prod(stored.shape) // (height * width))
    check_chunks(path, image.array, stored)
    return _picture(image, axes, _values(path, image.array, stored))


def _values(path: Path, array: Path, stored: Stored) -> Pixels:
    """Return all values of an array whose metadata and chunks were checked."""
    try:
        import zarr
    except ImportError as fault:
        raise BadImageError(
            path,
            "the package that reads OME-Zarr is not installed",
            'pip install "napari-hep2[zarr]"',
        ) from fault
    opened: Any = zarr.open_array(array, mode="r", zarr_format=stored.version)
    return plain(np.asarray(opened[...]))


def _picture(image: ZarrImage, axes: tuple[str, ...], values: Pixels) -> Picture:
    """Return the picture, its axes of length 1 left out and ``YX`` last."""
    order = [k for k, axis in enumerate(axes) if axis not in ("y", "x")]
    kept = [k for k in order if values.shape[k] > 1]
    left_out = [k for k in order if k not in kept]
    ends = [axes.index("y"), axes.index("x")]
    pixels = values.transpose(left_out + kept + ends)[(0,) * len(left_out)]
    letters = "".join(_letter(axes[k]) for k in kept) + "YX"
    channels: tuple[Channel, ...] = ()
    if "C" in letters:
        count = pixels.shape[letters.index("C")]
        known = len(image.channels) >= count
        channels = image.channels[:count] if known else (Channel(),) * count
    return Picture(pixels, letters, channels, pixel_size=image.pixel_size)


def _letter(axis: str) -> str:
    """Return the letter of an axis; what is neither channel, depth nor time is Q."""
    return axis.upper() if axis in ("c", "z", "t") else "Q"
