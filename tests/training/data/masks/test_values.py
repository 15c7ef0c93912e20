"""A mask gives the same nuclei in whatever way they are written down."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from training.data.cells.extraction import label_nuclei
from training.data.masks.files import understand_mask
from training.errors import BadMaskError


def discs(shape=(150, 190), radius=9, step=26, most=255):
    """Return discs numbered from 1, none at the edge of the image."""
    labels = np.zeros(shape, np.int32)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    places = [
        (y, x)
        for y in range(20, shape[0] - 14, step)
        for x in range(20, shape[1] - 14, step)
    ]
    for number, (y, x) in enumerate(places[:most], 1):
        labels[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = number
    return labels


LABELS = discs()
N = int(LABELS.max())
INSIDE = LABELS > 0


def read(path, pixels, **how):
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, **how)
    else:
        pixels = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        pixels.save(path, **how)
    return understand_mask(path, LABELS.shape)


def check(reading, meaning):
    """See that each disc is one nucleus, and that it is said what they were."""
    assert reading.meaning == meaning
    check_nuclei(reading)


def check_nuclei(reading):
    found = label_nuclei(reading.labels)
    np.testing.assert_array_equal(found > 0, INSIDE)
    pairs = np.unique(np.stack([found[INSIDE], LABELS[INSIDE]]), axis=1)
    assert pairs.shape[1] == N == len(np.unique(pairs[0]))


SPREADS = {
    "from 1": lambda labels: labels,
    "to 255": lambda labels: labels * (255 // N),
    "from 1000": lambda labels: np.where(labels, labels + 1000, 0),
}


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize(
    "dtype", ["u1", "u2", ">u2", "i2", "i4", "u4", "i8", "u8", "f4", "f8"]
)
@pytest.mark.parametrize("packing", [None, "zlib"])
def test_label_images(tmp_path, spread, dtype, packing):
    labels = SPREADS[spread](LABELS)
    if labels.max() > 255 and dtype == "u1":
        labels = LABELS
    reading = read(tmp_path / "m.tif", labels.astype(dtype), compression=packing)
    check(reading, "label image")
    np.testing.assert_array_equal(reading.labels, labels)


def test_labels_beyond_32_bits_are_numbered_anew(tmp_path):
    reading = read(tmp_path / "m.tif", LABELS.astype(np.uint64) * 2**50)
    check(reading, "label image")
    np.testing.assert_array_equal(reading.labels, LABELS)


def test_255_labels(tmp_path):
    labels = discs((460, 460), 8, 28)
    assert labels.max() == 255
    tifffile.imwrite(tmp_path / "m.tif", labels.astype(np.uint8))
    reading = understand_mask(tmp_path / "m.tif", labels.shape)
    assert reading.meaning == "label image"
    np.testing.assert_array_equal(reading.labels, labels)


def test_few_labels_of_which_one_is_large(tmp_path):
    labels = discs(most=3)
    labels[100:140, 20:170] = 255
    reading = read(tmp_path / "m.tif", labels.astype(np.uint8))
    assert reading.meaning == "label image"
    assert set(np.unique(reading.labels)) == {0, 1, 2, 3, 255}


@pytest.mark.parametrize("background", [1, 7])
def test_a_background_that_is_not_0(tmp_path, background):
    labels = np.where(INSIDE, LABELS + background, background).astype(np.uint8)
    check(read(tmp_path / "m.png", labels), "label image")


# -- binary


def smaller(how):
    grey = Image.fromarray(np.uint8(255 * INSIDE))
    height, width = LABELS.shape
    return grey.resize((width // 2, height // 2), how).resize((width, height), how)


@pytest.mark.parametrize("how", ["BILINEAR", "BICUBIC", "LANCZOS"])
@pytest.mark.parametrize("top", [255, 200])
def test_soft_edges(tmp_path, how, top):
    soft = np.asarray(smaller(getattr(Image.Resampling, how)), np.uint16) * top // 255
    reading = read(tmp_path / "m.png", soft.astype(np.uint8))
    assert reading.meaning == "binary mask with soft edges"
    assert label_nuclei(reading.labels).max() == N
    assert ((reading.labels > 0) != INSIDE).mean() < 0.02


@pytest.mark.parametrize("how", ["BILINEAR", "BICUBIC", "LANCZOS"])
@pytest.mark.parametrize("factor", [2, 4, 8, 3.7])
def test_soft_edges_that_were_enlarged(tmp_path, how, factor):
    soft = smaller(getattr(Image.Resampling, how))
    size = [round(side * factor) for side in soft.size]
    soft.resize(size, Image.Resampling.NEAREST).save(tmp_path / "m.png")
    reading = understand_mask(tmp_path / "m.png", (size[1], size[0]))
    assert reading.meaning == "binary mask with soft edges"
    assert len(reading.nuclei) == N


@pytest.mark.parametrize("factor", [1, 4])
@pytest.mark.parametrize("offset", [0, 1000])
def test_labels_in_contact_are_no_soft_edges(tmp_path, factor, offset):
    labels = discs(radius=12, step=23)
    labels = np.where(labels, labels + offset, 0)
    labels = np.kron(labels, np.ones((factor, factor), int))
    tifffile.imwrite(tmp_path / "m.tif", labels.astype(np.uint16))
    reading = understand_mask(tmp_path / "m.tif", labels.shape)
    assert reading.meaning == "label image"
    np.testing.assert_array_equal(reading.labels, labels)


def test_jpeg_that_was_enlarged(tmp_path):
    out = io.BytesIO()
    Image.fromarray(np.uint8(255 * INSIDE)).save(out, "JPEG", quality=60)
    large = Image.open(out).resize((4 * 190, 4 * 150), Image.Resampling.NEAREST)
    large.save(tmp_path / "m.png")
    reading = understand_mask(tmp_path / "m.png", (600, 760))
    assert reading.meaning == "binary mask with soft edges"
    assert len(reading.nuclei) == N


def test_probabilities(tmp_path):
    soft = np.asarray(smaller(Image.Resampling.BILINEAR), np.float32) / 255
    reading = read(tmp_path / "m.tif", soft)
    assert reading.meaning == "binary mask with soft edges"
    assert label_nuclei(reading.labels).max() == N


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg(tmp_path, mode):
    image = Image.fromarray(np.uint8(255 * INSIDE)).convert(mode)
    reading = read(tmp_path / "m.jpg", image, quality=60)
    assert reading.meaning == "binary mask with soft edges"
    assert label_nuclei(reading.labels).max() == N


@pytest.mark.parametrize("packing", [None, "zlib"])
@pytest.mark.parametrize("stored", ["as said", "only shown so"])
def test_white_is_zero(tmp_path, packing, stored):
    mask = np.uint8(255 * (~INSIDE if stored == "as said" else INSIDE))
    how = {"photometric": "miniswhite", "compression": packing}
    check(read(tmp_path / "m.tif", mask, **how), "binary mask")


@pytest.mark.parametrize("packing", [None, "zlib"])
@pytest.mark.parametrize("stored", ["as said", "only shown so"])
def test_labels_of_which_white_is_zero(tmp_path, packing, stored):
    labels = LABELS.astype(np.uint16)
    how = {"photometric": "miniswhite", "compression": packing}
    stored = ~labels if stored == "as said" else labels
    check(read(tmp_path / "m.tif", stored, **how), "label image")


def test_dark_nuclei_on_bright(tmp_path):
    reading = read(tmp_path / "m.png", np.uint8(255 * ~INSIDE))
    check(reading, "binary mask, nuclei dark on bright")


@pytest.mark.parametrize("packing", ["raw", "group4", "tiff_deflate", "packbits"])
def test_one_bit(tmp_path, packing):
    path = tmp_path / "m.tif"
    Image.fromarray(INSIDE).save(path, compression=packing)
    check(understand_mask(path, LABELS.shape), "binary mask")


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize("opacity", [255, 127, 20])
def test_the_alpha_channel(tmp_path, mode, grey, opacity):
    image = Image.new(mode, LABELS.shape[::-1], (grey,) * (len(mode)))
    image.putalpha(Image.fromarray(np.uint8(opacity * INSIDE)))
    check(read(tmp_path / "m.png", image), "mask in the alpha channel")


@pytest.mark.parametrize("opacity", [255, 90])
def test_an_alpha_channel_that_is_alike_says_nothing(tmp_path, opacity):
    image = Image.fromarray(np.uint8(255 * INSIDE)).convert("RGBA")
    image.putalpha(opacity)
    check(read(tmp_path / "m.png", image), "binary mask")


# -- indices and colours


def indexed(indices, palette):
    image = Image.fromarray(indices.astype(np.uint8)).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(palette.ravel().tolist())
    return image


PALETTE = np.random.default_rng(0).integers(30, 256, (256, 3))


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_indices_are_labels(tmp_path, suffix):
    reading = read(tmp_path / f"m.{suffix}", indexed(LABELS, PALETTE))
    check(reading, "indexed image")
    np.testing.assert_array_equal(reading.labels, LABELS)


@pytest.mark.parametrize("packing", [None, "tiff_lzw", "tiff_deflate"])
def test_indices_of_a_tiff(tmp_path, packing):
    path = tmp_path / "m.tif"
    indexed(LABELS, PALETTE).save(path, compression=packing)
    check(understand_mask(path, LABELS.shape), "indexed image")


def test_an_index_of_the_background_that_is_not_0(tmp_path):
    indices = np.where(INSIDE, LABELS - 1, 99)
    check(read(tmp_path / "m.png", indexed(indices, PALETTE)), "indexed image")


def test_two_indices_are_a_mask_by_their_brightness(tmp_path):
    palette = np.array([[255, 255, 255], [0, 0, 0]])
    check(read(tmp_path / "m.png", indexed(~INSIDE, palette)), "binary mask")


def in_colours(codes, order):
    return np.stack([codes >> shift & 255 for shift in order], axis=2).astype(np.uint8)


@pytest.mark.parametrize("order", [(16, 8, 0), (0, 8, 16)])
def test_labels_packed_into_colours(tmp_path, order):
    labels = np.where(INSIDE, LABELS + 240, 0)
    reading = read(tmp_path / "m.png", in_colours(labels, order))
    check(reading, "labels packed into colours")
    np.testing.assert_array_equal(reading.labels, labels)


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (9, 0, 70)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_one_colour_a_nucleus(tmp_path, background, dtype):
    colours = PALETTE[LABELS].astype(dtype) * (257 if dtype == np.uint16 else 1)
    colours[~INSIDE] = background
    reading = read(tmp_path / "m.tif", colours, photometric="rgb")
    check(reading, "one colour a nucleus")


def test_one_colour_of_all(tmp_path):
    red = np.zeros((*LABELS.shape, 3), np.uint8)
    red[INSIDE] = (200, 0, 0)
    check(read(tmp_path / "m.png", red), "binary mask")
    red[~INSIDE], red[INSIDE] = (0, 0, 90), (200, 30, 0)
    check(read(tmp_path / "m.png", red), "binary mask in colours")


def test_colours_without_limits_are_refused(tmp_path):
    colours = Image.fromarray(np.uint8(PALETTE[LABELS] * INSIDE[:, :, None]))
    half = [side // 3 for side in colours.size]
    soft = colours.resize(half).resize(colours.size, Image.Resampling.BICUBIC)
    with pytest.raises(BadMaskError, match="colours pass into each other"):
        read(tmp_path / "m.png", soft)


# -- classes


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_classes_are_parted(tmp_path, classes):
    numbers = np.where(INSIDE, LABELS % classes + 1, 0).astype(np.uint8)
    reading = read(tmp_path / "m.png", numbers)
    words = f"{classes} classes on {N} pieces, each taken as a nucleus"
    check(reading, f"label image of {words}")


def test_a_number_on_two_pieces_makes_no_classes(tmp_path):
    labels = np.where(LABELS == N, 1, LABELS).astype(np.uint8)
    reading = read(tmp_path / "m.png", labels)
    assert reading.meaning == "label image"
    np.testing.assert_array_equal(reading.labels, labels)


def test_a_class_of_few_is_no_boundary(tmp_path):
    numbers = np.where(INSIDE, np.where(LABELS % 9 == 0, 2, 1), 0).astype(np.uint8)
    reading = read(tmp_path / "m.png", numbers)
    check(reading, f"label image of 2 classes on {N} pieces, each taken as a nucleus")


# -- numbers that ran out


@pytest.mark.parametrize("stored", ["wrapped", "clipped"])
def test_more_nuclei_than_numbers_are_parted_and_said(tmp_path, stored):
    labels = discs((300, 460), 4, 14, most=600)
    count = int(labels.max())
    assert count > 512
    few = labels % 256 if stored == "wrapped" else np.minimum(labels, 255)
    tifffile.imwrite(tmp_path / "m.tif", few.astype(np.uint8))
    reading = understand_mask(tmp_path / "m.tif", labels.shape)
    lost = 2 if stored == "wrapped" else 0
    assert len(reading.nuclei) == count - lost
    assert "more than 255 nuclei are numbered in 8 bits" in reading.notes[0]


def test_as_many_numbers_as_nuclei_are_kept_in_16_bits(tmp_path):
    labels = discs((300, 460), 4, 14, most=600)
    tifffile.imwrite(tmp_path / "m.tif", labels.astype(np.uint16))
    reading = understand_mask(tmp_path / "m.tif", labels.shape)
    assert reading.notes == ()
    np.testing.assert_array_equal(reading.labels, labels)


# -- what is no mask


def photograph():
    rng = np.random.default_rng(0)
    return np.where(INSIDE, rng.integers(80, 200, LABELS.shape), 12).astype(np.uint8)


def lossy_labels():
    out = io.BytesIO()
    Image.fromarray(np.uint8(LABELS * 7)).save(out, "JPEG", quality=70)
    return np.asarray(Image.open(out))


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (photograph(), "are not labels"),
        (lossy_labels(), "are not labels"),
        (np.kron(lossy_labels(), np.ones((4, 4), np.uint8)), "are not labels"),
        (LABELS / 7.0, "are not labels"),
        (LABELS.astype(np.int16) - 1, "are not labels"),
        (np.where(INSIDE, np.nan, 0), "are not labels"),
        (np.stack([LABELS.astype(np.uint8)] * 5), "a stack of QYX"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, pixels, sentence):
    tifffile.imwrite(tmp_path / "m.tif", pixels)
    with pytest.raises(BadMaskError, match=sentence):
        understand_mask(tmp_path / "m.tif", pixels.shape[-2:])


# -- any of them


@st.composite
def written(draw):
    """Draw a mask of the discs: its pixels and how `tifffile` writes them."""
    kind = draw(st.sampled_from(["labels", "binary", "colours"]))
    how = {"compression": draw(st.sampled_from([None, "zlib", "lzma"]))}
    how["predictor"] = how["compression"] == "zlib" and draw(st.booleans())
    how["byteorder"] = draw(st.sampled_from("<>"))
    if draw(st.booleans()):
        how["tile"] = (32, 48)
    else:
        how["rowsperstrip"] = draw(st.sampled_from([1, 7, 64, 150]))
    if kind == "colours":
        how["photometric"] = "rgb"
        how["planarconfig"] = draw(st.sampled_from(["contig", "separate"]))
        pixels = np.uint8(PALETTE[LABELS] * INSIDE[:, :, None])
        if how["planarconfig"] == "separate":
            pixels = np.moveaxis(pixels, 2, 0)
        return pixels, how
    kinds = ["u1", "u2", "u4", "i4"] + ["i8", "u8"] * (not how["predictor"])
    dtype = draw(st.sampled_from(kinds))
    values = LABELS * draw(st.integers(1, 255 // N)) if kind == "labels" else INSIDE
    return values.astype(dtype), how


@settings(max_examples=60, deadline=None)
@given(written())
def test_a_mask_is_the_same_however_it_is_written(tmp_path_factory, made):
    pixels, how = made
    path = tmp_path_factory.mktemp("masks") / "m.tif"
    tifffile.imwrite(path, pixels, **how)
    check_nuclei(understand_mask(path, LABELS.shape))
