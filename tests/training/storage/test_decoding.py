"""Pixels come out as they are stored, whatever packs them."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from training.errors import BadImageError
from training.storage import tiff_packing
from training.storage.decoding import decode
from training.storage.images import read_frame

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (37, 52), np.uint8)
DEEP = RNG.integers(0, 65536, (37, 52), np.uint16)
COLOUR = RNG.integers(0, 65536, (37, 52, 3), np.uint16)
UP = (slice(None, None, -1),)


def tiff(shape, bits, body, **tags):
    """Return a TIFF of one strip with the tags given, such as ``t259=5``."""
    height, width = shape
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1}
    entries |= {278: height, 279: len(body)}
    entries |= {int(tag[1:]): value for tag, value in tags.items()}
    table = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items())
    )
    directory = struct.pack("<H", len(entries)) + table + b"\0\0\0\0"
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


def png(pixels, depth, colour):
    """Return a PNG whose rows are not filtered."""
    rows = pixels.reshape(len(pixels), -1)
    rows = rows.astype(">u2") if depth == 16 else rows
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", *pixels.shape[1::-1], depth, colour, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


HOW = {
    "plain": {},
    "deflate": {"compression": "zlib"},
    "predicted": {"compression": "zlib", "predictor": True},
    "LZMA": {"compression": "lzma"},
    "tiles": {"compression": "zlib", "tile": (16, 32), "predictor": True},
    "strips": {"compression": "zlib", "rowsperstrip": 5},
    "big-endian": {"compression": "zlib", "byteorder": ">", "predictor": True},
    "BigTIFF": {"compression": "zlib", "bigtiff": True},
}


WRITTEN = [
    (how, dtype)
    for how in HOW
    for dtype in ("u1", "u2", "u4", "i2", "i8", "f4")
    if "predictor" not in HOW[how] or dtype not in ("i8", "f4")
]
"""What tifffile writes: of other types it predicts no values."""


@pytest.mark.parametrize(("how", "dtype"), WRITTEN)
def test_values_of_any_type(tmp_path, how, dtype):
    pixels = DEEP.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **HOW[how])
    found = decode(tmp_path / "a.tif").pixels
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_of_16_bits(tmp_path, how, planar):
    stored = COLOUR if planar == "contig" else np.moveaxis(COLOUR, 2, 0)
    more = {"photometric": "rgb", "planarconfig": planar}
    tifffile.imwrite(tmp_path / "a.tif", stored, **HOW[how], **more)
    found = decode(tmp_path / "a.tif")
    assert (found.axes, found.pixels.dtype) == ("YXS", np.uint16)
    np.testing.assert_array_equal(found.pixels, COLOUR)
    grey = read_frame(tmp_path / "a.tif")
    np.testing.assert_array_equal(grey.pixels, COLOUR[:, :, 1])


@pytest.mark.parametrize("packing", ["tiff_lzw", "packbits", "zstd"])
def test_what_tifffile_alone_cannot_unpack(tmp_path, packing):
    """16 bits of three planes, the bytes of which Pillow packs as grey values."""
    rows = COLOUR.view(np.uint8).reshape(len(COLOUR), -1)
    Image.fromarray(rows).save(tmp_path / "grey.tif", compression=packing)
    with tifffile.TiffFile(tmp_path / "grey.tif") as read:
        page = read.pages[0]
        assert len(page.dataoffsets) == 1
        (start,), (count,) = page.dataoffsets, page.databytecounts
        code = int(page.compression)
    body = (tmp_path / "grey.tif").read_bytes()[start : start + count]
    content = tiff(COLOUR.shape[:2], 16, body, t259=code, t262=2, t277=3)
    (tmp_path / "a.tif").write_bytes(content)
    np.testing.assert_array_equal(decode(tmp_path / "a.tif").pixels, COLOUR)


@pytest.mark.parametrize("at_once", [1, 700, 10_000])
def test_strips_are_unpacked_some_at_a_time(tmp_path, monkeypatch, at_once):
    how = {"compression": "zlib", "rowsperstrip": 3, "predictor": True}
    tifffile.imwrite(tmp_path / "a.tif", DEEP, **how)
    monkeypatch.setattr(tiff_packing, "_AT_ONCE", at_once)
    np.testing.assert_array_equal(decode(tmp_path / "a.tif").pixels, DEEP)


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("is_packed", [False, True])
def test_few_bits(tmp_path, bits, is_packed):
    values = RNG.integers(0, 2**bits, (5, 9), np.uint8)
    each = np.unpackbits(values[:, :, None], axis=2)[:, :, -bits:]
    body = np.packbits(each.reshape(5, -1), axis=1).tobytes()
    more = {"t259": 8} if is_packed else {}
    body = zlib.compress(body) if is_packed else body
    (tmp_path / "a.tif").write_bytes(tiff((5, 9), bits, body, **more))
    np.testing.assert_array_equal(decode(tmp_path / "a.tif").pixels, values)


@pytest.mark.parametrize("samples", [3, 4])
def test_a_png_with_16_bits_a_colour(tmp_path, samples):
    pixels = np.concatenate([COLOUR, DEEP[:, :, None]], axis=2)[:, :, :samples]
    (tmp_path / "a.png").write_bytes(png(pixels, 16, {3: 2, 4: 6}[samples]))
    found = decode(tmp_path / "a.png")
    np.testing.assert_array_equal(found.pixels, COLOUR)
    if samples == 4:
        np.testing.assert_array_equal(found.alpha, DEEP)


# -- orientation and white


ORIENTED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, 3),
    7: lambda a: np.swapaxes(a[::-1, ::-1], 0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("value", ORIENTED)
@pytest.mark.parametrize("how", ["plain", "deflate"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_orientation_of_a_tiff(tmp_path, value, how, pixels):
    more = {"photometric": "rgb"} if pixels.ndim == 3 else {}
    tag = (274, 3, 1, value, False)
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=[tag], **HOW[how], **more)
    found = decode(tmp_path / "a.tif").pixels
    np.testing.assert_array_equal(found, ORIENTED[value](pixels))


@pytest.mark.parametrize("value", ORIENTED)
def test_orientation_of_a_png(tmp_path, value):
    exif = Image.Exif()
    exif[274] = value
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    found = decode(tmp_path / "a.png").pixels
    np.testing.assert_array_equal(found, ORIENTED[value](GREY))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("pixels", [GREY, DEEP])
def test_white_is_zero_packed_or_not(tmp_path, how, pixels):
    how = {**HOW[how], "photometric": "miniswhite"}
    tifffile.imwrite(tmp_path / "a.tif", ~pixels, **how)
    found = read_frame(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.pixels, pixels)
    assert "white is zero" in found.note


# -- which page


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("how", ["plain", "deflate"])
def test_a_thumbnail_is_left_alone(tmp_path, first, how):
    pages = [(GREY[::4, ::4].copy(), 1), (GREY, 0)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for pixels, kind in pages if first else pages[::-1]:
            writer.write(pixels, subfiletype=kind, metadata=None, **HOW[how])
    np.testing.assert_array_equal(decode(tmp_path / "a.tif").pixels, GREY)


def test_two_images_of_one_size_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(GREY)
        writer.write(DEEP)
    with pytest.raises(BadImageError, match="2 images of one size"):
        decode(tmp_path / "a.tif")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_the_planes_of_a_stack(tmp_path, how, photometric):
    """Also where tifffile, not told otherwise, writes three planes as colours."""
    stack = np.stack([DEEP, DEEP // 2, DEEP // 3])
    how = {**HOW[how], "photometric": photometric, "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(tmp_path / "a.tif", stack, planarconfig="separate", **how)
    found = decode(tmp_path / "a.tif")
    assert found.axes == "ZYX"
    np.testing.assert_array_equal(found.pixels, stack)


# -- what is not read is called so


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (tiff((4, 4), 12, bytes(24)), "12 bits packed; save as 16 bits"),
        (tiff((4, 4), 8, bytes(16), t259=34712), "packed with JPEG ?2000; save it"),
        (tiff((4, 4), 8, bytes(64), t262=5, t277=4), "stored as SEPARATED; save it as"),
        (
            tiff((4, 4), 32, bytes(64), t317=3, t259=8, t339=3),
            "predictor FLOATINGPOINT",
        ),
        (tiff((4, 4), 8, bytes(96), t262=2, t277=6), "it has 6 colours"),
        (png(DEEP[:, :50].reshape(37, 25, 2), 16, 4), "16 bits and an alpha channel"),
        (tiff((9, 9), 8, zlib.compress(bytes(81))[:5], t259=8), "damaged or cut short"),
        (tiff((9, 9), 4, bytes(9)), "damaged or cut short"),
        (tiff((4, 4), 8, bytes(16), t262=3, t320=9), "damaged or cut short"),
        (tiff((9, 9), 8, zlib.compress(bytes(81)), t259=8, t278=3), "damaged or cut"),
    ],
)
def test_what_is_not_read_is_called_so(tmp_path, content, sentence):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadImageError, match=sentence):
        decode(tmp_path / "a")
