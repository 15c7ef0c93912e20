"""Files of a data folder; nothing outside it is ever followed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.data.layouts.collection import Channel, Frame
from training.data.layouts.names import (
    OUTLINE_SUFFIXES,
    PICKLE_ENDING,
    UNREAD_SUFFIXES,
    aside_base,
    bare_stem,
    channel_names,
    is_mask_name,
    leftovers,
    mask_base,
    outline_base,
)
from training.errors import BadLayoutError
from training.storage.images import IMAGE_SUFFIXES
from training.storage.paths import checked, is_inside
from training.storage.reading import not_read
from training.storage.zarr_metadata import is_image_folder, label_folders

MENDED = "mended"
"""The folder beside the data that holds mended masks; it is none of the data."""
MENDED_ABOUT = "mended.json"
"""The file in it by which it is told from a specimen of that name."""

_SHOWN = 6
"""Files that a note names; of more it gives the number."""

_PICKLE = (
    "not opened, as a pickle can run code: save the masks in cellpose as PNG or TIFF"
)


@dataclass(frozen=True)
class Listing:
    """The files of one folder, told apart by name; see `training.data.layouts.names`.

    Attributes
    ----------
    images
        File by the frame's name; the first where channels are files.
    masks
        By the name of the frame or of the channel that they are of.
    channels
        The files of a frame, by its name, where each holds one channel.
    asides
        What other tools left beside the frames, and is none of these.
    """

    folder: Path
    images: dict[str, Path] = field(default_factory=dict)
    masks: dict[str, list[Path]] = field(default_factory=dict)
    channels: dict[str, tuple[Channel, ...]] = field(default_factory=dict)
    asides: list[Path] = field(default_factory=list)

    def masks_of(self, stem: str) -> list[Path]:
        """Return the masks of a frame, its own before those of its channels."""
        return [m for name in self.names_of(stem) for m in self.masks.get(name, ())]

    def names_of(self, stem: str) -> list[str]:
        """Return what a mask of a frame may be named after: it and its channels."""
        files = self.channels.get(stem, ())
        return [stem, *(bare_stem(one.path.name) for one in files)]

    def mask_of(self, stem: str) -> Path | None:
        """Return the mask beside an image, the one that should be there, or None."""
        found = self.masks_of(stem)
        if found:
            return found[0]
        return self._expected_mask(stem) if self._has_masks else None

    def frame(self, stem: str, name: str) -> Frame:
        """Return a frame of this folder under the name it has in a collection."""
        return Frame(
            name,
            self.images[stem],
            self.mask_of(stem),
            channels=self.channels.get(stem, ()),
            other_masks=tuple(self.masks_of(stem)[1:]),
        )

    def without_mask(self) -> list[str]:
        """Return the stems of images without a mask where others have one."""
        if not self._has_masks:
            return []
        return [stem for stem in self.images if not self.masks_of(stem)]

    def notes(self) -> tuple[str, ...]:
        """Name what is left over, a sentence for each kind."""
        frames = {name for stem in self.images for name in self.names_of(stem)}
        lost = [
            p for base, paths in self.masks.items() if base not in frames for p in paths
        ]
        pickles = [p for p in self.asides if p.name.lower().endswith(PICKLE_ENDING)]
        outlines = [p for p in self.asides if p.suffix.lower() in OUTLINE_SUFFIXES]
        others = [p for p in self.asides if p not in pickles and p not in outlines]
        said = (
            (others, "not read, as neither frame nor mask"),
            (lost, "a mask without its frame"),
            (outlines, "outlines of no frame by their name: name them after it"),
            (pickles, _PICKLE),
        )
        return tuple(f"{_shown(paths)}: {why}." for paths, why in said if paths)

    @property
    def _has_masks(self) -> bool:
        return any(self.masks_of(stem) for stem in self.images)

    def _expected_mask(self, stem: str) -> Path:
        other, mask = next(
            (other, self.masks_of(other)[0])
            for other in self.images
            if self.masks_of(other)
        )
        named_so = mask.name.startswith(other)
        ending = mask.name[len(other) :] if named_so else f"_mask{mask.suffix}"
        if is_image_folder(self.images[other]) and not named_so:
            return self.folder / f"{stem}_mask.tif"
        return mask.parent / f"{stem}{ending}"


def list_images(root: Path, folder: Path) -> Listing:
    """List the frames, masks and channels in `folder`, which lies in `root`.

    Raises
    ------
    BadLayoutError
        If a file is a link that leads out of `root` or is no regular file, or if two
        images differ only in their suffix.
    """
    images: dict[str, Path] = {}
    masks: dict[str, list[Path]] = defaultdict(list)
    asides: list[Path] = []
    for path in files_in(root, folder, IMAGE_SUFFIXES):
        stem = bare_stem(path.name)
        base = mask_base(stem)
        if base is not None:
            masks[base].append(path)
        elif aside_base(stem) is not None:
            asides.append(path)
        elif stem in images:
            raise BadLayoutError(
                path, f"{images[stem].name} is there as well", "keep one of the two"
            )
        else:
            images[stem] = path
            masks[stem] += labels_in(root, path)
    channels = _channels(images)
    for stem in leftovers(images):
        asides.append(images.pop(stem))
    for name, files in channels.items():
        for one in files:
            del images[bare_stem(one.path.name)]
        images[name] = files[0].path
    listing = Listing(folder, dict(sorted(images.items())), masks, channels, asides)
    _add_others(root, folder, listing)
    return listing


def labels_in(root: Path, image: Path) -> list[Path]:
    """Return the label images that an image holds itself, as OME-Zarr may.

    Raises
    ------
    BadLayoutError
        If one is a link that leads out of `root`.
    """
    if not is_image_folder(image):
        return []
    return [checked(root, path) for path in label_folders(image)]


def add_masks(root: Path, folder: Path, listing: Listing) -> None:
    """Add the files of a folder that holds masks to the listing of their frames."""
    for path in files_in(root, folder, IMAGE_SUFFIXES):
        stem = bare_stem(path.name)
        base = mask_base(stem)
        if base is None and aside_base(stem) is not None:
            listing.asides.append(path)
        else:
            listing.masks.setdefault(base or stem, []).append(path)
    _add_others(root, folder, listing)


def _channels(images: Mapping[str, Path]) -> dict[str, tuple[Channel, ...]]:
    """Return the channels of each frame that has them as files, by its name."""
    found: dict[str, list[Channel]] = defaultdict(list)
    for stem, named in channel_names(images).items():
        found[named.base].append(
            Channel(named.name, images[stem], named.number, named.is_signal)
        )
    return {
        base: tuple(sorted(files, key=lambda one: one.path.name))
        for base, files in found.items()
    }


def _add_others(root: Path, folder: Path, listing: Listing) -> None:
    """Add the files that are no images: outlines, and what is not read."""
    names = {name for stem in listing.images for name in listing.names_of(stem)}
    sole = next(iter(listing.images)) if len(listing.images) == 1 else None
    for path in files_in(root, folder, OUTLINE_SUFFIXES):
        base = outline_base(path, names, sole)
        if base is not None:
            listing.masks.setdefault(base, []).append(path)
        elif is_mask_name(path):
            listing.asides.append(path)
    for path in files_in(root, folder, UNREAD_SUFFIXES):
        stem = bare_stem(path.name)
        if mask_base(stem) is not None or aside_base(stem) is not None:
            listing.asides.append(path)


def _shown(paths: Sequence[Path]) -> str:
    names = ", ".join(path.name for path in paths[:_SHOWN])
    more = len(paths) - _SHOWN
    return f"{names} and {more} more" if more > 0 else names


def files_in(root: Path, folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """Return the regular files with one of the suffixes, sorted by name.

    A folder that is one image counts as a file.

    Raises
    ------
    BadLayoutError
        As `list_images` does.
    """
    wanted = set(suffixes)
    found = []
    with _entries(checked(root, folder)) as entries:
        for entry in entries:
            path = folder / entry.name
            hidden = entry.name.startswith(".")
            if hidden or path.suffix.lower() not in wanted:
                continue
            if entry.is_dir() and not is_image_folder(path):
                continue
            is_link = entry.is_symlink() or not (entry.is_file() or entry.is_dir())
            found.append(checked(root, path) if is_link else path)
    return sorted(found)


def _entries(folder: Path) -> os._ScandirIterator[str]:
    try:
        return os.scandir(folder)
    except OSError as fault:
        raise BadLayoutError(folder, *not_read(fault)) from fault


def folders_in(root: Path, folder: Path) -> list[Path]:
    """Return the visible subfolders that lie in `root`, sorted by name.

    The folder of mended masks and folders that are one image are left out.
    """
    with _entries(folder) as entries:
        paths = [folder / entry.name for entry in entries]
    return sorted(
        path
        for path in paths
        if not path.name.startswith(".") and path.is_dir() and is_inside(root, path)
        if not (path.name == MENDED and (path / MENDED_ABOUT).is_file())
        if not is_image_folder(path)
    )
