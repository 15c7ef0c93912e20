"""Hostile folders of OME-Zarr: bombs, codecs that run code, links that lead out."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from zarr_files import change, write_labels, write_zarr

GREY = np.arange(48 * 40, dtype=np.uint16).reshape(48, 40)

PICKLE = b"cos\nsystem\n(S'touch was-run'\ntR."

Harm = Callable[[Path], object]


def _array(**more: object) -> Harm:
    return lambda path: change(path / "0" / ".zarray", **more)


def _packed(name: str, content: bytes) -> Harm:
    def harm(path: Path) -> None:
        change(path / "0" / ".zarray", compressor={"id": name})
        for chunk in (path / "0").glob("*/*"):
            chunk.write_bytes(content)

    return harm


def _filtered(path: Path) -> None:
    change(path / "0" / ".zarray", dtype="|O", filters=[{"id": "pickle"}])
    for chunk in (path / "0").glob("*/*"):
        chunk.write_bytes(PICKLE)


def _linked(name: str, target: str) -> Harm:
    def harm(path: Path) -> None:
        (path / name).unlink()
        (path / name).symlink_to(target)

    return harm


def _piped(path: Path) -> None:
    (path / "0" / "0" / "0").unlink()
    os.mkfifo(path / "0" / "0" / "0")


def _level(word: str) -> Harm:
    return lambda path: change(
        path / ".zattrs", multiscales=[{"datasets": [{"path": word}]}]
    )


def _sparse(path: Path) -> None:
    with (path / "0" / "0" / "0").open("r+b") as stream:
        stream.truncate(2**40)


def _many_axes(path: Path) -> None:
    change(path / "0" / ".zarray", shape=[1] * 5_000, chunks=[1] * 5_000)


def _harms() -> dict[str, Harm]:
    zeros = bytes(500_000_000)
    blosc = struct.pack("<4B3I", 2, 1, 0, 2, 2**31 - 1, 2**31 - 1, 16)
    zstd = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**40) + b"\x03\0\0\0"
    text = (Path("/etc/passwd"), Path("/dev/zero"))
    return {
        "zlib": _packed("zlib", zlib.compress(zeros, 1)),
        "gzip": _packed("gzip", gzip.compress(zeros, 1)),
        "gzip-members": _packed("gzip", gzip.compress(b"") * 100_000),
        "blosc": _packed("blosc", blosc),
        "zstd": _packed("zstd", zstd),
        "lz4": _packed("lz4", struct.pack("<i", 2**31 - 1) + bytes(40)),
        "pickle": _filtered,
        "pickled-chunks": _packed("pickle", PICKLE),
        "huge": _array(shape=[2**31, 2**31], chunks=[2**31, 2**31]),
        "beyond": _array(shape=[2**62, 2**62], chunks=[2**62, 2**62]),
        "huge-chunk": _array(chunks=[2**30, 2**30]),
        "sparse": _sparse,
        "crumbs": _array(shape=[9_000, 9_000], chunks=[1, 1]),
        "many-axes": _many_axes,
        "wide-words": _array(dtype="<U1000000"),
        "deep-json": lambda path: (path / ".zattrs").write_text("[" * 2_000_000),
        "long-json": lambda path: (path / ".zattrs").write_text(" " * 9_000_000),
        "level-outside": _level("../../../etc"),
        "level-at-the-root": _level("/etc"),
        "level-on-the-net": _level("https://example.org/0"),
        "link-to-a-text": _linked("0/0/0", str(text[0])),
        "link-to-zeros": _linked("0/0/0", str(text[1])),
        "metadata-of-zeros": _linked(".zattrs", str(text[1])),
        "link-to-itself": _linked("0/0/0", "0"),
        "pipe": _piped,
    }


def hostile_folders(folder: Path) -> Iterator[Path]:
    """Make one folder after the other; each is given before the next is made."""
    for name, harm in _harms().items():
        path = write_zarr(folder / f"{name}.zarr", GREY, packed=True)
        write_labels(path, "nuclei", GREY // 1900)
        harm(path)
        yield path
    yield _shard_of_bombs(folder / "shard.zarr")


def _shard_of_bombs(path: Path) -> Path:
    """Return an image whose shard points at one bomb from all of its parts."""
    write_zarr(path, GREY, version=3)
    plain = [{"name": "bytes", "configuration": {"endian": "little"}}]
    about = {
        "chunk_shape": [16, 16],
        "codecs": [*plain, {"name": "gzip", "configuration": {"level": 1}}],
        "index_codecs": plain,
        "index_location": "end",
    }
    grid = {"name": "regular", "configuration": {"chunk_shape": [48, 48]}}
    codecs = [{"name": "sharding_indexed", "configuration": about}]
    change(path / "0" / "zarr.json", chunk_grid=grid, codecs=codecs)
    bomb = gzip.compress(bytes(200_000_000), 1)
    table = struct.pack("<QQ", 0, len(bomb)) * 9
    (path / "0" / "c" / "0" / "0").write_bytes(bomb + table)
    return path
