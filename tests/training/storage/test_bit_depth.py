"""The bits of a camera are read where a file says them."""

import json

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from training.storage.bit_depth import bits_in_text, plausible_bits
from training.storage.decoding import decode

GREY = np.random.default_rng(0).integers(0, 4096, (30, 40), np.uint16)


def ome(path):
    tifffile.imwrite(path, GREY, ome=True, metadata={"SignificantBits": 12})


def micro_manager(path):
    said = json.dumps({"BitDepth": 12, "Camera": "any"})
    tifffile.imwrite(path, GREY, extratags=[(51123, 2, None, said, True)])


def bio_formats(path):
    info = " BitsPerPixel = 12\n DimensionOrder = XYCZT"
    tifffile.imwrite(path, GREY, imagej=True, metadata={"Info": info})


def metamorph(path):
    said = '<MetaData><prop id="camera-bit-depth" type="int" value="12"/></MetaData>'
    tifffile.imwrite(path, GREY, description=said, metadata=None)


def highest_value(path):
    tifffile.imwrite(path, GREY, extratags=[(281, 3, 1, 4095, True)])


@pytest.mark.parametrize("packing", [None, "zlib"])
@pytest.mark.parametrize(
    "write", [ome, micro_manager, bio_formats, metamorph, highest_value]
)
def test_a_declared_depth_is_read(tmp_path, monkeypatch, write, packing):
    whole = tifffile.imwrite

    def packed(*args, **how):
        whole(*args, compression=packing, **how)

    if write is not bio_formats:
        monkeypatch.setattr(tifffile, "imwrite", packed)
    write(tmp_path / "a.tif")
    assert decode(tmp_path / "a.tif").bits == 12


@pytest.mark.parametrize("most", [3711, 127, 65535])
def test_the_highest_value_of_one_picture_is_no_depth(tmp_path, most):
    tifffile.imwrite(tmp_path / "a.tif", GREY, extratags=[(281, 3, 1, most, True)])
    assert decode(tmp_path / "a.tif").bits == (16 if most == 65535 else None)


def test_a_file_that_says_nothing_has_no_depth(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    assert decode(tmp_path / "a.tif").bits is None


@settings(max_examples=200, deadline=None)
@given(st.text() | st.from_regex(r'<Pixels [^>]{0,9}SignificantBits="\d{1,30}"'))
def test_any_text_gives_a_number_or_nothing(text):
    bits = bits_in_text(text)
    assert bits is None or bits >= 0


@pytest.mark.parametrize(
    ("bits", "stored", "expected"),
    [(12, 16, True), (16, 16, True), (12, 8, False), (7, 16, False), (24, 32, False)],
)
def test_depths_that_a_camera_may_have(bits, stored, expected):
    assert plausible_bits(bits, stored) == expected
