"""Checks how a Zarr array is stored before the package unpacks it.

The package would run any codec that is registered, pickles among them, and unpack a
chunk to whatever size it claims. Here only codecs for numbers are let through, and a
chunk has to claim the size that the array declares.
"""

from __future__ import annotations

import itertools
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import BadImageError
from training.storage.picture import MAX_LAYERS, MAX_PIXELS, damaged
from training.storage.zarr_metadata import check_inside, read_metadata

MAX_CHUNKS = 65_536

_NUMBERS_2 = re.compile(r"[<>|](?:b1|[ui][1248]|f[248])")
_NUMBERS_3 = re.compile(r"bool|u?int(?:8|16|32|64)|float(?:16|32|64)")
_PACKINGS = {
    2: frozenset({"blosc", "gzip", "lz4", "zlib", "zstd"}),
    3: frozenset({"blosc", "gzip", "zstd"}),
}
_ABSENT = 2**64 - 1
"""Offset and length of a chunk that a shard does not hold."""

_CHECKSUM = 4
_AT_ONCE = 1 << 20
"""Bytes that are unpacked at a time to count them."""
_OVERHEAD = 1 << 20
"""Bytes that a file may have over twice those of its chunk."""


@dataclass(frozen=True)
class Coding:
    """How chunks are packed.

    Attributes
    ----------
    packing
        Name of the codec, or an empty string.
    checksums
        How many sums of 4 bytes follow the packed bytes.
    """

    packing: str = ""
    checksums: int = 0


@dataclass(frozen=True)
class Stored:
    """How an array is stored, as its metadata declare.

    Attributes
    ----------
    chunk
        Shape of what one file holds.
    prefix, separator
        Of the names of these files: ``c/0/1``, ``0.1``.
    coding
        Of a chunk; of the parts of a shard where there are shards.
    part
        Shape of a part of a shard, or None.
    index_first, index_sum
        Where the table of a shard's parts stands, and whether a sum follows it.
    """

    version: int
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: np.dtype[Any]
    prefix: str
    separator: str
    coding: Coding
    part: tuple[int, ...] | None = None
    index_first: bool = False
    index_sum: bool = False


def check_array(image: Path, array: Path) -> Stored:
    """Check what an array declares; no chunk is read.

    Raises
    ------
    BadImageError
        If it is too large, no array of numbers, or packed in a way that is not read.
    ValueError, LookupError, TypeError, AttributeError
        If its metadata are none.
    """
    if (array / "zarr.json").exists():
        stored = _version_3(image, read_metadata(image, array / "zarr.json"))
    else:
        stored = _version_2(image, read_metadata(image, array / ".zarray"))
    lengths = (*stored.shape, *stored.chunk, *(stored.part or ()))
    if any(length < 1 for length in lengths):
        raise damaged(image)
    grid = _grid(stored.shape, stored.chunk)
    values = math.prod(grid) * math.prod(stored.chunk)
    if values > MAX_PIXELS * MAX_LAYERS or math.prod(stored.chunk) > MAX_PIXELS:
        raise BadImageError(
            image,
            f"its chunks declare {values:,} values",
            f"give frames of at most {MAX_PIXELS:,} pixels",
        )
    parts = math.prod(_grid(stored.chunk, stored.part or stored.chunk))
    if math.prod(grid) * parts > MAX_CHUNKS:
        raise BadImageError(
            image,
            f"it is cut into {math.prod(grid) * parts:,} chunks",
            "save it in larger ones, such as 1024 x 1024",
        )
    return stored


def check_chunks(image: Path, array: Path, stored: Stored) -> None:
    """Check that each chunk unpacks to the size that it has in the array.

    Raises
    ------
    BadImageError
        If one does not, if one leads out of the image, or if there is none at all.
    """
    size = math.prod(stored.part or stored.chunk) * stored.dtype.itemsize
    whole = math.prod(stored.chunk) * stored.dtype.itemsize
    count = 0
    for place in itertools.product(*map(range, _grid(stored.shape, stored.chunk))):
        name = stored.separator.join((*_prefix(stored), *map(str, place)))
        path = array / name
        check_inside(image, path)
        if not path.is_file():
            continue
        count += 1
        if path.stat().st_size > 2 * whole + _OVERHEAD:
            raise damaged(image, f" (the chunk {name})")
        for packed in _parts(image, stored, path.read_bytes()):
            if _claimed(stored.coding, packed, size) != size:
                raise damaged(image, f" (the chunk {name})")
    if not count:
        raise BadImageError(
            image, "none of its pixels are there", "copy or export it again"
        )


