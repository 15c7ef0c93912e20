"""How large nuclei are in what is trained on, in each kind of data."""

import math

import pytest

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.folder import write_cell_folder
from training.data.cells.nucleus_share import nucleus_share
from training.data.layouts import read_collection


def diameter(radius):
    """Of a circle as large as the pixels of a drawn disc."""
    inside = sum(
        y * y + x * x <= radius * radius
        for y in range(-radius, radius + 1)
        for x in range(-radius, radius + 1)
    )
    return 2 * math.sqrt(inside / math.pi)


def test_cells_that_come_cut_are_measured_by_their_masks(write_task1, tmp_path):
    found = nucleus_share(write_task1(tmp_path / "task1", cells=1))
    # The three images have 55, 56 and 57 rows, and two columns more.
    assert found == pytest.approx(diameter(20) / math.sqrt(56 * 58), abs=1e-6)


def test_cells_without_a_mask_tell_nothing(write_task1, tmp_path):
    root = write_task1(tmp_path / "task1", cells=1)
    for mask in (root / "train").glob("*_Mask.png"):
        mask.unlink()
    assert nucleus_share(root) is None


def test_frames_are_measured_in_the_crops_that_are_trained_on(write_task2, tmp_path):
    assert nucleus_share(write_task2(tmp_path / "task2")) == pytest.approx(
        diameter(12) / 77
    )


def test_cells_of_a_cell_folder_in_crops_of_its_size(write_task2, tmp_path):
    settings = ExtractionSettings(size=41)
    collection = read_collection(write_task2(tmp_path / "task2"))
    out = tmp_path / "cells"
    list(write_cell_folder(collection, out, settings, SegmentationSettings()))
    assert nucleus_share(out) == pytest.approx(diameter(12) / 41)


def test_a_share_that_no_crop_has_is_not_told(write_task2, tmp_path):
    settings = ExtractionSettings(size=9)
    out = tmp_path / "cells"
    collection = read_collection(write_task2(tmp_path / "task2"))
    list(write_cell_folder(collection, out, settings, SegmentationSettings()))
    assert nucleus_share(out) is None
