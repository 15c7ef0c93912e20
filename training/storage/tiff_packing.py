"""Unpacks the strips and tiles of a page of a TIFF.

Pillow's libtiff unpacks them as rows of plain bytes, into a buffer of the declared
size, whatever the packed bytes hold. What the bytes are, and how rows are predicted
from themselves, is decided here, so that values never depend on the packing.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from training.errors import BadImageError
from training.storage.picture import damaged

PACKINGS = frozenset({5, 8, 32773, 32946, 34925, 50000})
"""Codes of what packs plain bytes: LZW, deflate, PackBits, deflate, LZMA, Zstandard."""

_DIFFERENCES = 2
_AT_ONCE = 32_000_000
"""Bytes that are unpacked at a time."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Layout:
    """The strips or tiles of one colour plane.

    Attributes
    ----------
    rows, width
        Of one, in pixels; the last strip may have fewer rows.
    height
        Rows of all of them, one below the other.
    samples
        Values of a pixel that stand together.
    """

    rows: int
    width: int
    height: int
    samples: int
    bits: int

    @property
    def row_bytes(self) -> int:
        return -(-self.width * self.samples * self.bits // 8)


def unpack_page(
    path: Path, page: tifffile.TiffPage, place: tifffile.TiffPage | tifffile.TiffFrame
) -> npt.NDArray[Any]:
    """Return the pixels of a page.

    Parameters
    ----------
    path
        The file that the page is in.
    page
        How it is stored: the compression is one of `PACKINGS`, or 1 for none.
    place
        Where it is stored: the page itself or another one stored alike.

    Returns
    -------
    pixels : (H, W, S)
        As stored, in the machine's byte order.

    Raises
    ------
    BadImageError
        If strips are missing or damaged, or rows are predicted in a way not read.
    """
    if page.predictor not in (1, _DIFFERENCES):
        raise BadImageError(
            path,
            f"it is packed with the predictor {page.predictor.name}",
            "save it without a predictor",
        )
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    layout = _layout(page, page.samplesperpixel // planes)
    count = -(-layout.height // layout.rows)
    offsets, counts = place.dataoffsets, place.databytecounts
    if not len(offsets) == len(counts) == count * planes:
        raise damaged(path)
    parts = []
    for first in range(0, len(offsets), count):
        segments = slice(first, first + count)
        where = list(zip(offsets[segments], counts[segments], strict=True))
        parts.append(_arranged(page, layout, _plane(path, page, layout, where)))
    return parts[0] if planes == 1 else np.concatenate(parts, axis=2)


def _layout(page: tifffile.TiffPage, samples: int) -> _Layout:
    bits, height = page.bitspersample, page.imagelength
    if not page.is_tiled:
        rows = min(page.rowsperstrip or height, height)
        return _Layout(rows, page.imagewidth, height, samples, bits)
    across, down = _tiles(page)
    rows = page.tilelength
    return _Layout(rows, page.tilewidth, across * down * rows, samples, bits)


def _tiles(page: tifffile.TiffPage) -> tuple[int, int]:
    """Return how many tiles stand side by side, and one below the other."""
    across = -(-page.imagewidth // page.tilewidth)
    return across, -(-page.imagelength // page.tilelength)


def _plane(
    path: Path,
    page: tifffile.TiffPage,
    layout: _Layout,
    where: list[tuple[int, int]],
) -> npt.NDArray[Any]:
    """Return one colour plane, (rows, width, samples)."""
    parts = list(_rows(path, page, layout, where))
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
    values = _as_values(rows, layout, page)
    if page.predictor == _DIFFERENCES:
        return np.cumsum(values, axis=1, dtype=values.dtype)
    return values


def _rows(
    path: Path,
    page: tifffile.TiffPage,
    layout: _Layout,
    where: list[tuple[int, int]],
) -> Iterator[Bytes]:
    """Yield the bytes of some segments at a time, (rows, row_bytes) uint8."""
    step = max(1, _AT_ONCE // max(layout.rows * layout.row_bytes, 1))
    left = layout.height
    with path.open("rb") as stream:
        for start in range(0, len(where), step):
            packed = []
            for offset, count in where[start : start + step]:
                stream.seek(offset)
                packed.append(stream.read(count))
            height = min(left, len(packed) * layout.rows)
            left -= height
            yield _unpacked(path, page, layout, height, packed)


def _unpacked(
    path: Path,
    page: tifffile.TiffPage,
    layout: _Layout,
    height: int,
    packed: list[bytes],
) -> Bytes:
    shape = height, layout.row_bytes
    if page.compression == 1:
        found = np.frombuffer(b"".join(packed), np.uint8)
        if found.size < shape[0] * shape[1]:
            raise damaged(path)
        return found[: shape[0] * shape[1]].reshape(shape)
    order = int(page.fillorder)
    tiff = _plain_tiff(shape, layout.rows, int(page.compression), order, packed)
    with Image.open(io.BytesIO(tiff), formats=("TIFF",)) as image:
        return np.asarray(image)


def _plain_tiff(
    shape: tuple[int, int], rows: int, packing: int, order: int, packed: list[bytes]
) -> bytes:
    """Return a TIFF of grey values of 8 bits with these strips."""
    counts = np.array([len(part) for part in packed], "<u4")
    length = int(counts.sum())
    first, table = 8 + 8 * len(packed), 10 * 12
    offsets = (np.cumsum(counts) - counts + first).astype("<u4")
    entries = {256: shape[1], 257: shape[0], 258: 8, 259: packing, 262: 1}
    entries |= {266: order, 277: 1, 278: rows}
    directory = [(tag, 1, value) for tag, value in entries.items()]
    one = len(packed) == 1
    directory += [(273, len(packed), int(offsets[0]) if one else 8)]
    directory += [(279, len(packed), length if one else 8 + 4 * len(packed))]
    written = b"".join(
        struct.pack("<HHII", tag, 4, count, value)
        for tag, count, value in sorted(directory)
    )
    assert len(written) == table
    head = b"II*\0" + struct.pack("<I", first + length)
    end = struct.pack("<H", len(directory)) + written + b"\0\0\0\0"
    return b"".join([head, offsets.tobytes(), counts.tobytes(), *packed, end])


def _as_values(
    rows: Bytes, layout: _Layout, page: tifffile.TiffPage
) -> npt.NDArray[Any]:
    """Return the values that rows of bytes are, (rows, width, samples)."""
    shape = len(rows), layout.width, layout.samples
    if layout.bits < 8:
        return _few_bits(rows, layout.bits)[:, : shape[1] * shape[2]].reshape(shape)
    stored = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    values = np.ascontiguousarray(rows).view(stored).reshape(shape)
    return values.astype(stored.newbyteorder("="), copy=False)


def _few_bits(rows: Bytes, bits: int) -> Bytes:
    """Return values of 1, 2 or 4 bits, the first in the highest bits of a byte."""
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    values: Bytes = rows[:, :, None] >> shifts & np.uint8(2**bits - 1)
    return values.reshape(len(rows), -1)


def _arranged(
    page: tifffile.TiffPage, layout: _Layout, values: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return a plane of strips as it is, and one of tiles put together."""
    if not page.is_tiled:
        return values
    across, down = _tiles(page)
    tiles = values.reshape(down, across, layout.rows, layout.width, layout.samples)
    whole = tiles.swapaxes(1, 2).reshape(
        down * layout.rows, across * layout.width, layout.samples
    )
    return whole[: page.imagelength, : page.imagewidth]
