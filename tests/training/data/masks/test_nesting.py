"""Values that lie round each other are a boundary, a soft edge, or no numbers."""

import numpy as np
import pytest
import scipy
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import find_boundaries

from training.data.masks.files import understand_mask
from training.data.masks.nesting import grain
from training.data.masks.nuclei import find_nuclei
from training.errors import BadMaskError


def discs(radius, step, count=(4, 5)):
    """Return discs numbered from 1; they touch where the step is under two radii."""
    shape = (count[0] * step + 2 * radius, count[1] * step + 2 * radius)
    labels = np.zeros(shape, np.int32)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    for k in range(count[0] * count[1]):
        y, x = (step * place + radius + step // 2 for place in divmod(k, count[1]))
        labels[(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = k + 1
    return labels


def lines_between(labels):
    """Return the pixels of nuclei beside another nucleus."""
    high = scipy.ndimage.maximum_filter(labels, 3)
    low = scipy.ndimage.minimum_filter(np.where(labels, labels, high.max() + 1), 3)
    return (labels > 0) & (low < high)


def read(folder, pixels):
    tifffile.imwrite(folder / "m.tif", pixels.astype(np.uint8))
    return understand_mask(folder / "m.tif", pixels.shape)


def check(reading, labels, boundary, value):
    """See that each nucleus is there, with no pixel of the boundary or of another."""
    assert len(reading.nuclei) == labels.max()
    found = reading.nuclei.paint()
    inside = found > 0
    np.testing.assert_array_equal(inside, (labels > 0) & ~boundary)
    pairs = np.unique(np.stack([found[inside], labels[inside]]), axis=1)
    assert pairs.shape[1] == labels.max()
    assert f"value {value} lies in thin lines" in reading.notes[0]


VALUES = [(1, 2), (2, 1), (128, 255), (255, 128)]


@pytest.mark.parametrize(("inner", "line"), VALUES)
@pytest.mark.parametrize("mode", ["inner", "outer", "thick"])
def test_a_boundary_round_nuclei_is_left_out(tmp_path, inner, line, mode):
    labels = discs(17, 40)
    boundary = find_boundaries(labels, mode=mode)
    pixels = np.where(boundary, line, np.where(labels, inner, 0))
    reading = read(tmp_path, pixels)
    check(reading, labels, boundary, line)
    assert reading.meaning == "label image of one class"


@pytest.mark.parametrize(("inner", "line"), VALUES)
def test_a_boundary_between_nuclei_parts_them(tmp_path, inner, line):
    labels = discs(17, 32)
    boundary = lines_between(labels)
    pixels = np.where(boundary, line, np.where(labels, inner, 0))
    check(read(tmp_path, pixels), labels, boundary, line)


@pytest.mark.parametrize("mode", ["inner", "outer", "thick"])
def test_a_boundary_round_numbered_nuclei_is_left_out(tmp_path, mode):
    labels = discs(17, 40)
    boundary = find_boundaries(labels, mode=mode)
    reading = read(tmp_path, np.where(boundary, 255, labels))
    check(reading, labels, boundary, 255)
    np.testing.assert_array_equal(reading.nuclei.labels, np.arange(1, 21))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(9, 20),
    st.integers(0, 8),
    st.sampled_from(VALUES),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([np.uint8, np.uint16, np.int32]),
)
def test_nuclei_with_a_boundary_are_never_lost(
    tmp_path_factory, radius, gap, values, factor, dtype
):
    labels = discs(radius, 2 * radius + gap + 3)
    boundary = find_boundaries(labels, mode="inner")
    pixels = np.where(boundary, values[1], np.where(labels, values[0], 0))
    large = np.kron(pixels, np.ones((factor, factor), int)).astype(dtype)
    path = tmp_path_factory.mktemp("boundary") / "m.tif"
    tifffile.imwrite(path, large)
    assert len(understand_mask(path, large.shape).nuclei) == labels.max()


def nested(kind):
    cells, nuclei = discs(20, 44), discs(9, 44)
    pad = [(22, 22), (22, 22)]
    if kind == "nuclei in cells":
        nuclei = np.pad(nuclei, pad)[11:-11, 11:-11][: cells.shape[0], : cells.shape[1]]
        return (cells > 0) + 1 * (nuclei > 0) * (cells > 0)
    blurred = scipy.ndimage.gaussian_filter((cells > 0).astype(float), 5)
    steps = {"five steps": 4, "eight steps": 7}[kind]
    return np.floor(blurred * steps + 0.5)


@pytest.mark.parametrize("kind", ["nuclei in cells", "five steps", "eight steps"])
@pytest.mark.parametrize("factor", [1, 31])
def test_values_inside_each_other_are_refused(tmp_path, kind, factor):
    pixels = nested(kind) * factor
    with pytest.raises(BadMaskError, match="lie inside each other"):
        read(tmp_path, pixels)


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_the_grain_of_an_enlarged_picture(factor):
    labels = np.kron(discs(7, 15), np.ones((factor, factor), int))
    assert grain(find_nuclei(labels)) == factor


def test_squares_against_each_other_are_labels(tmp_path):
    squares = np.kron(np.arange(1, 31).reshape(5, 6), np.ones((46, 46), int))
    reading = read(tmp_path, np.pad(squares, 46))
    assert (reading.meaning, len(reading.nuclei)) == ("label image", 30)


def test_stripes_have_a_grain_of_one():
    assert grain(find_nuclei(np.arange(20)[:, None] * np.ones((1, 30), int))) == 1
