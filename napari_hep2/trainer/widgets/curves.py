"""Learning curves of a run, drawn while they grow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QSize, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_hep2.common.palette import VERMILLION, Palette
from training.runs.replay import EpochPoint, FoldState, RunState

REDRAW_MS = 150
"""Updates within this time are drawn once."""


def mean_curve(
    curves: Sequence[Sequence[EpochPoint]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return epochs, mean loss and mean accuracy over the folds that reached each.

    Returns
    -------
    epochs : (E,) int64, ascending
    loss, accuracy : (E,) float64
    """
    points = [point for curve in curves for point in curve]
    numbers = np.array([point.epoch for point in points], np.int64)
    epochs, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    means = [
        np.bincount(place, [getattr(p, name) for p in points], len(epochs)) / counts
        for name in ("loss", "accuracy")
    ]
    return epochs, means[0], means[1]


class _Curve(pg.PlotDataItem):
    """A line over epochs; a point where there is one epoch."""

    def draw(
        self, epochs: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
    ) -> None:
        symbol = "o" if len(epochs) == 1 else None
        self.setData(epochs, values, connect="finite", symbol=symbol)

    def colour(self, colour: QColor | str, width: int) -> None:
        self.setPen(pg.mkPen(colour, width=width))
        self.setSymbolBrush(colour)
        self.setSymbolPen(None)
        self.setSymbolSize(4 + width)


class LearningCurves(QWidget):
    """Loss and accuracy on the training cells: a thin line a fold, the mean bold."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = RunState()
        self._drawn: dict[str, FoldState] = {}
        self._lines: dict[str, tuple[pg.PlotCurveItem, pg.PlotCurveItem]] = {}
        self._picked = ""
        self._palette = Palette()
        self._timer = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._timer.timeout.connect(self.draw_now)
        self._build()
        self.set_palette(self._palette)

    def _build(self) -> None:
        self._canvas = pg.GraphicsLayoutWidget()
        self._canvas.setFrameShape(pg.GraphicsLayoutWidget.Shape.NoFrame)
        self._canvas.ci.layout.setContentsMargins(0, 0, 4, 0)
        self._canvas.ci.layout.setHorizontalSpacing(4)
        self._plots = []
        self._means = []
        for column, title in enumerate(("Loss by epoch", "Accuracy by epoch, %")):
            plot = self._canvas.addPlot(row=0, col=column)
            plot.setTitle(title)
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.setMouseEnabled(x=False, y=False)
            mean = _Curve(antialias=True)
            mean.setZValue(10)
            plot.addItem(mean)
            self._plots.append(plot)
            self._means.append(mean)
        self._plots[1].setYRange(0, 100, padding=0.02)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas)
        self._canvas.setMinimumWidth(0)
        self.setMinimumHeight(140)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Both are for training cells, not for held-out specimens.<br>"
            "Thin: one fold. Bold: mean of the folds that reached the epoch."
        )

    def sizeHint(self) -> QSize:
        """Return a size that fits a dock."""
        return QSize(400, 170)

    def set_palette(self, palette: Palette) -> None:
        """Draw in the colours of a theme."""
        self._palette = palette
        self._canvas.setBackground(palette.background)
        for plot in self._plots:
            plot.setTitle(plot.titleLabel.text, color=palette.text, size="9pt")
            for name in ("left", "bottom"):
                axis = plot.getAxis(name)
                axis.setPen(palette.muted)
                axis.setTextPen(palette.text)
        for mean in self._means:
            mean.colour(palette.accent, 3)
        self._pen_lines()

    def show_state(self, state: RunState) -> None:
        """Draw `state` within `REDRAW_MS`."""
        self._state = state
        if not self._timer.isActive():
            self._timer.start()

    def pick(self, name: str) -> None:
        """Make the line of one fold stand out; an empty name ends it."""
        self._picked = name
        self._pen_lines()

    def draw_now(self) -> None:
        """Draw the folds that changed since the last time."""
        gone = self._drawn.keys() - self._state.folds.keys()
        for name in gone:
            self._forget(name)
        changed = bool(gone)
        for name, fold in self._state.folds.items():
            if fold is not self._drawn.get(name):
                changed = self._draw_fold(fold) or changed
        if changed:
            self._draw_mean()
        if self._state.epochs > 1:
            for plot in self._plots:
                plot.setXRange(1, self._state.epochs, padding=0.02)

    def _draw_fold(self, fold: FoldState) -> bool:
        """Draw one fold; return whether its curve changed."""
        old = self._drawn.get(fold.name)
        self._drawn[fold.name] = fold
        if fold.curve is (old.curve if old else ()):
            return False
        if fold.name not in self._lines:
            self._add_lines(fold.name)
        epochs = np.array([point.epoch for point in fold.curve], float)
        loss = np.array([point.loss for point in fold.curve])
        accuracy = np.array([100 * point.accuracy for point in fold.curve])
        for line, values in zip(self._lines[fold.name], (loss, accuracy), strict=True):
            line.draw(epochs, values)
        return True

    def _draw_mean(self) -> None:
        epochs, loss, accuracy = mean_curve(
            [fold.curve for fold in self._drawn.values()]
        )
        for mean, values in zip(self._means, (loss, 100 * accuracy), strict=True):
            mean.draw(epochs.astype(float), values)

    def _add_lines(self, name: str) -> None:
        lines = _Curve(antialias=True), _Curve(antialias=True)
        for plot, line in zip(self._plots, lines, strict=True):
            plot.addItem(line)
        self._lines[name] = lines
        self._pen_line(name)

    def _forget(self, name: str) -> None:
        del self._drawn[name]
        for plot, line in zip(self._plots, self._lines.pop(name, ()), strict=False):
            plot.removeItem(line)

    def _pen_lines(self) -> None:
        for name in self._lines:
            self._pen_line(name)

    def _pen_line(self, name: str) -> None:
        picked = name == self._picked
        colour = QColor(VERMILLION if picked else self._palette.muted)
        colour.setAlphaF(1.0 if picked else 0.45)
        for line in self._lines[name]:
            line.colour(colour, 2 if picked else 1)
            line.setZValue(20 if picked else 0)
