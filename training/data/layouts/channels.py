"""Channels, planes and times that are files: told by one part of their names.

Files whose names differ in such a part alone are one frame: ``A1_DAPI_001`` and
``A1_FITC_001``, ``r01c01f01p01-ch1`` and ``-ch2``, ``S1_z0`` and ``S1_z1``.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_START = r"(?<![^_\-. (\[])"
_END = r"(?![^_\-. )\]])"
"""A part of a name stands between ``_``, ``-``, points, blanks and brackets."""

_SIGNAL = r"fitc|fluorescein|e?gfp|(?:alexa[_ ]?(?:fluor[_ ]?)?|af)488"
_DYE = (
    rf"{_SIGNAL}|dapi|hoechst(?:33342|33258)?|tritc|rhodamine|cy[2357]|texas[_ ]?red"
    r"|mcherry|rfp|(?:alexa[_ ]?(?:fluor[_ ]?)?|af)(?:350|405|546|555|568|594|633|647)"
)
_COLOUR = r"green|red|blue|bf|brightfield|dic|phase|trans"
_ANY_DYE = rf"(?:{_DYE}|{_COLOUR})"
_IS_SIGNAL = re.compile(rf"(?:{_SIGNAL}|green)", re.IGNORECASE)
_LINES = {405, 473, 488, 514, 532, 543, 546, 555, 561, 568, 594, 633, 640, 647}
"""Lines of lasers in nanometres."""

_KINDS = {"channel": "ch", "slice": "z", "plane": "z", "time": "t", "sk": "t"}
_PLANES = frozenset("zt")
_MAY_BE_WELLS = ("c+", "d+", "c", "d")
"""Kinds of channels, ``+`` in a chain, that count where nothing else names one."""
_MOST_CHANNELS = 5
_PLANES_ALONE = re.compile(r"(?:[_\-. ]+[zt]\d+)*", re.IGNORECASE)

_NUMBERED = re.compile(
    rf"{_START}(?:(?P<before>{_ANY_DYE})[_\-. ])?"
    r"(?P<kind>(?P<w>w)|channel|ch|c|d|z|slice|plane|time|t)[=_ ]?(?P<number>\d{1,9})"
    rf"(?:[_\-. ]?(?P<dye>{_ANY_DYE})|(?(w)(?P<filter>[a-z][a-z0-9 \-]*)))?{_END}",
    re.IGNORECASE,
)
# InCell: excitation and emission.
_WAVE = re.compile(
    rf"{_START}wv[ =_](?:[a-z0-9]+ - )?(?P<dye>[a-z0-9]+){_END}", re.IGNORECASE
)
_DYED = re.compile(
    rf"{_START}(?:(?P<dye>{_DYE})|(?P<colour>{_COLOUR})){_END}", re.IGNORECASE
)
_LINE = re.compile(rf"{_START}(?:ex|em)?(?P<number>\d{{3}})(?:nm)?{_END}", re.I)
_SEVERAL = re.compile(
    rf"{_START}(?:channel|ch|c|w)\d{{1,2}}(?:[\-+](?:ch|c|w)?\d{{1,2}})+{_END}", re.I
)
_ROW = re.compile(rf"{_START}(?P<row>[a-h])\d{{1,2}}{_END}", re.IGNORECASE)
# Letters and numbers without a gap: A01f00d0, r01c01f01p01, T0001F001L01A01Z01C01.
_CHAIN = re.compile(r"(?<![^\W_])(?:[a-z]+\d+){2,}(?![^\W_])", re.IGNORECASE)
_LINK = re.compile(r"([a-z]+)(\d+)", re.IGNORECASE)
_LONG_CHAIN = 3

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""What ImageXpress puts behind each name."""
_GAPS = "_-. "
_EMPTY = re.compile(r"\s*[(\[]\s*[)\]]")


@dataclass(frozen=True)
class ChannelName:
    """What a file's name says of its channel or plane.

    Attributes
    ----------
    base
        The frame's name; empty where the whole name is that of a channel.
    name
        Of the channel, as it stands in the file's name.
    number
        The channel's number in it; None for a dye and for a plane alone.
    is_signal
        Whether the dye is fluorescein or one that is seen through its filter.
    is_plane
        Whether the file holds one of several planes or times.
    """

    base: str
    name: str
    number: int | None
    is_signal: bool
    is_plane: bool


