"""Where the pixels of a layer lie in the viewer, and in which units; no napari.

A layer is taken as it is: something with ``ndim``, ``units``, ``data_to_world`` and the
like. Its last two axes are the rows and columns of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
"""(n + 1, n + 1), from the pixels of a layer with n axes to the viewer."""

_SQUARE = 0.01
_NO_LENGTHS = frozenset({"css_pixel", "dot", "pixel", "px", "scaled_point", "point"})
"""Units of screens and of print, which say nothing of a specimen."""


def matrix_of(layer: Any) -> Matrix:
    """Return where the pixels of a layer lie, in its own units.

    Whatever scale, rotation, shear, translation and affine matrix it has.
    """
    n = layer.ndim
    matrix = np.eye(n + 1)
    matrix[:-1, -1] = layer.data_to_world(np.zeros(n))
    for k, step in enumerate(np.eye(n)):
        matrix[:-1, k] = layer.data_to_world(step) - matrix[:-1, -1]
    return matrix


def unit_factor(unit: Any, other: Any) -> float | None:
    """Return how many of another unit one has, or None for units of two kinds."""
    if unit == other:
        return 1.0
    if not unit.is_compatible_with(other):
        return None
    return float((1 * unit).to(other).magnitude)


def pixel_size_of(matrix: Matrix, units: Sequence[Any]) -> float | None:
    """Return the side of a square pixel in micrometres; None where it is not known.

    Parameters
    ----------
    matrix : (3, 3)
    units
        Of the rows and of the columns.
    """
    if any(str(unit) in _NO_LENGTHS for unit in units):
        return None
    if not all(unit.is_compatible_with("micrometer") for unit in units):
        return None
    factors = [float((1 * unit).to("micrometer").magnitude) for unit in units]
    down, across = np.linalg.norm(np.diag(factors) @ matrix[:2, :2], axis=0)
    is_square = across > 0 and abs(down - across) <= _SQUARE * across
    return float(across) if is_square else None


def place_upon(layer: Any, base: Any) -> None:
    """Lay a 2-D layer on the last two axes of another one, in the same units.

    A layer whose units differ takes the units of the whole viewer away. What is equal
    already is not set: each has the whole viewer drawn anew.
    """
    wanted = {
        "scale": base.scale[-2:],
        "rotate": np.asarray(base.rotate)[-2:, -2:],
        "shear": base.shear[-1:],
        "translate": base.translate[-2:],
    }
    for name, value in wanted.items():
        if not np.array_equal(getattr(layer, name), value):
            setattr(layer, name, value)
    affine = np.asarray(base.affine.affine_matrix)[-3:, -3:]
    if not np.array_equal(layer.affine.affine_matrix, affine):
        layer.affine = affine
    if tuple(layer.units) != tuple(base.units[-2:]):
        layer.units = base.units[-2:]


def from_viewer(
    layer: Any, position: Sequence[float] | Matrix, units: Sequence[Any] | None
) -> Matrix:
    """Return the place in a layer's pixels of a position in the viewer, (n,).

    Parameters
    ----------
    position
        One number an axis; those of the layer are the last ones.
    units
        Of the viewer; None where those of its layers differ, and are not used.
    """
    n = layer.ndim
    place = np.asarray(position, np.float64)[-n:]
    own = layer.units[-len(place) :]
    return np.asarray(layer.world_to_data(place * _factors(units, own)))


def to_viewer(
    layer: Any, place: Sequence[float] | Matrix, units: Sequence[Any] | None
) -> Matrix:
    """Return the position in the viewer of a place in a layer's pixels, (n,)."""
    return np.asarray(layer.data_to_world(place)) / _factors(units, layer.units)


def pixel_in_viewer(layer: Any, units: Sequence[Any] | None) -> float:
    """Return the side of a pixel of a 2-D layer, in the units of the viewer."""
    first, next_one = (to_viewer(layer, place, units) for place in ((0, 0), (0, 1)))
    return float(np.linalg.norm(next_one - first))


def _factors(units: Sequence[Any] | None, own: Sequence[Any]) -> Matrix:
    """Return how many units of a layer one of the viewer has, an axis."""
    if units is None:
        return np.ones(len(own))
    pairs = zip(units[-len(own) :], own, strict=True)
    return np.array([unit_factor(unit, mine) or 1.0 for unit, mine in pairs])
