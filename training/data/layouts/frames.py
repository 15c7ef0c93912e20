"""Specimens as whole frames: I3A Task-2, and a plain folder of images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from training.data.layouts.collection import Collection, Frame, Specimen
from training.data.layouts.files import Listing, files_in, folders_in, list_images
from training.data.layouts.truth import Truth, count_note, id_key, keyed, read_truth
from training.errors import BadLayoutError
from training.patterns import I3A, I3A_TASK2, Vocabulary, vocabulary_for
from training.storage.delimited import read_table
from training.storage.paths import by_name

_PART = re.compile(r"(.+?)_[pP]\d+")
_IMAGES = ("images", "image")
_MASKS = ("masks", "mask")


def read_task2(root: Path) -> Collection:
    """Read ``gt_train.csv`` and ``train/NNNNN_pK.tif`` with ``_Mask`` beside.

    The vocabulary is I3A's six patterns, or seven where a mitotic spindle occurs.

    Raises
    ------
    BadLayoutError, UnknownPatternError
        With one sentence on what is missing or wrong.
    """
    table = by_name(files_in(root, root, {".csv"}), "gt_train.csv")
    folder = by_name(folders_in(root, root), "train")
    if table is None or folder is None:
        missing = "gt_train.csv" if table is None else "the folder train"
        raise BadLayoutError(
            root, f"{missing} is missing", "give the folder as the contest released it"
        )
    truth = read_truth(table, I3A_TASK2)
    listing = list_images(root, folder)
    members, strange = _members(listing, part_needed=True)
    if not members:
        raise BadLayoutError(
            folder, "it holds no images like 00001_p0.tif", "unpack the images into it"
        )
    specimens = _specimens(members, truth, table)
    notes = count_note(
        strange,
        "is not named like 00001_p0 and was left out",
        "images are not named like 00001_p0 and were left out",
    )
    return Collection(
        "task2",
        root,
        _six_or_seven(specimens),
        specimens,
        notes=notes + _notes(truth, specimens, _without_mask(listing, strange), table),
    )


def read_plain(root: Path) -> Collection:
    """Read a folder of frames.

    Masks lie beside the images (``NAME_mask``) or the two in ``Images`` and ``Masks``.
    Where the images lie in subfolders, each is a specimen; else the specimen is the
    file's name without a last ``_pN``. A table with the columns ``specimen`` and
    ``pattern`` may give the patterns; without one they are not known.

    Raises
    ------
    BadLayoutError, UnknownPatternError
        With one sentence on what is missing or wrong.
    """
    listings = _plain_listings(root)
    members: dict[str, list[Frame]] = defaultdict(list)
    bare: list[str] = []
    for specimen, listing in listings:
        found, _ = _members(listing, part_needed=False, specimen=specimen)
        bare += listing.without_mask()
        for name, frames in found.items():
            members[name] += frames
    if not members:
        raise BadLayoutError(root, "it holds no images", "give a folder of frames")
    _check_unique(root, members)
    table = _plain_table(root)
    vocabulary, truth = _plain_truth(table)
    if table is None:
        truth = {id_key(name, root): Truth(name, None) for name in members}
    specimens = _specimens(members, truth, table or root)
    return Collection(
        "plain",
        root,
        vocabulary,
        specimens,
        notes=_notes(truth, specimens, bare, table or root),
    )


def plain_folders(root: Path) -> list[Path]:
    """Return the folders in which a plain folder's images lie."""
    return [listing.folder for _, listing in _plain_listings(root)]


def _plain_listings(root: Path) -> list[tuple[str | None, Listing]]:
    here = _pair(root, root)
    if here.images:
        return [(None, here)]
    below = [(path.name, _pair(root, path)) for path in folders_in(root, root)]
    return [(name, listing) for name, listing in below if listing.images]


def _pair(root: Path, folder: Path) -> Listing:
    below = folders_in(root, folder)
    images = next((p for p in below if p.name.lower() in _IMAGES), None)
    masks = next((p for p in below if p.name.lower() in _MASKS), None)
    if images is None:
        return list_images(root, folder)
    listing = list_images(root, images)
    if masks is None:
        return listing
    apart = list_images(root, masks)
    return Listing(
        images, listing.images, {**listing.masks, **apart.images, **apart.masks}
    )


def _members(
    listing: Listing, *, part_needed: bool, specimen: str | None = None
) -> tuple[dict[str, list[Frame]], list[str]]:
    members: dict[str, list[Frame]] = defaultdict(list)
    strange = []
    for stem, path in listing.images.items():
        part = _PART.fullmatch(stem)
        if part is None and part_needed:
            strange.append(stem)
            continue
        name = stem if specimen is None else f"{specimen}_{stem}"
        owner = specimen or (part.group(1) if part else stem)
        members[owner].append(Frame(name, path, listing.mask_of(stem)))
    return members, strange


def _specimens(
    members: Mapping[str, list[Frame]], truth: Mapping[str, Truth], table: Path
) -> tuple[Specimen, ...]:
    specimens = []
    for key, name in keyed(members, table).items():
        row = truth.get(key)
        if row is None:
            raise BadLayoutError(
                table,
                f"it has no row for {members[name][0].image.name}",
                "add the specimen and its pattern",
            )
        frames = tuple(members[name])
        specimens.append(Specimen(row.id, frames, row.pattern, row.intensity))
    return tuple(specimens)


def _check_unique(root: Path, members: Mapping[str, list[Frame]]) -> None:
    names = [frame.name for frames in members.values() for frame in frames]
    for name in names:
        if names.count(name) > 1:
            raise BadLayoutError(root, f"two frames are named {name}", "rename one")


def _plain_table(root: Path) -> Path | None:
    found = [path for path in files_in(root, root, {".csv"}) if _gives_patterns(path)]
    if len(found) > 1:
        names = " and ".join(path.name for path in found[:2])
        raise BadLayoutError(root, f"{names} both give patterns", "keep one of them")
    return found[0] if found else None


def _gives_patterns(path: Path) -> bool:
    header = read_table(path).header
    return "specimen" in header and "pattern" in header


def _plain_truth(table: Path | None) -> tuple[Vocabulary, dict[str, Truth]]:
    if table is None:
        return I3A, {}
    content = read_table(table)
    column = content.header.index("pattern")
    names = [row[column] for row in content.rows if row[column]]
    vocabulary = vocabulary_for(names, table)
    return vocabulary, read_truth(table, vocabulary)


def _six_or_seven(specimens: tuple[Specimen, ...]) -> Vocabulary:
    known = all(s.pattern is None or I3A.find(s.pattern) is not None for s in specimens)
    return I3A if known else I3A_TASK2


def _without_mask(listing: Listing, left_out: list[str]) -> list[str]:
    return [stem for stem in listing.without_mask() if stem not in left_out]


def _notes(
    truth: Mapping[str, Truth],
    specimens: tuple[Specimen, ...],
    bare: list[str],
    table: Path,
) -> tuple[str, ...]:
    present = {specimen.id for specimen in specimens}
    absent = [row.id for row in truth.values() if row.id not in present]
    return (
        *count_note(
            absent,
            f"of {table.name} has no image",
            f"specimens of {table.name} have no image",
        ),
        *count_note(
            bare,
            "has no mask, though the others have one",
            "images have no mask, though the others have one",
        ),
    )
