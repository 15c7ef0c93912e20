"""Cells are where the mask says, the crops are exact, and each drop has its reason."""

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage.measure import label, regionprops

from training.config import (
    ExtractionSettings,
    SegmentationSettings,
    SimulationSettings,
)
from training.data.cells import extraction
from training.data.cells.crop_size import NUCLEI
from training.data.cells.extraction import (
    DROP_REASONS,
    FLAGS,
    _cells,
    cell_id,
    crop_boxes,
    cut,
    extract_cells,
    extract_frame,
    extracting,
    label_nuclei,
    sharpness,
    usual_area,
)
from training.data.layouts import Frame, read_collection
from training.data.masks.files import read_mask
from training.data.masks.nuclei import find_nuclei
from training.data.masks.segmentation import FoundNuclei
from training.data.simulation import simulate
from training.errors import BadMaskError
from training.steps import drain
from training.storage.images import read_frame

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


def test_a_line_that_a_person_drew_keeps_both_halves():
    mask = np.zeros((60, 120), np.int32)
    mask[20:40, 20:30] = 1
    mask[20:40, 30:40] = 2  # against the first for a third of its outline
    mask[20:40, 70:90] = 3
    nuclei = find_nuclei(mask)
    drawn = _cells(mask.astype(np.uint8), nuclei, ExtractionSettings(), as_given=True)
    assert drawn.table["dropped"].tolist() == ["", "", ""]
    found = extract_cells(mask.astype(np.uint8), mask, ExtractionSettings())
    assert found.table["dropped"].tolist() == ["touching", "touching", ""]


@pytest.mark.parametrize("keep", [False, True])
def test_mitoses_are_dropped_and_counted(keep):
    mask = _discs((120, 200), [(60, 40, 14), (60, 100, 14), (60, 160, 14)])
    labels = label_nuclei(mask)
    found = FoundNuclei(
        labels,
        np.array([0.9, 0.4, 0.9], np.float32),
        np.array([False, False, True]),
    )
    settings = ExtractionSettings(keep_mitotic=keep)
    cells = extract_cells(mask.astype(np.uint8), labels, settings, found)
    assert cells.table["dropped"].tolist() == ["", "", "" if keep else "mitotic"]
    flags = [set(codes.split(";")) for codes in cells.table["flags"]]
    assert ["unsure-outline" in codes for codes in flags] == [False, True, False]
    assert ["mitosis" in codes for codes in flags] == [False, False, True]
    assert cells.table["confidence"].tolist() == pytest.approx([0.9, 0.4, 0.9])
    assert "1 mitosis" in cells.notes


def _at_once(found):
    yield 1.0
    return found


def test_an_edited_mask_keeps_what_the_image_says_of_each_nucleus(monkeypatch):
    image = np.zeros((40, 60), np.uint8)
    before = np.zeros(image.shape, np.int32)
    before[5:15, 5:15], before[5:15, 30:40] = 1, 2
    found = FoundNuclei(before, np.array([0.8, 0.6], "f4"), np.array([True, False]))
    seen = SimpleNamespace(find_all=lambda _: _at_once(found))
    monkeypatch.setattr(extraction, "NucleusFinder", lambda _: seen)
    after = np.zeros_like(before)
    after[5:15, 5:14], after[25:35, 30:40] = 4, 2  # reshaped, and drawn elsewhere
    known = drain(extraction._found_again(image, after, SegmentationSettings()))
    assert known.mitotic.tolist() == [False, False, False, True]
    assert known.confidence[3] == pytest.approx(0.8)
    assert np.isnan(known.confidence[:3]).all()


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


@pytest.mark.parametrize("top", [1023, 3800, 4095, 16383, 65535])
@pytest.mark.parametrize("hot", [False, True])
def test_a_camera_saturates_at_its_own_top(top, hot):
    mask = _discs((80, 160), [(40, 40, 20), (40, 110, 20)], labelled=True)
    grey = np.random.default_rng(0).normal(0.5 * top, 0.08 * top, mask.shape)
    image = np.where(mask > 0, grey, 0.02 * top).clip(0, top).astype(np.uint16)
    image[38:42, 35:45] = top
    if hot and top < 65535:
        image[1, 1] = 65535
    flags = extract_cells(image, mask, ExtractionSettings()).table["flags"]
    assert ["saturated" in one for one in flags] == [True, False]


