"""Nuclei beside their crops: when they fit, and what is said where they do not."""

import math

import numpy as np
import pandas as pd
import pytest

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.crop_size import CropFit, crop_fit, odd_size_note
from training.data.cells.extraction import extract_cells, extract_frame
from training.data.layouts import Frame


def disc(diameter, side=400):
    y, x = np.mgrid[:side, :side] - side / 2
    return (y**2 + x**2 <= (diameter / 2) ** 2).astype(np.int32)


def test_the_usual_nucleus_is_the_median_of_the_kept():
    table = pd.DataFrame({"area": [100, 100, 400, 9], "dropped": ["", "", "", "tiny"]})
    fit = crop_fit(table, 77)
    assert fit.diameter == pytest.approx(2 * math.sqrt(100 / math.pi))
    assert fit.size == 77
    assert crop_fit(table[table["dropped"] != ""], 77) is None


@pytest.mark.parametrize("diameter", [34.7, 48, 61.5])
def test_nuclei_of_the_published_data_fit(diameter):
    assert CropFit(diameter, 77).fits
    assert CropFit(diameter, 77).note == ""


def test_large_nuclei_are_told_with_the_size_they_need():
    fit = CropFit(149.2, 77)
    assert not fit.fits
    assert fit.better_size == 229
    assert fit.note == (
        "nuclei are 149 pixels across, too large for crops of 77: set size to 229"
    )


def test_small_nuclei_too():
    assert CropFit(20, 77).note.endswith("too small for crops of 77: set size to 31")


def test_where_no_crop_is_large_enough_the_image_is_to_be_scaled():
    fit = CropFit(300, 77)
    assert fit.better_size is None
    assert fit.note.endswith("too large for crops of 77: scale the image to 17%")


@pytest.mark.parametrize("diameter", np.linspace(6, 165, 40))
def test_the_better_size_is_a_setting_and_fits(diameter):
    size = CropFit(diameter, 77).better_size
    assert ExtractionSettings(size=size).size == size
    assert CropFit(diameter, size).fits


@pytest.mark.parametrize(
    ("diameter", "size"),
    [(47.6, 69), (51.2, 73), (52.5, 77), (53.9, 77), (55.5, 77), (57, 81), (149, 213)],
)
def test_a_size_that_is_nearly_right_for_a_model_is_kept(diameter, size):
    assert CropFit(diameter, 77).matched_size(0.7) == size


def test_the_cells_of_a_frame_say_so(tmp_path):
    import tifffile

    labels = disc(130)
    image = (labels * 90 + 10).astype(np.uint8)
    cells = extract_cells(image, labels, ExtractionSettings())
    assert cells.fit.diameter == pytest.approx(130, abs=0.5)
    assert cells.notes == (cells.fit.note,)
    better = ExtractionSettings(size=cells.fit.better_size)
    assert extract_cells(image, labels, better).notes == ()
    for name, content in (("a.tif", image), ("a_mask.tif", labels.astype(np.uint8))):
        tifffile.imwrite(tmp_path / name, content)
    frame = Frame("a", tmp_path / "a.tif", tmp_path / "a_mask.tif")
    found = extract_frame(frame, ExtractionSettings(), SegmentationSettings())
    assert found.notes == cells.notes


@pytest.mark.parametrize(
    ("diameter", "pixel_size", "odd"),
    [
        (54, 0.32, False),
        (54, 0.149, False),
        (54, 0.147, True),
        (54, 0.555, False),
        (54, 0.56, True),
        (54, None, False),
    ],
)
def test_nuclei_that_cannot_be_of_hep2_are_told(diameter, pixel_size, odd):
    note = odd_size_note(CropFit(diameter, 77), pixel_size)
    assert bool(note) == odd
    assert odd_size_note(None, pixel_size) == ""


def test_the_sentence_on_nuclei_of_a_wrong_size():
    assert odd_size_note(CropFit(54.2, 77), 1.0) == (
        "nuclei are 54.2 µm across at 1 µm per pixel, where those of HEp-2 cells have "
        "8 to 30: check the size of a pixel and the mask"
    )
