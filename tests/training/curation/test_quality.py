"""Images drawn by hand, with the values that follow from their geometry."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from training.curation.quality import (
    MEASURES,
    measure_quality,
    measure_quality_parts,
    roundness,
    sharpness,
)

SIDE = 77
Y, X = np.mgrid[:SIDE, :SIDE] - SIDE // 2


def ellipse(a, b, cy=0, cx=0):
    return ((Y - cy) / a) ** 2 + ((X - cx) / b) ** 2 <= 1


def crop_of(mask, inside=110, outside=10):
    return np.where(mask, inside, outside).astype(np.uint8)


def measured(mask, crop=None, table=None):
    """Return the measures of one crop, given its mask."""
    crop = crop_of(mask) if crop is None else crop
    return measure_quality(crop[None], mask[None], table).iloc[0]


def textured(mask, seed=0):
    rng = np.random.default_rng(seed)
    grain = ndimage.gaussian_filter(rng.normal(size=mask.shape), 2)
    crop = np.where(mask, 100 + 30 * grain / grain.std(), 10)
    return crop.clip(0, 255)


def test_a_disc_is_round_whole_and_single():
    disc = ellipse(20, 20)
    found = measured(disc)
    assert found["area"] == disc.sum()
    assert found["roundness"] == pytest.approx(1, abs=0.001)
    assert found["doublet"] < 0.05, "the hull goes through corners of pixels"
    assert found["border"] == 0
    assert found["saturation"] == 0
    assert found["brightness"] == pytest.approx(100 / 255)


@pytest.mark.parametrize(("a", "b"), [(30, 15), (15, 30), (24, 12), (30, 10)])
def test_the_roundness_of_an_ellipse_is_that_of_the_formula(a, b):
    expected = 2 * a * b / (a**2 + b**2)
    assert measured(ellipse(a, b))["roundness"] == pytest.approx(expected, abs=0.008)


def test_the_roundness_of_a_square_of_any_size_is_3_over_pi():
    for side in (1, 2, 7, 40):
        mask = np.zeros((SIDE, SIDE), bool)
        mask[3 : 3 + side, 5 : 5 + side] = True
        assert roundness(mask[None])[0] == pytest.approx(3 / np.pi)


@given(st.integers(5, 30), st.integers(5, 30), st.integers(0, 3), st.booleans())
def test_turning_and_mirroring_changes_no_measure(a, b, turns, mirror):
    mask = ellipse(a, b, 2, -3)
    crop = textured(mask).astype(np.uint8)
    found = measured(mask, crop)
    turned, turned_crop = np.rot90(mask, turns), np.rot90(crop, turns)
    if mirror:
        turned, turned_crop = turned.T, turned_crop.T
    other = measured(turned, turned_crop)
    np.testing.assert_allclose(other, found, rtol=1e-4, atol=1e-6)


def test_two_discs_leave_the_gap_between_them_empty():
    """Two touching discs of radius r fill 2 pi r² of a hull of (4 + pi) r².

    Their second moments sum to 1.5 r² over an area of 2 pi r².
    """
    two = ellipse(15, 15, 0, -15) | ellipse(15, 15, 0, 15)
    found = measured(two)
    assert found["doublet"] == pytest.approx(1 - 2 * np.pi / (4 + np.pi), abs=0.04)
    assert found["roundness"] == pytest.approx(2 / 3, abs=0.01)


def test_blurring_lowers_focus_and_detail_but_brightness_does_not_change_detail():
    disc = ellipse(20, 20)
    sharp = textured(disc)
    blurred = ndimage.gaussian_filter(sharp, 3)
    dimmer = 10 + 0.5 * (sharp - 10)
    values = [
        measured(disc, crop.astype(np.uint8)) for crop in (sharp, blurred, dimmer)
    ]
    assert values[1]["focus"] < 0.5 * values[0]["focus"]
    assert values[1]["detail"] < 0.5 * values[0]["detail"]
    assert values[2]["detail"] == pytest.approx(values[0]["detail"], rel=0.02)
    assert values[2]["brightness"] == pytest.approx(0.5 * values[0]["brightness"], 0.03)


def test_noise_hides_a_blurred_cell_from_focus_but_not_from_detail():
    disc = ellipse(20, 20)
    noise = np.random.default_rng(1).normal(0, 8, disc.shape)
    crops = [textured(disc), ndimage.gaussian_filter(textured(disc), 3)]
    sharp, blurred = (
        measured(disc, (crop + noise + 20).clip(0, 255).astype(np.uint8))
        for crop in crops
    )
    assert blurred["focus"] > 0.7 * sharp["focus"]
    assert blurred["detail"] < 0.5 * sharp["detail"]


def test_the_focus_of_one_bright_pixel_is_that_of_the_formula():
    """Laplacian: -4 v once, v four times, 0 elsewhere; the mean of it is 0."""
    crop = np.zeros((1, 11, 11), np.uint8)
    crop[0, 5, 5] = 242
    spread = np.sqrt((16 + 4) * 242**2 / 81)
    assert sharpness(crop)[0] == pytest.approx(spread / (242 / 121))


def test_saturation_counts_pixels_of_the_nucleus_alone():
    disc = ellipse(20, 20)
    crop = crop_of(disc)
    crop[disc & (X < 0)] = 255
    crop[~disc & (Y < -30)] = 255
    assert measured(disc, crop)["saturation"] == (disc & (X < 0)).sum() / disc.sum()


def test_a_nucleus_on_the_crops_edge_is_cut():
    """The chord of a disc of radius 20 at 16 from its centre is 24 long."""
    most = ellipse(20, 20, 0, 38 - 16)
    diameter = np.sqrt(4 * most.sum() / np.pi)
    assert measured(most)["border"] == pytest.approx(25 / diameter)
    assert measured(ellipse(20, 20, 0, 38))["border"] == 1, "half of it is missing"
    assert measured(ellipse(38, 20))["border"] < 0.1, "it only touches"


def test_brightness_is_over_the_median_outside():
    disc = ellipse(20, 20)
    crop = crop_of(disc, 60, 10)
    crop[ellipse(8, 8, -30, -30)] = 250
    assert measured(disc, crop)["brightness"] == pytest.approx(50 / 255)


def test_a_stain_around_a_dark_nucleus_is_signal():
    """Golgi: the nucleus is as dark as the background, the stain lies beside it."""
    disc = ellipse(20, 20)
    crop = np.full(disc.shape, 10, np.uint8)
    crop[ellipse(22, 22) & ~disc & (Y > 0)] = 110
    found = measured(disc, crop)
    assert found["brightness"] == 0
    assert found["signal"] == pytest.approx(100 / 255)


def test_the_table_gives_area_and_what_the_frames_edge_cut():
    disc = ellipse(20, 20)
    crops, masks = np.stack([crop_of(disc)] * 2), np.stack([disc] * 2)
    area = int(disc.sum())
    table = pd.DataFrame({"area": [area + 1, area], "dropped": ["", "border"]})
    found = measure_quality(crops, masks, table)
    assert found["area"].tolist() == [area + 1, area]
    assert found["border"].tolist() == [0, 1]


@pytest.mark.parametrize(("share", "is_it"), [(1.0, True), (0.7, False), (1.4, False)])
def test_the_shape_of_a_mask_that_is_not_the_nucleus_is_not_told(share, is_it):
    disc = ellipse(20, 20)
    table = pd.DataFrame({"area": [round(share * disc.sum())], "dropped": [""]})
    found = measured(disc, table=table)
    assert found[["roundness", "border", "doublet"]].notna().all() == is_it
    assert found["brightness"] == pytest.approx(100 / 255)


def test_a_nucleus_that_the_crops_edge_cuts_is_still_the_nucleus():
    most = ellipse(20, 20, 0, 38 - 5)
    table = pd.DataFrame({"area": [int(ellipse(20, 20).sum())], "dropped": [""]})
    assert most.sum() < 0.75 * table["area"][0]
    assert measured(most, table=table)["border"] > 0.9


def test_a_mask_is_made_where_there_is_none():
    disc = ellipse(20, 20)
    found = measure_quality(crop_of(disc)[None]).iloc[0]
    assert found["area"] == pytest.approx(disc.sum(), rel=0.05)
    assert found["roundness"] > 0.99


def test_a_flat_crop_has_no_shape():
    found = measure_quality(np.full((1, SIDE, SIDE), 7, np.uint8)).iloc[0]
    assert found["focus"] == 0
    assert found[["detail", "roundness", "border", "doublet"]].isna().all()
    assert found["brightness"] == 0


def test_an_empty_mask_gives_no_figures_but_focus():
    empty = np.zeros((SIDE, SIDE), bool)
    found = measured(empty, crop_of(ellipse(20, 20)))
    assert found["area"] == 0
    assert found["focus"] > 0
    assert found.drop(["focus", "area"]).isna().all()


@pytest.mark.parametrize("top", [200, 3000, 4095, 16383])
def test_a_cell_is_saturated_at_any_top(top):
    disc = ellipse(20, 20)
    crop = (textured(disc) / 255 * 0.7 * top).astype(np.uint16)
    crop[disc & (X < -12)] = top
    share = (disc & (X < -12)).sum() / disc.sum()
    assert measured(disc, crop)["saturation"] == pytest.approx(share, abs=0.002)
    below = np.where(crop == top, top // 3, crop)
    assert measured(disc, below)["saturation"] == 0


def test_no_measure_of_a_cell_depends_on_others():
    disc = ellipse(20, 20)
    dim = textured(disc).astype(np.uint16)
    both = np.stack([dim, dim * 60])
    beside = measure_quality(both, np.stack([disc, disc])).iloc[0]
    np.testing.assert_allclose(beside, measured(disc, dim), rtol=1e-12)


def test_parts_together_are_the_whole_and_say_how_far_they_are():
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 99, (300, 21, 21)).astype(np.uint8)
    shares, parts = zip(*measure_quality_parts(crops), strict=True)
    assert shares == (256 / 300, 1.0)
    whole = pd.concat(parts)
    assert whole.index.tolist() == list(range(300))
    assert list(whole) == list(MEASURES)
    one = measure_quality(crops[270:271]).iloc[0]
    np.testing.assert_allclose(whole.iloc[270], one)


def test_no_cells_give_an_empty_table():
    assert list(measure_quality(np.zeros((0, 5, 5), np.uint8))) == list(MEASURES)