@pytest.mark.parametrize("scale", [1, 16])
def test_bright_cells_are_not_saturated(scale):
    mask = _discs((80, 160), [(40, 40, 20), (40, 110, 20)], labelled=True)
    grey = np.random.default_rng(0).normal(180, 20, mask.shape).clip(0, 254)
    image = np.where(mask > 0, grey.astype(np.uint16), 4) * np.uint16(scale)
    flags = extract_cells(image, mask, ExtractionSettings()).table["flags"]
    assert not any("saturated" in one for one in flags)


def _barred():
    """Return a noisy frame, the same with a scale bar by a nucleus, and the mask."""
    rng = np.random.default_rng(4)
    mask = _discs((160, 240), [(45, 60, 14), (45, 170, 14), (115, 120, 14)])
    frame = rng.integers(10, 20, mask.shape).astype(np.uint8)
    frame[mask > 0] = rng.integers(70, 140, int((mask > 0).sum()))
    barred = frame.copy()
    barred[68:76, 30:100] = 255
    return frame, barred, mask


def test_a_scale_bar_is_left_out_of_crops_flags_and_quality():
    from training.curation.quality import measure_quality

    frame, barred, mask = _barred()
    rules = ExtractionSettings(size=61)
    clean, found = (extract_cells(image, mask, rules) for image in (frame, barred))
    assert found.notes[0] == "a burnt-in scale bar was left out"
    assert clean.notes == found.notes[1:]
    assert found.table.equals(clean.table)
    assert cut(barred, crop_boxes([45], [60], 61)).max() == 255
    assert found.crops.max() == clean.crops.max()
    measured, expected = (measure_quality(one.crops) for one in (found, clean))
    for column in ("signal", "saturation", "brightness", "area"):
        assert measured[column].tolist() == pytest.approx(
            expected[column].tolist(), rel=0.05, abs=0.01
        )


def test_a_long_saturated_nucleus_is_no_scale_bar():
    _, barred, mask = _barred()
    mask[68:76, 30:100] = 1
    found = extract_cells(barred, mask, ExtractionSettings(size=61))
    assert found.scale_bars == ()
    assert found.crops.max() == 255


