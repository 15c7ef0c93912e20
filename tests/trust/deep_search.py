"""Looks for words in every byte of a file, and in whatever is packed into it."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress

_DEEPEST = 4
_LARGEST = 2**27
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|PK\x03\x04")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){20,}")


def occurrences(content: bytes, word: re.Pattern[bytes]) -> list[bytes]:
    """Return what matches, in the bytes and in what is packed or coded in them."""
    return [
        found.replace(b"\0", b"")
        for layer in _layers(content, 0)
        for found in word.findall(layer)
    ]


def planted(prefix: str, suffix: str) -> re.Pattern[bytes]:
    """Return what finds a planted name in any case, as UTF-8 and as UTF-16."""
    letters = [re.escape(letter).encode() for letter in prefix]
    last = [re.escape(letter).encode() for letter in suffix]
    return re.compile(rb"\0?".join([*letters, *[rb"\d"] * 3, *last]), re.IGNORECASE)


def _layers(content: bytes, depth: int) -> Iterator[bytes]:
    yield content
    if depth == _DEEPEST:
        return
    for inner in _inside(content):
        yield from _layers(inner, depth + 1)


def _inside(content: bytes) -> Iterator[bytes]:
    for start in _PACKED.finditer(content):
        inner = _unpacked(content, start.start(), start[0])
        if inner:
            yield inner
    for coded in _BASE64.finditer(content):
        with suppress(binascii.Error):
            yield base64.b64decode(coded[0] + b"=" * (-len(coded[0]) % 4))
    for coded in _HEX.finditer(content):
        yield bytes.fromhex(coded[0].decode())


def _unpacked(content: bytes, at: int, start: bytes) -> bytes:
    """Return what a stream of zlib, gzip or zip holds that starts here."""
    if start.startswith(b"PK"):
        lengths = content[at + 26 : at + 30]
        skip = sum(int.from_bytes(lengths[k : k + 2], "little") for k in (0, 2))
        at, bits = at + 30 + skip, -zlib.MAX_WBITS
    else:
        bits = zlib.MAX_WBITS | 32
    with suppress(zlib.error):
        return zlib.decompressobj(bits).decompress(content[at:], _LARGEST)
    return b""
