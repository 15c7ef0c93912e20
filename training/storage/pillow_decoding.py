"""Decodes PNG, JPEG, BMP, and the TIFF that others cannot unpack, by Pillow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from training.errors import BadImageError
from training.storage.picture import (
    Picture,
    Pixels,
    check_size,
    of_samples,
    plain,
    upright,
)

_OTHER_COLOURS = {
    "CMYK": "RGB",
    "HSV": "RGB",
    "LAB": "RGB",
    "La": "LA",
    "PA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "YCbCr": "RGB",
}
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
"""Of a PNG with 16 bits a colour Pillow takes the first byte of two, or the second."""

_ORIENTATION = 274


def decode_by_pillow(path: Path, formats: tuple[str, ...], page: int = 0) -> Picture:
    """Decode a picture by Pillow, which unpacks into a buffer of the declared size."""
    with Image.open(path, formats=formats) as image:
        if page:
            image.seek(page)
        check_size(path, image.height, image.width, len(image.getbands()))
        palette, bits = None, 1 if image.mode == "1" else None
        if image.mode == "P":
            palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        pixels = _values(path, image)
        # Pillow turns a TIFF by itself.
        tag = 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION, 1)
    return upright(of_samples(pixels, palette=palette, bits=bits), tag)


def _values(path: Path, image: Image.Image) -> Pixels:
    assert isinstance(image, ImageFile.ImageFile)
    raw = image.tile[0].args if image.tile else None
    if raw == "LA;16B":
        raise BadImageError(
            path,
            "it is grey with 16 bits and an alpha channel",
            "save it without the alpha channel",
        )
    mode = _OTHER_COLOURS.get(image.mode)
    pixels = np.asarray(image.convert(mode) if mode else image)
    if image.format == "PNG" and raw in _LOW_BYTES:
        with Image.open(path, formats=("PNG",)) as again:
            again.tile = [again.tile[0]._replace(args=_LOW_BYTES[raw])]
            low = np.asarray(again)
        return pixels.astype(np.uint16) << 8 | low
    return plain(pixels)
