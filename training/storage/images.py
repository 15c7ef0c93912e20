"""The one gate through which image bytes are decoded and files are written.

Images come in as TIFF, PNG, JPEG or BMP, told by their first bytes and never by their
name; a declared size is checked before any pixel is decoded. Files go out through a
temporary name, fsync and rename, so that a reader sees the old file or the new one.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from training.errors import BadImageError, BadMaskError

MAX_PIXELS = 100_000_000
"""Largest frame that is decoded; a specimen frame has about 1.4 million pixels."""

IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp"})

_MAGIC = {
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"BM": "bmp",
}
_DECODER_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_PLAIN_MODES = {"P": "RGB", "PA": "RGB", "1": "L", "LA": "L"}
_MAX_PAGES = 64
_GREEN = 1
_EMPTY_CHANNEL = 0.1
_ROWS = 256


@dataclass(frozen=True)
class GreyImage:
    """One 2-D fluorescence image.

    Attributes
    ----------
    pixels : (H, W) uint8 or uint16
    note
        What was done to the file's pixels to get there, or an empty string.
    """

    pixels: npt.NDArray[Any]
    note: str = ""


def read_frame(path: Path) -> GreyImage:
    """Read a frame as grey values.

    Of several colour channels the green one is taken, where fluorescein shines, unless
    it is nearly empty: then the strongest one. An alpha channel is ignored.

    Raises
    ------
    BadImageError
        If the file is no image we read, truncated, too large, a stack of several
        pages, or holds other than 8- or 16-bit unsigned pixels.
    """
    pixels = _decode(path)
    if pixels.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise BadImageError(
            path,
            f"its pixels are {pixels.dtype}",
            "save it as 8-bit or 16-bit grey values",
        )
    if pixels.ndim == 2:
        return GreyImage(pixels)
    channel = _signal_channel(pixels)
    name = ("red", "green", "blue", "fourth")[channel]
    note = f"{pixels.shape[2]} channels, the {name} one was taken"
    return GreyImage(np.ascontiguousarray(pixels[:, :, channel]), note)


def read_mask(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Read a mask as labels: 0 is background.

    Parameters
    ----------
    path
        A binary mask (any two values) or a label image.
    shape
        The (height, width) of the frame that it belongs to.

    Returns
    -------
    labels : (H, W) int32
        A binary mask comes back as 0 and 1, a label image with its own values.

    Raises
    ------
    BadMaskError
        If the mask is missing, empty or of another size than its frame.
    """
    if not path.is_file():
        raise BadMaskError(
            path, "the mask is missing", "add it, or let a mask be made from the image"
        )
    try:
        pixels = _decode(path)
    except BadImageError as fault:
        raise BadMaskError(fault.what, fault.fault, fault.remedy) from fault
    if pixels.ndim == 3:
        pixels = pixels[:, :, :3].max(axis=2)
    if pixels.shape != shape:
        raise BadMaskError(
            path,
            f"the mask is {_size(pixels.shape)} but its frame is {_size(shape)} pixels",
            "give the mask that was made for this frame",
        )
    if not pixels.any():
        raise BadMaskError(
            path,
            "the mask is empty",
            "mark the nuclei in it, or let a mask be made from the image",
        )
    return _labels(path, pixels)


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
    try:
        pixels = _decode(path)
    except BadImageError as fault:
        raise BadMaskError(fault.what, fault.fault, fault.remedy) from fault
    if pixels.shape != shape or pixels.dtype not in (np.uint8, np.uint16, np.int32):
        raise BadMaskError(
            path,
            f"it is not a label image of {_size(shape)} pixels",
            "use the mask that came with the data",
        )
    return pixels.astype(np.int32)


