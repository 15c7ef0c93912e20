"""What the name of a file says it is: a frame, its mask, a channel, or none of these.

One list of endings for folders, for drag and drop and for the file dialog. An ending
stands behind ``_``, ``-``, a point or a blank, in any case.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from training.data.layouts.channels import channel_bases, merged_base
from training.storage.images import IMAGE_SUFFIXES

OUTLINE_SUFFIXES = frozenset({".zip", ".roi", ".geojson"})
"""Files of outlines: ImageJ's sets of regions, and GeoJSON."""
UNREAD_SUFFIXES = frozenset({".npy", ".npz", ".h5", ".mat", ".json", ".xml", ".txt"})
"""What segmentation tools leave beside a frame and we do not read."""
UNREAD_IMAGES = frozenset(
    {".lsm", ".stk", ".oib", ".oif", ".vsi", ".zvi", ".dv", ".ims", ".dcm"}
    | {".svs", ".ndpi", ".scn", ".mrxs"}
    | {".gif", ".webp", ".jp2", ".heic", ".xcf", ".psd"}
)
"""Images of microscopes, scanners and editors that we do not read."""
PICKLE_ENDING = "_seg.npy"
"""Cellpose's own file: a pickle, which could run code."""

SIMPLE_SEGMENTATION = "simple segmentation"
"""Ilastik's image of classes: each pixel holds the number of its class, from 1."""

_GAP = r"[_\-. ]"
_MASK = (
    r"(?:cp[_ ])?masks?|(?:cp[_ ])?labels?|label[_ ]?(?:image|map)s?|lbl"
    r"|(?:stardist|cellpose|ilastik|cellprofiler)(?:[_ ](?:labels?|masks?))?"
    rf"|{SIMPLE_SEGMENTATION}|object[_ ]identities|seg(?:mentation)?s?|instances"
)
_ASIDE = (
    r"overlays?|outlines?|contours?|probabilit(?:y|ies)|uncertainty|features"
    r"|object[_ ]predictions|(?:cp[_ ])?(?:output|outlines?|flows?)|dp|cellprob"
    r"|thumb(?:nail)?s?|previews?|annotated"
)
_ROI = r"roi[_ ]?sets?|rois?"
_MASK_NAME = re.compile(rf"(?P<base>.+?){_GAP}(?:{_MASK})", re.IGNORECASE)
# Cellpose puts its ending behind what is no mask, too: _flows_cp_masks.
_ASIDE_NAME = re.compile(
    rf"(?P<base>.+?){_GAP}(?:{_ASIDE})(?:_cp_masks)?", re.IGNORECASE
)
_MASK_FOLDER = re.compile(
    rf"{_MASK}|{_ROI}|gt|ground[_ \-]?truth|bw|binary|annotations?", re.IGNORECASE
)
_IMAGE_FOLDER = re.compile(
    r"im(?:age|g)s?|raw|orig(?:inals?)?|frames?|pictures?|photos?", re.IGNORECASE
)
_ASIDE_FOLDER = re.compile(rf"{_ASIDE}|merged?|rgb|composites?|colou?r", re.IGNORECASE)
_SPLIT_FOLDER = re.compile(r"train(?:ing)?|test(?:ing)?|val(?:id(?:ation)?)?", re.I)
_ROI_NAME = re.compile(
    rf"(?:(?P<base>.+?){_GAP})?(?:{_ROI})(?:{_GAP}(?P<after>.+))?", re.IGNORECASE
)

_MASK_WORDS = {"mask", "masks", "label", "labels", "labeled", "labelled", "lbl"}
_MASK_WORDS |= {"seg", "segmentation", "segmented", "instances"}
_WEAK_WORDS = {"gt", "bw", "m", "msk", "bin", "binary", "nuclei", "nuc", "outlined"}
_WEAK_WORDS |= {"annotation", "annotations", "manual", "ground", "truth", "threshold"}
"""Of these a file's content says whether it is a mask."""
_IMAGE_WORDS = {"img", "image", "images", "raw", "orig", "original", "org", "frame"}
_IMAGE_WORDS |= {"cell", "cells", "nucleus"}
_WORDS_OF_MASKS = _MASK_WORDS | _WEAK_WORDS
_ROLES = _WORDS_OF_MASKS | _IMAGE_WORDS | {"of"}
"""Words that say what a file is, and not of which specimen."""
_PIECE = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|[^\W\d_]+|\d+")

