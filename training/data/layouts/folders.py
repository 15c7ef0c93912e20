"""Folders in a plain folder: each of a specimen, a pattern, a channel, or masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.data.layouts.channels import ChannelName, channel_names
from training.data.layouts.collection import Channel
from training.data.layouts.files import (
    Listing,
    add_masks,
    by_core,
    files_in,
    folders_in,
    list_images,
    shown,
)
from training.data.layouts.names import (
    OUTLINE_SUFFIXES,
    bare_stem,
    holds_all_images,
    is_aside_folder,
    is_mask_folder,
    is_split_folder,
    masked_name,
)
from training.data.layouts.truth import is_pattern
from training.data.masks.appearance import file_looks_like_mask
from training.errors import BadLayoutError
from training.storage.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Place:
    """A folder of frames, and what its name says of them.

    Attributes
    ----------
    specimen
        None where the names of the files say it.
    pattern
        As the folder spells it; None where it is not named by one.
    """

    listing: Listing
    specimen: str | None = None
    pattern: str | None = None


def frame_places(root: Path, folder: Path) -> tuple[list[Place], tuple[str, ...]]:
    """Return the folders of frames in a folder, and what to note."""
    here, unread = _pair(root, folder)
    below = folders_in(root, folder)
    asides = [p for p in below if is_mask_folder(p.name) or is_aside_folder(p.name)]
    if here.images:
        used = {path.parent for path in here.files}
        others = [p for p in below if p not in used and not is_mask_folder(p.name)]
        unread += [path for path in others if _holds_any(root, path)]
        return [Place(here)], _unread_note(unread)
    for kind, words in ((is_pattern, "patterns"), (is_split_folder, "parts")):
        if any(kind(path.name) and holds_images(root, path) for path in below):
            found, notes = _named_places(root, below, kind, words)
            return found, notes + _asides_note(asides)
    named = channel_names(path.name for path in below if path not in asides)
    pairs = [(p, *_pair(root, p)) for p in below if p not in asides]
    pairs = [one for one in pairs if one[0].name not in named]
    unread += [path for _, _, paths in pairs for path in paths]
    deep = [p for p, found, _ in pairs if not found.images and holds_images(root, p)]
    places = [Place(found, path.name) for path, found, _ in pairs if found.images]
    for base in sorted({one.base for one in named.values()}):
        group = {name: one for name, one in named.items() if one.base == base}
        places.append(Place(_channel_folders(root, folder, group), base))
    places = _with_their_masks(root, places)
    masks, twin = _masks_of_one(root, places, asides)
    places = [place for place in places if place is not twin]
    bare = [note for _, found, _ in pairs if not found.images for note in found.notes()]
    notes = (*here.notes(), *_unread_note(unread), *bare)
    if deep:
        notes += (f"{shown(deep)}: not read, as images lie in a folder of it.",)
    if masks is not None:
        add_masks(root, masks, places[0].listing)
        folders = f"{masks.name} was taken as the masks of {places[0].specimen}"
        notes += (f"The folder {folders}, which is one specimen by its name.",)
    return places, notes + _asides_note([path for path in asides if path != masks])


def _asides_note(paths: Sequence[Path]) -> tuple[str, ...]:
    if not paths:
        return ()
    return (f"{shown(paths)}: not read, as no specimen by the folder's name.",)


def _named_places(
    root: Path, folders: list[Path], kind: Callable[[str], bool], words: str
) -> tuple[list[Place], tuple[str, ...]]:
    """Return the places in folders that are named by patterns, or by train and test."""
    folders = [path for path in folders if _is_specimen_folder(root, path)]
    named = [path for path in folders if kind(path.name)]
    strange = [path.name for path in folders if path not in named]
    if strange:
        raise BadLayoutError(
            root,
            f"of its folders {named[0].name} is named as {words} are and {strange[0]} "
            "is not",
            "give each specimen a folder, or none",
        )
    places: list[Place] = []
    names = ", ".join(path.name for path in named)
    notes: tuple[str, ...] = (
        f"Folders were taken as {words}, and not as specimens: {names}.",
    )
    for path in named:
        found, more = frame_places(root, path)
        pattern = path.name if is_pattern(path.name) else None
        places += [replace(p, pattern=p.pattern or pattern) for p in found]
        notes += more
    return places, notes


def _with_their_masks(root: Path, places: list[Place]) -> list[Place]:
    """Give the masks in a folder ``S1_masks`` to the frames in ``S1``."""
    by_name = {str(place.specimen): place for place in places}
    for name in list(by_name):
        others = by_core(other for other in by_name if other != name)
        owner = masked_name(name, others)
        if owner is None:
            continue
        listing = by_name[name].listing
        if all(map(file_looks_like_mask, listing.images.values())):
            add_masks(root, listing.folder, by_name[owner].listing)
            del by_name[name]
    return list(by_name.values())


def _is_specimen_folder(root: Path, folder: Path) -> bool:
    """Whether a folder that is neither of masks nor for the eye holds images."""
    if is_mask_folder(folder.name) or is_aside_folder(folder.name):
        return False
    return holds_images(root, folder)


def holds_images(root: Path, folder: Path) -> bool:
    """Whether images lie in a folder, or in folders in it, two levels down."""
    inside = [folder, *folders_in(root, folder)]
    inside += [below for path in inside[1:] for below in folders_in(root, path)]
    return any(files_in(root, path, IMAGE_SUFFIXES) for path in inside)


def _holds_any(root: Path, folder: Path) -> bool:
    """Whether images lie in a folder, or outlines."""
    return holds_images(root, folder) or any(files_in(root, folder, OUTLINE_SUFFIXES))


def _masks_of_one(
    root: Path, places: list[Place], asides: list[Path]
) -> tuple[Path | None, Place | None]:
    """Return the folder of masks for the only folder of frames, which share names.

    It is one of two folders that look like specimens where its images are masks by
    their content; that one is returned, too.
    """
    if len(places) == 2:
        stems = [set(place.listing.images) for place in places]
        first = [next(iter(place.listing.images.values())) for place in places]
        alike = [file_looks_like_mask(path) for path in first]
        if stems[0] == stems[1] and alike[0] != alike[1]:
            twin = places[alike.index(True)]
            return twin.listing.folder, twin
    for path in asides if len(places) == 1 else ():
        stems_there = {bare_stem(p.name) for p in files_in(root, path, IMAGE_SUFFIXES)}
        if is_mask_folder(path.name) and stems_there & set(places[0].listing.images):
            return path, None
    return None, None


def _unread_note(paths: Sequence[Path]) -> tuple[str, ...]:
    if not paths:
        return ()
    names = shown(list(dict.fromkeys(paths)))
    return (f"{names}: not read, as other images lie beside it.",)


def _pair(root: Path, folder: Path) -> tuple[Listing, list[Path]]:
    """List the frames in a folder, or in its folder ``images``, and what is not read.

    Their masks may lie in further folders of it.
    """
    below = folders_in(root, folder)
    masks = [path for path in below if is_mask_folder(path.name)]
    images = [path for path in below if holds_all_images(path.name)]
    listing, unread = list_images(root, folder), []
    if not listing.images:
        named = channel_names(path.name for path in below)
        bare = {name: one for name, one in named.items() if not one.base}
        listing = _channel_folders(root, folder, bare) if bare else listing
    if images and (masks or not listing.images):
        unread = [*listing.images.values(), *images[1:]]
        listing = list_images(root, images[0])
    for path in masks if listing.images else ():
        add_masks(root, path, listing)
    return listing, unread


def _channel_folders(
    root: Path, folder: Path, named: Mapping[str, ChannelName]
) -> Listing:
    """List frames whose channels lie in folders, as ``DAPI`` and ``FITC``."""
    listing = Listing(folder)
    for name, one in sorted(named.items()):
        found = list_images(root, folder / name)
        listing.asides.extend(found.asides)
        for stem, path in found.images.items():
            channel = Channel(name, path, one.number, one.is_signal, one.is_plane)
            listing.channels[stem] = (*listing.channels.get(stem, ()), channel)
            listing.images.setdefault(stem, path)
            listing.masks.setdefault(stem, []).extend(found.masks_of(stem))
    return listing