def _labels(path: Path, pixels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    values, counts = np.unique(pixels, return_counts=True)
    if len(values) <= 2:
        return np.asarray(pixels > (values[0] if len(values) == 2 else 0), np.int32)
    top = values[-1]
    extremes = counts[(values == 0) | (values == top)].sum()
    if top == np.iinfo(np.uint8).max and extremes > 0.9 * pixels.size:
        return np.asarray(pixels > top // 2, np.int32)
    if pixels.dtype.kind not in "iu" or values[0] < 0 or top > np.iinfo(np.int32).max:
        raise BadMaskError(
            path,
            f"its values, {pixels.dtype} from {values[0]} to {top}, are not labels",
            "save it as a binary mask or a label image",
        )
    return pixels.astype(np.int32)


def _decode(path: Path) -> npt.NDArray[Any]:
    kind = _kind(path)
    try:
        pixels = (
            _decode_tiff(path)
            if kind == "tiff"
            else _decode_other(path, ("PNG", "JPEG", "BMP"))
        )
    except BadImageError:
        raise
    except _DECODER_FAULTS as fault:
        raise _unreadable(path, fault) from fault
    return _channels_last(path, pixels)


def _unreadable(path: Path, fault: Exception) -> BadImageError:
    reason = str(fault).splitlines()[0][:120] if str(fault) else type(fault).__name__
    return BadImageError(
        path, f"the file is damaged or cut short ({reason})", "copy or export it again"
    )


def _kind(path: Path) -> str:
    if not path.is_file():
        raise BadImageError(path, "there is no such file", "check its name and folder")
    with path.open("rb") as stream:
        start = stream.read(4)
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    raise BadImageError(
        path,
        "this is not a TIFF, PNG, JPEG or BMP image",
        "export the image in one of these formats",
    )


def _decode_tiff(path: Path) -> npt.NDArray[Any]:
    # An OME header may name other files: _multifile=False leaves them alone.
    with tifffile.TiffFile(path, _multifile=False) as tiff:
        if len(tiff.pages) > _MAX_PAGES:
            raise _stack(path, (len(tiff.pages),))
        series = tiff.series[0]
        shape = tuple(n for n in series.shape if n != 1)
        if len(shape) > 3 or (len(shape) == 3 and min(shape) > 4):
            raise _stack(path, series.shape)
        _check_size(path, shape)
        stored = sum(sum(page.databytecounts) for page in series.pages)
        if stored > path.stat().st_size:
            raise BadImageError(
                path, "the file is damaged or cut short", "copy or export it again"
            )
        packed = any(page.compression != 1 for page in series.pages)
        if packed and len(series.pages) > 1:
            raise _stack(path, series.shape)
        if not packed:
            return np.asarray(series.asarray()).reshape(shape)
    # Pillow unpacks into a buffer of the declared size; others trust the packed bytes.
    return _decode_other(path, ("TIFF",))


def _stack(path: Path, shape: tuple[int, ...]) -> BadImageError:
    return BadImageError(
        path,
        f"it is a stack of shape {shape}",
        "save each frame as its own 2-D image",
    )


def _decode_other(path: Path, formats: tuple[str, ...]) -> npt.NDArray[Any]:
    with Image.open(path, formats=formats) as image:
        _check_size(path, (image.height, image.width, len(image.getbands())))
        mode = _PLAIN_MODES.get(image.mode)
        pixels = np.asarray(image.convert(mode) if mode else image)
    if pixels.dtype == np.int32 and pixels.size and pixels.min() >= 0:
        pixels = pixels.astype(np.uint16) if pixels.max() < 2**16 else pixels
    return pixels


def _check_size(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse an image without pixels or with too many; one axis may be channels."""
    values = math.prod(shape)
    channels = min(shape) if len(shape) == 3 else 1
    if values == 0 or values // channels > MAX_PIXELS:
        raise BadImageError(
            path,
            f"it declares {values:,} values",
            f"give frames of at most {MAX_PIXELS:,} pixels",
        )


def _channels_last(path: Path, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.ndim == 3 and pixels.shape[0] <= 4 < pixels.shape[2]:
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4)):
        return pixels
    raise BadImageError(
        path, f"it has the shape {pixels.shape}", "give one 2-D image, grey or RGB"
    )


def _signal_channel(pixels: npt.NDArray[Any]) -> int:
    spread = [_spread(pixels[:, :, channel]) for channel in range(3)]
    strongest = int(np.argmax(spread))
    return _GREEN if spread[_GREEN] >= _EMPTY_CHANNEL * spread[strongest] else strongest


def _spread(channel: npt.NDArray[Any]) -> float:
    """Return the standard deviation; as floats there are only some rows at a time."""
    total = squares = 0.0
    for start in range(0, len(channel), _ROWS):
        rows = channel[start : start + _ROWS].astype(np.float64)
        total, squares = total + rows.sum(), squares + np.square(rows).sum()
    mean = total / channel.size
    return math.sqrt(max(squares / channel.size - mean**2, 0.0))


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}" if len(shape) == 2 else str(shape)


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
