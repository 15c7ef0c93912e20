"""What is cut of a layer of the viewer: its plane in view, at full resolution.

A layer is described at once, from what it says of itself, and read later, where that
may take long. Whatever cannot be cut as it is seen is refused in one sentence. Written
with the public names of layers; neither Qt nor napari is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_hep2.viewer.placement import (
    Matrix,
    from_viewer,
    matrix_of,
    pixel_size_of,
    unit_factor,
)
from training.errors import BadImageError, BadMaskError, Hep2Error
from training.storage.picture import Picture, check_size
from training.storage.pixel_size import read_pixel_size
from training.storage.planes import GreyImage, grey_plane

_SQUARE = 0.01
_STRAIGHT = 1e-4
_SAME_PLACE = 1e-3
_HIGHEST = 65_535
_EIGHT_BITS = 255
_ROWS = 512
_INSIDE = 0.99
_LAZY_FAULTS = (OSError, ValueError, RuntimeError, LookupError, TypeError)
"""What a lazy array may raise when it is read."""


@dataclass(frozen=True)
class View:
    """What a viewer shows of its axes.

    Attributes
    ----------
    point
        Where the planes in view lie, one number an axis, in the viewer's units.
    displayed
        The axes on the screen.
    units
        Of the axes, or None where those of the layers differ.
    """

    point: tuple[float, ...] = ()
    displayed: tuple[int, ...] = ()
    units: tuple[Any, ...] | None = None


def view_of(viewer: Any) -> View:
    """Return what a viewer shows now."""
    dims = viewer.dims
    return View(tuple(dims.point), tuple(dims.displayed), viewer.layers.units)


@dataclass(frozen=True)
class Plane:
    """One 2-D plane of a layer, not read yet.

    Attributes
    ----------
    name
        Of the layer.
    data
        Its array at full resolution: whatever has ``shape`` and is indexed as numpy's.
    index
        Of the axes before the last two.
    matrix : (3, 3) float64
        From the pixels of the plane, (y, x, 1), to the viewer, in `units`.
    units
        Of the rows and of the columns.
    note
        Which plane is in view, or '' where there is only one.
    """

    name: str
    data: Any
    index: tuple[int, ...]
    matrix: Matrix
    units: tuple[Any, ...]
    note: str

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        start = len(self.index)
        height, width = self.data.shape[start : start + 2]
        return int(height), int(width)

    def read(self, error: type[Hep2Error]) -> npt.NDArray[Any]:
        """Read the pixels, (H, W) or with colours behind; this may take long.

        Raises
        ------
        error
            If they cannot be read.
        """
        try:
            return np.asarray(self.data[self.index])
        except _LAZY_FAULTS as fault:
            reason = str(fault).splitlines()[0][:120] if str(fault) else "no reason"
            raise error(
                self.name, f"it cannot be read ({reason})", "open its file again"
            ) from fault


@dataclass(frozen=True)
class ImageLayer:
    """The plane of an image layer that is cut.

    Attributes
    ----------
    is_rgb
        Whether its values are colours.
    pixel_size
        Side of a pixel in micrometres by the layer, or None.
    file
        Where it comes from, or None.
    """

    plane: Plane
    is_rgb: bool
    pixel_size: float | None
    file: Path | None

    def read(self) -> GreyImage:
        """Read the pixels as grey values of 8 or 16 bits; this may take long.

        Raises
        ------
        BadImageError
            If they cannot be read, or are no such values.
        """
        plane = self.plane
        pixels, notes = plane.read(BadImageError), [plane.note]
        if self.is_rgb:
            colours = Picture(pixels[..., :3], "YXS")
            grey = grey_plane(Path(plane.name), colours)
            pixels, notes = grey.pixels, [*notes, grey.note]
        pixels, note = as_grey(plane.name, pixels)
        size = self.pixel_size
        if size is None and self.file is not None:
            size = read_pixel_size(self.file, plane.shape)
        said = "; ".join(one for one in (*notes, note) if one)
        return GreyImage(np.ascontiguousarray(pixels), said, size)


@dataclass(frozen=True)
class LabelsLayer:
    """The plane of a labels layer that is the mask of an image.

    Attributes
    ----------
    from_image : (3, 3) float64
        From the pixels of the image, (y, x, 1), to those of the mask.
    shape
        Height and width of the image in pixels.
    """

    plane: Plane
    from_image: Matrix
    shape: tuple[int, int]

    @property
    def is_on_grid(self) -> bool:
        """Whether each of its pixels is one of the image."""
        if self.plane.shape != self.shape:
            return False
        height, width = self.shape
        corners = np.array([[0, 0, 1], [height, 0, 1], [0, width, 1]]).T
        away = np.abs(self.from_image @ corners - corners)
        return bool(away.max() < _SAME_PLACE)

    def read(self) -> tuple[npt.NDArray[Any], str]:
        """Read the labels on the grid of the image; this may take long.

        Returns
        -------
        labels : (H, W) int or bool
            Each is the one of the nearest pixel of the mask; 0 beyond its edge.
        note
            What was done, or ''.

        Raises
        ------
        BadMaskError
            If it cannot be read, or nothing of it lies on the image.
        """
        plane = self.plane
        labels = plane.read(BadMaskError)
        if self.is_on_grid:
            return labels, plane.note
        found = resampled(labels, self.from_image, self.shape)
        whole = np.count_nonzero(labels) / abs(np.linalg.det(self.from_image[:2, :2]))
        share = np.count_nonzero(found) / whole if whole else 1.0
        if share == 0:
            raise BadMaskError(
                plane.name,
                "none of its nuclei lies on the image",
                "give it the scale and the place of its image",
            )
        notes = [plane.note, "the mask was brought to the pixels of the image"]
        if share < _INSIDE:
            notes.append(f"{1 - share:.0%} of it lies outside of the image")
        return found, "; ".join(note for note in notes if note)


def image_layer(layer: Any, view: View) -> ImageLayer:
    """Return what is cut of an image layer; nothing of its pixels is read.

    Raises
    ------
    BadImageError
        If it is sheared, its pixels are not square, it is tilted against the plane in
        view, or has no plane there.
    """
    plane = _plane(layer, view, BadImageError)
    _check_pixels(plane)
    check_size(Path(plane.name), *plane.shape, 3 if layer.rgb else 1)
    path = layer.source.path
    # A layer that is scaled in units of its own is no longer the picture of its file.
    is_plain = np.allclose(plane.matrix[:2, :2], np.eye(2))
    has_file = bool(path) and is_plain and Path(path).is_file()
    size = pixel_size_of(plane.matrix, plane.units)
    return ImageLayer(plane, bool(layer.rgb), size, Path(path) if has_file else None)


def labels_layer(layer: Any, view: View, image: ImageLayer) -> LabelsLayer:
    """Return what a labels layer says of the nuclei of an image; it is read later.

    It may lie otherwise than the image, and have pixels of another size.

    Raises
    ------
    BadMaskError
        If it is measured in other units than the image, is tilted against the plane in
        view, or has no plane there.
    """
    plane = _plane(layer, view, BadMaskError)
    check_size(Path(plane.name), *plane.shape)
    base = image.plane
    pairs = zip(base.units, plane.units, strict=True)
    factors = [unit_factor(unit, own) for unit, own in pairs]
    scales = np.diag([1.0 if f is None else f for f in factors] + [1.0])
    try:
        from_image = np.linalg.inv(plane.matrix) @ scales @ base.matrix
    except np.linalg.LinAlgError as fault:
        raise BadMaskError(
            plane.name, "its scale is 0 along an axis", "give it the image's scale"
        ) from fault
    found = LabelsLayer(plane, from_image, base.shape)
    if None in factors and not found.is_on_grid:
        raise BadMaskError(
            plane.name,
            f"it is measured in {plane.units[1]}, but its image in {base.units[1]}",
            "give it the scale and the units of its image",
        )
    return found


def _plane(layer: Any, view: View, error: type[Hep2Error]) -> Plane:
    """Return the plane of a layer that is in view."""
    # The first level of a pyramid is the whole picture, the last one its thumbnail.
    data = layer.data[0] if layer.multiscale else layer.data
    matrix, before = matrix_of(layer), layer.ndim - 2
    if not np.isfinite(matrix).all():
        raise error(layer.name, "its place is no number", "reset its transformation")
    _check_axes(layer, matrix, view, error)
    index, note = _in_view(layer, data.shape[:before], view, error)
    flat = matrix[before:, before:]
    return Plane(layer.name, data, index, flat, tuple(layer.units[-2:]), note)


def _check_axes(layer: Any, matrix: Matrix, view: View, error: type[Hep2Error]) -> None:
    """Refuse a stack of which the screen does not show a plane of rows and columns."""
    before = layer.ndim - 2
    if not before:
        return
    missing = len(view.point) - layer.ndim
    shown = {axis - missing for axis in view.displayed if axis >= missing}
    if shown != {before, before + 1}:
        raise error(
            layer.name,
            "the viewer shows other axes of it than rows and columns",
            "show it in 2-D, with its last two axes on the screen",
        )
    tilts = (matrix[:before, before:-1], matrix[before:-1, :before])
    most = max(float(np.abs(tilt).max()) for tilt in tilts)
    if most > _STRAIGHT * np.abs(matrix[:-1, :-1]).max():
        raise error(
            layer.name,
            "it is tilted against the plane in view",
            "take away its rotation or shear out of that plane",
        )


def _in_view(
    layer: Any, counts: tuple[int, ...], view: View, error: type[Hep2Error]
) -> tuple[tuple[int, ...], str]:
    """Return which plane of a stack is in view, and a note on it.

    Parameters
    ----------
    counts
        Planes of each axis of the stack.
    """
    if not counts:
        return (), ""
    place = from_viewer(layer, view.point, view.units)
    # napari shows the nearest plane, too.
    index = tuple(int(k) for k in np.rint(place[: len(counts)]))
    if not all(0 <= k < n for k, n in zip(index, counts, strict=True)):
        raise error(
            layer.name, "no plane of it is in view", "move the sliders to one of its"
        )
    words = [
        f"{_axis_name(label, axis)} {k + 1} of {n}"
        for axis, (label, k, n) in enumerate(
            zip(layer.axis_labels, index, counts, strict=False), start=1
        )
        if n > 1
    ]
    return index, f"the plane in view was cut, {', '.join(words)}" if words else ""


def _axis_name(label: str, axis: int) -> str:
    """Return the name of an axis; without one napari counts them from the last."""
    return f"axis {axis}:" if label.lstrip("-").isdecimal() else label


def _check_pixels(plane: Plane) -> None:
    """Refuse pixels that are seen as no squares: a crop would show them as some."""
    sides = np.linalg.norm(plane.matrix[:2, :2], axis=0)
    if not sides.all():
        raise BadImageError(
            plane.name, "its scale is 0 along an axis", "set its scale to 1"
        )
    straight, across = (plane.matrix[:2, :2] / sides).T
    if abs(straight @ across) > _STRAIGHT:
        raise BadImageError(
            plane.name, "it is sheared", "take its shear away, and cut it as it is"
        )
    factor = unit_factor(*plane.units)
    if factor is None or abs(sides[0] * factor - sides[1]) > _SQUARE * sides[1]:
        raise BadImageError(
            plane.name,
            f"its pixels are no squares, but {sides[0]:.3g} {plane.units[0]} high and "
            f"{sides[1]:.3g} {plane.units[1]} wide",
            "resample it to square pixels",
        )


def as_grey(
    name: str, pixels: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], str]:
    """Return values as grey values of 8 or 16 bits, and a note on what was done.

    Parameters
    ----------
    name
        Of the layer, for faults.
    pixels : (H, W)
        Of 8 or 16 bits they stay as they are. Whole numbers up to 65535 stay the same
        numbers. Numbers from 0 to 1 are spread over 16 bits; other numbers are rounded,
        where they go beyond 255 and little is lost.

    Raises
    ------
    BadImageError
        If there are negative values, or such as do not fit.
    """
    if pixels.dtype in (np.dtype(np.uint8), np.dtype(np.uint16)):
        return pixels, ""
    if pixels.dtype.kind not in "iuf":
        raise BadImageError(
            name, f"its values are {pixels.dtype}", "pick an image of grey values"
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not 0 <= low <= high <= _HIGHEST:
        raise BadImageError(
            name,
            f"its values go from {low:g} to {high:g}",
            f"bring them between 0 and {_HIGHEST}",
        )
    if pixels.dtype.kind != "f":
        return pixels.astype(np.uint16), "whole numbers were taken as 16 bits"
    return _of_floats(name, pixels, high)


def _of_floats(
    name: str, pixels: npt.NDArray[Any], high: float
) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], str]:
    if high <= 1:
        spread = np.rint(pixels.astype(np.float64) * _HIGHEST)
        return spread.astype(np.uint16), "values from 0 to 1 were spread over 16 bits"
    is_whole = bool((pixels == np.rint(pixels)).all())
    if is_whole and high <= _EIGHT_BITS:
        return pixels.astype(np.uint8), "whole numbers were taken as 8 bits"
    if is_whole:
        return pixels.astype(np.uint16), "whole numbers were taken as 16 bits"
    if high < _EIGHT_BITS:
        raise BadImageError(
            name,
            f"its values are fractions up to {high:g}",
            "scale them from 0 to 1, or to 8-bit or 16-bit grey values",
        )
    return np.rint(pixels).astype(np.uint16), "values were rounded to 16 bits"


def resampled(
    labels: npt.NDArray[Any], from_image: Matrix, shape: tuple[int, int]
) -> npt.NDArray[Any]:
    """Return labels on the grid of an image: at each pixel, those of the nearest one.

    Parameters
    ----------
    labels : (h, w)
    from_image : (3, 3) float64
        From pixels (y, x, 1) of the image to those of the labels.
    shape
        Height and width of the image.

    Returns
    -------
    found : (H, W) of the dtype of `labels`
        0 beyond the edge of the labels.
    """
    found = np.zeros(shape, labels.dtype)
    columns = np.arange(shape[1])
    for start in range(0, shape[0], _ROWS):
        rows = np.arange(start, min(start + _ROWS, shape[0]))[:, None]
        # Rounding of the sums may leave a whole number a little short.
        y, x = (
            np.floor(a * rows + b * columns + (c + 0.5 + 1e-6)).astype(np.int64)
            for a, b, c in from_image[:2]
        )
        inside = (y >= 0) & (y < labels.shape[0]) & (x >= 0) & (x < labels.shape[1])
        found[rows[0, 0] : rows[-1, 0] + 1][inside] = labels[y[inside], x[inside]]
    return found