PART = re.compile(r"(?P<base>.+?)_p\d+", re.IGNORECASE)
"""A frame of a specimen, as the contest numbers them."""
_FIELD = r"(?:fields?|fld|fov|site|tile)"
_BEFORE_WELL = r"(?P<base>(?:.+[_\-. ])?"
_FIELDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<base>.+?)(?:(?<=\d)|[_\-. (\[]+){_FIELD}[_\-. ]?\d+(?:[\W_].*)?",
        # Of Phenix and Operetta, ImageXpress, Cellomics and Yokogawa.
        rf"{_BEFORE_WELL}r\d+c\d+)f\d+.*",
        rf"{_BEFORE_WELL}[a-p]\d{{2}})_s\d+(?:_w\d+)?",
        rf"{_BEFORE_WELL}[a-p]\d{{2}})(?:f|_t\d+f)\d+.*",
    )
)
"""A field of a well or of a slide."""

GAPS = "_-. "
BREAKS = f"{GAPS}([)]"

_WORD = re.compile(r"[^\W\d_]{3,}")
_PART_WORD = (
    "(field|fld|fov|frame|image|img|part|pos|position|scene|series|site|tile|view|well)"
)
_PART_NUMBER = re.compile(rf"{_PART_WORD}{_GAP}?\d", re.IGNORECASE)
"""Words before the number of a frame."""
_LAST_NUMBER = re.compile(
    rf"(?P<base>.+?)[_\-. (\[]+(?P<word>{_PART_WORD}|xy|bild)?{_GAP}?(?P<number>\d+)"
    r"[)\]]?",
    re.IGNORECASE,
)


def bare_stem(name: str) -> str:
    """Return a file's name without its suffix, ``.ome.tif`` being one.

    Letters with accents are one character each, however a system writes them.
    """
    return _without_ome(Path(unicodedata.normalize("NFC", name)).stem)


def field_base(stem: str) -> str | None:
    """Return the well or slide that a frame is a field of by its name, or None."""
    found = (pattern.fullmatch(stem) for pattern in _FIELDS)
    return next((one["base"] for one in found if one is not None), None)


def numbered_alike(stems: Iterable[str]) -> list[str]:
    """Return the names that may be those of frames of one specimen, the first such.

    They differ in a last number alone, which stands behind a word for frames
    (``S1_pos1``, ``S1_pos2``) or is another name's too (``S1_1``, ``S1_2``, ``S2_1``):
    running numbers of specimens are neither.
    """
    groups: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for stem in sorted(stems):
        if found := _LAST_NUMBER.fullmatch(stem):
            key = found["base"], (found["word"] or "").lower()
            groups[key][int(found["number"])] = stem
    for (base, word), names in groups.items():
        others = [g for k, g in groups.items() if k != (base, word) and not k[1]]
        if len(names) > 1 and (word or any(names.keys() & g.keys() for g in others)):
            return list(names.values())
    return []


def mask_base(stem: str) -> str | None:
    """Return the name of the frame whose mask this is by its ending, or None."""
    found = None if _ASIDE_NAME.fullmatch(stem) else _MASK_NAME.fullmatch(stem)
    return _without_ome(found["base"]) if found else None


def aside_base(stem: str) -> str | None:
    """Return the name of the frame that this was made of for the eye, or None."""
    found = _ASIDE_NAME.fullmatch(stem)
    return _without_ome(found["base"]) if found else None


def roi_base(stem: str) -> str | None:
    """Return the frame's name in that of a set of regions: '' in ``RoiSet``, or None.

    It stands before ``RoiSet`` or behind it.
    """
    found = _ROI_NAME.fullmatch(stem)
    if found is None or (found["base"] and found["after"]):
        return None
    return _without_ome(found["base"] or found["after"] or "")


def is_mask_name(path: Path) -> bool:
    """Whether a file is a mask by its ending."""
    suffix, stem = path.suffix.lower(), bare_stem(path.name)
    if suffix in OUTLINE_SUFFIXES:
        return suffix == ".geojson" or roi_base(stem) is not None
    is_mask = mask_base(stem) is not None or says_mask(stem)
    return suffix in IMAGE_SUFFIXES and is_mask


def is_simple_segmentation(path: Path) -> bool:
    """Whether a mask is ilastik's image of classes by its ending."""
    stem = bare_stem(path.name).lower().replace("_", " ")
    return stem.endswith(f" {SIMPLE_SEGMENTATION}")


def is_mask_folder(name: str) -> bool:
    """Whether a folder of this name holds masks: ``Masks``, ``labels`` and so on."""
    return _MASK_FOLDER.fullmatch(name) is not None


def holds_all_images(name: str) -> bool:
    """Whether a folder of this name holds the images of all specimens."""
    return _IMAGE_FOLDER.fullmatch(name) is not None


def is_split_folder(name: str) -> bool:
    """Whether a folder of this name holds the specimens to train on or to test with."""
    return _SPLIT_FOLDER.fullmatch(name) is not None


def is_aside_folder(name: str) -> bool:
    """Whether a folder of this name holds pictures made for the eye."""
    return _ASIDE_FOLDER.fullmatch(name) is not None


