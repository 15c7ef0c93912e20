"""What each stroke changes, on masks small enough to be read."""

import numpy as np
import pytest

from training.config import SegmentationSettings
from training.data.masks.editing import (
    add_nucleus,
    merge_nuclei,
    nearest_pair,
    nuclei_along,
    nucleus_at,
    remove_nuclei,
    split_nucleus,
)
from training.data.masks.segmentation import NucleusFinder
from training.errors import BadMaskError


def after(labels, stroke):
    changed = labels.copy()
    changed[stroke.where] = stroke.values
    return changed


def discs(*places, shape=(80, 100), radius=10):
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for k, (cy, cx) in enumerate(places, start=1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = k
    return labels


def picture(labels, seed=0):
    rng = np.random.default_rng(seed)
    return rng.poisson(np.where(labels > 0, 80, 12)).clip(0, 255).astype(np.uint8)


CLASSICAL = SegmentationSettings(method="classical")
MERGED = (discs((40, 30), (40, 47)) > 0).astype(np.int32)
MERGED[discs((40, 80)) > 0] = 2


@pytest.mark.parametrize(
    "path",
    [
        [[20, 38], [60, 38]],
        [[38, 38], [42, 38]],
        [[20, 38], [35, 41], [45, 36], [60, 38]],
    ],
)
def test_a_line_splits_the_nucleus_under_it(path):
    stroke = split_nucleus(MERGED, path)
    found = after(MERGED, stroke)
    assert stroke.text == "nucleus split in 2"
    assert sorted(np.unique(found)) in ([0, 1, 2, 3], [0, 1, 2, 4])
    np.testing.assert_array_equal(found > 0, MERGED > 0)
    np.testing.assert_array_equal(found == 2, MERGED == 2)
    left, right = (found[40, x] for x in (30, 47))
    assert left != right
    areas = [(found == v).sum() for v in (left, right)]
    assert min(areas) > 0.4 * (MERGED == 1).sum()


def test_the_current_nucleus_is_split_where_the_line_meets_two():
    line = [[38, 20], [42, 90]]
    assert set(split_nucleus(MERGED, line, 2).values) <= {3, 4}
    y, x = split_nucleus(MERGED, line, 2).where
    assert (MERGED[y, x] == 2).all()
    y, x = split_nucleus(MERGED, line).where
    assert (MERGED[y, x] == 1).all()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ([[5, 5], [5, 9]], "crosses no nucleus"),
        ([[40, 30], [40, 30]], "no length"),
        ([[40, 30]], "no length"),
        ([[-9, -9], [200, -9]], "crosses no nucleus"),
        ([[39, 20], [30, 30]], "does not divide"),
    ],
)
def test_a_line_that_splits_nothing_is_told(path, sentence):
    labels = discs((40, 30), radius=9) if "divide" in sentence else MERGED
    with pytest.raises(BadMaskError, match=sentence):
        split_nucleus(labels, path)


def add(image, labels, place, area, settings=CLASSICAL):
    return add_nucleus(NucleusFinder(image), labels, place, area, settings)


@pytest.mark.parametrize("settings", [CLASSICAL, SegmentationSettings()])
def test_a_click_adds_the_nucleus_that_was_missed(settings):
    truth = discs((40, 30), (40, 70))
    labels = np.where(truth == 2, 0, truth)
    area = float((truth == 1).sum())
    stroke = add(picture(truth), labels, (42, 66), area, settings)
    found = after(labels, stroke)
    assert stroke.text == "nucleus added"
    shared = ((found == 2) & (truth == 2)).sum() / ((found == 2) | (truth == 2)).sum()
    assert shared > 0.85
    np.testing.assert_array_equal(found == 1, truth == 1)


def test_where_nothing_is_seen_a_disc_of_the_usual_size_is_added():
    labels = discs((40, 30))
    area = float((labels == 1).sum())
    stroke = add(picture(labels), labels, (40, 70), area)
    assert "disc of the usual size" in stroke.text
    assert len(stroke.values) == pytest.approx(area, rel=0.15)
    near = add(picture(labels), labels, (40, 44), area)
    y, x = near.where
    assert (labels[y, x] == 0).all()
    assert (40, 44) in zip(y.tolist(), x.tolist(), strict=True)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [((40, 30), "already a nucleus here"), ((-3, 2), "outside"), ((2, 100), "outside")],
)
def test_where_nothing_can_be_added_is_told(place, sentence):
    labels = discs((40, 30))
    with pytest.raises(BadMaskError, match=sentence):
        add(picture(labels), labels, place, 300.0)


def test_nuclei_are_removed():
    labels = discs((20, 20), (20, 60), (60, 40))
    found = after(labels, remove_nuclei(labels, [1, 3]))
    np.testing.assert_array_equal(found, np.where(labels == 2, 2, 0))
    with pytest.raises(BadMaskError, match="no nucleus is selected"):
        remove_nuclei(labels, [9])
    with pytest.raises(BadMaskError, match="no nucleus is selected"):
        remove_nuclei(labels, [0])


def test_halves_are_merged_and_a_narrow_gap_is_filled():
    whole = discs((40, 40))
    labels = np.where(whole > 0, 1, 0)
    labels[:, 41:] *= 2
    labels[:, 40] = 0
    found = after(labels, merge_nuclei(labels, [1, 2], float((whole > 0).sum())))
    assert set(np.unique(found)) == {0, 1}
    assert (found[whole > 0] == 1).mean() > 0.99


def test_nuclei_apart_are_not_merged():
    labels = discs((20, 20), (20, 60))
    with pytest.raises(BadMaskError, match="do not touch"):
        merge_nuclei(labels, [1, 2], 300.0)
    with pytest.raises(BadMaskError, match="only one nucleus"):
        merge_nuclei(labels, [1], 300.0)


def test_nuclei_along_a_path():
    labels = discs((20, 20), (20, 60))
    assert set(nuclei_along(labels, [[20, -20], [20, 300]])) == {1, 2}
    assert nuclei_along(labels, [[20, 60]]) == [2]
    assert nuclei_along(labels, [[70, 70]]) == []


def test_the_nucleus_at_a_place_and_the_one_nearest_to_it():
    labels = discs((20, 20), (20, 41), (44, 20), (60, 80))
    assert nucleus_at(labels, (20.4, 20.0)) == 1
    assert nearest_pair(labels, (20, 27), 314.0) == (1, 2)
    assert nearest_pair(labels, (28, 20), 314.0) == (1, 3)
    with pytest.raises(BadMaskError, match="no other nucleus is near"):
        nearest_pair(labels, (60, 80), 314.0)
    for place, sentence in (((70, 20), "no nucleus here"), ((0, 100), "outside")):
        with pytest.raises(BadMaskError, match=sentence):
            nearest_pair(labels, place, 314.0)
