import numpy as np
import pytest

from napari_hep2.viewer.outlines import context_of, mask_of, outline, window


def test_a_window_is_dark_where_it_overhangs():
    image = np.arange(12).reshape(3, 4)
    assert window(image, 0, 0, 3).tolist() == [[0, 0, 0], [0, 0, 1], [0, 4, 5]]
    assert window(image, 1, 2, 3).tolist() == [[1, 2, 3], [5, 6, 7], [9, 10, 11]]
    assert not window(image, 50, 50, 3).any()


def test_an_outline_runs_along_the_edge_of_the_mask():
    mask = np.zeros((10, 10), bool)
    mask[2:6, 3:9] = True
    (line,) = outline(mask)
    np.testing.assert_allclose(line.min(axis=0), [0.3, 0.2], atol=0.01)
    np.testing.assert_allclose(line.max(axis=0), [0.9, 0.6], atol=0.01)
    assert len(outline(np.ones((5, 5), bool))) == 1
    assert outline(np.zeros((5, 5), bool)) == ()


def test_the_mask_of_the_open_frame_is_taken(state, review):
    row = state.current
    cell = state.review.table.iloc[row]
    # A crop that shows nothing: the mask can only be that of the frame.
    mask = mask_of(state, row, np.zeros((77, 77), np.uint8))
    assert mask.sum() == cell["area"]
    assert mask[38, 38]


def test_of_another_frame_the_crop_gives_the_mask(state, review):
    state.review.table["frame"] = "another"
    grey = np.zeros((77, 77), np.uint8)
    grey[20:50, 20:50] = 200
    mask = mask_of(state, state.current, grey)
    assert 700 < mask.sum() < 1100
    assert context_of(state, state.current) is None


@pytest.mark.parametrize("times", [1, 3])
def test_the_context_is_centred_on_the_cell(state, review, times):
    found = context_of(state, state.current, times)
    half = found.shape[0] // 2
    assert found.shape == (77 * times, 77 * times)
    crop = state.review.crops[state.current]
    assert found[half, half] == crop[38, 38]
