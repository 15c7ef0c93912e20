"""Masks that hold closed lines only give the nuclei that the lines go round."""

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.draw import polygon_perimeter

from training.data.masks.drawn_outlines import fill_outlines
from training.data.masks.files import understand_mask
from training.data.masks.nuclei import find_components, find_nuclei


def discs(radius, step, count=(4, 5)):
    """Return discs numbered from 1, with room around them."""
    labels = np.zeros([n * step + 2 * radius for n in count], np.int32)
    yy, xx = np.indices(labels.shape)
    for k in range(count[0] * count[1]):
        y, x = (step * place + radius + step // 2 for place in divmod(k, count[1]))
        labels[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = k + 1
    return labels


LABELS = discs(17, 40)
INSIDE = LABELS > 0
NOTE = "the mask holds outlines, which were filled"


def lines(width):
    return INSIDE & ~scipy.ndimage.binary_erosion(INSIDE, iterations=width)


def read(folder, pixels):
    Image.fromarray(pixels.astype(np.uint8)).save(folder / "m.png")
    return understand_mask(folder / "m.png", pixels.shape)


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("drawn", ["white", "black", "numbered"])
def test_closed_lines_are_filled(tmp_path, width, drawn):
    line = lines(width)
    pixels = {"white": 255 * line, "black": 255 * ~line, "numbered": LABELS * line}
    reading = read(tmp_path, pixels[drawn])
    np.testing.assert_array_equal(reading.labels, LABELS)
    assert reading.notes == (NOTE,)


def test_a_line_that_only_corners_join_is_closed(tmp_path):
    pixels = np.zeros_like(LABELS)
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    for y, x in scipy.ndimage.center_of_mass(INSIDE, LABELS, range(1, 21)):
        corners = y + 17 * np.sin(turn), x + 17 * np.cos(turn)
        pixels[polygon_perimeter(*corners)] = 255
    reading = read(tmp_path, pixels)
    assert len(reading.nuclei) == 20
    assert np.abs(reading.nuclei.areas - (LABELS == 1).sum()).max() < 60


def test_lines_that_are_not_closed_are_counted(tmp_path):
    pixels = 255 * lines(1)
    pixels[:, 38:40] = 0
    reading = read(tmp_path, pixels)
    assert len(reading.nuclei) == 16
    assert reading.notes == (f"{NOTE}; 8 lines that are not closed were left out",)


def test_the_frames_edge_opens_lines(tmp_path):
    cut = slice(24, -24), slice(28, -28)
    line, labels = lines(1)[cut], LABELS[cut]
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    at_edge = np.setdiff1d(edge, 0)
    assert len(at_edge) == 14
    reading = read(tmp_path, 255 * line)
    np.testing.assert_array_equal(
        reading.labels > 0, np.isin(labels, at_edge, invert=True) & (labels > 0)
    )
    assert reading.notes == (f"{NOTE}; 14 lines that are not closed were left out",)


def test_a_thick_rim_is_a_nucleus_with_a_gap(tmp_path):
    reading = read(tmp_path, 255 * lines(9))
    np.testing.assert_array_equal(reading.labels > 0, lines(9))
    assert reading.notes == ()


@settings(max_examples=30, deadline=None)
@given(st.integers(6, 14), st.integers(1, 2), st.integers(0, 2**16))
def test_lines_give_back_any_nuclei(radius, width, seed):
    rng = np.random.default_rng(seed)
    rough = scipy.ndimage.gaussian_filter(rng.normal(size=(90, 120)), radius / 2)
    inside = scipy.ndimage.binary_fill_holes(rough > np.quantile(rough, 0.7))
    inside = scipy.ndimage.binary_opening(inside, iterations=2 * width)
    inside[[0, -1]] = inside[:, [0, -1]] = False
    line = inside & ~scipy.ndimage.binary_erosion(inside, iterations=width)
    found = fill_outlines(find_components(line))
    if found is not None:
        nuclei, _ = found
        assert not (nuclei.paint() > 0)[~inside].any()
        assert (nuclei.areas > 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 20), st.integers(0, 6), st.booleans())
def test_filled_nuclei_are_left_as_they_are(radius, gap, numbered):
    labels = discs(radius, 2 * radius - 2 + gap, (3, 4))
    nuclei = find_nuclei(labels) if numbered else find_components(labels)
    assert fill_outlines(nuclei) is None
