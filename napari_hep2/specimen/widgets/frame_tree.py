"""The specimens and frames of the open folder, to choose and to step through."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.parts import pattern_icon, row
from napari_hep2.state import SessionState
from training.data.layouts import Specimen

NOT_KNOWN = "Not known"
_PLACE = int(Qt.ItemDataRole.UserRole)


class FrameTree(QWidget):
    """Lists specimens with their pattern, their frames below them; blind, neither.

    Attributes
    ----------
    chosen
        Gives the index of a specimen and of its frame.
    stepped
        Gives -1 or 1, for the frame before or the next one.
    """

    chosen = Signal(int, int)
    stepped = Signal(int)

    def __init__(self, state: SessionState) -> None:
        super().__init__()
        self._state = state
        self._build()
        self.tree.currentItemChanged.connect(self._choose)
        self.back.clicked.connect(partial(self._step, -1))
        self.forth.clicked.connect(partial(self._step, 1))

    def _build(self) -> None:
        self.tree = QTreeWidget()
        self.tree.setColumnCount(2)
        self.tree.setAccessibleName("Specimens and frames")
        self.tree.setHeaderLabels(["Specimen", "Pattern"])
        self.tree.setUniformRowHeights(True)
        self.tree.setMinimumHeight(130)
        self.tree.setIconSize(QSize(14, 14))
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.tree.header()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.back = _arrow("back", Qt.ArrowType.LeftArrow, "Previous frame")
        self.forth = _arrow("forth", Qt.ArrowType.RightArrow, "Next frame")
        self.frame = QLabel()
        self.frame.setAlignment(Qt.AlignmentFlag.AlignCenter)
        steps = row(self.back, self.frame, self.forth)
        steps.setStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree, 1000)
        layout.addLayout(steps)
        # What a short list leaves free lies below it, not around it.
        layout.addStretch(1)

    def _step(self, step: int, *_: object) -> None:
        self.stepped.emit(step)

    def _choose(self, item: QTreeWidgetItem | None) -> None:
        place = item.data(0, _PLACE) if item is not None else None
        if place is None or tuple(place) == self._state.position:
            return
        self.chosen.emit(*place)

    def show_collection(self) -> None:
        """List the specimens of the open folder."""
        collection = self._state.collection
        self.setVisible(collection is not None)
        for part in (self.tree, self.frame):
            part.setVisible(not self._state.blind)
        self.tree.blockSignals(True)
        self.tree.clear()
        for index, specimen in enumerate(collection.specimens if collection else ()):
            self.tree.addTopLevelItem(self._item_of(index, specimen))
        self.tree.blockSignals(False)
        lines = self.tree.topLevelItemCount() + 3
        self.tree.setMaximumHeight(max(130, lines * self.tree.sizeHintForRow(0)))
        self.show_position()

    def _item_of(self, index: int, specimen: Specimen) -> QTreeWidgetItem:
        item = QTreeWidgetItem([specimen.id, specimen.pattern or NOT_KNOWN])
        item.setData(0, _PLACE, (index, 0))
        vocabulary = self._state.vocabulary
        if specimen.pattern:
            pattern = vocabulary[vocabulary.index(specimen.pattern)]
            item.setText(1, pattern.title)
            item.setIcon(1, pattern_icon(pattern))
        for k, frame in enumerate(specimen.frames[1:], start=1):
            child = QTreeWidgetItem([frame.name, ""])
            child.setData(0, _PLACE, (index, k))
            item.addChild(child)
        return item

    def show_position(self) -> None:
        """Mark the open frame and what lies before and after it."""
        frame, specimen = self._state.open_frame, self._state.open_specimen
        collection = self._state.collection
        if frame is None or specimen is None or collection is None:
            return
        i, k = self._state.position
        of = (
            f"  ({k + 1} of {len(specimen.frames)})" if len(specimen.frames) > 1 else ""
        )
        self.frame.setText(frame.name + of)
        self.back.setEnabled((i, k) != (0, 0))
        last = len(collection.specimens) - 1, len(collection.specimens[-1].frames) - 1
        self.forth.setEnabled((i, k) != last)
        self._mark(i, k)

    def _mark(self, specimen: int, frame: int) -> None:
        item = self.tree.topLevelItem(specimen)
        if item is not None and frame:
            item = item.child(frame - 1)
        self.tree.blockSignals(True)
        self.tree.setCurrentItem(item)
        self.tree.blockSignals(False)
        self.tree.viewport().update()


def _arrow(name: str, arrow: Qt.ArrowType, tip: str) -> QToolButton:
    made = QToolButton()
    made.setObjectName(name)
    made.setArrowType(arrow)
    made.setToolTip(tip)
    return made
