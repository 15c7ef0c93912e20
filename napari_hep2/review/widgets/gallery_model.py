"""The rows that the state shows, as a table of tiles with headings between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtWidgets import QWidget

from napari_hep2.review.state import ReviewState
from napari_hep2.review.widgets.crop_tiles import HEADING_ROLE, ROW_ROLE
from napari_hep2.review.widgets.tile_lines import TileLines
from napari_hep2.state import SessionState
from training.curation.ordering import Heading


class GalleryModel(QAbstractTableModel):
    """The rows that the state shows, folded into as many columns as fit."""

    def __init__(
        self,
        session: SessionState,
        state: ReviewState,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._state = session, state
        self._rows: npt.NDArray[np.int64] = state.shown
        self._places = np.empty(0, dtype=np.int64)
        self.columns = 1
        self.lines = TileLines(0, 1)

    def refresh(self) -> None:
        """Load the rows that the state shows now; equal ones are only drawn again."""
        starts = [(h.key, h.start) for h in self._state.headings]
        same_groups = starts == [(h.key, h.start) for h in self.lines.headings]
        if same_groups and np.array_equal(self._rows, self._state.shown):
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
        self._fold()

    def _fold(self) -> None:
        self.lines = TileLines(len(self._rows), self.columns, self._state.headings)

    def set_columns(self, columns: int) -> None:
        """Fold into this many columns."""
        if columns == self.columns:
            return
        self.beginResetModel()
        self.columns = columns
        self._fold()
        self.endResetModel()

    def touch(self) -> None:
        """Have every tile in sight drawn again."""
        if len(self._rows):
            last = self.index(self.rowCount() - 1, self.columns - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of lines, of tiles and of headings."""
        if parent is not None and parent.isValid():
            return 0
        return self.lines.n_lines

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of tiles in a line."""
        return 0 if parent is not None and parent.isValid() else self.columns

    def row_at(self, index: QModelIndex) -> int | None:
        """Return the review set's row at a tile."""
        if not index.isValid():
            return None
        place = self.lines.place_at(index.row(), index.column())
        return None if place is None else int(self._rows[place])

    def heading_at(self, index: QModelIndex) -> Heading | None:
        """Return the heading at an index, or None."""
        return self.lines.heading_at(index.row()) if index.isValid() else None

    def place_of(self, row: int | None) -> int | None:
        """Return a row's place in reading order, or None where it is not shown."""
        if row is None or not 0 <= row < len(self._places):
            return None
        place = int(self._places[row])
        return None if place < 0 else place

    def places_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the places of rows that are shown, in rising order."""
        inside = rows[rows < len(self._places)]
        places = self._places[inside]
        return np.sort(places[places >= 0])

    def rows_at(self, places: list[int]) -> list[int]:
        """Return the review set's rows at places in reading order."""
        return self._rows[np.array(places, dtype=np.int64)].tolist()

    def index_of(self, row: int) -> QModelIndex:
        """Return the tile of a row of the review set; invalid where it is not shown."""
        place = self.place_of(row)
        return QModelIndex() if place is None else self.index(*self.lines.where(place))

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return the row for `ROW_ROLE`, the heading, and a tool tip."""
        if role == HEADING_ROLE:
            return self.heading_at(index)
        row, review = self.row_at(index), self._session.review
        if row is None or review is None:
            return None
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.ToolTipRole and not self._session.blind:
            return str(review.ids[row])
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let only tiles with a cell be chosen."""
        if self.row_at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
