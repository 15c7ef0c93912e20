"""Nuclei from a file, of whatever tool: a mask, a label image, or outlines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.layouts.names import is_simple_segmentation
from training.data.masks.geojson import read_geojson
from training.data.masks.nuclei import find_components, find_nuclei
from training.data.masks.outline_scale import check_scale, without_regions
from training.data.masks.outlines import Outline, paint_outlines
from training.data.masks.values import MaskReading, understand
from training.errors import BadMaskError
from training.storage.images import decode_mask, read_labels, size_text


def read_nuclei(
    path: Path, shape: tuple[int, int], pixel_size: float | None = None
) -> MaskReading:
    """Read the nuclei of a frame from a mask, a label image or outlines.

    Parameters
    ----------
    path
        An image, a label image of OME-Zarr, a set of ImageJ's regions (``.zip``,
        ``.roi``) or GeoJSON.
    shape
        The (height, width) of the frame in pixels.
    pixel_size
        Side of its pixel in micrometres, or None where it is not known.

    Raises
    ------
    BadMaskError
        If the file is missing, damaged, empty or of another frame.
    """
    suffix = path.suffix.lower()
    if suffix in (".zip", ".roi"):
        # Its package is loaded only where there are regions of ImageJ.
        from training.data.masks.imagej import read_regions

        return _painted(path, read_regions(path), shape, pixel_size)
    if suffix == ".geojson":
        found = read_geojson(path)
        return _painted(path, found.outlines, shape, pixel_size, found.note)
    if is_simple_segmentation(path):
        return _read_classes(path, shape)
    return understand_mask(path, shape)


def _painted(
    path: Path,
    outlines: Sequence[Outline],
    shape: tuple[int, int],
    pixel_size: float | None,
    note: str = "",
) -> MaskReading:
    """Paint outlines that may be those of the nuclei of a frame of this shape."""
    kept, left_out = without_regions(path, outlines)
    odd = check_scale(path, kept, shape, pixel_size)
    nuclei = find_nuclei(paint_outlines(path, kept, shape))
    notes = tuple(words for words in (note, left_out, odd) if words)
    return MaskReading(nuclei, "outlines", notes)


def _read_classes(path: Path, shape: tuple[int, int]) -> MaskReading:
    """Read ilastik's image of classes; the one on the frame's edge is background.

    Its classes are numbered in the order in which a user made them.
    """
    pixels = read_labels(path, shape)
    classes = np.unique(pixels)
    if len(classes) != 2:
        numbers = ", ".join(str(value) for value in classes[:5])
        raise BadMaskError(
            path,
            f"it holds {len(classes)} classes ({numbers}) and does not say which one "
            "are nuclei",
            "export two classes, or a mask of the nuclei",
        )
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    shares = [float(np.mean(edge == value)) for value in classes]
    if max(shares) < 2 / 3:
        raise BadMaskError(
            path,
            "both of its classes lie along the edge, so that neither is background",
            "export a mask of the nuclei",
        )
    background = classes[int(np.argmax(shares))]
    note = f"class {background} of {path.name} was taken as background"
    return MaskReading(find_components(pixels != background), "two classes", (note,))


def read_mask(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Read a mask as labels; see `understand_mask`."""
    return understand_mask(path, shape).labels


def understand_mask(path: Path, shape: tuple[int, int]) -> MaskReading:
    """Read a mask as labels, with what its values were taken for.

    Parameters
    ----------
    path
        A binary mask (any two values, also with soft edges), a label image, an indexed
        image, or one with a colour for each nucleus.
    shape
        The (height, width) of the frame that it belongs to.

    Raises
    ------
    BadMaskError
        If the mask is missing, empty, of another size than its frame, or its values
        mean no nuclei.
    """
    if not path.exists():
        raise BadMaskError(
            path, "the mask is missing", "add it, or let a mask be made from the image"
        )
    picture = decode_mask(path)
    if picture.size != shape:
        raise BadMaskError(
            path,
            f"the mask is {size_text(picture.size)} but its frame is "
            f"{size_text(shape)} pixels",
            "give the mask that was made for this frame",
        )
    reading = understand(path, picture)
    if not len(reading.nuclei):
        raise BadMaskError(
            path,
            "the mask is empty",
            "mark the nuclei in it, or let a mask be made from the image",
        )
    return reading
