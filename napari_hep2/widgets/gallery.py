"""The gallery: thousands of crops in a table view, drawn only where they are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    Qt,
    Signal,
)
from qtpy.QtWidgets import QAbstractItemView, QTableView, QWidget

from napari_hep2.state import SessionState
from napari_hep2.widgets.crop_tiles import (
    CAPTION,
    ROW_ROLE,
    TILE_MAX,
    TILE_MIN,
    TILE_START,
    TileDelegate,
)


class GalleryModel(QAbstractTableModel):
    """The rows that the state shows, folded into as many columns as fit."""

    def __init__(self, state: SessionState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._rows: npt.NDArray[np.int64] = state.shown
        self._places = np.empty(0, dtype=np.int64)
        self.columns = 1

    def refresh(self) -> None:
        """Take the rows that the state shows now; equal ones are only drawn again."""
        if np.array_equal(self._rows, self._state.shown):
            self._take()
            self.touch()
            return
        self.beginResetModel()
        self._take()
        self.endResetModel()

    def _take(self) -> None:
        self._rows = self._state.shown
        n_rows = int(self._rows.max()) + 1 if len(self._rows) else 0
        self._places = np.full(n_rows, -1, dtype=np.int64)
        self._places[self._rows] = np.arange(len(self._rows))

    def set_columns(self, columns: int) -> None:
        """Fold into this many columns."""
        if columns == self.columns:
            return
        self.beginResetModel()
        self.columns = columns
        self.endResetModel()

    def touch(self) -> None:
        """Have every tile in sight drawn again."""
        if len(self._rows):
            last = self.index(self.rowCount() - 1, self.columns - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of lines of tiles."""
        if parent is not None and parent.isValid():
            return 0
        return -(-len(self._rows) // self.columns)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of tiles in a line."""
        return 0 if parent is not None and parent.isValid() else self.columns

    def row_at(self, index: QModelIndex) -> int | None:
        """Return the review set's row at a tile."""
        place = index.row() * self.columns + index.column()
        if not index.isValid() or place >= len(self._rows):
            return None
        return int(self._rows[place])

    def rows_at(self, places: list[int]) -> list[int]:
        """Return the review set's rows at places counted in reading order."""
        return [int(self._rows[place]) for place in places if place < len(self._rows)]

    def index_of(self, row: int) -> QModelIndex:
        """Return the tile of a row of the review set; invalid where it is not shown."""
        place = int(self._places[row]) if 0 <= row < len(self._places) else -1
        if place < 0:
            return QModelIndex()
        return self.index(*divmod(place, self.columns))

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return the row for `ROW_ROLE`, and a tool tip."""
        row = self.row_at(index)
        if row is None or self._state.review is None:
            return None
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(self._state.review.ids[row])
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let only tiles with a cell be chosen."""
        if self.row_at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class GalleryView(QTableView):
    """Shows the tiles; what is chosen goes to `chosen`, what is wanted comes back.

    Attributes
    ----------
    chosen
        Gives the current row of the review set and all rows selected.
    opened
        Gives the row of a tile that was clicked twice.
    stepped
        Gives how many cells a key moves on.
    folded
        Says that the number of columns changed, which forgets what was selected.
    """

    chosen = Signal(object, object)
    stepped = Signal(int)
    folded = Signal()
    opened = Signal(int)

    def __init__(self, model: GalleryModel, delegate: TileDelegate) -> None:
        super().__init__()
        self._gallery, self._tiles = model, delegate
        self._told = False
        self._wanted = TILE_START
        self.setModel(model)
        self.setItemDelegate(delegate)
        self._build()
        self.selectionModel().selectionChanged.connect(self._tell)
        self.doubleClicked.connect(self._open)

    def _build(self) -> None:
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.hide()
            header.setMinimumSectionSize(16)
        self.setShowGrid(False)
        self.setMouseTracking(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(150)
        self.setStyleSheet("QTableView { background: #0c0c0c; border: none; }")

    def set_side(self, side: int) -> None:
        """Draw tiles of about this width in pixels."""
        self._wanted = side
        self.fold()

    def resizeEvent(self, event: Any) -> None:
        """Fold anew to the width there is."""
        super().resizeEvent(event)
        self.fold()

    def fold(self) -> None:
        """Fit tiles of about the wanted width beside each other, without a gap."""
        width = self.viewport().width()
        columns = max(1, width // self._wanted)
        side = min(max(width // columns, TILE_MIN), 2 * TILE_MAX)
        if side != self._tiles.side:
            self._tiles.side = side
            self._tiles.cache.clear()
        self.verticalHeader().setDefaultSectionSize(side + CAPTION)
        self.horizontalHeader().setDefaultSectionSize(side)
        if columns != self._gallery.columns:
            self._gallery.set_columns(columns)
            self.folded.emit()

    def keyPressEvent(self, event: Any) -> None:
        """Move by cells in reading order, and leave letters to the shortcuts."""
        step = self._step_of(event)
        if step is not None:
            self.stepped.emit(step)
            return
        if event.text().strip() and not event.modifiers():
            event.ignore()
            return
        super().keyPressEvent(event)

    def _step_of(self, event: Any) -> int | None:
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            return None
        page = max(1, self.viewport().height() // (self._tiles.side + CAPTION))
        columns, everything = self._gallery.columns, self._gallery.rowCount() + 1
        steps = {
            "Left": -1,
            "Right": 1,
            "Up": -columns,
            "Down": columns,
            "PageUp": -columns * page,
            "PageDown": columns * page,
            "Home": -columns * everything,
            "End": columns * everything,
        }
        codes = {
            key_code(getattr(Qt.Key, f"Key_{name}")): n for name, n in steps.items()
        }
        return codes.get(key_code(event.key()))

    def _open(self, index: QModelIndex) -> None:
        row = self._gallery.row_at(index)
        if row is not None:
            self.opened.emit(row)

    def _tell(self, *_: object) -> None:
        """Say what the user chose; silent while the state is being shown."""
        if self._told:
            return
        current, rows = self._gallery.row_at(self.currentIndex()), self.chosen_rows()
        if rows and current not in rows:
            current = rows[-1]
        if current is not None:
            self.chosen.emit(current, rows)

    def chosen_rows(self) -> list[int]:
        """Return the rows of the review set that are selected, range by range."""
        columns = self._gallery.columns
        places: list[int] = []
        for part in self.selectionModel().selection():
            for line in range(part.top(), part.bottom() + 1):
                start = line * columns
                places += range(start + part.left(), start + part.right() + 1)
        return self._gallery.rows_at(sorted(places))

    def show_current(self, row: int | None, keep: bool) -> None:
        """Bring a row into sight and select it; `keep` leaves the selection."""
        index = QModelIndex() if row is None else self._gallery.index_of(row)
        if not index.isValid() or (index == self.currentIndex() and keep):
            self.viewport().update()
            return
        flag = QItemSelectionModel.SelectionFlag
        self._told = True
        try:
            self.selectionModel().setCurrentIndex(
                index, flag.NoUpdate if keep else flag.ClearAndSelect
            )
        finally:
            self._told = False
        self.scrollTo(index)
        self.viewport().update()


def key_code(key: Any) -> int:
    """Return a key as the number that both bindings compare alike."""
    return int(getattr(key, "value", key))