def _prefix(stored: Stored) -> tuple[str, ...]:
    return (stored.prefix,) if stored.prefix else ()


def _grid(shape: tuple[int, ...], chunk: tuple[int, ...]) -> tuple[int, ...]:
    """Return how many chunks there are along each axis."""
    return tuple(-(-a // b) for a, b in zip(shape, chunk, strict=True))


def _lengths(said: Any) -> tuple[int, ...]:
    if not isinstance(said, list) or not all(type(one) is int for one in said):
        raise ValueError("a shape is not a list of whole numbers")
    return tuple(said)


def _version_2(image: Path, said: dict[str, Any]) -> Stored:
    kind, packer = said["dtype"], said.get("compressor")
    if not isinstance(kind, str) or not _NUMBERS_2.fullmatch(kind):
        raise _not_numbers(image, kind)
    if said.get("filters"):
        raise _not_read(image, said["filters"][0].get("id"))
    packing = "" if packer is None else packer["id"]
    if packing and packing not in _PACKINGS[2]:
        raise _not_read(image, packing)
    return Stored(
        2,
        _lengths(said["shape"]),
        _lengths(said["chunks"]),
        np.dtype(kind),
        "",
        _separator(said.get("dimension_separator", ".")),
        Coding(packing),
    )


def _separator(said: Any) -> str:
    if said not in ("/", "."):
        raise ValueError("names of chunks are not joined by / or .")
    return str(said)


def _version_3(image: Path, said: dict[str, Any]) -> Stored:
    if said["node_type"] != "array" or said["chunk_grid"]["name"] != "regular":
        raise damaged(image)
    if said.get("storage_transformers"):
        raise _not_read(image, "a storage transformer")
    kind = said["data_type"]
    if not isinstance(kind, str) or not _NUMBERS_3.fullmatch(kind):
        raise _not_numbers(image, kind)
    shape = _lengths(said["shape"])
    chunk = _lengths(said["chunk_grid"]["configuration"]["chunk_shape"])
    names = said["chunk_key_encoding"]
    default = names["name"] == "default"
    if not default and names["name"] != "v2":
        raise ValueError("chunks are named in a way that is not known")
    between = (names.get("configuration") or {}).get("separator", "/.."[not default])
    codecs, more = said["codecs"], {}
    if [one["name"] for one in codecs] == ["sharding_indexed"]:
        about = codecs[0]["configuration"]
        codecs, more = about["codecs"], _shard(image, about)
    return Stored(
        3,
        shape,
        chunk,
        np.dtype(kind),
        "c" if default else "",
        _separator(between),
        _coding(image, codecs),
        **more,
    )


def _shard(image: Path, about: dict[str, Any]) -> dict[str, Any]:
    names = [one["name"] for one in about["index_codecs"]]
    if names not in (["bytes"], ["bytes", "crc32c"]):
        raise _not_read(image, names[-1])
    if about["index_codecs"][0].get("configuration", {}).get("endian") != "little":
        raise _not_read(image, "a table of shards in big endian")
    where = about.get("index_location", "end")
    if where not in ("start", "end"):
        raise ValueError("the table of a shard stands nowhere")
    part = _lengths(about["chunk_shape"])
    return {
        "part": part,
        "index_first": where == "start",
        "index_sum": len(names) == 2,
    }


def _coding(image: Path, codecs: list[dict[str, Any]]) -> Coding:
    """Return how bytes are packed: values to bytes, then one packing, then sums."""
    names = [one["name"] for one in codecs]
    if names[:1] == ["transpose"]:
        names = names[1:]
    if names[:1] != ["bytes"]:
        raise _not_read(image, names[0] if names else "nothing")
    packing = names[1] if names[1:2] and names[1] in _PACKINGS[3] else ""
    sums = names[2 if packing else 1 :]
    if sums not in ([], ["crc32c"]):
        raise _not_read(image, sums[0])
    return Coding(packing, len(sums))


def _not_read(image: Path, name: object) -> BadImageError:
    return BadImageError(
        image,
        f"it is packed with {str(name)[:40]}",
        "save it with Blosc, Zstandard, gzip or unpacked",
    )


def _not_numbers(image: Path, kind: object) -> BadImageError:
    return BadImageError(
        image,
        f"its values are {str(kind)[:40]}, which are no numbers of ours",
        "save it as 8-bit or 16-bit grey values",
    )


def _parts(image: Path, stored: Stored, content: bytes) -> Iterator[bytes]:
    """Yield what is packed on its own in a file: all of it, or each part of a shard."""
    if stored.part is None:
        yield content
        return
    count = math.prod(_grid(stored.chunk, stored.part))
    length = 16 * count + _CHECKSUM * stored.index_sum
    at = 0 if stored.index_first else len(content) - length
    if at < 0 or len(content) < length:
        raise damaged(image, " (a shard)")
    table = np.frombuffer(content, "<u8", 2 * count, at).reshape(-1, 2).tolist()
    for offset, packed in table:
        if offset == packed == _ABSENT:
            continue
        if offset + packed > len(content):
            raise damaged(image, " (a shard)")
        yield content[offset : offset + packed]


def _claimed(coding: Coding, packed: bytes, most: int) -> int:
    """Return the bytes that a chunk says it unpacks to, or -1 where it says nothing."""
    packed = packed[: len(packed) - _CHECKSUM * coding.checksums]
    if not coding.packing:
        return len(packed)
    if coding.packing == "blosc":
        # It holds both sizes; the package reads as many bytes as it says there are.
        sizes = int.from_bytes(packed[4:8], "little"), packed[12:16]
        whole = int.from_bytes(sizes[1], "little") == len(packed) >= 16
        return sizes[0] if whole else -1
    if coding.packing == "lz4":
        return int.from_bytes(packed[:4], "little", signed=True)
    if coding.packing == "zstd":
        return _claimed_by_zstandard(packed)
    return _inflated(packed, coding.packing == "gzip", most)


def _claimed_by_zstandard(packed: bytes) -> int:
    """Return the size of the one frame by its header, or -1.

    It is -1 where the header names no size, and where something follows the frame: the
    package unpacks that as well.

    References
    ----------
    RFC 8878, section 3.1.1.
    """
    if packed[:4] != b"\x28\xb5\x2f\xfd" or len(packed) < 6:
        return -1
    flags = packed[4]
    single = flags >> 5 & 1
    width = (single, 2, 4, 8)[flags >> 6]
    start = 5 + (0, 1, 2, 4)[flags & 3] + (not single)
    end = start + width
    size = int.from_bytes(packed[start:end], "little") + (256 if width == 2 else 0)
    is_last = False
    while not is_last and end < len(packed):
        block = int.from_bytes(packed[end : end + 3], "little")
        is_last = bool(block & 1)
        end += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
    end += 4 * (flags >> 2 & 1)
    return size if width and is_last and end == len(packed) else -1


def _inflated(packed: bytes, is_gzip: bool, most: int) -> int:
    """Return the bytes of the one deflated stream; it is unpacked to `most` at best.

    It is -1 where the stream is cut short, and where something follows it: of gzip the
    package unpacks that as well.
    """
    unpacker = zlib.decompressobj(31 if is_gzip else 15)
    size, rest = 0, packed
    while not unpacker.eof and size <= most:
        piece = unpacker.decompress(rest, _AT_ONCE)
        rest, size = unpacker.unconsumed_tail, size + len(piece)
        if not piece and not rest:
            break
    return size if unpacker.eof and not unpacker.unused_data else -1
