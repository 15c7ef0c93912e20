"""Decodes CZI, ND2 and LIF by bioio, where it is installed."""

from __future__ import annotations

import importlib
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import BadImageError
from training.storage.bit_depth import plausible_bits
from training.storage.picture import Channel, Picture, check_size, plain
from training.storage.pixel_size import MICROMETRES, square_side

_EXTRAS = {"czi": "czi", "nd2": "bioio", "lif": "bioio"}
"""The one of CZI is under the GPL and therefore an extra of its own."""

_LIKELY = 0.01, 100.0
"""Micrometres of a pixel behind a lens of a microscope.

bioio gives the numbers of three readers, some of which take a unit that they do not
know as it is: what lies beyond is no size in micrometres.
"""


def decode_by_bioio(path: Path, kind: str) -> Picture:
    """Decode the one image of a microscope's file.

    Parameters
    ----------
    kind : {'czi', 'nd2', 'lif'}
        By the first bytes of the file.

    Raises
    ------
    BadImageError
        If the extra is not installed, or the file is damaged, too large or holds
        several images.
    """
    image_class, reader = _packages(path, kind)
    try:
        image = image_class(path.resolve(), reader=reader)
        return _picture(path, image)
    except BadImageError:
        raise
    except Exception as fault:
        reason = (str(fault).splitlines() or [type(fault).__name__])[0][:120]
        raise BadImageError(
            path,
            f"the package bioio_{kind} cannot read it ({reason})",
            "export it as OME-TIFF",
        ) from fault


def _packages(path: Path, kind: str) -> tuple[Any, Any]:
    """Return the class of images and the reader of a kind, and no other reader."""
    try:
        bioio = importlib.import_module("bioio")
        reader = importlib.import_module(f"bioio_{kind}")
    except ImportError as fault:
        raise BadImageError(
            path,
            f"the packages that read {kind.upper()} are not installed",
            f'pip install "napari-hep2[{_EXTRAS[kind]}]", or export it as OME-TIFF',
        ) from fault
    return bioio.BioImage, reader.Reader


def _picture(path: Path, image: Any) -> Picture:
    scenes = [str(name) for name in image.scenes]
    if len(scenes) > 1:
        names = ", ".join(scenes[:6]) + (", ..." if len(scenes) > 6 else "")
        raise BadImageError(
            path,
            f"it holds {len(scenes)} images ({names})",
            "export each as an OME-TIFF of its own",
        )
    lengths = dict(zip(image.dims.order, image.dims.shape, strict=True))
    others = [axis for axis in lengths if axis not in "YXS" and lengths[axis] > 1]
    samples = "S" if lengths.get("S", 1) > 1 else ""
    layers = math.prod(lengths[axis] for axis in (*others, *samples))
    check_size(path, lengths["Y"], lengths["X"], layers)
    axes = "".join([*others, "Y", "X", *samples])
    pixels = plain(np.asarray(image.get_image_data(axes)))
    channels = _channels(image, lengths["C"]) if "C" in axes else ()
    size, bits = _pixel_size(image), _bits(image, 8 * pixels.dtype.itemsize)
    return Picture(pixels, axes, channels, pixel_size=size, bits=bits)


def _channels(image: Any, count: int) -> tuple[Channel, ...]:
    names = [str(name) for name in image.channel_names or ()]
    return tuple(Channel(name) for name in (*names, *[""] * count)[:count])


def _bits(image: Any, stored: int) -> int | None:
    """Return the bits of a value by the header of OME that a reader makes, or None.

    Readers make one from metadata of any make; where they fail, nothing is known.
    """
    bits = None
    with suppress(Exception):
        bits = image.ome_metadata.images[0].pixels.significant_bits
    return bits if plausible_bits(bits, stored) else None


def _pixel_size(image: Any) -> float | None:
    """Return the side of a pixel in micrometres, or None."""
    sizes, about = image.physical_pixel_sizes, image.dimension_properties
    found = []
    for value, said in ((sizes.Y, about.Y), (sizes.X, about.X)):
        # Without a unit they are micrometres, as all three readers write.
        unit = "micrometer" if said.unit is None else str(said.unit)
        size = float(value or 0) * MICROMETRES.get(unit, math.nan)
        found.append(size if _LIKELY[0] <= size <= _LIKELY[1] else math.nan)
    return square_side(*found)
