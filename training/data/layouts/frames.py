"""Specimens as whole frames: I3A Task-2, and a plain folder of images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from training.data.layouts.collection import Collection, Frame, Specimen
from training.data.layouts.files import (
    Listing,
    files_in,
    folders_in,
    list_images,
)
from training.data.layouts.folders import frame_places
from training.data.layouts.names import (
    PART,
    field_base,
    numbered_alike,
)
from training.data.layouts.titles import (
    FRAMES,
    PATTERNS,
    SPECIMEN_ROWS,
    SPECIMENS,
    needed_column,
)
from training.data.layouts.truth import (
    Truth,
    TruthTable,
    count_note,
    frame_table,
    id_key,
    keyed,
    pattern_table,
    read_groups,
    read_truth,
)
from training.errors import BadLayoutError
from training.patterns import I3A, I3A_TASK2, Vocabulary, vocabulary_for
from training.storage.delimited import read_table
from training.storage.paths import by_name


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
    truth = read_truth(table, I3A_TASK2, SPECIMEN_ROWS)
    listing = list_images(root, folder)
    members, strange = _members(listing, part_needed=True)
    if not members:
        raise BadLayoutError(
            folder, "it holds no images like 00001_p0.tif", "unpack the images into it"
        )
    specimens = _specimens(members, truth.rows, table)
    notes = count_note(
        strange,
        "is not named like 00001_p0 and was left out",
        "images are not named like 00001_p0 and were left out",
    )
    bare = [stem for stem in listing.without_mask() if stem not in strange]
    notes += _notes(truth.rows, specimens, bare, table) + listing.notes()
    return Collection(
        "task2",
        root,
        _six_or_seven(specimens),
        specimens,
        notes=(truth.note, *notes) if truth.note else notes,
        specimens_from=truth.ids_from,
    )


def read_plain(root: Path) -> Collection:
    """Read a folder of frames.

    Masks lie beside the images (``NAME_mask`` and what other tools write) or in a
    folder ``Masks``. Where the images lie in subfolders, each is a specimen, or all
    are patterns; else the specimen is the file's name without a last ``_pN`` or a
    field, or what a table with a column of frames and one of specimens says. A table
    with a column of specimens and one of patterns gives the patterns; without one they
    are not known.

    Raises
    ------
    BadLayoutError, UnknownPatternError
        With one sentence on what is missing or wrong.
    """
    places, notes = frame_places(root, root)
    members: dict[str, list[Frame]] = defaultdict(list)
    patterns: dict[str, str] = {}
    bare: list[str] = []
    for place in places:
        found, _ = _members(place.listing, part_needed=False, specimen=place.specimen)
        bare += place.listing.without_mask()
        notes += place.listing.notes()
        for name, frames in found.items():
            members[name] += frames
            if place.pattern is not None:
                _add_pattern(root, patterns, name, place.pattern)
    if not members:
        raise BadLayoutError(
            root, " ".join(("it holds no images", *notes)), "give a folder of frames"
        )
    _check_unique(root, members)
    by_folder = any(place.specimen is not None for place in places)
    named_by = "the names of the folders" if by_folder else "the names of the files"
    frames_of = None if by_folder else frame_table(root)
    if frames_of is not None:
        members, named_by = _grouped(members, frames_of)
    table, more = pattern_table(root, [place.listing.folder for place in places])
    if table is not None and patterns:
        raise BadLayoutError(
            root,
            f"{table.name} and the names of the folders both give patterns",
            "move one of the two away",
        )
    vocabulary, truth = _plain_truth(table, members, root, named_by, patterns)
    specimens = _specimens(members, truth.rows, table or root)
    notes += (*_fields_note(members), *more)
    if table is None and frames_of is None and not by_folder:
        notes += _numbered_note(members)
    notes = (*_notes(truth.rows, specimens, bare, table or root), *notes)
    return Collection(
        "plain",
        root,
        vocabulary,
        specimens,
        notes=notes,
        specimens_from=truth.ids_from,
    )


def frame_beside(image: Path) -> Frame | None:
    """Return the frame of an image by the names of the files beside it, or None.

    One that was named as a file is the channel that is meant, if it is one.

    Raises
    ------
    BadLayoutError
        As `list_images` does.
    """
    listing = list_images(image.parent, image.parent)
    for stem in listing.images:
        frame = listing.frame(stem, stem)
        if image in frame.images:
            return replace(frame, image=image, channels=())
    return None


def _add_pattern(
    root: Path, patterns: dict[str, str], specimen: str, pattern: str
) -> None:
    other = patterns.setdefault(specimen, pattern)
    if other != pattern:
        raise BadLayoutError(
            root,
            f"{specimen} lies in the folders {other} and {pattern}, and a specimen has "
            "one pattern",
            "give each specimen a name of its own",
        )


def _members(
    listing: Listing, *, part_needed: bool, specimen: str | None = None
) -> tuple[dict[str, list[Frame]], list[str]]:
    members: dict[str, list[Frame]] = defaultdict(list)
    strange = []
    for stem in listing.images:
        part = PART.fullmatch(stem)
        if part is None and part_needed:
            strange.append(stem)
            continue
        name = stem if specimen is None else f"{specimen}_{stem}"
        owner = part["base"] if part else field_base(stem) or stem
        members[specimen or owner].append(listing.frame(stem, name))
    return members, strange


def _grouped(
    members: Mapping[str, list[Frame]], table: Path
) -> tuple[dict[str, list[Frame]], str]:
    """Return the frames by specimen as a table has them, and its column in words.

    A frame that it does not name stays with the specimen of its name.
    """
    groups, words = read_groups(table, FRAMES, SPECIMENS)
    found: dict[str, list[Frame]] = defaultdict(list)
    for name, frames in members.items():
        for frame in frames:
            found[groups.get(id_key(frame.name, table), name)].append(frame)
    return found, words


def _fields_note(members: Mapping[str, list[Frame]]) -> tuple[str, ...]:
    """Say which frames were taken as fields of one specimen."""
    fields = [
        (frame.name, name)
        for name, frames in members.items()
        for frame in frames
        if _is_field(frame.name, name)
    ]
    if not fields:
        return ()
    frame, name = fields[0]
    how = f"fields by their names, as {frame} of the specimen {name}"
    return (f"{len(fields)} frames were taken as {how}.",)


def _is_field(frame: str, specimen: str) -> bool:
    """Whether a frame is one of a specimen otherwise than the contest names them.

    In ``S1_P2`` the capital may be a patient's.
    """
    part = PART.fullmatch(frame)
    if part is not None:
        return part["base"] == specimen and frame[part.end("base") + 1] == "P"
    return field_base(frame) == specimen


def _numbered_note(specimens: Iterable[str]) -> tuple[str, ...]:
    """Say which specimens may be frames of one, by the numbers in their names."""
    names = numbered_alike(specimens)
    if not names:
        return ()
    pair = f"{names[0]} and {names[1]} were taken as two specimens"
    return (f"{pair}: where they are frames of one, give each specimen a folder.",)


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
                "add the specimen, with an empty pattern where it is unknown",
            )
        frames = tuple(members[name])
        specimens.append(Specimen(row.id, frames, row.pattern, row.intensity))
    return tuple(specimens)


def _check_unique(root: Path, members: Mapping[str, list[Frame]]) -> None:
    names = Counter(frame.name for frames in members.values() for frame in frames)
    for name, count in names.items():
        if count > 1:
            raise BadLayoutError(root, f"two frames are named {name}", "rename one")


def _plain_truth(
    table: Path | None,
    members: Iterable[str],
    root: Path,
    named_by: str,
    patterns: Mapping[str, str],
) -> tuple[Vocabulary, TruthTable]:
    """Return the patterns by the table, or as the folders give them."""
    if table is None:
        vocabulary = vocabulary_for(patterns.values(), root) if patterns else I3A
        rows = {
            id_key(name, root): Truth(name, _spelled(vocabulary, patterns.get(name)))
            for name in members
        }
        return vocabulary, TruthTable(rows, named_by)
    content = read_table(table)
    column = needed_column(table, content.header, PATTERNS)
    names = [row[column] for row in content.rows if row[column]]
    vocabulary = vocabulary_for(names, table)
    truth = read_truth(table, vocabulary, SPECIMENS)
    sources = dict.fromkeys((truth.ids_from, named_by))
    return vocabulary, replace(truth, ids_from=" and ".join(sources))


def _spelled(vocabulary: Vocabulary, word: str | None) -> str | None:
    return None if word is None else vocabulary[vocabulary.index(word)].name


def _six_or_seven(specimens: tuple[Specimen, ...]) -> Vocabulary:
    known = all(s.pattern is None or I3A.find(s.pattern) is not None for s in specimens)
    return I3A if known else I3A_TASK2


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
            "has no mask by its name, though there are masks",
            "images have no mask by their names, though there are masks",
        ),
    )