def test_a_number_on_many_far_pieces_is_dropped():
    centres = [(30 + 50 * (k // 5), 30 + 50 * (k % 5)) for k in range(20)]
    mask = _discs((240, 290), [(y, x, 12) for y, x in centres], labelled=True)
    mask[mask > 2] = 3
    image = np.where(mask, 90, 9).astype(np.uint8)
    table = extract_cells(image, mask, ExtractionSettings()).table
    assert dict(zip(table["label"], table["dropped"], strict=True))[3] == "pieces"


def test_a_frame_of_which_no_nucleus_is_kept_says_why():
    mask = _discs((60, 150), [(30, 30, 12), (30, 75, 12), (5, 120, 12)], labelled=True)
    image = np.where(mask, 90, 9).astype(np.uint8)
    rules = ExtractionSettings()
    assert extract_cells(image, mask, rules).none_kept == ""
    mask[mask == 2] = 1
    found = extract_cells(image, mask, rules)
    assert found.none_kept == "2 nuclei, none kept: 1 pieces, 1 border"
    assert found.none_kept in found.notes


def test_a_declared_depth_says_where_a_camera_ends(tmp_path):
    mask = _discs((80, 160), [(40, 40, 20), (40, 110, 20)], labelled=True)
    grain = np.random.default_rng(0).integers(10, 90, mask.shape)
    grey = np.where(mask > 0, 994, grain).astype(np.uint16)
    grey[mask > 0] += np.arange((mask > 0).sum(), dtype=np.uint16) % 30
    tifffile.imwrite(tmp_path / "m.tif", mask.astype(np.uint8))
    for bits, flags in ((10, [True, True]), (12, [False, False])):
        said = {"SignificantBits": bits}
        path = tmp_path / f"{bits}.tif"
        tifffile.imwrite(path, grey, ome=True, metadata=said)
        frame = Frame("a", path, tmp_path / "m.tif")
        cells = extract_frame(frame, ExtractionSettings(), SegmentationSettings())
        assert ["saturated" in one for one in cells.cells.table["flags"]] == flags


def test_a_number_on_two_far_pieces_is_dropped():
    discs = [(30, 30, 12), (30, 75, 12), (30, 120, 12)]
    mask = _discs((60, 150), discs, labelled=True)
    halves, far = mask.copy(), mask.copy()
    halves[:, 75] = 0
    far[far == 3] = 1
    image = np.where(mask, 90, 9).astype(np.uint8)
    dropped = [
        dict(zip(table["label"], table["dropped"], strict=True))
        for table in (
            extract_cells(image, labels, ExtractionSettings()).table
            for labels in (halves, far)
        )
    ]
    assert dropped == [{1: "", 2: "", 3: ""}, {1: "pieces", 2: ""}]


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
    assert list(DROP_REASONS) == ["border", "mitotic", "tiny", "touching", "pieces"]
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


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_sharpness_is_brenners_of_the_averaged_frame(depth):
    rng = np.random.default_rng(0)
    image = rng.integers(0, np.iinfo(depth).max, (150, 40), depth, endpoint=True)
    labels = rng.integers(0, 4, image.shape).astype(np.int32)
    smooth = ndimage.uniform_filter(image.astype(np.float64), 3, mode="nearest")
    brenner = np.zeros(image.shape)
    brenner[:, 1:-1] = (smooth[:, 2:] - smooth[:, :-2]) ** 2
    expected = [
        brenner[labels == number].mean() / image[labels == number].mean() ** 2
        for number in (1, 2, 3)
    ]
    np.testing.assert_allclose(sharpness(image, find_nuclei(labels))[0], expected)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Frames of each pattern with their masks, as written to the disk."""
    folder = tmp_path_factory.mktemp("simulated")
    words = {"specimens": "6", "seed": "4", "cells_min": "60", "cells_max": "60"}
    words |= {"height": "700", "width": "900"}
    patterns = {"patterns": "Homogeneous,Speckled,Nucleolar,Centromere,NuMem,Golgi"}
    list(simulate(folder, SimulationSettings.parse(words | patterns)))
    frames = [s.frames[0] for s in read_collection(folder).specimens]
    pairs = [(read_frame(f.image).pixels, f.mask) for f in frames]
    return [(image, read_mask(mask, image.shape)) for image, mask in pairs]


def test_simulated_frames_give_what_a_loop_over_regions_gives(simulated):
    """Crops, centroids, flags and reasons, each by its definition, nucleus by nucleus.

    Nuclei that grew until they touch are there too, as a label image.
    """
    reasons, flags = set(), set()
    for image, mask in simulated:
        grown = ndimage.grey_dilation(label_nuclei(mask), size=(13, 13))
        for labels in (mask, grown):
            table = extract_cells(image, labels, ExtractionSettings()).table
            expected = plain_table(image, labels, ExtractionSettings())
            assert table["flags"].tolist() == expected["flags"]
            assert table["dropped"].tolist() == expected["dropped"]
            centroids = table[["y", "x"]].to_numpy()
            np.testing.assert_allclose(centroids, expected["centroids"], rtol=1e-12)
            crops = extract_cells(image, labels, ExtractionSettings()).crops
            np.testing.assert_array_equal(crops, expected["crops"])
            reasons |= set(table["dropped"])
            flags |= {code for joined in table["flags"] for code in joined.split(";")}
    assert reasons == {"", "border", "tiny", "touching"}
    assert flags >= {"", "contact", "overhang", "out-of-focus"}


def plain_table(image, mask, rules):
    """Cut cells as the definitions say, without a thought for time."""
    parted = label(mask) if mask.max() == 1 else mask
    regions = regionprops(parted)
    padded = np.pad(image, 38, mode="reflect")
    smooth = ndimage.uniform_filter(image.astype(np.float64), 3, mode="nearest")
    brenner = np.zeros(image.shape)
    brenner[:, 1:-1] = (smooth[:, 2:] - smooth[:, :-2]) ** 2
    inside = [tuple(r.coords.T) for r in regions]
    sharp = [brenner[at].mean() / image[at].mean() ** 2 for at in inside]
    usual = usual_area(np.array([int(r.area) for r in regions]), rules.tiny_share)
    found = {"flags": [], "dropped": [], "centroids": [], "crops": []}
    height, width = image.shape
    for region, at, sharpness_of in zip(regions, inside, sharp, strict=True):
        y, x = (round(c) for c in region.centroid)
        box = np.array([y - 38, x - 38, y + 39, x + 39])
        contact = contact_of(parted, region.label, at)
        codes = {
            "contact": contact > 0,
            "overhang": box.min() < 0 or box[2] > height or box[3] > width,
            "saturated": image.max() == 255 and (image[at] == 255).mean() > 0.02,
            "out-of-focus": sharpness_of < rules.focus_share * np.median(sharp),
        }
        found["flags"].append(
            ";".join(code for code, is_set in codes.items() if is_set)
        )
        found["centroids"].append(region.centroid)
        found["crops"].append(padded[y : y + 77, x : x + 77])
        edge = min(at[0].min(), at[1].min()) == 0
        edge |= at[0].max() == height - 1 or at[1].max() == width - 1
        merged = region.area > rules.merged_share * usual
        merged = merged and plain_solidity(region) < rules.merged_solidity
        tiny = region.area < max(rules.min_area, rules.tiny_share * usual)
        reasons = {"border": edge, "tiny": tiny, "touching": merged}
        reasons["touching"] |= contact >= rules.contact_share
        found["dropped"].append(next((r for r, holds in reasons.items() if holds), ""))
    return found


def contact_of(labels, own, at):
    padded = np.pad(labels, 1, constant_values=-1)
    beside = np.stack(
        [padded[at[0] + dy, at[1] + dx] for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2))]
    )
    outline = (beside != own) & (beside >= 0)
    return (outline & (beside > 0)).sum() / max(outline.sum(), 1)


def plain_solidity(region):
    corners = [np.add(region.coords, (dy, dx)) for dy in (0, 1) for dx in (0, 1)]
    return region.area / ConvexHull(np.concatenate(corners)).volume


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


def test_the_size_of_a_pixel_and_nuclei_of_a_wrong_size_are_told(tmp_path):
    frame, _, mask = _barred()
    image, mask_path = tmp_path / "a.tif", tmp_path / "a_mask.tif"
    Image.fromarray(mask * np.uint8(255)).save(mask_path)
    settings = ExtractionSettings(size=45), SegmentationSettings()
    for side, across in ((0.6, 17), (1.6, 44.7)):
        dpi = 25_400 / side
        Image.fromarray(frame).save(image, dpi=(dpi, dpi))
        found = extract_frame(Frame("a", image, mask_path), *settings)
        assert found.pixel_size == pytest.approx(side)
        is_odd = across > NUCLEI[1]
        assert found.notes == ((found.odd_size,) if is_odd else ())
        assert found.odd_size.startswith(f"nuclei are {across}" if is_odd else "")
        assert found.read_as == ("binary mask",)


def test_ids():
    assert cell_id("00001_p0", 7) == "00001_p0_0007"


def _noisy(mask):
    rng = np.random.default_rng(0)
    return rng.poisson(np.where(mask > 0, 80, 12)).clip(0, 255).astype(np.uint8)


def test_a_frame_is_seen_before_its_nuclei_are_looked_for(tmp_path):
    discs = [(60, 60 + 90 * k, 22) for k in range(4)]
    image = _noisy(_discs((130, 400), discs))
    Image.fromarray(image).save(tmp_path / "well.png")
    frame = Frame("well", tmp_path / "well.png", None)
    settings = SegmentationSettings(sensitivity=1.5, method="classical")
    steps = extracting(frame, ExtractionSettings(), settings)
    first = next(steps)
    np.testing.assert_array_equal(first.image, image)
    assert first.share is None
    later = list(steps)
    shares = [step.share for step in later if step.share is not None]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    cells = extract_frame(frame, ExtractionSettings(), settings)
    made = "the mask was made from the image with method=classical, sensitivity=1.5"
    assert made in cells.notes
