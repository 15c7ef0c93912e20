"""What files say of the size of a pixel, and what of it is believed."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from training.storage.decoding import decode
from training.storage.images import read_frame
from training.storage.pixel_size import read_pixel_size

GREY = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


def ome(path, **said):
    tifffile.imwrite(path, GREY, ome=True, metadata={"axes": "YX", **said})


@pytest.mark.parametrize(
    ("side", "unit", "expected"),
    [
        (0.25, "µm", 0.25),
        (250.0, "nm", 0.25),
        (0.00025, "mm", 0.25),
        (5.5, "µm", 5.5),
        (1.0, "pixel", None),
        (0.0, "µm", None),
    ],
)
def test_ome_says_it_in_its_unit(tmp_path, side, unit, expected):
    path = tmp_path / "a.ome.tif"
    said = {f"PhysicalSize{axis}": side for axis in "XY"}
    ome(path, **said, PhysicalSizeXUnit=unit, PhysicalSizeYUnit=unit)
    found = decode(path).pixel_size
    assert found == (None if expected is None else pytest.approx(expected))
    assert read_frame(path).pixel_size == found
    assert read_pixel_size(path, GREY.shape) == found


def test_pixels_that_are_not_square_have_no_size(tmp_path):
    path = tmp_path / "a.ome.tif"
    ome(path, PhysicalSizeX=0.25, PhysicalSizeY=0.5)
    assert decode(path).pixel_size is None


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("um", 0.32), ("micron", 0.32), (r"\u00B5m", 0.32), ("pixel", None)],
)
def test_imagej_says_pixels_in_its_unit(tmp_path, unit, expected):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        GREY,
        imagej=True,
        resolution=(1 / 0.32, 1 / 0.32),
        metadata={"unit": unit},
    )
    found = decode(path).pixel_size
    assert found == (None if expected is None else pytest.approx(0.32, rel=1e-4))


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((31_250, 31_250), "CENTIMETER", 0.32),
        ((79_375, 79_375), "INCH", 0.32),
        ((72, 72), "INCH", None),
        ((300, 300), "INCH", None),
        ((10_000_000, 10_000_000), "CENTIMETER", None),
        ((31_250, 31_250), "NONE", None),
        ((31_250, 15_000), "CENTIMETER", None),
    ],
)
def test_a_resolution_counts_where_it_is_one_of_a_microscope(
    tmp_path, resolution, unit, expected
):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, GREY, resolution=resolution, resolutionunit=unit, metadata=None
    )
    found = decode(path).pixel_size
    assert found == (None if expected is None else pytest.approx(expected))


def test_packed_files_say_it_too(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(GREY.astype(np.uint8)).save(
        path, compression="jpeg", dpi=(79_375, 79_375)
    )
    assert decode(path).pixel_size == pytest.approx(0.32)


def test_other_files_say_nothing(tmp_path):
    plain, broken = tmp_path / "a.png", tmp_path / "b.tif"
    Image.fromarray(GREY.astype(np.uint8)).save(plain)
    broken.write_bytes(b"II*\0" + b"\xff" * 40)
    assert decode(plain).pixel_size is None
    for path in (plain, broken, tmp_path / "none.tif"):
        assert read_pixel_size(path, GREY.shape) is None


def test_a_picture_of_another_size_is_not_asked(tmp_path):
    path = tmp_path / "a.ome.tif"
    ome(path, PhysicalSizeX=0.25, PhysicalSizeY=0.25)
    assert read_pixel_size(path, (10, 15)) is None
