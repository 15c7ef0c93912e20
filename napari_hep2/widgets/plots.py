"""Plots of a run: learning curves, one tile a fold, the confusion matrix.

Each is a view: it is given a `TrainerState` and draws it.
"""

from __future__ import annotations

from napari_hep2.widgets.confusion import ConfusionView
from napari_hep2.widgets.curves import LearningCurves
from napari_hep2.widgets.tiles import FoldTiles

__all__ = ["ConfusionView", "FoldTiles", "LearningCurves"]
