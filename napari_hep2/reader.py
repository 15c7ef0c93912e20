"""Specimen folders and frames for napari's own ways to open files.

The reader is polite: it offers itself only for a folder of specimens, or for an image
whose mask stands beside it, and leaves every other image to napari.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from training.data.layouts import Collection, Frame

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | Sequence[str]], list[LayerData]]

_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp"})
_MASK_ENDS = ("_Mask", "_mask", "_MASK")
_FOREIGN = frozenset({".zarr", ".n5", ".app"})


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of a specimen folder or of a frame with its mask, or None."""
    if not isinstance(path, str):
        return None
    place = Path(path)
    if place.is_dir():
        offered = place.suffix.lower() not in _FOREIGN and _holds_masks(place)
    else:
        offered = place.suffix.lower() in _SUFFIXES and find_mask(place) is not None
    return read if offered else None


def find_mask(image: Path) -> Path | None:
    """Return the mask that stands beside an image under the usual names, or None."""
    if image.stem.endswith(_MASK_ENDS):
        return None
    for end in _MASK_ENDS:
        for suffix in dict.fromkeys((image.suffix, *sorted(_SUFFIXES))):
            mask = image.with_name(f"{image.stem}{end}{suffix}")
            if mask.is_file():
                return mask
    return None


def _holds_masks(folder: Path) -> bool:
    """Whether a folder looks like one of specimens, without reading its tables."""
    inside = (folder, folder / "train")
    if any(_has_mask(place) for place in inside if place.is_dir()):
        return True
    names = {p.name.lower() for p in folder.iterdir() if p.is_dir()}
    return {"images", "masks"} <= names or any(
        _has_mask(place) for place in folder.iterdir() if place.is_dir()
    )


def _has_mask(folder: Path) -> bool:
    return any(
        p.stem.endswith(_MASK_ENDS) and p.suffix.lower() in _SUFFIXES
        for p in folder.iterdir()
    )


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Return the image and labels layer of a frame, or of a folder's first frame.

    Raises
    ------
    training.errors.Hep2Error
        If the folder or the frame cannot be read; one sentence.
    """
    place = Path(path if isinstance(path, str) else path[0])
    if place.is_dir():
        return _read_folder(place)
    return _read_file(place)


def _read_folder(folder: Path) -> list[LayerData]:
    from training.data.layouts import read_collection
    from training.errors import BadLayoutError

    collection = read_collection(folder)
    if not collection.specimens:
        raise BadLayoutError(
            folder,
            "it contains cells that are already cut, not specimen frames",
            "give it to the LOSO trainer",
        )
    specimen = collection.specimens[0]
    return frame_layers(specimen.frames[0], specimen.id, collection.root)


def _read_file(image: Path) -> list[LayerData]:
    from training.data.layouts import Frame
    from training.errors import Hep2Error

    mask = find_mask(image)
    frame = Frame(image.stem, image, mask)
    for folder in (image.parent, image.parent.parent):
        try:
            found = _frame_in(folder, image)
        except Hep2Error:
            continue
        if found is not None:
            collection, specimen, frame = found
            return frame_layers(frame, specimen, collection.root)
    return frame_layers(frame, image.stem, image.parent)


def _frame_in(folder: Path, image: Path) -> tuple[Collection, str, Frame] | None:
    from training.data.layouts import read_collection

    collection = read_collection(folder)
    for specimen in collection.specimens:
        for frame in specimen.frames:
            if frame.image.resolve() == image.resolve():
                return collection, specimen.id, frame
    return None


def frame_layers(frame: Frame, specimen: str, folder: Path) -> list[LayerData]:
    """Return a frame as an image layer and, where it has a mask, a labels layer.

    Returns
    -------
    layers
        ``(data, options, kind)`` as napari takes them; both carry the metadata
        ``specimen``, ``frame`` and ``folder``.
    """
    from training.storage.images import read_frame, read_mask

    image = read_frame(frame.image).pixels
    metadata = {"specimen": specimen, "frame": frame.name, "folder": str(folder)}
    options = image_options(image, frame.name, metadata)
    layers: list[LayerData] = [(image, options, "image")]
    if frame.mask is not None:
        labels = read_mask(frame.mask, image.shape)
        layers.append((labels, labels_options(frame.name, metadata), "labels"))
    return layers


def image_options(
    image: npt.NDArray[Any], name: str, metadata: dict[str, str]
) -> dict[str, Any]:
    """Return the options of an image layer, stretched for display only."""
    low, high = np.percentile(image[::4, ::4], (0.5, 99.8))
    limits = (float(low), float(max(high, low + 1)))
    return {
        "name": name,
        "metadata": dict(metadata),
        "contrast_limits": limits,
        "colormap": "gray",
    }


def labels_options(name: str, metadata: dict[str, str]) -> dict[str, Any]:
    """Return the options of a labels layer: outlines, off until wanted."""
    return {
        "name": f"{name} mask",
        "metadata": dict(metadata),
        "visible": False,
        "opacity": 0.6,
    }
