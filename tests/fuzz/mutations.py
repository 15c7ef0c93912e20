"""Damage to files: at random places, and where the format of a file gives a handle.

Everything follows from the random generator that is given, so that a seed gives the
same bytes again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

from binaries import npy_edit, png_edit, safetensors_edit, sqlite_edit, tiff_edit
from texts import ODD_WORDS, csv_edit, json_edit, lines_edit, yaml_edit

MAGIC = (
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"BM",
    b"GIF89a",
    b"PK\x03\x04",
    b"%PDF-1.4",
    b"\x80\x04\x95",
    b"\x93NUMPY\x01\0",
    b"SQLite format 3\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\0",
)
"""Beginnings of files and other bytes that readers go by."""

_NUMBERS = (0, 1, 2, 8, 64, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31)
_LARGE = (2**32 - 1, 2**63 - 1, 2**64 - 1)
_HEAD = 300

Change = Callable[[bytes, Random], bytes]

EDITS: dict[str, Change] = {
    ".json": json_edit,
    ".geojson": json_edit,
    ".zarray": json_edit,
    ".zattrs": json_edit,
    ".jsonl": lines_edit,
    ".yaml": yaml_edit,
    ".csv": csv_edit,
    ".tif": tiff_edit,
    ".png": png_edit,
    ".npy": npy_edit,
    ".safetensors": safetensors_edit,
    ".sqlite": sqlite_edit,
}
"""What knows the format of a file, by the suffix of its name."""


def mutate(
    content: bytes, suffix: str, others: Sequence[bytes], random: Random
) -> bytes:
    """Return a file's content with one to four changes.

    Parameters
    ----------
    content
        A file that is whole.
    suffix
        Of its name, which gives its format.
    others
        Files of the same format, from which pieces may come.
    random
        Decides everything.
    """
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        edits = EDITS.get(suffix)
        if edits is not None and random.random() < 0.6:
            content = edits(content, random)
        elif others and random.random() < 0.1:
            content = _spliced(content, random.choice(others), random)
        else:
            content = random.choice(_CHANGES)(content, random)
    return content


def _place(content: bytes, random: Random) -> int:
    """Return a place; every other one is in the head, where formats say what is in."""
    end = len(content) if random.random() < 0.5 else min(len(content), _HEAD)
    return random.randrange(end + 1)


def _span(content: bytes, random: Random) -> tuple[int, int]:
    start = _place(content, random)
    return start, start + random.choice((1, 2, 4, 16, 64, 1000))


def _flipped(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 3, 20))):
        place = _place(content, random)
        if place < len(changed):
            changed[place] ^= 1 << random.randrange(8)
    return bytes(changed)


def _numbered(content: bytes, random: Random) -> bytes:
    """Write a number that is hard on readers over some bytes."""
    place = _place(content, random)
    code, top = random.choice((("B", 8), ("H", 16), ("I", 32), ("Q", 64)))
    number = random.choice(_NUMBERS + _LARGE) % 2**top
    packed = struct.pack(random.choice("<>") + code, number)
    return content[:place] + packed + content[place + len(packed) :]


def _cut(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


def _without_span(content: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    return content[:start] + content[stop:]


def _twice(content: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    times = random.choice((2, 2, 3, 50))
    return content[:start] + content[start:stop] * times + content[stop:]


def _with_magic(content: bytes, random: Random) -> bytes:
    start = random.choice((0, _place(content, random)))
    magic = random.choice(MAGIC)
    kept = content[start + random.choice((0, len(magic))) :]
    return content[:start] + magic + kept


def _with_word(content: bytes, random: Random) -> bytes:
    place = _place(content, random)
    word = random.choice(ODD_WORDS).encode("utf-8", "surrogatepass")
    return content[:place] + word + content[place:]


def _with_noise(content: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    return content[:start] + random.randbytes(stop - start) + content[stop:]


def _spliced(content: bytes, other: bytes, random: Random) -> bytes:
    return content[: _place(content, random)] + other[_place(other, random) :]


_CHANGES: tuple[Change, ...] = (
    _flipped,
    _flipped,
    _numbered,
    _numbered,
    _cut,
    _without_span,
    _twice,
    _with_magic,
    _with_word,
    _with_noise,
)
