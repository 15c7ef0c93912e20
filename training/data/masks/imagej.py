"""Regions of ImageJ and Fiji: a single ``.roi``, or a set of them as a ``.zip``."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from roifile import ROI_TYPE, ImagejRoi

from training.data.masks.outlines import (
    MAX_BYTES,
    MAX_OUTLINES,
    Outline,
    as_ring,
    check_amount,
    too_large,
)
from training.errors import BadMaskError

_AREAS = frozenset(
    {
        ROI_TYPE.POLYGON,
        ROI_TYPE.FREEHAND,
        ROI_TYPE.TRACED,
        ROI_TYPE.RECT,
        ROI_TYPE.OVAL,
    }
)
_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def read_regions(path: Path) -> list[Outline]:
    """Read a region of ImageJ, or a set of them, as outlines.

    Raises
    ------
    BadMaskError
        If the file is missing, damaged or too large, or a region has no area, or they
        lie on several planes of a stack.
    """
    if not path.is_file():
        raise BadMaskError(path, "the set of regions is missing", "put it back")
    try:
        regions = [ImagejRoi.frombytes(content) for content in _contents(path)]
        outlines = [_outline(path, k, one) for k, one in enumerate(regions, start=1)]
    except BadMaskError:
        raise
    except _FAULTS as fault:
        raise BadMaskError(
            path, "it is no set of ImageJ's regions", "save it in the ROI Manager again"
        ) from fault
    planes = {one.position for one in regions if one.position > 0}
    if len(planes) > 1:
        raise BadMaskError(
            path,
            f"its regions lie on {len(planes)} planes of a stack",
            "save those of this frame alone",
        )
    check_amount(path, outlines)
    return outlines


def _contents(path: Path) -> Iterator[bytes]:
    """Yield the bytes of each region; a set says how long they are before it."""
    if path.stat().st_size > MAX_BYTES:
        raise too_large(path)
    if path.suffix.lower() == ".roi":
        yield path.read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        entries = [e for e in archive.infolist() if e.filename.lower().endswith(".roi")]
        if len(entries) > MAX_OUTLINES or sum(e.file_size for e in entries) > MAX_BYTES:
            raise too_large(path)
        for entry in entries:
            with archive.open(entry) as stream:
                yield stream.read(entry.file_size)


def _outline(path: Path, number: int, region: ImagejRoi) -> Outline:
    name = f"{number} ({region.name[:40]})" if region.name else str(number)
    if region.roitype not in _AREAS:
        raise BadMaskError(
            path,
            f"the region {name} is a {region.roitype.name.lower()} and has no area",
            "take it out of the set",
        )
    rings = region.coordinates(multi=True)
    return Outline(name, tuple(as_ring(path, name, ring) for ring in rings))
