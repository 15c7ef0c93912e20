"""Bits of a grey value that carry something, by what a file says of its camera.

Many cameras have 10 to 14 bits, and their values are stored with 16.
"""

from __future__ import annotations

import re
from typing import Any

import tifffile

_LONGEST = 1_000_000
_MAX_SAMPLE, _MICRO_MANAGER = 281, 51123
_SAID = (
    # OME's header, Micro-Manager, what Bio-Formats tells ImageJ, and MetaMorph.
    r'<(?:\w+:)?Pixels\s[^>]*\bSignificantBits="(\d+)"',
    r'"BitDepth"\s*:\s*"?(\d+)',
    r"\b(?:BitsPerPixel|SignificantBits)\s*=\s*(\d+)",
    r'"camera-bit-depth"[^>]*\bvalue="(\d+)"',
)
"""Of several in a text the first counts."""


def tiff_bits(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> int | None:
    """Return the bits of a value of a TIFF, where it says fewer than are stored.

    ``MaxSampleValue`` counts where it is the highest value of a number of bits.

    Parameters
    ----------
    page
        Of the picture at its full resolution.

    Returns
    -------
    bits
        1 where a pixel is a bit. Else from 8 to 16, or None; of 8 there is no more.
    """
    stored = page.bitspersample
    if stored <= 8:
        return 1 if stored == 1 else None
    texts = [page.description]
    if tiff.is_imagej:
        texts.append(str((tiff.imagej_metadata or {}).get("Info", "")))
    told = page.tags.valueof(_MICRO_MANAGER)
    if isinstance(told, dict):
        texts.append(f'"BitDepth": {told.get("BitDepth")}')
    found = [bits for text in texts if (bits := bits_in_text(text)) is not None]
    most = page.tags.valueof(_MAX_SAMPLE)
    if isinstance(most, int) and most & (most + 1) == 0:
        found.append(most.bit_length())
    return next((bits for bits in found if plausible_bits(bits, stored)), None)


def bits_in_text(text: str) -> int | None:
    """Return the bits of a value that a text declares, or None."""
    if "Bit" not in text and "bit" not in text:
        return None
    for pattern in _SAID:
        if found := re.search(pattern, text[:_LONGEST]):
            return int(found[1][:4])
    return None


def plausible_bits(bits: Any, stored: int) -> bool:
    """Whether a camera has so many bits, stored with so many."""
    return isinstance(bits, int) and 8 <= bits <= stored <= 16
