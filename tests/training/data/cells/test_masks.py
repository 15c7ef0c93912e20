import numpy as np
import pandas as pd
import pytest
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.cells.masks import cut_masks, nucleus_masks
from training.data.layouts import read_collection
from training.data.masks.single_crops import crop_mask


@pytest.fixture
def folder(tmp_path, write_task2):
    """A cell folder of four frames of three nuclei each, with its frames beside it."""
    root = write_task2(tmp_path / "specimens")
    steps = write_cell_folder(
        read_collection(root),
        tmp_path / "cells",
        ExtractionSettings(size=41),
        SegmentationSettings(),
    )
    assert [step.fault for step in steps] == [None] * 4
    return read_cell_folder(tmp_path / "cells")


def masks_of(folder, root=None):
    return nucleus_masks(folder.crops, folder.table, root or folder.root)


def test_a_mask_is_cut_as_the_crop_is():
    labels = np.zeros((9, 9), np.int32)
    labels[0:3, 4:7], labels[4, 4] = 3, 5
    table = pd.DataFrame({"label": [3, 5], "y": [1.0, 4.0], "x": [5.0, 4.0]})
    masks = cut_masks(labels, table, 5)
    assert masks[0].astype(int).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]
    assert np.argwhere(masks[1]).tolist() == [[2, 2]]


def test_masks_come_from_the_frames(folder):
    masks = masks_of(folder)
    found = masks[0 : len(folder.crops)]
    assert masks.made == 0
    assert found.sum(axis=(1, 2)).tolist() == folder.table["area"].tolist()
    assert np.array_equal(masks[4:7], found[4:7]), "over two frames"


def test_masks_are_made_where_no_frame_is_at_hand(folder, tmp_path):
    masks = masks_of(folder, tmp_path / "elsewhere")
    found = masks[0:2]
    assert masks.made == 2
    assert np.array_equal(found[0], crop_mask(folder.crops[0]))


def test_a_mask_that_was_changed_since_is_not_believed(folder):
    path = folder.root / "train" / "00001_p0_Mask.tif"
    mask = np.array(Image.open(path))
    mask[:60, :60] = 0
    mask[25:35, 25:35] = 255
    Image.fromarray(mask).save(path)
    masks = masks_of(folder)
    found = masks[0:3]
    assert masks.made == 2, "the next one has another number now"
    assert np.array_equal(found[0], crop_mask(folder.crops[0]))


def test_a_broken_mask_is_not_believed(folder):
    (folder.root / "train" / "00001_p0_Mask.tif").write_bytes(b"no picture")
    masks = masks_of(folder)
    assert masks[0:6].shape == (6, 41, 41)
    assert masks.made == 3
