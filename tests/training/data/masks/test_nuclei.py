"""Runs of pixels against scipy, scikit-image and counting pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from training.data.masks.nuclei import find_components, find_nuclei, neighbours


def images(most):
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)
    return hnp.arrays(np.int32, shapes, elements=st.integers(0, most))


def test_components_by_hand():
    mask = np.array(
        [
            [0, 1, 0, 0, 1],
            [1, 0, 0, 0, 0],
            [0, 0, 1, 1, 0],
            [1, 0, 0, 0, 0],
            [0, 1, 1, 0, 1],
        ]
    )
    # A corner joins; the end of a row does not join the start of the next but one.
    expected = [
        [0, 1, 0, 0, 2],
        [1, 0, 0, 0, 0],
        [0, 0, 3, 3, 0],
        [4, 0, 0, 0, 0],
        [0, 4, 4, 0, 5],
    ]
    np.testing.assert_array_equal(find_components(mask).paint(), expected)


@settings(max_examples=150, deadline=None)
@given(images(1))
def test_components_are_those_of_scipy(mask):
    expected, count = ndimage.label(mask, np.ones((3, 3)))
    nuclei = find_components(mask)
    assert len(nuclei) == count
    np.testing.assert_array_equal(nuclei.paint(), expected)


@settings(max_examples=60, deadline=None)
@given(images(4))
def test_painting_gives_the_label_image_back(labels):
    np.testing.assert_array_equal(find_nuclei(labels).paint(), labels)


def outline_and_contact(labels, label):
    """Count the sides of a label's pixels, one by one."""
    height, width = labels.shape
    outline = contact = 0
    for y, x in np.argwhere(labels == label):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width and labels[v, u] != label:
                outline += 1
                contact += labels[v, u] > 0
    return contact / max(outline, 1)


@settings(max_examples=150, deadline=None)
@given(images(3))
def test_contact_and_border_are_those_counted_pixel_by_pixel(labels):
    nuclei = find_nuclei(labels)
    expected = [outline_and_contact(labels, label) for label in nuclei.labels]
    np.testing.assert_allclose(nuclei.contact_share(), expected)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    assert nuclei.on_border().tolist() == [label in edge for label in nuclei.labels]


def test_components_have_no_contact():
    nuclei = find_components(np.array([[1, 1, 0, 1], [0, 0, 0, 1]]))
    assert nuclei.contact_share().tolist() == [0, 0]


@pytest.mark.parametrize(
    ("reach", "expected"), [(0, [(0, 2)]), (1, [(0, 2), (1, 2), (1, 3)])]
)
def test_neighbours_by_hand(reach, expected):
    # Row 0: columns 0-1 and 4; row 1: columns 1-3 and 5, of six.
    starts, ends = np.array([0, 4, 7, 11]), np.array([2, 5, 10, 12])
    upper, lower = neighbours(starts, ends, 6, reach)
    assert list(zip(upper.tolist(), lower.tolist(), strict=True)) == expected
