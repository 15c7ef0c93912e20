"""The rates of two runs, pattern by pattern, drawn beside each other."""

from __future__ import annotations

import math

from qtpy.QtCore import QLineF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_hep2.common.palette import Palette, pattern_named
from napari_hep2.trainer.state import RunPair
from training.evaluation.intervals import Interval

_BAR = 7
"""Height of a bar in pixels; that of the older run is an outline."""


class PatternBars(QWidget):
    """Two bars a pattern: how many of its cells each run recognised, with intervals."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pair: RunPair | None = None
        self._palette = Palette()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Rates of both runs by pattern")

    def set_palette(self, palette: Palette) -> None:
        """Draw in the colours of a theme."""
        self._palette = palette
        self.update()

    def show_pair(self, pair: RunPair | None) -> None:
        """Draw a pair of runs; nothing where there is none."""
        self._pair = pair
        self.setVisible(pair is not None)
        self.updateGeometry()
        self.update()

    def texts(self) -> list[tuple[str, str]]:
        """Return the words beside the bars: the pattern, and both rates in per cent."""
        pair = self._pair
        if pair is None:
            return []
        found = []
        for k, name in enumerate(pair.patterns):
            pattern = pattern_named(name)
            rates = [_percent(one.rates[k]) for one in pair.metrics]
            found.append((f"{pattern.letter}  {pattern.title}", " \u2192 ".join(rates)))
        return found

    def sizeHint(self) -> QSize:
        """Return a size at which each pattern has two bars and a line of text."""
        return QSize(360, self._line() * (len(self.texts()) + 1))

    def minimumSizeHint(self) -> QSize:
        """Return the least size: the bars can be short."""
        return QSize(220, self.sizeHint().height())

    def paintEvent(self, _event: object) -> None:
        """Paint the legend, and of each pattern its name, bars and rates."""
        if self._pair is None:
            return
        painter = QPainter(self)
        self._paint_legend(painter)
        texts, metrics = self.texts(), QFontMetrics(self.font())
        left = 8 + max(metrics.horizontalAdvance(title) for title, _ in texts)
        right = 8 + max(metrics.horizontalAdvance(rates) for _, rates in texts)
        for k, (title, rates) in enumerate(texts):
            line = QRectF(0, (k + 1) * self._line(), self.width(), self._line())
            painter.setPen(QColor(self._palette.text))
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, title)
            at_right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(line, at_right, rates)
            self._paint_bars(painter, k, line.adjusted(left, 0, -right, 0))
        painter.end()

    def _line(self) -> int:
        return max(QFontMetrics(self.font()).height() + 4, 2 * _BAR + 8)

    def _paint_legend(self, painter: QPainter) -> None:
        assert self._pair is not None
        metrics, x = QFontMetrics(self.font()), 0.0
        for number, name in enumerate((self._pair.first, self._pair.second)):
            self._paint_bar(painter, number, QRectF(x, self._line() / 2 - 3, 14, _BAR))
            width = (self.width() / 2) - 22
            words = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, int(width))
            painter.setPen(QColor(self._palette.text))
            place = QRectF(x + 18, 0, width, self._line())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, words)
            x += self.width() / 2

    def _paint_bars(self, painter: QPainter, pattern: int, place: QRectF) -> None:
        """Paint the bars of a pattern into the place from 0 to 100 %."""
        assert self._pair is not None
        painter.fillRect(
            QRectF(place.left(), place.top() + 3, place.width(), place.height() - 6),
            QColor(self._palette.faint),
        )
        top = place.center().y() - _BAR
        for number, one in enumerate(self._pair.metrics):
            rate = one.rates[pattern]
            if math.isnan(rate):
                continue
            bar = QRectF(place.left(), top + number * _BAR, rate * place.width(), _BAR)
            self._paint_bar(painter, number, bar.adjusted(0, 1, 0, -1))
            self._paint_interval(painter, one.rate_intervals[pattern], place, bar)

    def _paint_bar(self, painter: QPainter, number: int, bar: QRectF) -> None:
        colour = QColor(self._palette.accent if number else self._palette.background)
        painter.fillRect(bar, colour)
        painter.setPen(QPen(QColor(self._palette.text), 1))
        painter.drawRect(bar)

    def _paint_interval(
        self, painter: QPainter, bounds: Interval | None, place: QRectF, bar: QRectF
    ) -> None:
        if bounds is None:
            return
        low, high = (place.left() + end * place.width() for end in bounds)
        middle = bar.center().y()
        painter.setPen(QPen(QColor(self._palette.text), 1))
        painter.drawLine(QLineF(low, middle, high, middle))
        for end in (low, high):
            painter.drawLine(QLineF(end, middle - 2, end, middle + 2))


def _percent(rate: float) -> str:
    return "\N{EN DASH}" if math.isnan(rate) else f"{100 * rate:.0f}"
