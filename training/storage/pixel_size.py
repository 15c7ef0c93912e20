"""Size of a pixel, by what a TIFF says of it: OME, ImageJ, or its resolution."""

from __future__ import annotations

import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import tifffile

from training.storage.picture import DECODER_FAULTS

PLAUSIBLE = (0.05, 2.0)
"""Micrometres of a pixel for which a resolution is believed; most are of a printer."""

_ALIKE = 0.01
"""Pixels are square where their sides differ by no more."""

_LONGEST = 1_000_000
MICROMETRES = {
    "m": 1e6,
    "cm": 1e4,
    "mm": 1e3,
    "um": 1.0,
    "nm": 1e-3,
    "pm": 1e-6,
    "in": 25_400.0,
    "inch": 25_400.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "meter": 1e6,
    "centimeter": 1e4,
    "picometer": 1e-6,
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "millimeter": 1e3,
}
_RESOLUTION_UNITS = {2: 25_400.0, 3: 10_000.0}
_X, _Y, _UNIT = 282, 283, 296


def tiff_pixel_size(page: tifffile.TiffPage, ome: str | None = None) -> float | None:
    """Return the side of a pixel in micrometres, or None where it is not known.

    OME's ``PhysicalSizeX`` counts first, then ImageJ's ``unit``, then the resolution,
    where that is between 0.05 and 2 micrometres a pixel. Pixels that are not square
    have no size.

    Parameters
    ----------
    page
        Of the picture at its full resolution.
    ome
        The OME header, or None.
    """
    if ome:
        found = _of_ome(ome)
        if found is not None:
            return found
    if page.description.startswith("ImageJ=") and (
        unit := re.search(r"^unit=(.*)$", page.description, re.MULTILINE)
    ):
        per_unit = _micrometres(unit[1])
        return None if per_unit is None else _of_resolution(page, per_unit)
    per_unit = _RESOLUTION_UNITS.get(_whole(page.tags.valueof(_UNIT, 2)))
    size = None if per_unit is None else _of_resolution(page, per_unit)
    is_plausible = size is not None and PLAUSIBLE[0] <= size <= PLAUSIBLE[1]
    return size if is_plausible else None


def read_pixel_size(path: Path, shape: tuple[int, ...]) -> float | None:
    """Return the side of a pixel of the picture of this size in a file, or None.

    Nothing is decoded, and a file that is no TIFF, or a damaged one, says nothing.

    Parameters
    ----------
    shape
        Height and width in pixels.
    """
    try:
        with tifffile.TiffFile(path, _multifile=False) as tiff:
            ome = tiff.ome_metadata if tiff.is_ome else None
            for series in tiff.series:
                page = series.keyframe
                if (page.imagelength, page.imagewidth) == shape:
                    return tiff_pixel_size(page, ome)
    except DECODER_FAULTS:
        return None
    return None


def _of_ome(text: str) -> float | None:
    found = re.search(r"<(?:\w+:)?Pixels\s([^>]*)>", text[:_LONGEST])
    said = dict(re.findall(r'(\w+)="([^"]*)"', found[1])) if found else {}
    sides = [_ome_side(said, axis) for axis in "XY"]
    return square_side(*sides)


def _ome_side(said: dict[str, str], axis: str) -> float | None:
    per_unit = _micrometres(unescape(said.get(f"PhysicalSize{axis}Unit", "um")))
    try:
        side = float(said.get(f"PhysicalSize{axis}", "nan"))
    except ValueError:
        return None
    return None if per_unit is None else side * per_unit


def _micrometres(unit: str) -> float | None:
    """Return the micrometres of a unit of length, or None for another, as ``pixel``."""
    word = unit.strip().strip('"').replace(r"\u00B5", "u").replace(r"\u00b5", "u")
    word = word.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    return MICROMETRES.get(word.lower())


def _of_resolution(page: tifffile.TiffPage, per_unit: float) -> float | None:
    """Return the side of a pixel by the tags, which hold pixels in a unit."""
    across, down = (_ratio(page.tags.valueof(tag)) for tag in (_X, _Y))
    if not across or not down:
        return None
    return square_side(per_unit / across, per_unit / down)


def _ratio(value: Any) -> float | None:
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    return float(value[0]) / float(value[1])


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int) else 0


def square_side(x: float | None, y: float | None) -> float | None:
    """Return the side of a square pixel; None where it is none."""
    if x is None or y is None or not (0 < x < math.inf and 0 < y < math.inf):
        return None
    return x if abs(x - y) <= _ALIKE * x else None
