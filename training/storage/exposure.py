"""Exposure time of an image, where its file states one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from PIL import ExifTags, Image

from training.storage.picture import DECODER_FAULTS

_DESCRIPTION, _MICRO_MANAGER = 270, 51123
_WRITTEN = re.compile(
    r"ExposureTime=\"(?P<ome>[\d.]+)\"(?:\s+ExposureTimeUnit=\"(?P<unit>\w+)\")?"
    r"|Exposure(?:-ms|Time_ms)?\"?\s*[:=]\s*\"?(?P<ms>[\d.]+)"
)
_MILLISECONDS = {None: 1000.0, "s": 1000.0, "ms": 1.0, "us": 0.001}


def exposure_ms(path: Path) -> float | None:
    """Return the exposure time in milliseconds, or None where none is stated.

    It is looked for in Exif (TIFF, JPEG), OME-XML (seconds unless it names a unit) and
    the texts of Micro-Manager (milliseconds); a file that cannot be read states none.
    """
    if not path.is_file():
        return None
    try:
        with Image.open(path) as image:
            exif = image.getexif()
            inner = exif.get_ifd(ExifTags.IFD.Exif)
            tag = ExifTags.Base.ExposureTime
            seconds = exif.get(tag, inner.get(tag))
            if seconds is not None:
                return 1000 * float(seconds)
            return next(_in_texts([exif.get(_DESCRIPTION), exif.get(_MICRO_MANAGER)]))
    except (StopIteration, *DECODER_FAULTS):
        return None


def _in_texts(texts: list[object]) -> Iterator[float]:
    for text in texts:
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        found = _WRITTEN.search(str(words))
        if found is None:
            continue
        if found["ms"]:
            yield float(found["ms"])
        elif found["unit"] in _MILLISECONDS:
            yield float(found["ome"]) * _MILLISECONDS[found["unit"]]
