"""Real images come in unchanged; broken and hostile ones get a sentence, quickly."""

import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from training.data.masks.files import read_mask
from training.errors import BadImageError, BadMaskError
from training.storage import picture, planes
from training.storage.images import read_frame

GREY = np.arange(12 * 10, dtype=np.uint8).reshape(12, 10)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_grey_values_are_kept(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(GREY).save(path)
    read = read_frame(path)
    np.testing.assert_array_equal(read.pixels, GREY)
    assert (read.pixels.dtype, read.note) == (np.uint8, "")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    wide = GREY.astype(np.uint16) * 500
    Image.fromarray(wide).save(path)
    np.testing.assert_array_equal(read_frame(path).pixels, wide)


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_packed_tiff(tmp_path, packing):
    path = tmp_path / "a.tif"
    Image.fromarray(GREY).save(path, compression=packing)
    np.testing.assert_array_equal(read_frame(path).pixels, GREY)


@pytest.mark.parametrize(
    "options",
    [
        {"ome": True},
        {"imagej": True},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"tile": (16, 16)},
        {"rowsperstrip": 3},
    ],
)
def test_kinds_of_tiff(tmp_path, options):
    path = tmp_path / "a.tif"
    wide = GREY.astype(np.uint16) * 500
    tifffile.imwrite(path, wide, **options)
    np.testing.assert_array_equal(read_frame(path).pixels, wide)


def test_the_suffix_is_not_believed(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(GREY).save(path, format="PNG")
    np.testing.assert_array_equal(read_frame(path).pixels, GREY)


@pytest.mark.parametrize("planes_first", [False, True])
def test_green_is_taken(tmp_path, planes_first):
    colour = np.zeros((12, 10, 3), np.uint8)
    colour[:, :, 1] = GREY
    colour[:, :, 2] = 9
    path = tmp_path / "a.tif"
    stored = np.moveaxis(colour, 2, 0) if planes_first else colour
    planar = "separate" if planes_first else "contig"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar)
    read = read_frame(path)
    np.testing.assert_array_equal(read.pixels, GREY)
    assert read.note == "3 channels, the green one was taken"


def test_the_strongest_where_green_is_empty(tmp_path):
    colour = np.zeros((12, 10, 3), np.uint8)
    colour[:, :, 0] = GREY
    Image.fromarray(colour).save(tmp_path / "a.png")
    read = read_frame(tmp_path / "a.png")
    np.testing.assert_array_equal(read.pixels, GREY)
    assert "the red one" in read.note


def test_a_dim_green_beside_a_strong_blue_is_asked_about(tmp_path):
    colour = np.zeros((12, 10, 3), np.uint8)
    colour[:, :, 1], colour[:, :, 2] = GREY // 15, GREY[::-1]
    Image.fromarray(colour).save(tmp_path / "a.png")
    with pytest.raises(BadImageError, match="its green is weak beside its blue"):
        read_frame(tmp_path / "a.png")
    chosen = read_frame(tmp_path / "a.png", channel="green")
    np.testing.assert_array_equal(chosen.pixels, GREY // 15)


def test_four_channels(tmp_path):
    four = np.stack([GREY * 0, GREY, GREY * 0, GREY * 0 + 255], axis=2)
    tifffile.imwrite(tmp_path / "a.tif", four, photometric="rgb")
    np.testing.assert_array_equal(read_frame(tmp_path / "a.tif").pixels, GREY)


def test_a_palette_is_looked_up(tmp_path):
    colour = np.zeros((12, 10, 3), np.uint8)
    colour[:, :, 1] = GREY // 10 * 10
    Image.fromarray(colour).quantize(64).save(tmp_path / "a.png")
    np.testing.assert_allclose(
        read_frame(tmp_path / "a.png").pixels, colour[:, :, 1], atol=10
    )


# --- masks -------------------------------------------------------------------


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (0, 7), (1, 2), (100, 255)])
def test_two_values_are_a_binary_mask(tmp_path, values):
    mask = np.where(GREY > 60, values[1], values[0]).astype(np.uint8)
    Image.fromarray(mask).save(tmp_path / "m.png")
    labels = read_mask(tmp_path / "m.png", GREY.shape)
    np.testing.assert_array_equal(labels, (GREY > 60).astype(np.int32))
    assert labels.dtype == np.int32