def core(stem: str) -> tuple[str, ...]:
    """Return the words and numbers of a stem that do not say what the file is.

    That of ``S1_image``, ``Mask of S1`` and ``S1gt`` is ``S1``.
    """
    return tuple(word for word in _words(stem) if word not in _ROLES)


def says_mask(stem: str) -> bool:
    """Whether a word for masks stands at an end of a name: ``mask_S1``, ``S1mask``."""
    words = _words(stem)
    return bool(words) and (words[0] in _MASK_WORDS or words[-1] in _MASK_WORDS)


def is_weak_mask_name(stem: str) -> bool:
    """Whether a word in a name may mean a mask, as its content then says."""
    return not _WEAK_WORDS.isdisjoint(_words(stem))


def masked_name(
    stem: str, names: Mapping[tuple[str, ...], Sequence[str]]
) -> str | None:
    """Return the name whose mask a file is by its own, if its content is one, or None.

    Parameters
    ----------
    names
        Those of frames, by their `core`.
    """
    words = _words(stem)
    if not _WORDS_OF_MASKS.isdisjoint(words):
        return _one_of(names.get(core(stem), ()), stem)
    for end in range(len(words) - 1, 0, -1):
        for part, rest in ((words[:end], words[end:]), (words[-end:], words[:-end])):
            if part in names and all(map(str.isalpha, rest)):
                return _one_of(names[part], stem)
    return None


def _one_of(names: Sequence[str], stem: str) -> str | None:
    """Return the only name, or the longest that stands in a stem as it is."""
    written = sorted((len(name), name) for name in names if name in stem)
    if written or len(names) != 1:
        return written[-1][1] if written else None
    return names[0]


def _words(stem: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _PIECE.findall(stem))


def leftovers(stems: Iterable[str], bases: Iterable[str] = ()) -> list[str]:
    """Return the stems of images that were made of another one in the folder.

    ``S1_enhanced`` beside ``S1`` is no specimen of its own, nor is ``S1_ch00``, nor
    ``S1_merge`` beside ``S1_ch00``; ``S1_2`` and ``S1_field2`` may be.

    Parameters
    ----------
    stems
        Of all images that are no channels.
    bases
        Names of channels and of the frames that they are of.
    """
    known, composed = set(stems), set(bases)
    names = known | composed - {""}
    parts = {found["base"] for found in map(PART.fullmatch, known) if found}
    return [
        stem
        for stem in sorted(known)
        if channel_bases(stem) & known
        or _is_made_from(stem, names)
        or _is_merged(stem, composed)
        or (PART.fullmatch(stem) is None and _is_made_from(stem, parts))
    ]


def _is_made_from(stem: str, names: Collection[str]) -> bool:
    """Whether a stem is a name with further words before it or behind it."""
    start, end = _start_in(stem, names), _end_in(stem, names)
    rest = stem[len(start) :] if start else stem[: len(stem) - len(end or stem)]
    words = {found[0].lower() for found in _WORD.finditer(rest)}
    return bool(words - {one.lower() for one in _PART_NUMBER.findall(rest)})


def _is_merged(stem: str, bases: Collection[str]) -> bool:
    """Whether a stem is one of `bases` with a word where others have their channel."""
    if merged_base(stem) in bases:
        return True
    for word in _WORD.finditer(stem):
        before, after = stem[: word.start()], stem[word.end() :]
        if before.rstrip(GAPS) + after in bases or before + after.lstrip(GAPS) in bases:
            return True
    return False


def outline_base(path: Path, names: Collection[str], sole: str | None) -> str | None:
    """Return the name that a file of outlines is of, or None.

    Parameters
    ----------
    names
        Of the frames and the channels.
    sole
        The only frame, where there is but one: a file without a name, as ImageJ's
        ``RoiSet.zip``, is of this one.
    """
    stem = bare_stem(path.name)
    for name in (stem, bare_stem(stem)):
        if name in names:
            return name
    if path.suffix.lower() == ".geojson":
        return _start_in(stem, names)
    base = roi_base(stem)
    if base == "":
        return sole
    return base if base in names else None


def _start_in(stem: str, names: Collection[str]) -> str | None:
    """Return the longest name that a stem extends, or None."""
    for place in range(len(stem) - 1, 0, -1):
        glued = stem[place - 1].isdigit() and stem[place].isalpha()
        if glued or stem[place] in BREAKS:
            start = stem[:place] if stem[:place] in names else stem[:place].rstrip(GAPS)
            if start in names:
                return start
    return None


def _end_in(stem: str, names: Collection[str]) -> str | None:
    """Return the longest name that a stem ends with, or None."""
    places = (k for k in range(1, len(stem)) if stem[k - 1] in BREAKS)
    return next((stem[k:] for k in places if stem[k:] in names), None)


def _without_ome(stem: str) -> str:
    return stem[:-4] if stem.lower().endswith(".ome") and len(stem) > 4 else stem
