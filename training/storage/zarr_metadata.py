"""Metadata of an OME-Zarr: its full-size array, axes, channels, pixel size and labels.

Versions 0.1 to 0.4 (Zarr 2) and 0.5 (Zarr 3). It is plain JSON, read here without any
package, so that a folder can be listed where the extra is not installed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from training.errors import BadImageError
from training.storage.paths import can_be, is_inside
from training.storage.picture import Channel, damaged
from training.storage.pixel_size import MICROMETRES, square_side
from training.storage.reading import read_json

SUFFIX = ".zarr"
"""Ending of the folder that is one image; ``.ome.zarr`` ends in it."""

_LONGEST = 4_000_000
"""Bytes of one file of metadata."""

_LABELS = "labels"


@dataclass(frozen=True)
class ZarrImage:
    """Metadata of the image in an OME-Zarr.

    Attributes
    ----------
    array
        Folder of the level of full resolution.
    axes
        Names in the order of its array, in lower case, such as ``c``, ``y``, ``x``;
        empty where the metadata name none.
    channels
        As ``omero`` describes them; empty where it does not.
    pixel_size
        Side of a pixel in micrometres, or None without a unit.
    """

    array: Path
    axes: tuple[str, ...]
    channels: tuple[Channel, ...]
    pixel_size: float | None


def is_image_folder(path: Path) -> bool:
    """Return whether a folder is one image by its name."""
    return path.suffix.lower() == SUFFIX and path.is_dir()


def label_folders(image: Path) -> list[Path]:
    """Return the label images that an OME-Zarr lists, in its order.

    Where the list itself is damaged it is the folder of labels, which is then reported
    by whoever reads it.
    """
    places = (image / _LABELS, image / "0" / _LABELS)
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        return []
    try:
        names = _group(image, folder).get("labels")
    except BadImageError:
        return [folder]
    if not isinstance(names, list) or not all(map(_is_plain, names)):
        return [folder]
    return [folder / name for name in names]


def read_zarr_image(path: Path) -> ZarrImage:
    """Read the metadata of an image or a label image.

    Raises
    ------
    BadImageError
        If it is no OME-Zarr, a plate, or several images.
    ValueError, LookupError, TypeError, AttributeError
        If its metadata are none.
    """
    group = _group(path, path)
    if "plate" in group or "well" in group:
        raise BadImageError(
            path,
            "it is a plate of many images",
            "give one of its images, such as A/1/0, copied as a folder NAME.ome.zarr",
        )
    if "multiscales" not in group:
        return read_zarr_image(_only_image(path))
    multiscale = group["multiscales"][0]
    finest = multiscale["datasets"][0]
    axes, units = _axes(multiscale.get("axes") or [])
    scales = [_scale(one, len(axes)) for one in (finest, multiscale)]
    return ZarrImage(
        _part(path, finest["path"]),
        axes,
        _channels(group.get("omero") or {}),
        _pixel_size(axes, units, scales),
    )


def _only_image(path: Path) -> Path:
    """Return the image in a folder that bioformats2raw wrote: ``0``, if it is alone."""
    found = [one for one in (path / "0", path / "1") if _metadata(one) is not None]
    alone = found == [path / "0"] and is_inside(path, path / "0")
    if alone and "multiscales" in _group(path, path / "0"):
        return path / "0"
    if len(found) > 1:
        raise BadImageError(
            path,
            "it holds several images",
            "give one of them, such as its folder 0, copied as NAME.ome.zarr",
        )
    raise BadImageError(
        path, "it is a Zarr without an image of OME-Zarr", "export it as OME-Zarr"
    )


def _group(image: Path, folder: Path) -> dict[str, Any]:
    """Return what OME-Zarr says of a folder in an image."""
    file = _metadata(folder)
    if file is None:
        raise BadImageError(
            folder, "this folder is no OME-Zarr", "give the folder that ends in .zarr"
        )
    said = read_metadata(image, file)
    if file.name == "zarr.json":
        attributes = said.get("attributes", {})
        said = attributes.get("ome", {}) if isinstance(attributes, dict) else attributes
    if not isinstance(said, dict):
        raise damaged(image, f" ({file.name})")
    return said


def _metadata(folder: Path) -> Path | None:
    names = ("zarr.json", ".zattrs")
    return next((folder / name for name in names if (folder / name).exists()), None)


def read_metadata(image: Path, file: Path) -> dict[str, Any]:
    """Return a file of metadata, which lies in the image and is of a bounded size.

    Raises
    ------
    BadImageError
        If it is missing, a link that leads out, too long or no JSON object.
    """
    check_inside(image, file)
    try:
        if file.stat().st_size > _LONGEST:
            raise damaged(image, f" ({file.name} has over {_LONGEST:,} bytes)")
        said = read_json(file)
    except (OSError, ValueError) as fault:
        raise damaged(image, f" ({file.name})") from fault
    if not isinstance(said, dict):
        raise damaged(image, f" ({file.name})")
    return said


def check_inside(image: Path, path: Path) -> None:
    """Refuse a link that leads out of the image, a pipe or a device.

    Raises
    ------
    BadImageError
        The sentence names the link.
    """
    if not is_inside(image, path):
        raise BadImageError(
            image,
            f"{path.relative_to(image).as_posix()} is a link that leads out of it",
            "copy the whole image",
        )
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise BadImageError(
            image,
            f"{path.relative_to(image).as_posix()} is not a regular file",
            "copy or export it again",
        )


def _part(image: Path, word: str) -> Path:
    """Return the folder of a level; its name is a path in the image."""
    parts = PurePosixPath(word).parts
    if not parts or not all(map(_is_plain, parts)):
        raise damaged(image, f" (the level {word[:40]!r} is no folder in it)")
    array = image.joinpath(*parts)
    check_inside(image, array)
    return array


def _is_plain(name: object) -> bool:
    """Return whether a word is the name of something in a folder."""
    return (
        isinstance(name, str)
        and name.isprintable()
        and can_be(name)
        and name not in ("", ".", "..")
        and not set(name) & set("/\\:")
    )


def _axes(said: list[Any]) -> tuple[tuple[str, ...], list[Any]]:
    """Return the names of axes and their units, None for one without."""
    names, units = [], []
    for one in said:
        # Version 0.3 has names alone.
        named = {"name": one} if isinstance(one, str) else one
        names.append(str(named["name"]).lower())
        units.append(named.get("unit"))
    return tuple(names), units


def _scale(said: dict[str, Any], length: int) -> list[float]:
    """Return the product of the scales of a level or of all levels, one an axis."""
    product = [1.0] * length
    for one in said.get("coordinateTransformations") or ():
        if one.get("type") == "scale" and "scale" in one:
            factors = [float(value) for value in one["scale"]]
            if len(factors) != length:
                raise ValueError(f"{len(factors)} scales for {length} axes")
            product = [a * b for a, b in zip(product, factors, strict=True)]
    return product


def _pixel_size(
    axes: tuple[str, ...], units: list[Any], scales: list[list[float]]
) -> float | None:
    if not {"y", "x"} <= set(axes):
        return None
    sizes = []
    for axis in ("y", "x"):
        at = axes.index(axis)
        unit = MICROMETRES.get(str(units[at]).lower(), math.nan)
        sizes.append(math.prod(scale[at] for scale in scales) * unit)
    return square_side(*sizes)


def _channels(omero: dict[str, Any]) -> tuple[Channel, ...]:
    return tuple(
        Channel(str(one.get("label") or ""), _colour(one.get("color")))
        for one in omero.get("channels") or ()
    )


def _colour(word: object) -> tuple[int, int, int] | None:
    """Return the colour of six hexadecimal digits."""
    try:
        red, green, blue = bytes.fromhex(str(word))
    except ValueError:
        return None
    return red, green, blue