@dataclass(frozen=True)
class _Part:
    """A part of a name that may be that of a channel or plane.

    Attributes
    ----------
    start, end
        Where it stands in the name.
    around
        What stands before and behind it.
    label
        The dye beside a number.
    """

    kind: str
    start: int
    end: int
    around: tuple[str, str]
    number: int | None = None
    label: str = ""
    is_colour: bool = False

    def is_inside(self, other: _Part) -> bool:
        inside = other.start <= self.start and self.end <= other.end
        return inside and self != other

    @property
    def is_plane(self) -> bool:
        return self.kind[0] in _PLANES

    @property
    def is_signal(self) -> bool:
        if self.kind == "line":
            return self.number == 488
        return _IS_SIGNAL.search(self.label) is not None


def channel_names(stems: Iterable[str]) -> dict[str, ChannelName]:
    """Tell which files are channels or planes of one frame, by their stems.

    A number makes a channel where another file has the same name with another number;
    then all that are numbered so are channels. ``_C1`` and ``_C2`` are wells where the
    plate has others, as ``_A1`` or ``_C7``. A dye always makes one; a colour, and a
    name that is nothing but a channel's, where there are two. Nothing is a channel of a
    frame that is there as a file of its own.
    """
    known = set(stems)
    parts = {stem: list(_parts(stem)) for stem in known}
    groups: dict[tuple[str, str, str], list[_Part]] = defaultdict(list)
    for part in (one for found in parts.values() for one in found):
        groups[part.kind, *part.around].append(part)
    kinds = _kinds_in_use(groups, _rows(known))
    found: dict[str, ChannelName] = {}
    for stem in known:
        used = _used(parts[stem], kinds, groups)
        named = _named(stem, used) if used else None
        if named is not None and named.base not in known:
            found[stem] = named
    bases = Counter(one.base for one in found.values())
    return {
        stem: one
        for stem, one in found.items()
        if (one.base or bases[""] > 1) and merged_base(stem) not in bases
    }


def merged_base(stem: str) -> str | None:
    """Return the name of the frame of several numbered channels in one, or None.

    ``S1_c1-3`` holds those of ``S1_c1`` to ``S1_c3``.
    """
    found = _SEVERAL.search(stem)
    return None if found is None else _without(stem, [_part(stem, found.span(), "")])


def channel_bases(stem: str) -> set[str]:
    """Return the names of frames that a file may be a channel or a plane of."""
    parts = [one for one in _parts(stem) if one.kind != "line"]
    return {_without(stem, [part]) for part in parts} - {"", stem}


def without_guid(stem: str) -> str:
    """Return a stem without the number of 32 digits that no two files share."""
    return _GUID.sub("", stem).rstrip(_GAPS) or stem


def _parts(stem: str) -> Iterator[_Part]:
    """Yield what may name a channel or plane, in any order; a number alone does not."""
    if stem.isdecimal():
        return
    stem = without_guid(stem)
    for found in _NUMBERED.finditer(stem):
        kind = _KINDS.get(found["kind"].lower(), found["kind"].lower())
        label = found["before"] or found["dye"] or found["filter"] or ""
        if found["kind"] in ("C", "D") and not label and _is_well(stem, found):
            continue
        bare = found.start("kind"), found.end("number")
        is_plane = kind in _PLANES
        span, label = (bare, "") if is_plane else (found.span(), label)
        yield _part(stem, span, kind, found["number"], label)
    for found in _WAVE.finditer(stem):
        yield _part(stem, found.span(), "wv", label=found["dye"])
    for found in _DYED.finditer(stem):
        colour = found["colour"] is not None and found.end() < len(stem)
        yield _part(stem, found.span(), "dye", label=found[0], is_colour=colour)
    for found in _LINE.finditer(stem):
        yield _part(stem, found.span(), "line", found["number"])
    for chain in _CHAIN.finditer(stem):
        yield from _links(stem, chain.start(), chain[0])


def _is_well(stem: str, found: re.Match[str]) -> bool:
    """Whether a capital stands where a row does: elsewhere than at the end.

    ImageJ writes ``C1-`` before a name.
    """
    after = stem[found.end() :]
    is_last = _PLANES_ALONE.fullmatch(after) is not None
    return not is_last and not (found.start() == 0 and after.startswith("-"))


