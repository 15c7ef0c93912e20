"""What the name of a file says it is: a frame, its mask, a channel, or none of these.

One list of endings for folders, for drag and drop and for the file dialog. An ending
stands behind ``_``, ``-``, a point or a blank, in any case.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.storage.images import IMAGE_SUFFIXES

OUTLINE_SUFFIXES = frozenset({".zip", ".roi", ".geojson"})
"""Files of outlines: ImageJ's sets of regions, and GeoJSON."""
UNREAD_SUFFIXES = frozenset({".npy", ".npz", ".h5", ".txt"})
"""What segmentation tools leave beside a frame and we do not read."""
PICKLE_ENDING = "_seg.npy"
"""Cellpose's own file: a pickle, which could run code."""

SIMPLE_SEGMENTATION = "simple segmentation"
"""Ilastik's image of classes: each pixel holds the number of its class, from 1."""

_GAP = r"[_\-. ]"
_MASK = (
    r"(?:cp[_ ])?masks?|(?:cp[_ ])?labels?|label[_ ]?(?:image|map)s?|lbl"
    r"|(?:stardist|cellpose|ilastik|cellprofiler)(?:[_ ](?:labels?|masks?))?"
    rf"|{SIMPLE_SEGMENTATION}|object[_ ]identities|seg(?:mentation)?|instances"
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
_MASK_FOLDER = re.compile(rf"{_MASK}", re.IGNORECASE)
_ASIDE_FOLDER = re.compile(rf"{_ASIDE}", re.IGNORECASE)
_ROI_NAME = re.compile(
    rf"(?:(?P<base>.+?){_GAP})?(?:{_ROI})(?:{_GAP}(?P<after>.+))?", re.IGNORECASE
)

_SIGNAL = r"fitc|fluorescein|green|e?gfp|(?:alexa[_ ]?(?:fluor[_ ]?)?|af)488"
_DYE = (
    rf"{_SIGNAL}|dapi|hoechst(?:33342|33258)?|tritc|rhodamine|cy[2357]|texas[_ ]?red"
    r"|mcherry|rfp|red|blue|bf|brightfield|dic|phase|trans"
    r"|(?:alexa[_ ]?(?:fluor[_ ]?)?|af)(?:350|405|546|555|568|594|633|647)"
)
_NUMBERED = (
    re.compile(
        rf"(?P<base>.+?){_GAP}(?P<name>(?P<kind>channel|ch|c|w)[=_]?(?P<number>\d{{1,3}})"
        r"(?P<dye>[a-z][a-z0-9 \-]*)?)",
        re.IGNORECASE,
    ),
    # ImageJ's Split Channels puts it in front.
    re.compile(
        r"(?P<name>(?P<kind>c)(?P<number>\d{1,2}))-(?P<base>.+?)(?P<dye>(?!))?",
        re.IGNORECASE,
    ),
)
_DYED = re.compile(rf"(?P<base>.+?){_GAP}(?P<name>{_DYE})", re.IGNORECASE)
_IS_SIGNAL = re.compile(rf"(?:{_SIGNAL})", re.IGNORECASE)
_WELL = re.compile(rf"(?P<base>.+?){_GAP}[abd-h]\d{{1,2}}", re.IGNORECASE)
_MOST_CHANNELS = 5

_WORD = re.compile(r"[^\W\d_]{3,}")
_PART_WORDS = {"field", "fov", "frame", "image", "img", "part", "pos", "position"}
_PART_WORDS |= {"scene", "series", "site", "tile", "view", "well"}
"""Words before the number of a frame."""


@dataclass(frozen=True)
class ChannelName:
    """What a file's name says of its channel.

    Attributes
    ----------
    base
        The frame's name.
    name
        Of the channel, as it stands in the file's name.
    number
        The number in it; None for a dye.
    kind
        ``ch``, ``channel``, ``c`` or ``w``; empty for a dye.
    is_signal
        Whether the dye is fluorescein or one that is seen through its filter.
    """

    base: str
    name: str
    number: int | None
    kind: str
    is_signal: bool


def bare_stem(name: str) -> str:
    """Return a file's name without its suffix, ``.ome.tif`` being one."""
    stem = Path(name).stem
    return _without_ome(stem)


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
    return suffix in IMAGE_SUFFIXES and mask_base(stem) is not None


def is_simple_segmentation(path: Path) -> bool:
    """Whether a mask is ilastik's image of classes by its ending."""
    stem = bare_stem(path.name).lower().replace("_", " ")
    return stem.endswith(f" {SIMPLE_SEGMENTATION}")


def is_mask_folder(name: str) -> bool:
    """Whether a folder of this name holds masks: ``Masks``, ``labels`` and so on."""
    return _MASK_FOLDER.fullmatch(name) is not None


def is_aside_folder(name: str) -> bool:
    """Whether a folder of this name holds pictures made for the eye."""
    return _ASIDE_FOLDER.fullmatch(name) is not None


def channel_names(stems: Iterable[str]) -> dict[str, ChannelName]:
    """Tell which files are channels of one frame, by their stems.

    A number makes a channel where another file has the same name with another number;
    then all that are numbered so are channels. ``_C1`` and ``_C2`` are wells where the
    plate has others, as ``_A1`` or ``_C7``. A dye always makes one. Nothing is a
    channel of a frame that is there as a file of its own.
    """
    known = set(stems)
    found: dict[str, ChannelName] = {}
    numbers: dict[tuple[str, str], set[int]] = defaultdict(set)
    for stem in known:
        one = _channel_name(stem)
        if one is not None and one.base not in known:
            found[stem] = one
            if one.number is not None:
                numbers[one.kind, one.base].add(one.number)
    wells = {m["base"] for m in map(_WELL.fullmatch, known) if m is not None}
    kinds = _kinds_in_use(numbers, wells)
    return {
        stem: one for stem, one in found.items() if not one.kind or one.kind in kinds
    }


def _kinds_in_use(
    numbers: Mapping[tuple[str, str], set[int]], wells: set[str]
) -> set[str]:
    """Return the kinds of numbers that count channels, and nothing else."""
    kinds = {kind for (kind, _), found in numbers.items() if len(found) > 1}
    for (kind, base), found in numbers.items():
        if len(found) > _MOST_CHANNELS or (kind == "c" and base in wells):
            kinds.discard(kind)
    return kinds


def _channel_name(stem: str) -> ChannelName | None:
    dyed = _DYED.fullmatch(stem)
    for pattern in () if dyed else _NUMBERED:
        found = pattern.fullmatch(stem)
        if found is None:
            continue
        kind, dye = found["kind"].lower(), found["dye"] or ""
        if dye and kind != "w":
            continue
        is_signal = _IS_SIGNAL.search(dye) is not None
        base, number = _without_ome(found["base"]), int(found["number"])
        return ChannelName(base, found["name"], number, kind, is_signal)
    if dyed is None:
        return None
    is_signal = _IS_SIGNAL.fullmatch(dyed["name"]) is not None
    return ChannelName(_without_ome(dyed["base"]), dyed["name"], None, "", is_signal)


def leftovers(stems: Iterable[str]) -> list[str]:
    """Return the stems of images that were made of another one in the folder.

    ``S1_enhanced`` beside ``S1`` is no specimen of its own, nor is ``S1_ch00``;
    ``S1_2`` and ``S1_field2`` may be.
    """
    known = set(stems)
    return [stem for stem in sorted(known) if _is_made_from(stem, known)]


def _is_made_from(stem: str, known: set[str]) -> bool:
    channel = _channel_name(stem)
    if channel is not None and channel.base in known:
        return True
    start = _start_in(stem, known)
    words = {word.lower() for word in _WORD.findall(stem[len(start or stem) :])}
    return bool(words - _PART_WORDS)


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
        if stem[place] in "_-." and stem[:place] in names:
            return stem[:place]
    return None


def _without_ome(stem: str) -> str:
    return stem[:-4] if stem.lower().endswith(".ome") and len(stem) > 4 else stem
