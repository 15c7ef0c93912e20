"""Hostile pictures: made, each read in a process of its own, and told as JSON.

Called with an empty folder. After each picture the process reads one that is whole.
``--largest`` adds one that is whole and as large as is taken.
"""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from hostile_zarrs import hostile_folders
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings, SimulationSettings
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.layouts import read_collection
from training.data.masks.files import read_mask
from training.data.simulation import simulate
from training.errors import BadImageError, BadMaskError
from training.storage.images import read_frame
from training.storage.picture import MAX_PIXELS

GREY = np.arange(48 * 40, dtype=np.uint8).reshape(48, 40)
CAP = 8 * MAX_PIXELS
"""Bytes of the largest picture that is taken: four channels of 16 bits."""

Named = Iterator[tuple[str, bytes]]


def _chunk(kind: bytes, body: bytes) -> bytes:
    size, check = (
        struct.pack(">I", len(body)),
        struct.pack(">I", zlib.crc32(kind + body)),
    )
    return size + kind + body + check


def _png(
    width: int, height: int, body: bytes = b"", more: bytes = b"", colour: int = 0
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = (_chunk(b"IHDR", head), more, _chunk(b"IDAT", body), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _tiff(
    width: int,
    height: int,
    data: bytes,
    compression: int = 1,
    declared: int | None = None,
    **tags: int,
) -> bytes:
    """Return a grey TIFF of one strip, as its header declares it."""
    entries = {256: (4, width), 257: (4, height), 258: (3, 8), 259: (3, compression)}
    entries |= {262: (3, 1), 273: (4, 8), 277: (3, 1), 278: (4, height)}
    entries |= {279: (4, len(data) if declared is None else declared)}
    entries |= {int(tag[1:]): (4, value) for tag, value in tags.items()}
    table = b"".join(
        struct.pack("<HHII", tag, kind, 1, value)
        for tag, (kind, value) in sorted(entries.items())
    )
    directory = struct.pack("<H", len(entries)) + table + b"\0\0\0\0"
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def _saved(kind: str, pixels: Any = GREY, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def _written(pixels: Any = GREY, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **options)
    return out.getvalue()


def bombs() -> Named:
    """Yield pictures that declare or unpack to more than there is."""
    zeros = zlib.compress(bytes(500_000_000), 1)
    yield "huge.png", _png(60_000, 60_000)
    yield "largest.png", _png(2**31 - 1, 2**31 - 1)
    yield "over-the-cap.png", _png(20_000, 5_001)
    yield "twice-the-cap.png", _zeros(20_000, 10_000, 1)
    yield "flat.png", _png(2**31 - 1, 1)
    yield "packed-more.png", _png(40, 48, zeros)
    yield "text-bomb.png", _png(40, 48, more=_chunk(b"zTXt", b"a\0\0" + zeros))
    yield "profile-bomb.png", _png(40, 48, more=_chunk(b"iCCP", b"a\0\0" + zeros))
    yield "many-texts.png", _png(40, 48, more=_chunk(b"tEXt", b"a\0b") * 50_000)
    yield "huge.tif", _tiff(2**31, 2**31, b"x")
    yield "no-pixels.tif", _tiff(19_000, 5_000, b"x" * 100)
    yield "says-it-has-them.tif", _tiff(9_000, 9_000, b"x", 1, 81_000_000)
    yield "deflate.tif", _tiff(77, 77, zeros, 8)
    yield "packbits.tif", _tiff(77, 77, b"\x81\0" * 2_000_000, 32773)
    yield "endless-directory.tif", b"II*\0" + struct.pack("<IHI", 8, 0, 8)
    yield "many-pages.tif", _pages(300)
    yield "circle-of-pages.tif", _circle()
    yield "many-samples.tif", _tiff(77, 77, bytes(77 * 77), t277=65_000)
    yield "many-bits.tif", _tiff(77, 77, bytes(77 * 77), t258=2**31)
    yield "depth.tif", _tiff(77, 77, bytes(77 * 77), t32997=2**31)
    yield "tiles.tif", _tiff(77, 77, bytes(77 * 77), t322=2**30, t323=2**30)
    yield "rows-a-strip-0.tif", _tiff(77, 77, bytes(77 * 77), t278=0)
    yield "huge-ome.tif", _written(description="<OME>" + "<a>" * 100_000, metadata=None)
    yield "huge.bmp", _bmp(2**31 - 1, 2**31 - 1)
    yield "upside-down.bmp", _bmp(40, -(2**31))
    yield "run-length.bmp", _bmp(30_000, 3_300, 1)
    yield "huge.jpg", _jpeg(65_500, 65_500)
    yield "no-side.jpg", _jpeg(0, 0)


def _zeros(width: int, height: int, channels: int) -> bytes:
    """Return a PNG of so many pixels, whole and small."""
    packer = zlib.compressobj(1)
    row = bytes(1 + channels * width)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return _png(width, height, body, colour=2 if channels == 3 else 0)


def _pages(number: int) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as tiff:
        for _ in range(number):
            tiff.write(GREY, contiguous=False)
    return out.getvalue()


def _circle() -> bytes:
    content = bytearray(_tiff(40, 48, GREY.tobytes()))
    content[-4:] = content[4:8]
    return bytes(content)


def _bmp(width: int, height: int, packing: int = 0) -> bytes:
    content = bytearray(_saved("BMP"))
    struct.pack_into("<ii", content, 18, width, height)
    struct.pack_into("<I", content, 30, packing)
    return bytes(content)


def _jpeg(width: int, height: int) -> bytes:
    content = bytearray(_saved("JPEG"))
    place = content.index(b"\xff\xc0") + 5
    struct.pack_into(">HH", content, place, height, width)
    return bytes(content)


def odd_files() -> Named:
    """Yield whole pictures that are no frames, and files that are no pictures."""
    animation = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    out = io.BytesIO()
    animation[0].save(out, "PNG", save_all=True, append_images=animation[1:])
    yield "animated.png", out.getvalue()
    yield "stack.tif", _written(np.zeros((5, 48, 40), np.uint8))
    yield "deep-stack.tif", _written(np.zeros((2, 2, 5, 48, 40), np.uint8))
    yield "floats.tif", _written(GREY / 7)
    yield "not-finite.tif", _written(np.full((48, 40), np.nan, np.float32))
    yield "signed.tif", _written(GREY.astype(np.int16) - 5)
    yield "complex.tif", _written(GREY.astype(np.complex64))
    yield "one-pixel.png", _saved("PNG", GREY[:1, :1])
    yield "one-row.tif", _written(GREY[:1])
    yield "palette.png", _saved("PNG", GREY // 64)
    yield "gif.tif", b"GIF89a" + bytes(200)
    yield "postscript.tif", b"%!PS-Adobe-3.0\n(/etc/passwd) (r) file\n"
    yield "vector.png", b'<svg><image href="file:///etc/passwd"/></svg>'
    yield "ome-of-another.tif", _written(description=_OTHER_FILE, metadata=None)
    yield "pickle.tif", b"cos\nsystem\n(S'touch was-run'\ntR."
    yield "zip.png", b"PK\x03\x04" + bytes(200)
    yield "nothing.tif", b""
    yield "zeros.tif", bytes(100_000)


_OTHER_FILE = """<?xml version="1.0"?><OME
 xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels
 ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="40" SizeY="48" SizeC="1"
 SizeZ="1" SizeT="1"><TiffData IFD="0"><UUID FileName="../../../etc/passwd">urn:uuid:1
</UUID></TiffData></Pixels></Image></OME>"""


def torn_files() -> Named:
    """Yield pictures that are cut short or have bytes that are not theirs."""
    whole = {
        "png": _saved("PNG"),
        "bmp": _saved("BMP"),
        "jpg": _saved("JPEG"),
        "tif": _written(),
        "lzw.tif": _saved("TIFF", compression="tiff_lzw"),
        "ome.tif": _written(ome=True),
    }
    for suffix, content in whole.items():
        for part in (0.02, 0.3, 0.6, 0.98):
            yield f"cut-{part}.{suffix}", content[: int(part * len(content))]
        middle = len(content) // 2
        yield (
            f"noise.{suffix}",
            content[:middle] + b"\xa5" * 40 + content[middle + 40 :],
        )
        yield f"trailing.{suffix}", content + b"\xff" * 1000


def corpus() -> Named:
    """Yield all of them."""
    yield from bombs()
    yield from odd_files()
    yield from torn_files()


def extract_among_good(folder: Path) -> tuple[list[Any], Any]:
    """Cut a folder with two good frames; return what was told, and the cells."""
    words = {"specimens": "2", "cells_min": "6", "cells_max": "8"}
    words |= {"height": "260", "width": "300", "patterns": "Golgi"}
    list(simulate(folder / "data", SimulationSettings.parse(words)))
    rows = ["Specimen ID;Specimen class ;Intensity", "1;golgi;positive"]
    rows.append("2;golgi;positive")
    number = 3
    for name, content in corpus():
        suffix = Path(name).suffix
        stem = folder / "data" / "train" / f"{number:05d}_p0"
        stem.with_suffix(suffix).write_bytes(content)
        if not _is_whole(stem.with_suffix(suffix)):
            rows.append(f"{number};golgi;positive")
            number += 1
        else:
            stem.with_suffix(suffix).unlink()
    (folder / "data" / "gt_train.csv").write_text("\n".join(rows) + "\n")
    how = ExtractionSettings(), SegmentationSettings()
    told = list(
        write_cell_folder(read_collection(folder / "data"), folder / "cells", *how)
    )
    return told, read_cell_folder(folder / "cells").table


def _is_whole(path: Path) -> bool:
    try:
        read_frame(path)
    except BadImageError:
        return False
    return True


def main(folder: Path, more: list[str]) -> None:
    """Make the pictures in `folder`, read each, and print what became of it.

    Seconds are those of the processor: a machine that is busy is no fault.
    """
    good = folder / "good.png"
    good.write_bytes(_saved("PNG"))
    read_frame(good)
    told = []
    largest = [("largest.png", _zeros(10_000, 10_000, 3))] if more else []
    for name, content in (*corpus(), *largest):
        path = folder / name
        path.write_bytes(content)
        told.append(_in_a_process(path, good))
        path.unlink()
    told += [_in_a_process(path, good) for path in hostile_folders(folder / "zarrs")]
    print(json.dumps(told))


def _in_a_process(path: Path, good: Path) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, json.dumps(_read(path, good)).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
        said = pipe.read()
    used = os.wait4(child, 0)[2]
    seconds = used.ru_utime + used.ru_stime
    lost = {"said": "crashed", "bytes": 0, "next": False}
    found = json.loads(said) if said else lost
    return {"file": path.name, "cap": CAP, "seconds": seconds, **found}


def _read(path: Path, good: Path) -> dict[str, Any]:
    """Read a picture as a frame and as a mask, then a good one, in this process."""
    before, said = _peak(), "read"
    try:
        shape = read_frame(path).pixels.shape
    except BadImageError as fault:
        said, shape = str(fault), GREY.shape
    except BaseException as fault:  # noqa: BLE001 - it is what the test asks for
        return {"said": f"{type(fault).__name__}", "bytes": 0, "next": False}
    try:
        read_mask(path, shape)
    except BadMaskError as fault:
        said = said if said != "read" else str(fault)
    more = _peak() - before
    opened = np.array_equal(read_frame(good).pixels, GREY)
    return {"said": said, "bytes": more, "next": bool(opened)}


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
