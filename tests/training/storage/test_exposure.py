"""Exposure times as cameras and programs write them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from training.storage.exposure import exposure_ms

PIXELS = np.full((8, 8), 7, np.uint8)
OME = (
    '<?xml version="1.0"?><OME><Image><Pixels><Plane TheZ="0" {}/></Pixels></Image>'
    "</OME>"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OME.format('ExposureTime="0.25"'), 250),
        (OME.format('ExposureTime="40" ExposureTimeUnit="ms"'), 40),
        (OME.format('ExposureTime="3" ExposureTimeUnit="fortnight"'), None),
        (json.dumps({"Exposure-ms": 12.5}), 12.5),
        ("Exposure = 80", 80),
        ("no such words", None),
    ],
)
def test_texts_of_a_tiff(tmp_path, text, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, description=text, metadata=None)
    assert exposure_ms(path) == expected


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_exif(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x829A] = 0.02
    Image.fromarray(PIXELS).save(path, exif=exif)
    assert exposure_ms(path) == pytest.approx(20)


def test_what_cannot_be_read_states_none(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0torn")
    assert exposure_ms(tmp_path / "a.tif") is None
    assert exposure_ms(tmp_path / "absent.tif") is None
    assert exposure_ms(tmp_path) is None
    Image.fromarray(PIXELS).save(tmp_path / "b.png")
    assert exposure_ms(tmp_path / "b.png") is None
