"""Cells are where the mask says, the crops are exact, and each drop has its reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.measure import regionprops

from training.config import ExtractionSettings, SegmentationSettings
from training.data.extraction import (
    DROP_REASONS,
    FLAGS,
    cell_id,
    crop_boxes,
    extract_cells,
    extract_frame,
    label_nuclei,
    usual_area,
)
from training.data.layouts import Frame, read_collection
from training.data.nuclei import find_nuclei
from training.errors import BadMaskError

SMALL = ExtractionSettings(size=9, min_area=1)


def _discs(shape, discs, labelled=False):
    y, x = np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, np.int32)
    for k, (cy, cx, radius) in enumerate(discs, start=1):
        mask[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = k if labelled else 1
    return mask


def _row(cells, y, x):
    table = cells.table
    return table.iloc[int(np.hypot(table["y"] - y, table["x"] - x).argmin())]


def test_centroid_area_and_crop_by_hand():
    image = np.arange(15 * 20, dtype=np.uint16).reshape(15, 20)
    mask = np.zeros((15, 20), np.int32)
    mask[6:8, 7:10] = 1
    cells = extract_cells(image, mask, SMALL)
    row = cells.table.iloc[0]
    assert (row["label"], row["y"], row["x"], row["area"]) == (1, 6.5, 8.0, 6)
    # 6.5 is rounded to the even 6.
    np.testing.assert_array_equal(cells.crops[0], image[2:11, 4:13])
    assert cells.crops.dtype == np.uint16


def test_boxes_are_half_open_and_may_overhang():
    np.testing.assert_array_equal(
        crop_boxes([3.4, 50.6], [2.0, 7.5], 9), [[-1, -2, 8, 7], [47, 4, 56, 13]]
    )


def test_touching_corners_are_one_nucleus():
    mask = np.eye(3, dtype=np.int32)
    assert label_nuclei(mask).max() == 1


def test_a_label_image_keeps_its_labels():
    mask = np.zeros((20, 20), np.int32)
    mask[3:6, 3:6] = 2_000_000_000
    mask[9:12, 9:12] = 7
    table = extract_cells(mask.astype(np.uint8), mask, SMALL).table
    assert table["label"].tolist() == [7, 2_000_000_000]
    assert table["y"].tolist() == [10.0, 4.0]


def test_the_missing_part_is_mirrored():
    image = np.arange(400, dtype=np.uint16).reshape(20, 20)
    mask = np.zeros((20, 20), np.int32)
    mask[2, 10] = 1
    crop = extract_cells(image, mask, SMALL).crops[0]
    np.testing.assert_array_equal(crop[2:], image[0:7, 6:15])
    np.testing.assert_array_equal(crop[:2], image[[2, 1], 6:15])


def test_a_crop_larger_than_its_frame_is_mirrored_again():
    image = np.arange(25, dtype=np.uint8).reshape(5, 5)
    mask = np.zeros((5, 5), np.int32)
    mask[2, 2] = 1
    crops = extract_cells(image, mask, ExtractionSettings(min_area=1)).crops
    assert crops.shape == (1, 77, 77)


def test_reasons_and_flags():
    discs = [(40, 40, 12), (40, 100, 12), (5, 160, 12), (100, 14, 12), (100, 60, 4)]
    discs += [(150, 100, 12), (150, 120, 12), (100, 160, 12)]
    mask = _discs((200, 200), discs)
    cells = extract_cells((mask * 50).astype(np.uint8), mask, ExtractionSettings())
    dropped = {
        place: _row(cells, *place)["dropped"]
        for place in [(40, 40), (8, 160), (100, 14), (100, 60), (150, 110)]
    }
    assert dropped == {
        (40, 40): "",
        (8, 160): "border",
        (100, 14): "",
        (100, 60): "tiny",
        (150, 110): "touching",
    }
    assert "overhang" in _row(cells, 100, 14)["flags"].split(";")
    assert _row(cells, 100, 160)["flags"] == ""
    assert len(cells.crops) == len(cells.table) == 7


def test_border_comes_before_tiny():
    mask = _discs((120, 120), [(60, 60, 12), (60, 100, 12), (0, 10, 2)])
    cells = extract_cells(mask.astype(np.uint8), mask, ExtractionSettings())
    assert cells.table["dropped"].tolist() == ["border", "", ""]


def test_labels_in_contact_are_flagged_and_long_contact_drops():
    mask = np.zeros((100, 120), np.int32)
    mask[20:40, 20:40] = 1
    mask[38:58, 40:60] = 2  # against the first for 2 of 80 sides
    mask[70:90, 70:90] = 3
    mask[70:90, 90:110] = 4  # against the third for 20 of 80 sides
    cells = extract_cells(mask.astype(np.uint8), mask, ExtractionSettings())
    assert cells.table["dropped"].tolist() == ["", "", "touching", "touching"]
    assert all("contact" in flags.split(";") for flags in cells.table["flags"])


def test_many_specks_do_not_make_nuclei_look_large():
    areas = np.array([500, 510, 490, *[3] * 50])
    assert usual_area(areas, 0.25) == 500


def test_saturated_and_out_of_focus():
    rng = np.random.default_rng(0)
    discs = [(40, 40 + 60 * k, 14) for k in range(5)]
    mask = _discs((80, 320), discs, labelled=True)
    image = np.where(mask > 0, rng.integers(60, 140, mask.shape), 10).astype(np.uint8)
    image[mask == 2] = 255
    image[:, 190:250] = ndimage.gaussian_filter(image[:, 190:250], 5)
    flags = extract_cells(image, mask, ExtractionSettings()).table["flags"]
    assert ["saturated" in f for f in flags] == [False, True, False, False, False]
    assert "out-of-focus" in flags[3].split(";")
    assert "out-of-focus" not in flags[0].split(";")


def test_a_twelve_bit_camera_saturates_at_its_own_top():
    mask = _discs((60, 60), [(30, 30, 10)])
    image = np.where(mask, 4095, 100).astype(np.uint16)
    flags = extract_cells(image, mask, ExtractionSettings()).table["flags"][0]
    assert "saturated" in flags.split(";")


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (np.zeros((5, 5), int), "no nucleus"),
        (np.ones((4, 5), int), "its shape is"),
        (np.diag([1, -1, 2, 0, 0]), "negative labels"),
    ],
)
def test_bad_masks(mask, sentence):
    with pytest.raises(BadMaskError, match=sentence):
        extract_cells(np.zeros((5, 5), np.uint8), mask, SMALL)


def test_codes_are_explained():
    assert list(DROP_REASONS) == ["border", "tiny", "touching"]
    assert all(
        sentence.endswith(".") for sentence in {**DROP_REASONS, **FLAGS}.values()
    )


def test_even_sizes_are_refused():
    with pytest.raises(ValueError, match="odd"):
        ExtractionSettings(size=76)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.int32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=14),
        elements=st.integers(0, 5),
    )
)
def test_runs_agree_with_regionprops(labels):
    nuclei = find_nuclei(labels)
    regions = regionprops(labels)
    assert nuclei.labels.tolist() == [r.label for r in regions]
    if not regions:
        return
    assert nuclei.areas.tolist() == [int(r.area) for r in regions]
    np.testing.assert_allclose(
        np.column_stack(nuclei.centroids), [r.centroid for r in regions], rtol=1e-12
    )
    values = np.arange(labels.size, dtype=np.uint16).reshape(labels.shape)
    means = [values[labels == r.label].mean() for r in regions]
    np.testing.assert_allclose(nuclei.means(values), means, rtol=1e-12)


def test_contact_share_by_hand():
    labels = np.array([[1, 1, 0], [2, 2, 0], [0, 0, 0]], np.int32)
    # 1 has sides: two against 2, one against background; the edge does not count.
    np.testing.assert_allclose(find_nuclei(labels).contact_share(), [2 / 3, 2 / 5])


def test_solidity_by_hand():
    labels = np.array(
        [[1, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]], np.int32
    )
    # The hull of this L of 7 pixels is the square of 16 less a triangle of 3 x 3 / 2.
    assert find_nuclei(labels).solidity(0) == pytest.approx(7 / 11.5)


def test_frame_with_and_without_mask(tmp_path, write_task2):
    frame = read_collection(write_task2(tmp_path)).specimens[0].frames[0]
    given_mask = extract_frame(frame, ExtractionSettings(), SegmentationSettings())
    assert not given_mask.mask_made
    assert len(given_mask.cells.table) == 3
    bare = Frame(frame.name, frame.image, None)
    made = extract_frame(bare, ExtractionSettings(), SegmentationSettings())
    assert made.mask_made
    assert any("mask was made" in note for note in made.notes)
    places = made.cells.table[["y", "x"]].to_numpy()
    for y, x in given_mask.cells.table[["y", "x"]].to_numpy():
        assert np.hypot(*(places - (y, x)).T).min() < 3


def test_missing_mask_is_said(tmp_path, write_task2):
    frame = read_collection(write_task2(tmp_path)).specimens[0].frames[0]
    frame.mask.unlink()
    with pytest.raises(BadMaskError, match="the mask is missing"):
        extract_frame(frame, ExtractionSettings(), SegmentationSettings())


def test_ids():
    assert cell_id("00001_p0", 7) == "00001_p0_0007"
