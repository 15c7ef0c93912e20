"""Outlines of nuclei on tiles, made a few at a time while the window is idle."""

from __future__ import annotations

import time
from collections import OrderedDict

import numpy as np
from qtpy.QtCore import QObject, QPointF, QTimer, Signal
from qtpy.QtGui import QPolygonF

from napari_hep2.state import SessionState
from napari_hep2.viewer.outlines import mask_of, outline

_KEPT = 2000
_SLICE_SECONDS = 0.012
"""How long outlines are made before the window may go on."""

Lines = tuple[QPolygonF, ...]


class ContourCache(QObject):
    """Outlines of the cells under review, in units of a tile's width.

    Attributes
    ----------
    ready
        Says that outlines were made that had been asked for.
    """

    ready = Signal()

    def __init__(self, state: SessionState) -> None:
        super().__init__()
        self._state = state
        self._kept: OrderedDict[int, Lines] = OrderedDict()
        self._wanted: OrderedDict[int, None] = OrderedDict()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._make_some)

    def get(self, row: int) -> Lines | None:
        """Return a cell's outline, or None where it is still to be made."""
        found = self._kept.get(row)
        if found is None:
            self._wanted[row] = None
            if not self._timer.isActive():
                self._timer.start(0)
        return found

    def clear(self) -> None:
        """Forget all outlines, and those still to be made."""
        self._kept.clear()
        self._wanted.clear()

    def _make_some(self) -> None:
        end = time.perf_counter() + _SLICE_SECONDS
        # The tiles asked for last are those in sight.
        while self._wanted and time.perf_counter() < end:
            row, _ = self._wanted.popitem()
            self._kept[row] = self._made(row)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        if self._wanted:
            self._timer.start(0)
        self.ready.emit()

    def _made(self, row: int) -> Lines:
        review = self._state.review
        if review is None or row >= len(review):
            return ()
        # A mask is made from 8 bits: as they are, or the upper ones of a camera's.
        crop = np.asarray(review.crops[row])
        if crop.dtype != np.uint8:
            low, high = float(crop.min()), float(crop.max())
            crop = ((crop - low) * (255 / max(high - low, 1.0))).astype(np.uint8)
        lines = outline(mask_of(self._state, row, crop))
        return tuple(QPolygonF([QPointF(x, y) for x, y in line]) for line in lines)
