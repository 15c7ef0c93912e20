"""Files of a data folder; nothing outside it is ever followed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from training.data.layouts.channels import ChannelName, channel_names
from training.data.layouts.collection import Channel, Frame
from training.data.layouts.names import (
    OUTLINE_SUFFIXES,
    PICKLE_ENDING,
    UNREAD_IMAGES,
    UNREAD_SUFFIXES,
    aside_base,
    bare_stem,
    core,
    is_mask_name,
    is_weak_mask_name,
    leftovers,
    mask_base,
    masked_name,
    outline_base,
    says_mask,
)
from training.data.masks.appearance import file_looks_like_mask
from training.data.masks.history import MENDED, MENDED_ABOUT
from training.errors import BadLayoutError
from training.storage.images import IMAGE_SUFFIXES
from training.storage.paths import checked, is_inside
from training.storage.reading import not_read
from training.storage.zarr_metadata import is_image_folder, label_folders

_UNREAD = UNREAD_IMAGES | UNREAD_SUFFIXES
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
        stems = (bare_stem(one.path.name) for one in files)
        return list(dict.fromkeys([stem, *stems]))

    @property
    def files(self) -> list[Path]:
        """All files of the frames and their channels."""
        channels = (one.path for files in self.channels.values() for one in files)
        return [*self.images.values(), *channels]

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
        foreign = [p for p in self.asides if p.suffix.lower() in _UNREAD]
        foreign = [p for p in foreign if p not in pickles]
        told = {*pickles, *outlines, *foreign}
        others = [p for p in self.asides if p not in told]
        said = (
            (others, "not read, as neither frame nor mask"),
            (foreign, "not read: what counts has to be saved as TIFF or PNG"),
            (lost, "a mask without its frame"),
            (outlines, "outlines of no frame by their name: name them after it"),
            (pickles, _PICKLE),
        )
        return tuple(f"{shown(paths)}: {why}." for paths, why in said if paths)

    # Asked for each of many frames: none of these is to be looked for twice.

    @cached_property
    def _has_masks(self) -> bool:
        return self._paired is not None or self._mask_folder is not None

    @cached_property
    def _paired(self) -> str | None:
        """The first frame with a mask of its own, or None."""
        return next((one for one in self.images if self.masks_of(one)), None)

    @cached_property
    def _mask_folder(self) -> Path | None:
        """The first folder that holds masks and no frames, or None."""
        folders = {self.folder, *(path.parent for path in self.files)}
        paths = (path for paths in self.masks.values() for path in paths)
        return next((p.parent for p in paths if p.parent not in folders), None)

    def _expected_mask(self, stem: str) -> Path:
        other = self._paired
        if other is None:
            return (self._mask_folder or self.folder) / f"{stem}.png"
        mask = self.masks_of(other)[0]
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
            frame, mask = _frame_and_mask(images[stem], path)
            images[stem] = frame
            masks[stem].append(mask)
        else:
            images[stem] = path
            masks[stem] += labels_in(root, path)
    _move_masks(folder, images, masks, asides)
    named = channel_names(images)
    channels = _channels(folder, images, named)
    for stem in named:
        del images[stem]
    bases = [*named, *(one.base for one in named.values())]
    for stem in leftovers(images, bases):
        asides.append(images.pop(stem))
    images |= {name: files[0].path for name, files in channels.items()}
    listing = Listing(folder, dict(sorted(images.items())), masks, channels, asides)
    _add_others(root, folder, listing)
    _give_masks(listing)
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
    _give_masks(listing)


def _move_masks(
    folder: Path,
    images: dict[str, Path],
    masks: dict[str, list[Path]],
    asides: list[Path],
) -> None:
    """Move files that are masks by a word in their names, or by it and their content.

    A file whose name extends that of a frame by letters alone is one where it looks so.
    """
    others = [stem for stem in images if not is_weak_mask_name(stem)]
    others = [stem for stem in others if not says_mask(stem)]
    channels = channel_names(others)
    bases = {one.base or bare_stem(folder.name) for one in channels.values()}
    names = by_core([*others, *bases])
    frames = [*bases, *(stem for stem in others if stem not in channels)]
    sole = frames[0] if len(frames) == 1 else None
    for stem, path in list(images.items()):
        name = masked_name(stem, names) or (None if core(stem) else sole)
        if name == stem or (name is None and not says_mask(stem)):
            continue
        if stem in channels:  # nuclei in DAPI may be as flat as those of a mask
            continue
        if (says_mask(stem) and name is not None) or file_looks_like_mask(path):
            masks[name or stem].append(images.pop(stem))
        elif is_weak_mask_name(stem) and name is not None:
            asides.append(images.pop(stem))


def _frame_and_mask(one: Path, other: Path) -> tuple[Path, Path]:
    """Return a frame and its mask of one name, by what they look like."""
    alike = [file_looks_like_mask(path) for path in (one, other)]
    if alike[0] == alike[1]:
        raise BadLayoutError(
            other, f"{one.name} is there as well", "keep one of the two"
        )
    return (other, one) if alike[0] else (one, other)


def by_core(stems: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """Return names by their `core`."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for stem in stems:
        found[core(stem)].append(stem)
    return found


def _give_masks(listing: Listing) -> None:
    """Give masks without a frame to the one frame that shares their name.

    ``S1_mask`` is the mask of ``S1_image``, where there is no ``S1``.
    """
    frames = [name for stem in listing.images for name in listing.names_of(stem)]
    names = by_core(frames)
    for base in sorted(listing.masks.keys() - set(frames)):
        found = names.get(core(base), ())
        if len(found) == 1:
            listing.masks.setdefault(found[0], []).extend(listing.masks.pop(base))


def _channels(
    folder: Path, images: Mapping[str, Path], named: Mapping[str, ChannelName]
) -> dict[str, tuple[Channel, ...]]:
    """Return the channels of each frame that has them as files, by its name.

    Where their names are nothing but channels' the frame is named after the folder.
    """
    found: dict[str, list[Channel]] = defaultdict(list)
    for stem, one in named.items():
        found[one.base or bare_stem(folder.name)].append(
            Channel(one.name, images[stem], one.number, one.is_signal, one.is_plane)
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
    for path in files_in(root, folder, _UNREAD):
        suffix, stem = path.suffix.lower(), bare_stem(path.name)
        is_named = mask_base(stem) is not None or aside_base(stem) is not None
        of_frame = stem in names and suffix != ".txt"  # what a microscope says of it
        if suffix in UNREAD_IMAGES or is_named or of_frame:
            listing.asides.append(path)


def shown(paths: Sequence[Path]) -> str:
    """Return the names of files as a note has them."""
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
