"""The gallery: thousands of crops in a table view, drawn only where they are seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    Qt,
    Signal,
)
from qtpy.QtWidgets import QAbstractItemView, QTableView

from napari_hep2.review.widgets.crop_tiles import (
    CAPTION,
    HEADING,
    TILE_MAX,
    TILE_MIN,
    TILE_START,
    TileDelegate,
)
from napari_hep2.review.widgets.gallery_model import GalleryModel


class GalleryView(QTableView):
    """Shows the tiles; what is chosen goes to `chosen`, what is wanted comes back.

    Attributes
    ----------
    chosen
        Gives the current row of the review set and all rows selected.
    ranged
        Gives the row up to which a range is selected.
    opened
        Gives the row of a tile that was clicked twice.
    stepped, extended
        Give how many cells a key moves on, alone or with all in between.
    folded
        Says that the number of columns changed, which forgets what was selected.
    """

    chosen = Signal(object, object)
    ranged = Signal(int)
    stepped = Signal(int)
    extended = Signal(int)
    folded = Signal()
    opened = Signal(int)

    def __init__(self, model: GalleryModel, delegate: TileDelegate) -> None:
        super().__init__()
        self._gallery, self._tiles = model, delegate
        self._told = False
        self._ranging = False
        self._wanted = TILE_START
        self.setModel(model)
        self.setItemDelegate(delegate)
        self._build()
        self.selectionModel().selectionChanged.connect(self._tell)
        self.doubleClicked.connect(self._open)
        model.modelReset.connect(self._lay_headings)

    def _build(self) -> None:
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.hide()
            header.setMinimumSectionSize(16)
        self._size_tiles()
        self.setShowGrid(False)
        self.setMouseTracking(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(110)
        self.setAccessibleName("Cells under review")
        self.setStyleSheet("QTableView { background: #0c0c0c; border: none; }")

    @property
    def side(self) -> int:
        """The width of the tiles that is wanted, in pixels."""
        return self._wanted

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
        columns = max(1, round(width / self._wanted))
        side = min(max(width // columns, TILE_MIN), 2 * TILE_MAX)
        resized = side != self._tiles.side
        if resized:
            self._tiles.side = side
            self._tiles.cache.clear()
            self._size_tiles()
        if columns != self._gallery.columns:
            self._gallery.set_columns(columns)
            self.folded.emit()
        elif resized:
            self._lay_headings()

    def _size_tiles(self) -> None:
        """Give every line the height of a tile, headings too until they are laid."""
        self.verticalHeader().setDefaultSectionSize(self._tiles.side + CAPTION)
        self.horizontalHeader().setDefaultSectionSize(self._tiles.side)

    def _lay_headings(self) -> None:
        """Have each heading take the whole width, and no more height than it needs."""
        self.clearSpans()
        lines = self._gallery.lines.heading_lines
        for line in lines:
            self.verticalHeader().resizeSection(line, HEADING)
            if self._gallery.columns > 1:
                self.setSpan(line, 0, 1, self._gallery.columns)

    # -- from the user

    def keyPressEvent(self, event: Any) -> None:
        """Move by cells in reading order, and leave letters to the shortcuts."""
        step = self._step_of(event)
        if step is not None:
            is_range = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            (self.extended if is_range else self.stepped).emit(step)
            return
        if event.text().strip() and not event.modifiers():
            event.ignore()
            return
        super().keyPressEvent(event)

    def _step_of(self, event: Any) -> int | None:
        page = max(1, self.viewport().height() // (self._tiles.side + CAPTION))
        everything = self._gallery.lines.n + 1
        steps = {"Left": -1, "Right": 1, "Home": -everything, "End": everything}
        lines = {"Up": -1, "Down": 1, "PageUp": -page, "PageDown": page}
        key = key_code(event.key())
        for name, step in steps.items():
            if key == key_code(getattr(Qt.Key, f"Key_{name}")):
                return step
        for name, step in lines.items():
            if key == key_code(getattr(Qt.Key, f"Key_{name}")):
                return self._step_of_lines(step)
        return None

    def _step_of_lines(self, lines: int) -> int:
        """Return the cells between the current tile and the one some lines away."""
        place = self._gallery.place_of(self._gallery.row_at(self.currentIndex()))
        if place is None:
            return lines * self._gallery.columns
        return self._gallery.lines.moved(place, lines) - place

    def mousePressEvent(self, event: Any) -> None:
        """With Shift, select in reading order, where a table would take a rectangle."""
        row = self._gallery.row_at(self.indexAt(event.pos()))
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        self._ranging = bool(shift) and row is not None
        if self._ranging:
            self.ranged.emit(row)
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """Leave a range as it is while the button is held."""
        if not self._ranging:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: Any) -> None:
        """End a range."""
        if self._ranging:
            self._ranging = False
            return
        super().mouseReleaseEvent(event)

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
        """Return the rows of the review set that are selected, in reading order."""
        lines, places = self._gallery.lines, []
        for part in self.selectionModel().selection():
            for line in range(part.top(), part.bottom() + 1):
                columns = range(part.left(), part.right() + 1)
                places += [lines.place_at(line, column) for column in columns]
        found = sorted(place for place in places if place is not None)
        return self._gallery.rows_at(found)

    # -- from the state

    def show_current(self, row: int | None, selected: Sequence[int]) -> None:
        """Bring a row into sight, and mark it and all that are selected."""
        index = QModelIndex() if row is None else self._gallery.index_of(row)
        if not index.isValid():
            self.viewport().update()
            return
        moved = index != self.currentIndex()
        places = self._gallery.places_of(np.array(selected, dtype=np.int64))
        wanted = self._selection(places)
        flag = QItemSelectionModel.SelectionFlag
        self._told = True
        try:
            if not self._is_selected(wanted):
                self.selectionModel().select(wanted, flag.ClearAndSelect)
            if moved:
                self.selectionModel().setCurrentIndex(index, flag.NoUpdate)
        finally:
            self._told = False
        if moved:
            self.scrollTo(index)
            if self._gallery.lines.heading_at(index.row() - 1) is not None:
                self.scrollTo(self._gallery.index(index.row() - 1, 0))
        self.viewport().update()

    def _selection(self, places: Any) -> QItemSelection:
        wanted, model = QItemSelection(), self._gallery
        for top, left, bottom, right in model.lines.rectangles(places):
            wanted.select(model.index(top, left), model.index(bottom, right))
        return wanted

    def _is_selected(self, wanted: QItemSelection) -> bool:
        now = self.selectionModel().selection()
        return _corners(now) == _corners(wanted)


def _corners(selection: QItemSelection) -> set[tuple[int, int, int, int]]:
    return {(r.top(), r.left(), r.bottom(), r.right()) for r in selection}


def key_code(key: Any) -> int:
    """Return a key as the number that both bindings compare alike."""
    return int(getattr(key, "value", key))
