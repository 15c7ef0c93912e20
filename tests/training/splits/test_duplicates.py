import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.splits import duplicates
from training.splits.duplicates import CellCodes, image_keys


def views_of(image) -> set[bytes]:
    return {np.rot90(v, k).tobytes() for v in (image, image.T) for k in range(4)}


def test_all_views_of_an_image_have_one_key():
    image = np.random.default_rng(0).integers(0, 256, (5, 5), np.uint8)
    views = [np.rot90(side, k) for side in (image, image.T) for k in range(4)]
    assert len(set(image_keys(np.array(views)).tolist())) == 1


def test_images_that_only_look_alike_in_their_sums_differ():
    """The corners 1 and 2 change places: no rotation or mirror does that alone."""
    one = np.array([[1, 5, 2], [6, 0, 7], [3, 8, 4]], np.uint8)
    other = np.array([[2, 5, 1], [6, 0, 7], [3, 8, 4]], np.uint8)
    sums = duplicates._invariant_sums(np.array([one, other]))
    assert np.array_equal(sums[0], sums[1]), "else this tests nothing"
    keys = image_keys(np.array([one, other, one.T, np.rot90(other)]))
    assert keys[0] == keys[2] != keys[1] == keys[3]


@given(arrays(np.uint8, (9, 3, 3), elements=st.sampled_from([0, 1, 255])))
def test_keys_are_equal_if_and_only_if_one_image_is_a_view_of_the_other(images):
    keys = image_keys(images)
    for k, image in enumerate(images):
        alike = [other.tobytes() in views_of(image) for other in images]
        assert (keys == keys[k]).tolist() == alike


@pytest.mark.parametrize("pixels", [1, 16, 100])
def test_keys_do_not_depend_on_how_many_images_are_looked_at_together(
    monkeypatch, pixels
):
    images = np.random.default_rng(1).integers(0, 2, (200, 4, 4), np.uint8)
    whole = image_keys(images)
    monkeypatch.setattr(duplicates, "_CHUNK_PIXELS", pixels)
    assert image_keys(images).tolist() == whole.tolist()


def test_codes_number_specimens_and_count_them(make_cells):
    cells = make_cells((2, 1, 0, 0, 0, 0), cells=3)
    codes = CellCodes.of(cells)
    assert codes.names.tolist() == ["00", "01", "10"]
    assert codes.specimens.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert codes.specimen_counts.tolist() == [3, 3, 3]
    assert codes.image_counts[codes.images].tolist() == [1] * 9
