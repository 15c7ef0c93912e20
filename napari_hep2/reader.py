"""Specimen folders and frames for napari's own ways to open files.

The reader is polite: the manifest claims folders and the files that napari does not
read by itself, and leaves every other image to napari. A frame whose mask lies beside
it is opened with its mask where it is dropped on a widget, or its folder on the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.data.layouts import Collection, Frame

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | Sequence[str]], list[LayerData]]

OWN_SUFFIXES = frozenset({".czi", ".nd2", ".lif"})
"""Files that napari does not read by itself: these alone the manifest claims."""

_FOREIGN = frozenset({".n5", ".app"})


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader of a specimen folder or of a frame, or None.

    A format that napari reads itself is left to it, unless a mask lies beside.
    """
    if not isinstance(path, str):
        return None
    from training.storage.images import IMAGE_SUFFIXES
    from training.storage.zarr_metadata import is_image_folder

    place = Path(path)
    if place.is_dir() and not is_image_folder(place):
        offered = place.suffix.lower() not in _FOREIGN and _holds_frames(place)
    else:
        is_image = place.suffix.lower() in IMAGE_SUFFIXES
        is_ours = place.suffix.lower() in OWN_SUFFIXES and place.is_file()
        offered = is_ours or (is_image and find_mask(place) is not None)
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


def _holds_frames(folder: Path) -> bool:
    """Whether images lie in a folder or in one below it."""
    from training.storage.images import IMAGE_SUFFIXES
    from training.storage.zarr_metadata import is_image_folder

    def is_image(path: Path) -> bool:
        suffix = path.suffix.lower() in IMAGE_SUFFIXES
        return suffix and (path.is_file() or is_image_folder(path))

    try:
        below = [one for one in folder.iterdir() if one.is_dir()]
        places = [folder, *(one for one in below if not is_image_folder(one))]
        return any(is_image(one) for place in places for one in place.iterdir())
    except OSError:
        return False


def frame_at(path: Path) -> tuple[Path, str | None]:
    """Return the folder of specimens that a path belongs to, and its frame's name.

    Returns
    -------
    folder, frame
        The frame is None where the path is the folder.
    """
    from training.storage.zarr_metadata import is_image_folder

    if path.is_dir() and not is_image_folder(path):
        return path, None
    found = _collection_of(path)
    if found is not None:
        return found[0].root, found[2].name
    frame = _frame_beside(path)
    return path.parent, path.stem if frame is None else frame.name


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

    found = _collection_of(image)
    if found is not None:
        collection, specimen, frame = found
        return frame_layers(frame, specimen, collection.root)
    frame = _frame_beside(image) or Frame(image.stem, image, None)
    return frame_layers(frame, frame.name, image.parent)


def _collection_of(image: Path) -> tuple[Collection, str, Frame] | None:
    """Return the collection around an image, its specimen and its frame, or None."""
    from training.errors import Hep2Error

    for folder in (image.parent, image.parent.parent):
        try:
            found = _frame_in(folder, image)
        except Hep2Error:
            continue
        if found is not None:
            return found
    return None


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
    from training.data.masks.scale_bars import display_limits
    from training.storage.images import read_frame

    frame = with_channel(frame)
    check_one_mask(frame)
    image = read_frame(frame.image).pixels
    metadata = {"specimen": specimen, "frame": frame.name, "folder": str(folder)}
    options = image_options(display_limits(image), frame.name, metadata)
    layers: list[LayerData] = [(image, options, "image")]
    if frame.mask is not None:
        labels = read_nuclei(frame.mask, image.shape).labels
        layers.append((labels, labels_options(frame.name, metadata), "labels"))
    return layers


def image_options(
    limits: tuple[float, float], name: str, metadata: dict[str, str]
) -> dict[str, Any]:
    """Return the options of an image layer, stretched for display only."""
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
