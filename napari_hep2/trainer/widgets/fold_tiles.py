"""One tile a fold: what runs, what is done, and how well."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_hep2.common.palette import GREEN, SKY, VERMILLION, Palette, blend
from training.runs.replay import FoldState, RunState, TileState

TILE_COLOURS: Mapping[TileState, str] = {
    "waiting": "#999999",
    "running": SKY,
    "done": GREEN,
    "failed": VERMILLION,
}


ROOMY = 26
"""Side from which a tile has room for its accuracy beside its symbol."""


def tile_side(n_folds: int) -> int:
    """Return the side of a tile in pixels: smaller the more folds there are."""
    for most, side in ((12, 48), (40, 38), (100, 28), (160, 24)):
        if n_folds <= most:
            return side
    return 20


def tile_text(fold: FoldState, epochs: int) -> str:
    """Return what a tile's tooltip says, safe as rich text."""
    lines = [
        f"<b>{html.escape(fold.name)}</b>: {fold.status}",
        f"held-out specimen: {html.escape(_listed(fold.specimens))}",
        f"pattern: {html.escape(_listed(fold.patterns))}",
        f"cells: {fold.n_train:,} for training, {fold.n_test:,} held out",
    ]
    if fold.status == "running":
        lines.append(f"epochs: {round(fold.epochs_done, 1):g} of {epochs}")
    if fold.accuracy is not None:
        share = f"{100 * fold.accuracy:.1f} %"
        lines.append(f"held-out cells right: {fold.correct} of {fold.n} ({share})")
    if fold.message:
        lines.append(html.escape(fold.message))
    return "<br>".join(lines)


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    more = len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown or "not known"


