"""The most doubtful and the most typical cells as small tiles to go to."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QRect, QSize, Signal
from qtpy.QtGui import QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_hep2.classify.controllers.verdict import ScoredCell
from napari_hep2.common.crop_picture import crop_pixmap
from napari_hep2.common.parts import button, draw_chip, row

SIDE = 42
_ACROSS = 6
_CHIP = 15
_BOARD = "QToolButton { border: 2px solid transparent; padding: 0; margin: 0; }"
_CHOSEN = "QToolButton { border: 2px solid #7fb8ff; padding: 0; margin: 0; }"


class CellTiles(QWidget):
    """A few cells; each is a button.

    Attributes
    ----------
    chosen
        Gives the id of the cell that was clicked.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, QToolButton] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._grid.setColumnStretch(_ACROSS, 1)

    def show_cells(self, cells: tuple[ScoredCell, ...], blind: bool) -> None:
        """Show cells; without their names before a blind reviewer."""
        for made in self.buttons.values():
            self._grid.removeWidget(made)
            made.deleteLater()
        self.buttons = {}
        for place, cell in enumerate(cells):
            made = self._button(cell, blind)
            self._grid.addWidget(made, place // _ACROSS, place % _ACROSS)
            self.buttons[cell.cell] = made

    def _button(self, cell: ScoredCell, blind: bool) -> QToolButton:
        made = QToolButton()
        made.setIcon(QIcon(_picture(cell)))
        made.setIconSize(QSize(SIDE, SIDE))
        made.setFixedSize(QSize(SIDE + 4, SIDE + 4))
        made.setStyleSheet(_BOARD)
        said = (
            f"{cell.first.title} {cell.score:.2f}, then {cell.second.title} "
            f"{cell.second_score:.2f}"
        )
        made.setToolTip(said if blind else f"{cell.cell}\n{said}")
        made.setAccessibleName(said if blind else f"{cell.cell}, {said}")
        made.clicked.connect(partial(self.chosen.emit, cell.cell))
        return made

    def mark(self, current: str) -> None:
        """Frame the current cell."""
        for cell, made in self.buttons.items():
            made.setStyleSheet(_CHOSEN if cell == current else _BOARD)


def _picture(cell: ScoredCell) -> QPixmap:
    pixmap = crop_pixmap(cell.crop, SIDE)
    painter = QPainter(pixmap)
    corner = QRect(1, SIDE - _CHIP - 1, _CHIP, _CHIP)
    draw_chip(painter, corner, cell.first.letter, cell.first.colour)
    painter.end()
    return pixmap


class DoubtPanel(QWidget):
    """Panel of the most doubtful and the most typical cells.

    Attributes
    ----------
    next_cell, sort
        Its buttons.
    chosen
        Gives the id of a cell that was clicked.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.next_cell = button(
            "Next doubtful cell",
            "The most doubtful cell without a decision, then the next",
            "next_doubtful",
        )
        self.sort = button(
            "Sort by doubt", "Order Review cells by doubt, most first", "sort_doubt"
        )
        self.doubtful, self.typical = CellTiles(), CellTiles()
        self.doubtful_title, self.typical_title = QLabel(), QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.next_cell, self.sort, 1))
        for part in (
            self.doubtful_title,
            self.doubtful,
            self.typical_title,
            self.typical,
        ):
            layout.addWidget(part)
        for tiles in (self.doubtful, self.typical):
            tiles.chosen.connect(self.chosen)

    def show_cells(
        self,
        doubtful: tuple[ScoredCell, ...],
        typical: tuple[ScoredCell, ...],
        blind: bool,
    ) -> None:
        """Show both lists; an empty one takes no room."""
        self.doubtful_title.setText(f"The {len(doubtful)} most doubtful")
        title = typical[0].first.title.lower() if typical else ""
        self.typical_title.setText(f"The {len(typical)} most typical: {title}")
        for title_of, tiles, cells in (
            (self.doubtful_title, self.doubtful, doubtful),
            (self.typical_title, self.typical, typical),
        ):
            tiles.show_cells(cells, blind)
            title_of.setVisible(bool(cells))
            tiles.setVisible(bool(cells))
        self.next_cell.setEnabled(bool(doubtful))
        self.sort.setEnabled(bool(doubtful))

    def mark(self, current: str) -> None:
        """Frame the current cell where it is shown."""
        self.doubtful.mark(current)
        self.typical.mark(current)
