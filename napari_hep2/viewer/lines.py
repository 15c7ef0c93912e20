"""A layer of lines that are no shape of the user's: a tool's, or a preview's; no Qt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import find_contours

from napari_hep2.viewer.placement import place_upon
from training.data.masks.tiles import Piece

Lines = npt.NDArray[np.float64]
"""(n, 2, 2), the start of each line and its step, (y, x) in pixels of the frame."""

NO_LINES: Lines = np.zeros((0, 2, 2))

_SMOOTHED = 0.4
"""Pixels by which an outline may leave the pixels' edges."""


def lines_along(path: npt.NDArray[np.float64]) -> Lines:
    """Return the lines from each point (y, x) of a path, (n, 2), to the next."""
    return np.stack([path[:-1], np.diff(path, axis=0)], axis=1)


def outlines_of(pieces: Iterable[Piece]) -> Lines:
    """Return the outlines of nuclei as lines."""
    # It brings SciPy's signals and statistics with it: a second in the window's start.
    from skimage.measure import approximate_polygon

    found = [NO_LINES]
    for piece in pieces:
        corner = np.array([side.start - 1.0 for side in piece.box])
        for outline in find_contours(np.pad(piece.mask, 1).astype(np.float32), 0.5):
            found.append(lines_along(approximate_polygon(outline, _SMOOTHED) + corner))
    return np.concatenate(found)


class LinesLayer:
    """Shows lines upon the picture.

    The layer is kept, as one that is removed can end napari.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    name, colour
        Of the layer, which is made with the first lines.
    """

    def __init__(self, viewer: Any, name: str, colour: str) -> None:
        self._viewer, self._name, self._colour = viewer, name, colour
        self._layer: Any = None

    def show(self, lines: Lines, base: Any, width: float) -> None:
        """Show these lines, upon a layer of the frame.

        Parameters
        ----------
        width
            In pixels of the frame.
        """
        if self._layer is None or self._layer not in self._viewer.layers:
            if not len(lines):
                return
            self._layer = self._make(base)
        if len(lines):
            place_upon(self._layer, base)
            self._layer.edge_width = width
        self._layer.data = lines
        self._layer.visible = len(lines) > 0

    def hide(self) -> None:
        """Show no lines."""
        self.show(NO_LINES, None, 1)

    def _make(self, base: Any) -> Any:
        active = self._viewer.layers.selection.active
        made = self._viewer.add_vectors(
            NO_LINES,
            name=self._name,
            edge_color=self._colour,
            edge_width=2,
            vector_style="line",
            units=base.units[-2:],
        )
        self._viewer.layers.selection.active = active
        return made