class FoldTiles(QWidget):
    """One tile a fold: its colour and symbol tell the state, its fill the accuracy."""

    picked = Signal(str)
    GAP = 3

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = RunState()
        self._folds: list[FoldState] = []
        self._picked = ""
        self._palette = Palette()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Folds")

    def set_palette(self, palette: Palette) -> None:
        """Draw in the colours of a theme."""
        self._palette = palette
        self.update()

    def show_state(self, state: RunState) -> None:
        """Draw `state`."""
        resized = len(state.folds) != len(self._folds)
        self._state = state
        self._folds = list(state.folds.values())
        if resized:
            self._fit_height()
        self.update()

    def _pitch(self) -> int:
        return tile_side(len(self._folds)) + self.GAP

    def _columns(self, width: int) -> int:
        return max(1, (width + self.GAP) // self._pitch())

    def hasHeightForWidth(self) -> bool:
        """Tiles flow: narrower is higher."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all rows of tiles."""
        rows = -(-len(self._folds) // self._columns(width))
        return max(rows, 1) * self._pitch()

    def sizeHint(self) -> QSize:
        """Return the size at the present width."""
        return QSize(300, self.heightForWidth(max(self.width(), 120)))

    def minimumSizeHint(self) -> QSize:
        """Return a width at which a few tiles fit."""
        return QSize(120, self._pitch())

    def _fit_height(self) -> None:
        self.setFixedHeight(self.heightForWidth(self.width()))

    def resizeEvent(self, event: object) -> None:
        """Flow anew."""
        super().resizeEvent(event)
        self._fit_height()

    def tile_rect(self, index: int) -> QRectF:
        """Return where the tile of a fold is, in pixels."""
        row, column = divmod(index, self._columns(self.width()))
        side, pitch = tile_side(len(self._folds)), self._pitch()
        return QRectF(column * pitch, row * pitch, side, side)

    def fold_at(self, point: QPointF) -> FoldState | None:
        """Return the fold whose tile is under a point, or None."""
        pitch, columns = self._pitch(), self._columns(self.width())
        column, row = int(point.x() // pitch), int(point.y() // pitch)
        index = row * columns + column
        if column >= columns or not 0 <= index < len(self._folds):
            return None
        return self._folds[index] if self.tile_rect(index).contains(point) else None

    def event(self, event: QEvent) -> bool:
        """Show the tooltip of the tile under the mouse."""
        if event.type() == QEvent.Type.ToolTip:
            fold = self.fold_at(QPointF(event.pos()))
            text = tile_text(fold, self._state.epochs) if fold else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    def mousePressEvent(self, event: QEvent) -> None:
        """Pick the tile's fold; a second click, or one beside it, ends that."""
        fold = self.fold_at(QPointF(event.pos()))
        name = fold.name if fold and fold.name != self._picked else ""
        self._picked = name
        self.picked.emit(name)
        self.update()

    def paintEvent(self, _event: object) -> None:
        """Paint every tile."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index, fold in enumerate(self._folds):
            rect = self.tile_rect(index).adjusted(0.5, 0.5, -0.5, -0.5)
            self._paint_tile(painter, rect, fold)
        painter.end()

    def _paint_tile(self, painter: QPainter, rect: QRectF, fold: FoldState) -> None:
        colour = QColor(TILE_COLOURS[fold.status])
        painter.fillRect(
            rect, QColor(blend(self._palette.background, colour.name(), 0.2))
        )
        share = fold.accuracy if fold.status == "done" else None
        if fold.status == "running":
            share = fold.share(self._state.epochs)
        if share:
            top = rect.bottom() - share * rect.height()
            filled = QRectF(rect.left(), top, rect.width(), rect.bottom() - top)
            painter.fillRect(
                filled, QColor(blend(self._palette.background, colour.name(), 0.75))
            )
        picked = fold.name == self._picked
        pen = QPen(QColor(self._palette.text) if picked else colour, 2 if picked else 1)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect)
        self._paint_marks(painter, rect, fold)

    def _paint_marks(self, painter: QPainter, rect: QRectF, fold: FoldState) -> None:
        """Paint the symbol and, where there is room, the accuracy in per cent."""
        ink = QColor(self._palette.text)
        roomy = rect.width() >= ROOMY
        if roomy and fold.accuracy is not None:
            half = rect.height() / 2
            upper = rect.adjusted(0, 1, 0, -half)
            paint_symbol(painter, upper, fold.status, ink)
            font = QFont(self.font())
            font.setPixelSize(max(10, int(rect.height() * 0.33)))
            painter.setFont(font)
            painter.setPen(ink)
            lower = rect.adjusted(0, half - 2, 0, -1)
            text = f"{100 * fold.accuracy:.0f}"
            painter.drawText(lower, Qt.AlignmentFlag.AlignCenter, text)
            return
        paint_symbol(painter, rect, fold.status, ink)


def paint_symbol(
    painter: QPainter, rect: QRectF, status: TileState, ink: QColor
) -> None:
    """Paint a tick, a triangle, a cross or a dot in the middle of `rect`."""
    r = min(rect.width(), rect.height()) * 0.26
    c = rect.center()

    def at(x: float, y: float) -> QPointF:
        return QPointF(c.x() + x * r, c.y() + y * r)

    painter.setPen(QPen(ink, 2, cap=Qt.PenCapStyle.RoundCap))
    painter.setBrush(ink)
    if status == "done":
        painter.drawPolyline(QPolygonF([at(-1, 0), at(-0.25, 0.8), at(1, -0.8)]))
    elif status == "running":
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawPolygon(QPolygonF([at(-0.7, -1), at(1, 0), at(-0.7, 1)]))
    elif status == "failed":
        painter.drawLine(at(-0.8, -0.8), at(0.8, 0.8))
        painter.drawLine(at(-0.8, 0.8), at(0.8, -0.8))
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(c, 1.8, 1.8)


class TileLegend(QWidget):
    """Says what the symbols mean and counts the folds of each."""

    ORDER: tuple[TileState, ...] = ("done", "running", "waiting", "failed")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = RunState()
        self._palette = Palette()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_palette(self, palette: Palette) -> None:
        """Draw in the colours of a theme."""
        self._palette = palette
        self.update()

    def show_state(self, state: RunState) -> None:
        """Count the folds of `state`."""
        self._state = state
        self.update()

    def texts(self) -> dict[TileState, str]:
        """Return the words beside each symbol that is there."""
        counts = {status: self._state.count(status) for status in self.ORDER}
        return {status: f"{n} {status}" for status, n in counts.items() if n}

    def sizeHint(self) -> QSize:
        """Return one line of text."""
        return QSize(300, self.fontMetrics().height() + 4)

    def paintEvent(self, _event: object) -> None:
        """Paint symbols and words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = self.fontMetrics().height()
        x = 0
        for status, text in self.texts().items():
            rect = QRectF(x + 0.5, 1.5, side, side)
            colour = QColor(TILE_COLOURS[status])
            painter.fillRect(
                rect, QColor(blend(self._palette.background, colour.name(), 0.75))
            )
            painter.setPen(colour)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect)
            paint_symbol(painter, rect, status, QColor(self._palette.text))
            width = self.fontMetrics().horizontalAdvance(text)
            painter.setPen(QColor(self._palette.text))
            place = QRectF(x + side + 5, 1, width + 2, side)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, text)
            x += side + width + 18
        painter.end()
