"""A shape at the corner of each predicted box, so that colour is not alone; no Qt.

From afar letters are small and colours alike to some: a shape a pattern is neither.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from napari_hep2.viewer.boxes import rgba
from napari_hep2.viewer.placement import place_upon
from training.patterns import Vocabulary

_SIZE = 0.5
"""Of the side of a box, seen from afar."""
_ON_SCREEN = (0, 22)
"""Greatest side in pixels of the screen; a least one would widen the border as well."""


class PatternMarks:
    """Holds the layer of the shapes, which lies below that of the boxes.

    Parameters
    ----------
    viewer
        A napari viewer or its model.

    Attributes
    ----------
    layer
        A points layer, or None before the first prediction.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self.layer: Any = None

    def show(self, boxes: Any, vocabulary: Vocabulary) -> None:
        """Mark the boxes that have a pattern; the layer is made for the first.

        Parameters
        ----------
        boxes
            The layer of the boxes, its features as `cell_features` gives them.
        """
        features = boxes.features
        marked = (features["pattern"].to_numpy(dtype=object) != "") & boxes.shown
        if self.layer is None:
            if not marked.any():
                return
            self._make(boxes)
        layer, side = self.layer, float(np.max(boxes.size))
        symbols, colours = mark_styles(features, vocabulary)
        # Each of these would have every shape drawn anew: the colours, the last, do.
        with layer.events.blocker_all():
            layer.data = boxes.data + side / 2 * np.array([-1.0, 1.0])
            layer.size = _SIZE * side
            layer.symbol, layer.shown = symbols, marked
            layer.editable = False
            place_upon(layer, boxes)
        layer.metadata = dict(boxes.metadata)
        layer.face_color = colours

    def _make(self, boxes: Any) -> None:
        layers, active = self._viewer.layers, self._viewer.layers.selection.active
        self.layer = self._viewer.add_points(
            boxes.data,
            border_width=0,
            opacity=1.0,
            canvas_size_limits=_ON_SCREEN,
            units=boxes.units,
            visible=boxes.visible,
        )
        layers.move(layers.index(self.layer), layers.index(boxes))
        layers.selection.active = active
        boxes.events.visible.connect(self._hide_with)

    def _hide_with(self, event: Any) -> None:
        if self.layer is not None:
            self.layer.visible = event.source.visible


def mark_styles(
    features: pd.DataFrame, vocabulary: Vocabulary
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.float32]]:
    """Return the shape and colour of each cell's pattern.

    Returns
    -------
    symbols : (N,) str
    colours : (N, 4) float32
    """
    called = features["pattern"].to_numpy(dtype=object)
    symbols = np.full(len(called), "square", dtype=object)
    colours = np.zeros((len(called), 4), np.float32)
    for pattern in vocabulary:
        symbols[called == pattern.name] = pattern.symbol
        colours[called == pattern.name] = rgba(pattern.colour)
    return symbols, colours
