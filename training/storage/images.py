"""The one gate through which frames and masks are read and files are written.

Frames and masks come in through `training.storage.decoding`. Files go out through a
temporary name, fsync and rename, so that a reader sees the old file or the new one.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.errors import BadImageError, BadMaskError
from training.storage.decoding import decode
from training.storage.picture import Picture
from training.storage.planes import GreyImage, grey_plane
from training.storage.zarr_metadata import SUFFIX

IMAGE_SUFFIXES = frozenset(
    {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", SUFFIX, ".czi", ".nd2", ".lif"}
)
"""Endings of images; one of them is that of a folder, see `is_image_folder`."""


def read_frame(path: Path, plane: str = "", channel: str = "") -> GreyImage:
    """Read a frame as grey values.

    Of several channels the one of fluorescein is taken, by what the file says of them.
    Of colours the green one is taken, where fluorescein shines, unless it is nearly
    empty: then the strongest one. An alpha channel is ignored.

    Parameters
    ----------
    plane, channel
        Which one of a stack and of several channels; see
        `training.config.ExtractionSettings`.

    Raises
    ------
    BadImageError
        If the file is no image we read, truncated, too large, a stack of which no plane
        was chosen, or holds other than 8- or 16-bit unsigned pixels.
    """
    grey = grey_plane(path, decode(path), plane, channel)
    if grey.pixels.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise BadImageError(
            path,
            f"its pixels are {grey.pixels.dtype}",
            "save it as 8-bit or 16-bit grey values",
        )
    return grey


def frame_size(path: Path) -> tuple[int, int]:
    """Return the height and width of a frame, whatever its planes and channels are.

    Raises
    ------
    BadImageError
        As `training.storage.decoding.decode`.
    """
    return decode(path).size


def decode_mask(path: Path) -> Picture:
    """Decode the picture of a mask; a fault names the mask."""
    try:
        return decode(path)
    except BadImageError as fault:
        raise BadMaskError(fault.what, fault.fault, fault.remedy) from fault


def read_labels(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Read a label image made by `label_bytes`: its values as they are.

    Parameters
    ----------
    shape
        The (height, width) of the frame that it belongs to.

    Returns
    -------
    labels : (H, W) int32, 0 is background

    Raises
    ------
    BadMaskError
        If it is missing, damaged, no label image or of another size than its frame.
    """
    pixels = decode_mask(path).pixels
    if pixels.shape != shape or pixels.dtype not in (np.uint8, np.uint16, np.int32):
        raise BadMaskError(
            path,
            f"it is not a label image of {size_text(shape)} pixels",
            "use the mask that came with the data",
        )
    return pixels.astype(np.int32)


def size_text(shape: tuple[int, int]) -> str:
    """Return a size as width x height."""
    return f"{shape[1]} x {shape[0]}"


def label_bytes(labels: npt.NDArray[np.int32]) -> bytes:
    """Return a label image as a packed TIFF, for `write_bytes` and `read_labels`.

    Parameters
    ----------
    labels : (H, W) int32, 0 or more
        Stored with 16 bits where that is enough, else with 32.
    """
    small = labels.max(initial=0) < 2**16
    buffer = io.BytesIO()
    image = Image.fromarray(labels.astype(np.uint16) if small else labels)
    image.save(buffer, "TIFF", compression="tiff_adobe_deflate")
    return buffer.getvalue()