def _links(stem: str, start: int, chain: str) -> Iterator[_Part]:
    """Yield the parts of a chain; ``r01c01`` is a well, and ``f01p01`` has a plane."""
    links = list(_LINK.finditer(chain))
    before = ""
    for place, link in enumerate(links):
        word, number = link[1].lower(), link[2]
        kind = "z" if (before, word) == ("f", "p") else _KINDS.get(word, word)
        clear = len(links) >= _LONG_CHAIN or (
            place > 0 and (link[1].islower() or len(word) > 1)
        )
        counts = kind in ("ch", "c", "d", "w", *_PLANES)
        if clear and counts and (before, word) != ("r", "c"):
            span = start + link.start(), start + link.end()
            yield _part(stem, span, f"{kind}+", number)
        before = word


def _part(
    stem: str,
    span: tuple[int, int],
    kind: str,
    number: str | None = None,
    label: str = "",
    *,
    is_colour: bool = False,
) -> _Part:
    around = stem[: span[0]], stem[span[1] :]
    value = None if number is None else int(number)
    return _Part(kind, *span, around, value, label, is_colour)


def _rows(stems: Iterable[str]) -> dict[tuple[str, str], set[str]]:
    """Return the rows of wells that stand between the same words."""
    rows: dict[tuple[str, str], set[str]] = defaultdict(set)
    for stem in stems:
        for one in _ROW.finditer(stem):
            around = stem[: one.start()], stem[one.end() :]
            rows[around].add(one["row"].lower())
    return rows


def _kinds_in_use(
    groups: Mapping[tuple[str, str, str], list[_Part]],
    rows: Mapping[tuple[str, str], set[str]],
) -> set[str]:
    """Return the kinds of numbers that count channels or planes, and nothing else."""
    kinds: set[str] = set()
    wrong: set[str] = set()
    for (kind, *around), parts in groups.items():
        numbers = {one.number for one in parts}
        if kind in ("dye", "wv", "line"):
            continue
        if len(numbers) > 1:
            kinds.add(kind)
        wells = kind in "cd" and rows.get((around[0], around[1]), set()) - {kind}
        many = not parts[0].is_plane and len(numbers) > _MOST_CHANNELS
        if wells or many or not _one_dye_each(parts):
            wrong.add(kind)
    return kinds - wrong


def _one_dye_each(parts: Iterable[_Part]) -> bool:
    """Whether no two numbers have one dye, and no number has two."""
    pairs = {(one.number, one.label.lower()) for one in parts if one.label}
    return len({n for n, _ in pairs}) == len(pairs) == len({d for _, d in pairs})


def _used(
    parts: Iterable[_Part],
    kinds: set[str],
    groups: Mapping[tuple[str, str, str], list[_Part]],
) -> list[_Part]:
    """Return the parts of a name that name its channel, and its planes."""
    last: dict[str, _Part] = {}
    for part in parts:
        group = groups[part.kind, *part.around]
        counts = part.kind in kinds or part.kind == "wv"
        if part.kind == "dye":
            labels = {one.label.lower() for one in group}
            counts = not part.is_colour or len(labels) > 1
        elif part.kind == "line":
            numbers = {one.number for one in group}
            counts = len(numbers) > 1 and numbers <= _LINES
        if counts:
            last[part.kind] = part
    used = [p for p in last.values() if p.kind not in _MAY_BE_WELLS or p.label]
    if all(part.is_plane for part in used):
        used += [last[kind] for kind in _MAY_BE_WELLS if kind in last][:1]
    return [p for p in used if not any(p.is_inside(other) for other in used)]


def _named(stem: str, used: list[_Part]) -> ChannelName | None:
    """Return what the parts in use say; a letter and a number alone are a specimen."""
    base = _without(stem, used)
    letters = stem[:1].isupper() and any(len(one.kind) == 1 for one in used)
    if not base and letters:
        return None
    ordered = sorted(used, key=lambda one: one.start)
    name = " ".join(stem[one.start : one.end] for one in ordered)
    numbers = [one.number for one in used if not one.is_plane]
    number = next((one for one in numbers if one is not None), None)
    is_signal = any(one.is_signal for one in used)
    is_plane = any(one.is_plane for one in used)
    return ChannelName(base, name, number, is_signal, is_plane)


def _without(stem: str, parts: Iterable[_Part]) -> str:
    """Return a stem without some of its parts and the gaps before them."""
    left = without_guid(stem)
    for part in sorted(parts, key=lambda one: -one.start):
        before, after = left[: part.start], left[part.end :]
        if not after[:1].isalnum():
            before = before.rstrip(_GAPS)
        left = _EMPTY.sub("", before + after if before else after.lstrip(_GAPS))
    return left
