"""Specimen folders and frames for napari's own ways to open files.

The reader is polite: it offers itself only for a folder of specimens, or for an image
whose mask stands beside it, and leaves every other image to napari.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

if TYPE_CHECKING:
    from training.data.layouts import Collection, Frame

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | Sequence[str]], list[LayerData]]

_FOREIGN = frozenset({".n5", ".app"})


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of a specimen folder or of a frame with its mask, or None."""
    if not isinstance(path, str):
        return None
    from training.storage.images import IMAGE_SUFFIXES
    from training.storage.zarr_metadata import is_image_folder

    place = Path(path)
    if place.is_dir() and not is_image_folder(place):
        offered = place.suffix.lower() not in _FOREIGN and _holds_masks(place)
    else:
        is_image = place.suffix.lower() in IMAGE_SUFFIXES
        offered = is_image and find_mask(place) is not None
    return read if offered else None


def find_mask(image: Path) -> Path | None:
    """Return the mask that lies beside an image by its name, or None."""
    frame = _frame_beside(image)
    mask = None if frame is None else frame.mask
    return mask if mask is not None and mask.exists() else None


def _frame_beside(image: Path) -> Frame | None:
    """Return the frame of an image with what lies beside it; None where it is none."""
    from training.data.layouts import frame_beside
    from training.errors import BadLayoutError

    try:
        return frame_beside(image)
    except (BadLayoutError, OSError):
        return None


def _holds_masks(folder: Path) -> bool:
    """Whether a folder looks like one of specimens, without reading its tables."""
    from training.data.layouts import is_mask_folder

    inside = (folder, folder / "train")
    if any(_has_mask(place) for place in inside if place.is_dir()):
        return True
    below = [place for place in folder.iterdir() if place.is_dir()]
    has_images = any(place.name.lower() == "images" for place in below)
    has_masks = any(is_mask_folder(place.name) for place in below)
    return (has_images and has_masks) or any(map(_has_mask, below))


def _has_mask(folder: Path) -> bool:
    from training.data.layouts import is_mask_name
    from training.storage.zarr_metadata import is_image_folder, label_folders

    entries = list(folder.iterdir())
    labelled = (bool(label_folders(one)) for one in entries if is_image_folder(one))
    return any(map(is_mask_name, entries)) or any(labelled)


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Return the image and labels layer of a frame, or of a folder's first frame.

    Raises
    ------
    training.errors.Hep2Error
        If the folder or the frame cannot be read; one sentence.
    """
    from training.storage.zarr_metadata import is_image_folder

    place = Path(path if isinstance(path, str) else path[0])
    if place.is_dir() and not is_image_folder(place):
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

    frame = _frame_beside(image) or Frame(image.stem, image, None)
    for folder in (image.parent, image.parent.parent):
        try:
            found = _frame_in(folder, image)
        except Hep2Error:
            continue
        if found is not None:
            collection, specimen, frame = found
            return frame_layers(frame, specimen, collection.root)
    return frame_layers(frame, frame.name, image.parent)


def _frame_in(folder: Path, image: Path) -> tuple[Collection, str, Frame] | None:
    from training.data.layouts import read_collection

    collection = read_collection(folder)
    for specimen in collection.specimens:
        for frame in specimen.frames:
            if image.resolve() in [path.resolve() for path in frame.images]:
                # Who drops one channel means this one.
                frame = replace(frame, image=image, channels=())
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
    from training.data.layouts import check_one_mask, with_channel
    from training.data.masks.files import read_nuclei
    from training.storage.images import read_frame

    frame = with_channel(frame)
    check_one_mask(frame)
    image = read_frame(frame.image).pixels
    metadata = {"specimen": specimen, "frame": frame.name, "folder": str(folder)}
    options = image_options(image, frame.name, metadata)
    layers: list[LayerData] = [(image, options, "image")]
    if frame.mask is not None:
        labels = read_nuclei(frame.mask, image.shape).labels
        layers.append((labels, labels_options(frame.name, metadata), "labels"))
    return layers


def image_options(
    image: npt.NDArray[Any], name: str, metadata: dict[str, str]
) -> dict[str, Any]:
    """Return the options of an image layer, stretched for display only."""
    from training.data.masks.scale_bars import display_limits

    return {
        "name": name,
        "metadata": dict(metadata),
        "contrast_limits": display_limits(image),
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
