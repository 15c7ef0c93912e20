"""Nuclei from a file, of whatever tool: a mask, a label image, or outlines."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.data.layouts.names import is_simple_segmentation
from training.data.masks.geojson import read_geojson
from training.data.masks.outlines import paint_outlines
from training.errors import BadMaskError
from training.storage.images import read_labels, read_mask


class FileNuclei(NamedTuple):
    """Nuclei of a file.

    Attributes
    ----------
    labels : (H, W) int32
        As `training.storage.images.read_mask` returns them; 0 is background.
    notes
        What was assumed of the file.
    """

    labels: npt.NDArray[np.int32]
    notes: tuple[str, ...] = ()


def read_nuclei(path: Path, shape: tuple[int, int]) -> FileNuclei:
    """Read the nuclei of a frame from a mask, a label image or outlines.

    Parameters
    ----------
    path
        An image, a set of ImageJ's regions (``.zip``, ``.roi``) or GeoJSON.
    shape
        The (height, width) of the frame in pixels.

    Raises
    ------
    BadMaskError
        If the file is missing, damaged, empty or of another frame.
    """
    suffix = path.suffix.lower()
    if suffix in (".zip", ".roi"):
        # Its package is loaded only where there are regions of ImageJ.
        from training.data.masks.imagej import read_regions

        return FileNuclei(paint_outlines(path, read_regions(path), shape))
    if suffix == ".geojson":
        found = read_geojson(path)
        labels = paint_outlines(path, found.outlines, shape)
        return FileNuclei(labels, (found.note,) if found.note else ())
    if is_simple_segmentation(path):
        return _read_classes(path, shape)
    return FileNuclei(read_mask(path, shape))


def _read_classes(path: Path, shape: tuple[int, int]) -> FileNuclei:
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
    return FileNuclei((pixels != background).astype(np.int32), (note,))
