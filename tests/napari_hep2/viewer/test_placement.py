"""Layers laid upon others, and places in them, on napari's layers without a window."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Points

from napari_hep2.viewer.placement import (
    from_viewer,
    matrix_of,
    pixel_in_viewer,
    pixel_size_of,
    place_upon,
    to_viewer,
)

PIXELS = np.zeros((8, 10), np.uint8)
PLACES = (
    {"scale": (0.3, 0.3), "translate": (5, -2)},
    {"scale": (0.3, 0.3), "rotate": 30, "units": ("um", "um")},
    {"scale": (2, 2), "affine": [[0, -1, 7], [1, 0, 3], [0, 0, 1]]},
    {"scale": (-1, 1), "translate": (7, 0)},
    {"shear": (0.2,), "rotate": 10},
)


@pytest.mark.parametrize("place", PLACES)
def test_a_layer_laid_upon_another_lies_where_it_does(place):
    base, layer = Image(PIXELS, **place), Points(np.zeros((1, 2)), rotate=45)
    place_upon(layer, base)
    np.testing.assert_allclose(matrix_of(layer), matrix_of(base), atol=1e-12)
    assert layer.units == base.units


def test_upon_a_stack_it_lies_in_its_plane():
    units = ("s", "um", "um")
    stack = Image(
        np.zeros((3, 8, 10)), scale=(2, 0.3, 0.3), translate=(1, 2, 3), units=units
    )
    layer = Points(np.zeros((1, 2)))
    place_upon(layer, stack)
    np.testing.assert_allclose(matrix_of(layer), matrix_of(stack)[1:, 1:])
    viewer = ViewerModel()
    viewer.add_layer(stack)
    viewer.add_layer(layer)
    assert viewer.layers.units == stack.units


def test_a_position_in_the_viewer_is_in_its_units():
    """With another layer in nanometres, the viewer counts in nanometres."""
    viewer = ViewerModel()
    layer = viewer.add_image(PIXELS, scale=(0.3, 0.3), units=("um", "um"))
    assert pixel_in_viewer(layer, viewer.layers.units) == pytest.approx(0.3)
    viewer.add_image(PIXELS, scale=(300, 300), units=("nm", "nm"))
    units = viewer.layers.units
    np.testing.assert_allclose(from_viewer(layer, (600, 1500), units), (2, 5))
    np.testing.assert_allclose(to_viewer(layer, (2, 5), units), (600, 1500))
    assert pixel_in_viewer(layer, units) == pytest.approx(300)


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ((0.3, 0.3), ("um", "um"), 0.3),
        ((300, 0.3), ("nm", "um"), 0.3),
        ((0.3, 0.5), ("um", "um"), None),
        ((0.3, 0.3), ("pixel", "pixel"), None),
        # Pint knows px as a length, 1/96 of an inch.
        ((0.3, 0.3), ("px", "px"), None),
        ((0.3, 0.3), ("s", "s"), None),
    ],
)
def test_the_size_of_a_pixel_by_scale_and_units(scale, units, expected):
    layer = Image(PIXELS, scale=scale, rotate=20 * (units[0] == units[1]), units=units)
    found = pixel_size_of(matrix_of(layer), layer.units)
    assert found == (None if expected is None else pytest.approx(expected))
