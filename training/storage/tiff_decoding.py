"""Decodes TIFF: which of its pages are the picture, and what their axes are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from training.errors import BadImageError
from training.storage.bit_depth import tiff_bits
from training.storage.picture import (
    Channel,
    Picture,
    Pixels,
    check_size,
    damaged,
    of_samples,
    plain,
    upright,
)
from training.storage.pillow_decoding import decode_by_pillow
from training.storage.pixel_size import tiff_pixel_size
from training.storage.tiff_packing import PACKINGS, unpack_page

MAX_PAGES = 64
_BESIDE = frozenset({"label", "macro", "thumbnail", "map"})
"""Names of what slide scanners store beside the picture."""

_BY_PILLOW = frozenset({2, 3, 4, 6, 7})
"""Codes of fax and JPEG, which are unpacked with the colours that they code."""

_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE = 0, 1, 2, 3
_PHOTOMETRIC = frozenset({_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE})
_ALPHA = ((1,), (2,))
_LONGEST_OME = 1_000_000


def decode_tiff(path: Path, stream: BinaryIO) -> Picture:
    """Decode the picture of a TIFF; thumbnails and labels beside it are left alone.

    Parameters
    ----------
    path
        Its file, for faults.
    stream
        The file, open at its start.

    Raises
    ------
    BadImageError
        As `training.storage.decoding.decode`.
    """
    # An OME header may name other files: _multifile=False leaves them alone.
    with tifffile.TiffFile(stream, _multifile=False) as tiff:
        if len(tiff.pages) > MAX_PAGES:
            raise BadImageError(
                path,
                f"it is a stack of {len(tiff.pages)} pages",
                f"save the plane to look at, or at most {MAX_PAGES}",
            )
        series = _main_series(path, tiff)
        page = series.keyframe
        _check(path, series, tiff.filehandle.size)
        size = tiff_pixel_size(page, tiff.ome_metadata if tiff.is_ome else None)
        bits = tiff_bits(tiff, page)
        if int(page.compression) in _BY_PILLOW:
            return replace(_by_pillow(path, series), pixel_size=size, bits=bits)
        axes, pixels = _pixels(path, series)
        channels = _channels(tiff, axes, pixels.shape)
        told = {"pixel_size": size, "bits": bits}
        picture = _picture(path, page, axes, pixels, channels, **told)
        return upright(picture, page.tags.valueof(274, 1))


def _by_pillow(path: Path, series: tifffile.TiffPageSeries) -> Picture:
    if len(series.pages) > 1:
        raise BadImageError(
            path,
            f"it is a stack packed with {series.keyframe.compression.name}",
            "save it unpacked, or with LZW or deflate",
        )
    return decode_by_pillow(path, ("TIFF",), series.keyframe.index)


def _main_series(path: Path, tiff: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """Return the largest picture, which is the only one of its size."""
    found = [
        (series.keyframe.imagewidth * series.keyframe.imagelength, series)
        for series in tiff.series
        if not series.keyframe.is_reduced and series.name.lower() not in _BESIDE
    ]
    if not found:
        return tiff.series[0]
    most = max(pixels for pixels, _ in found)
    largest = [series for pixels, series in found if pixels == most]
    if len(largest) > 1:
        raise BadImageError(
            path,
            f"it holds {len(largest)} images of one size",
            "save each as a file of its own",
        )
    return largest[0]


def _check(path: Path, series: tifffile.TiffPageSeries, size: int) -> None:
    """Refuse what is too large, cut short, or stored in a way that is not read."""
    page, pages = series.keyframe, series.pages
    if "YX" not in series.axes.replace("S", ""):
        raise BadImageError(
            path, f"it has the shape {series.shape}", "give one 2-D image, grey or RGB"
        )
    height, width = page.imagelength, page.imagewidth
    layers = math.prod(series.shape) // max(height * width, 1)
    check_size(path, height, width, layers)
    stored = sum(sum(one.databytecounts) for one in pages if one is not None)
    if stored > size:
        raise damaged(path)
    _check_values(path, page)


def _check_values(path: Path, page: tifffile.TiffPage) -> None:
    by_pillow = int(page.compression) in _BY_PILLOW
    if not by_pillow and int(page.photometric) not in _PHOTOMETRIC:
        raise BadImageError(
            path,
            f"its colours are stored as {page.photometric.name}",
            "save it as grey values or RGB",
        )
    if page.bitspersample not in (1, 2, 4, 8, 16, 32, 64):
        raise BadImageError(
            path, f"its values are {page.bitspersample} bits packed", "save as 16 bits"
        )
    if not by_pillow and int(page.compression) not in (1, *PACKINGS):
        raise BadImageError(
            path,
            f"it is packed with {tifffile.COMPRESSION(page.compression).name}",
            "save it unpacked, or with LZW or deflate",
        )
    if page.imagedepth != 1 or page.dtype is None:
        raise damaged(path)


def _pixels(path: Path, series: tifffile.TiffPageSeries) -> tuple[str, Pixels]:
    """Return all planes, (..., Y, X, S), and the letters of their axes.

    Axes of length 1 are left out, but ``Y``, ``X`` and ``S``.
    """
    page = series.keyframe
    if page.compression == 1 and page.bitspersample >= 8:
        stored = plain(np.asarray(series.asarray()))
    else:
        pages = [one for one in series.pages if one is not None]
        unpacked = [_as_stored(page, unpack_page(path, page, one)) for one in pages]
        stored = unpacked[0] if len(pages) == 1 else np.stack(unpacked)
    if stored.size != math.prod(series.shape):
        raise damaged(path)
    places = list(enumerate(series.axes))
    order = [k for k, axis in places if axis not in "YXS" and series.shape[k] > 1]
    order += [k for wanted in "YXS" for k, axis in places if axis == wanted]
    left_out = [k for k, _ in places if k not in order]
    pixels = stored.reshape(series.shape).transpose(left_out + order)
    pixels = pixels.reshape([series.shape[k] for k in order])
    axes = "".join(series.axes[k] for k in order)
    return (axes, pixels) if "S" in axes else (f"{axes}S", pixels[..., None])


def _as_stored(page: tifffile.TiffPage, pixels: Pixels) -> Pixels:
    """Return the pixels of a page, (H, W, S), in the order in which it has them."""
    if pixels.shape[2] == 1:
        return pixels[:, :, 0]
    return np.moveaxis(pixels, 2, 0) if page.planarconfig == 2 else pixels


def _picture(
    path: Path,
    page: tifffile.TiffPage,
    axes: str,
    pixels: Pixels,
    channels: Sequence[Channel],
    **told: Any,
) -> Picture:
    photometric = int(page.photometric)
    is_white_zero = photometric == _WHITE_IS_ZERO
    samples = pixels.shape[-1]
    if axes == "YXS" and (photometric == _RGB or samples == 1 or _has_alpha(page)):
        palette = _palette(path, page) if photometric == _PALETTE else None
        if samples > 4:
            raise BadImageError(
                path, f"it has {samples} colours", "give one 2-D image, grey or RGB"
            )
        if page.bitspersample == 1:
            pixels = pixels * np.uint8(255)
        told.update(palette=palette, white_is_zero=is_white_zero)
        return of_samples(pixels, **told)
    if samples == 1:
        pixels, axes = pixels[..., 0], axes[:-1]
    elif photometric != _RGB and "C" not in axes:
        # Samples that are no colours are channels.
        pixels, axes = np.moveaxis(pixels, -1, 0), f"C{axes[:-1]}"
    if "C" in axes and not channels:
        channels = [Channel()] * pixels.shape[axes.index("C")]
    told["white_is_zero"] = is_white_zero
    return Picture(pixels, axes, tuple(channels), **told)


def _has_alpha(page: tifffile.TiffPage) -> bool:
    """Whether a grey value comes with its opacity."""
    return page.samplesperpixel == 2 and tuple(map(int, page.extrasamples)) in _ALPHA


def _palette(path: Path, page: tifffile.TiffPage) -> npt.NDArray[np.uint8] | None:
    """Return the colours of indices, (N, 3) uint8; None where values are none."""
    if page.colormap is None or page.dtype not in (np.uint8, np.uint16):
        return None
    table = np.asarray(page.colormap)
    if table.ndim != 2 or len(table) != 3:
        raise damaged(path)
    return (table.T >> 8).astype(np.uint8)


def _channels(
    tiff: tifffile.TiffFile, axes: str, shape: tuple[int, ...]
) -> list[Channel]:
    """Return what the file says of its channels, or nothing."""
    if "C" not in axes:
        return []
    count = shape[axes.index("C")]
    if tiff.is_ome and tiff.ome_metadata:
        found = _ome_channels(tiff.ome_metadata)
    else:
        found = _imagej_channels(tiff.imagej_metadata or {})
    return found[:count] if len(found) >= count else []


def _ome_channels(text: str) -> list[Channel]:
    """Return the channels of the first image of an OME header."""
    pixels = text[:_LONGEST_OME].partition("<Pixels")[2].partition("</Pixels>")[0]
    found = []
    for words in re.findall(r"<(?:\w+:)?Channel\s([^>]*)>", pixels):
        said = dict(re.findall(r'(\w+)="([^"]*)"', words))
        name = unescape(said.get("Name") or said.get("Fluor") or "")
        emission = _number(said.get("EmissionWavelength"))
        colour = _number(said.get("Color"))
        found.append(
            Channel(
                name, None if colour is None else _ome_colour(int(colour)), emission
            )
        )
    return found


def _number(word: str | None) -> float | None:
    try:
        number = float(word or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _ome_colour(rgba: int) -> tuple[int, int, int]:
    """Return red, green and blue of a whole number of 32 bits, 8 each with alpha."""
    return rgba >> 24 & 255, rgba >> 16 & 255, rgba >> 8 & 255


def _imagej_channels(said: dict[str, Any]) -> list[Channel]:
    """Return the channels of ImageJ: labels of slices and look-up tables of colours."""
    count, luts = int(said.get("channels", 0)), said.get("LUTs") or []
    labels = said.get("Labels") or []
    found = []
    for k in range(min(count, MAX_PAGES)):
        name = str(labels[k]) if k < len(labels) else ""
        colour = None
        if k < len(luts):
            red, green, blue = np.asarray(luts[k])[:3, -1].tolist()
            colour = (red, green, blue)
        found.append(Channel(name, colour))
    return found
