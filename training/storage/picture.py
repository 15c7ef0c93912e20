"""A decoded picture: pixels, and what its file says of them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.errors import BadImageError

MAX_PIXELS = 100_000_000
"""Largest frame that is decoded; a specimen frame has about 1.4 million pixels."""

MAX_LAYERS = 4
"""Values of a pixel, over all channels and planes, of a picture of that size."""

DECODER_FAULTS = (
    ArithmeticError,
    AssertionError,
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
"""What decoders raise of files that are damaged."""

_FLIPPED = {2: (False, True), 3: (True, True), 4: (True, False)}
_TURNED = {5: (False, False), 6: (False, True), 7: (True, True), 8: (True, False)}
"""Whether rows and columns are reversed, for the values of the tag; after a
transposition for those of `_TURNED`."""

Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class Channel:
    """What a file says of a channel; nothing where it says nothing.

    Attributes
    ----------
    name
        Of the dye or the filter.
    colour
        Red, green and blue that it is shown in, 0 to 255, or None.
    emission
        Wavelength in nanometres, or None.
    """

    name: str = ""
    colour: tuple[int, int, int] | None = None
    emission: float | None = None


@dataclass(frozen=True)
class Picture:
    """Pixels as they are stored, and what each axis and each value is.

    Attributes
    ----------
    pixels
        In the order of `axes`, turned upright.
    axes
        One letter an axis, ``YX`` in it and, if any, ``S`` last: red, green, blue.
        ``C`` are channels, every other letter planes of a stack, such as ``Z``, ``T``.
    channels
        One for each place on the axis ``C``; empty without it.
    palette : (N, 3) uint8 or None
        The colour of each value, where the values are indices.
    alpha : (H, W) or None
        Opacity; 0 is clear.
    white_is_zero
        Whether the file says that 0 is the brightest value.
    pixel_size
        Side of a pixel in micrometres, or None where the file does not say.
    bits
        Bits of a value that carry something, 1 for a bit, where the file says so: 12 of
        many cameras whose values are stored with 16. Else None.
    """

    pixels: Pixels
    axes: str = "YX"
    channels: tuple[Channel, ...] = ()
    palette: npt.NDArray[np.uint8] | None = None
    alpha: Pixels | None = None
    white_is_zero: bool = False
    pixel_size: float | None = None
    bits: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        y = self.axes.index("Y")
        return self.pixels.shape[y], self.pixels.shape[y + 1]

    @property
    def is_stack(self) -> bool:
        """Whether it has more than one plane or channel, colours aside."""
        return self.axes not in ("YX", "YXS")

    def shown(self) -> Pixels:
        """Return the values with 0 as the darkest."""
        if not self.white_is_zero or self.pixels.dtype.kind not in "bu":
            return self.pixels
        return ~self.pixels


def damaged(path: Path, reason: str = "") -> BadImageError:
    """Return the fault of a file whose bytes are not what its header declares."""
    return BadImageError(
        path, f"the file is damaged or cut short{reason}", "copy or export it again"
    )


def check_size(path: Path, height: int, width: int, layers: int = 1) -> None:
    """Refuse a picture without pixels or with too many.

    Parameters
    ----------
    layers
        Values of each pixel, over all colours, channels and planes.
    """
    values = height * width * layers
    most = MAX_PIXELS * MAX_LAYERS if layers > 1 else MAX_PIXELS
    if values == 0 or height * width > MAX_PIXELS or values > most:
        raise BadImageError(
            path,
            f"it declares {values:,} values",
            f"give frames of at most {MAX_PIXELS:,} pixels",
        )


def of_samples(pixels: Pixels, **more: Any) -> Picture:
    """Return a picture of pixels, (H, W), or (H, W, S) with 2 to 4 samples.

    Those of 2 and 4 samples have an alpha channel behind the grey value or colours.
    """
    if pixels.ndim == 2:
        return Picture(pixels, **more)
    if pixels.shape[2] in (2, 4):
        more["alpha"], pixels = pixels[:, :, -1], pixels[:, :, :-1]
    if pixels.shape[2] == 1:
        return Picture(pixels[:, :, 0], **more)
    return Picture(pixels, "YXS", **more)


def plain(pixels: Pixels) -> Pixels:
    """Return pixels in the machine's byte order; a bit becomes 0 or 255."""
    if pixels.dtype == np.bool_:
        return pixels * np.uint8(255)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def upright(picture: Picture, orientation: Any) -> Picture:
    """Return a picture as it is shown, by the tag of TIFF and EXIF.

    Parameters
    ----------
    orientation
        The tag's value; what is not 2 to 8 leaves the picture as it is.

    References
    ----------
    TIFF 6.0, "Orientation".
    """
    if orientation not in _FLIPPED and orientation not in _TURNED:
        return picture
    transposed = orientation in _TURNED
    reverse = (_TURNED if transposed else _FLIPPED)[orientation]
    alpha = picture.alpha
    return replace(
        picture,
        pixels=_turned(picture.pixels, picture.axes.index("Y"), transposed, reverse),
        alpha=None if alpha is None else _turned(alpha, 0, transposed, reverse),
    )


def _turned(
    pixels: Pixels, y: int, transposed: bool, reverse: tuple[bool, bool]
) -> Pixels:
    """Return pixels with the axes `y` and `y` + 1 swapped, and then reversed."""
    if transposed:
        pixels = pixels.swapaxes(y, y + 1)
    axes = tuple(y + k for k in range(2) if reverse[k])
    return np.ascontiguousarray(np.flip(pixels, axes))