def test_one_value_is_all_nucleus(tmp_path):
    Image.fromarray(np.full((4, 5), 255, np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", (4, 5)).tolist() == [[1] * 5] * 4


def test_a_jpeg_mask_is_binary(tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[16:40, 16:48] = 255
    Image.fromarray(mask).save(tmp_path / "m.jpg", quality=85)
    labels = read_mask(tmp_path / "m.jpg", mask.shape)
    assert set(np.unique(labels)) == {0, 1}
    assert ((labels > 0) != (mask > 0)).mean() < 0.01


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_labels_are_kept(tmp_path, dtype):
    labels = (GREY // 10).astype(dtype)
    tifffile.imwrite(tmp_path / "m.tif", labels)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", GREY.shape), labels)


def _mask(pixels):
    def make(path):
        tifffile.imwrite(path, pixels)

    return make


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "the mask is missing"),
        (_mask(np.zeros((12, 10), np.uint8)), "the mask is empty"),
        (_mask(np.ones((10, 12), np.uint8)), "12 x 10 but its frame is 10 x 12"),
        (_mask(GREY.astype(np.int16) - 5), "are not labels"),
        (_mask(GREY / 7), "are not labels"),
        (_mask(GREY.astype(np.uint32) * 2**26), "are not labels"),
        (lambda path: path.write_bytes(b"II*\0"), "damaged or cut short"),
    ],
)
def test_bad_masks(tmp_path, make, sentence):
    make(tmp_path / "m.tif")
    with pytest.raises(BadMaskError, match=sentence):
        read_mask(tmp_path / "m.tif", GREY.shape)


# --- broken and hostile ------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "this folder is no OME-Zarr"),
        (lambda path: os.mkfifo(path), "there is no such file"),
        (lambda path: path.touch(), "not a TIFF, PNG, JPEG or BMP"),
        (lambda path: path.write_bytes(b"GIF89a" * 20), "not a TIFF, PNG"),
        (lambda path: path.write_bytes(b"%!PS-Adobe-3.0\n"), "not a TIFF, PNG"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "damaged or cut short"),
        (_mask(np.zeros((5, 12, 10), np.uint8)), "stack of 5 planes"),
        (_mask(np.zeros((12, 10), np.float32)), "pixels are float32"),
        (_mask(np.zeros((12, 10), np.int16)), "pixels are int16"),
    ],
)
def test_bad_images(tmp_path, make, sentence):
    make(tmp_path / "a.tif")
    with pytest.raises(BadImageError, match=sentence) as met:
        read_frame(tmp_path / "a.tif")
    assert "a.tif" in str(met.value)


def test_many_pages_are_a_stack(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for _ in range(100):
            tiff.write(GREY, contiguous=False)
    with pytest.raises(BadImageError, match="stack"):
        read_frame(tmp_path / "a.tif")


def test_an_ome_header_opens_no_other_file(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    tifffile.imwrite(other / "b.ome.tif", GREY + 100, ome=True)
    tifffile.imwrite(tmp_path / "a.ome.tif", GREY, ome=True)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        text = tiff.pages[0].description
    pointing = text.replace(
        "</TiffData>", '<UUID FileName="other/b.ome.tif">urn:uuid:1</UUID></TiffData>'
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", GREY, description=pointing, metadata=None)
    np.testing.assert_array_equal(read_frame(tmp_path / "a.ome.tif").pixels, GREY)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_frame_has_at_most_so_many_pixels(tmp_path, monkeypatch, suffix, channels):
    pixels = GREY if channels == 1 else np.stack([GREY] * 3, axis=2)
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    monkeypatch.setattr(picture, "MAX_PIXELS", GREY.size)
    assert read_frame(tmp_path / f"a.{suffix}").pixels.shape == GREY.shape
    monkeypatch.setattr(picture, "MAX_PIXELS", GREY.size - 1)
    with pytest.raises(BadImageError, match="give frames of at most 119 pixels"):
        read_frame(tmp_path / f"a.{suffix}")


def test_the_spread_of_a_channel_is_that_of_all_its_rows():
    deep = np.random.default_rng(0).integers(0, 65536, (700, 9), np.uint16)
    assert planes._spread(deep) == pytest.approx(deep.std())
    assert planes._spread(np.full((3, 3), 65535, np.uint16)) == pytest.approx(0)


# --- writing -----------------------------------------------------------------
