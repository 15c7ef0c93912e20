"""A confusion matrix, drawn."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_hep2.common.palette import BLUE, Palette, blend, pattern_named
from training.runs.replay import RunState

Counts = tuple[tuple[int, ...], ...]


def share_of_row(row: tuple[int, ...], column: int) -> float | None:
    """Return the share of a row's cells in a column, 0 to 1; None in an empty row."""
    total = sum(row)
    return row[column] / total if total else None


class ConfusionView(QWidget):
    """K x K: rows are the truth, each cell in per cent of its row and as a count."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._patterns: tuple[str, ...] = ()
        self._counts: Counts = ()
        self._specimens: Mapping[str, int] = {}
        self._palette = Palette()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Confusion matrix")

    def set_palette(self, palette: Palette) -> None:
        """Draw in the colours of a theme."""
        self._palette = palette
        self.update()

    def show_state(self, state: RunState) -> None:
        """Draw the matrix of a run so far."""
        metrics = state.metrics
        self.show_counts(state.patterns, metrics.confusion, metrics.specimens)

    def show_counts(
        self, patterns: tuple[str, ...], counts: Counts, specimens: Mapping[str, int]
    ) -> None:
        """Draw a matrix.

        Parameters
        ----------
        patterns
            Names, K of them.
        counts
            K rows of K counts; rows are the truth. Empty where nothing was tested yet.
        specimens
            How many were tested, by pattern.
        """
        if (patterns, counts, specimens) == (
            self._patterns,
            self._counts,
            self._specimens,
        ):
            return
        self._patterns, self._counts, self._specimens = patterns, counts, specimens
        self.setMinimumHeight(self.minimumSizeHint().height())
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return a size at which every number has room."""
        return QSize(420, self._header() + 35 * max(len(self._patterns), 1))

    def minimumSizeHint(self) -> QSize:
        """Return the size below which numbers would be clipped."""
        n = max(len(self._patterns), 1)
        return QSize(self._label_width() + 31 * n, self._header() + 31 * n)

    def text_at(self, row: int, column: int) -> tuple[str, str]:
        """Return the two lines of a cell: per cent and count."""
        counts = self._row(row)
        share = share_of_row(counts, column)
        if share is None:
            return "\N{EN DASH}", ""
        return f"{100 * share:.0f}", f"{counts[column]:,}"

    def row_texts(self, row: int) -> tuple[str, str]:
        """Return a row's two lines: the pattern, and how much it rests on."""
        name = self._patterns[row]
        n, cells = self._specimens.get(name, 0), sum(self._row(row))
        specimens = "1 specimen" if n == 1 else f"{n} specimens"
        pattern = pattern_named(name)
        return f"{pattern.letter}  {pattern.title}", f"{specimens}, {cells:,} cells"

    def cell_rect(self, row: int, column: int) -> QRectF:
        """Return where a cell of the matrix is, in pixels."""
        n = len(self._patterns)
        left, top = self._label_width(), self._header()
        width = min((self.width() - left - 1) / n, 90.0)
        height = min((self.height() - top - 1) / n, 60.0)
        return QRectF(left + column * width, top + row * height, width, height)

    def event(self, event: QEvent) -> bool:
        """Show what the cell under the mouse counts."""
        if event.type() == QEvent.Type.ToolTip:
            text = self._tooltip(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    def paintEvent(self, _event: object) -> None:
        """Paint labels and cells."""
        if not self._patterns:
            return
        painter = QPainter(self)
        self._paint_header(painter)
        for row in range(len(self._patterns)):
            self._paint_label(painter, row)
            for column in range(len(self._patterns)):
                self._paint_cell(painter, row, column)
        painter.end()

    def _row(self, row: int) -> tuple[int, ...]:
        counts = self._counts
        return counts[row] if row < len(counts) else (0,) * len(self._patterns)

    def _header(self) -> int:
        return 2 * QFontMetrics(self.font()).height() + 4

    def _small(self) -> QFont:
        font = QFont(self.font())
        size = QFontMetrics(font).height()
        font.setPixelSize(max(9, int(size * 0.62)))
        return font

    def _label_width(self) -> int:
        small = QFontMetrics(self._small())
        normal = QFontMetrics(self.font())
        widths = [100]
        for row in range(len(self._patterns)):
            title, rests = self.row_texts(row)
            widths += [normal.horizontalAdvance(title), small.horizontalAdvance(rests)]
        return max(widths) + 10

    def _paint_header(self, painter: QPainter) -> None:
        painter.setFont(self.font())
        painter.setPen(QColor(self._palette.text))
        half = self._header() / 2
        first = self.cell_rect(0, 0)
        last = self.cell_rect(0, len(self._patterns) - 1)
        centre = Qt.AlignmentFlag.AlignCenter
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, half, first.left(), half), left, "truth")
        across = QRectF(first.left(), 0, last.right() - first.left(), half)
        painter.drawText(across, centre, "predicted, % of the row")
        for column, name in enumerate(self._patterns):
            cell = self.cell_rect(0, column)
            place = QRectF(cell.left(), half, cell.width(), half)
            painter.drawText(place, centre, pattern_named(name).letter)

    def _paint_label(self, painter: QPainter, row: int) -> None:
        cell = self.cell_rect(row, 0)
        half = cell.height() / 2
        title, rests = self.row_texts(row)
        painter.setFont(self.font())
        painter.setPen(QColor(self._palette.text))
        low = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        high = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        painter.drawText(QRectF(0, cell.top(), cell.left(), half), low, title)
        painter.setFont(self._small())
        painter.setPen(QColor(self._palette.muted))
        painter.drawText(QRectF(0, cell.top() + half, cell.left(), half), high, rests)

    def _paint_cell(self, painter: QPainter, row: int, column: int) -> None:
        cell = self.cell_rect(row, column)
        share = share_of_row(self._row(row), column) or 0.0
        fill = blend(self._palette.background, BLUE, share)
        painter.fillRect(cell, QColor(fill))
        diagonal = row == column
        edge = self._palette.text if diagonal else self._palette.faint
        painter.setPen(QPen(QColor(edge), 1))
        inset = 1.0 if diagonal else 0.5
        painter.drawRect(cell.adjusted(inset, inset, -inset, -inset))
        self._paint_numbers(painter, cell, fill, self.text_at(row, column))

    def _paint_numbers(
        self, painter: QPainter, cell: QRectF, fill: str, texts: tuple[str, str]
    ) -> None:
        dark = QColor(fill).lightnessF() < 0.45
        painter.setPen(QColor("#ffffff" if dark else "#000000"))
        painter.setFont(self.font())
        centre = Qt.AlignmentFlag.AlignHCenter
        half = cell.height() / 2
        upper = QRectF(cell.left(), cell.top(), cell.width(), half + 2)
        painter.drawText(upper, centre | Qt.AlignmentFlag.AlignBottom, texts[0])
        painter.setFont(self._small())
        lower = QRectF(cell.left(), cell.top() + half + 1, cell.width(), half - 1)
        painter.drawText(lower, centre | Qt.AlignmentFlag.AlignTop, texts[1])

    def _tooltip(self, point: QPointF) -> str:
        for row, truth in enumerate(self._patterns):
            for column, predicted in enumerate(self._patterns):
                if self.cell_rect(row, column).contains(point):
                    count, total = self._row(row)[column], sum(self._row(row))
                    return (
                        f"{count:,} of {total:,} held-out cells of {truth} were "
                        f"predicted as {predicted}; {self.row_texts(row)[1]} in this "
                        "row"
                    )
        return ""
