"""The widget *Review cells*: a gallery of crops, keyboard first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.controllers.review import NOT_SAVED
from napari_hep2.review_set import Filter, Sort
from napari_hep2.widgets.cell_detail import CellDetail
from napari_hep2.widgets.crop_tiles import (
    TILE_MAX,
    TILE_MIN,
    TILE_START,
    TileDelegate,
)
from napari_hep2.widgets.decision_bar import DecisionBar, add_shortcut, keys_text
from napari_hep2.widgets.gallery import GalleryModel, GalleryView
from napari_hep2.widgets.parts import (
    GOOD_COLOUR,
    WARNING_COLOUR,
    Folds,
    SessionWidget,
    StatusStrip,
    Wire,
    button,
    capped,
    row,
    text_label,
)
from training.data.reviewed import STORE
from training.patterns import Pattern

FILTERS: dict[Filter, str] = {
    "all": "All cells",
    "undecided": "Undecided",
    "accepted": "Accepted",
    "rejected": "Rejected",
    "relabelled": "Relabelled",
    "dropped": "Dropped by extraction",
}
SORTS: dict[Sort, str] = {
    "order": "In order",
    "size": "Smallest",
    "focus": "Blurriest",
    "uncertainty": "Uncertain",
    "suspicion": "Suspicious",
}


class ReviewWidget(SessionWidget):
    """Goes through the cells of the open frame or of a cell folder.

    Parameters
    ----------
    napari_viewer
        The viewer, given by napari.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.decide.add_shortcuts(self)
        add_shortcut(self.view, "Return", self._show_in_viewer)

    # -- build

    def _build(self) -> None:
        self._make_source()
        self._make_gallery()
        self.detail = CellDetail(self.state)
        self.decide = DecisionBar(self.session.review)
        self._make_footer()
        self.status = StatusStrip(self.session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        for part in (
            row(self.title, self.use_frame, self.open_cells),
            row(self.filter, self.sort),
            row(self.progress, self.saved),
            row(self.hint, self.size),
        ):
            layout.addLayout(part)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.detail)
        layout.addWidget(self.decide)
        layout.addWidget(self.footer)
        layout.addWidget(self.status)
        self.setMinimumWidth(320)

    def _make_source(self) -> None:
        self.title = QLabel()
        self.title.setMinimumWidth(60)
        self.title.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.use_frame = button(
            "This frame", "Review the cells of the frame in the viewer", "use_frame"
        )
        self.open_cells = button(
            "Cell folder\u2026", "Review the cells of a cell folder", "open_cells"
        )
        self.filter, self.sort = QComboBox(), QComboBox()
        for which, text in FILTERS.items():
            self.filter.addItem(text, which)
        for sort, text in SORTS.items():
            self.sort.addItem(text, sort)
        self.filter.setToolTip("Which cells are shown")
        self.sort.setToolTip(
            "What comes first; 'uncertain' and 'suspicious' (not called as the "
            "specimen's pattern) need a prediction of the frame"
        )
        for box in (self.filter, self.sort):
            box.setMinimumContentsLength(8)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.progress = QProgressBar()
        self.progress.setMinimumWidth(120)
        self.progress.setMinimumHeight(18)
        self.saved = QLabel()
        self.saved.setMinimumWidth(90)
        self.hint = QLabel("Contrast stretched for display only")
        self.hint.setToolTip("Each cell between its percentiles 1 and 99.7")
        self.hint.setMinimumWidth(40)
        self.hint.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setRange(TILE_MIN, TILE_MAX)
        self.size.setValue(TILE_START)
        self.size.setMaximumWidth(80)
        self.size.setToolTip("Size of the tiles")

    def _make_gallery(self) -> None:
        self.model = GalleryModel(self.state, self)
        self.tiles = TileDelegate(self.state, self._predicted, self)
        self.view = GalleryView(self.model, self.tiles)
        self._scores: npt.NDArray[np.float32] | None = None
        self._scored_for = (0, 0)

    def _make_footer(self) -> None:
        self.keys = text_label()
        self.reviewer = QLineEdit()
        self.reviewer.setToolTip(
            "Each reviewer sees only their own decisions, so that two read blind"
        )
        self.store = text_label()
        self.choose_store = button(
            "Change\u2026", "Keep the decisions in another folder", "choose_store"
        )
        self.compare = button(
            "Compare reviewers", "How far their decisions agree", "compare"
        )
        self.agreement = text_label()
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.setContentsMargins(12, 0, 0, 0)
        inside.addLayout(row(QLabel("Reviewer"), self.reviewer))
        where = row(self.store, self.choose_store)
        where.setStretch(0, 1)
        inside.addLayout(where)
        inside.addWidget(self.compare)
        inside.addWidget(self.agreement)
        self.footer = Folds(
            ("Keys", capped(self.keys)), ("Reviewer and decisions", capped(content))
        )

    # -- connect

    def _wiring(self) -> list[Wire]:
        self._connect_controls()
        events = self.state.events
        return [
            (events.review, self._show_review),
            (events.shown, self._show_rows),
            (events.decisions, self._show_decisions),
            (events.current, self._show_current),
            (events.selected, self._show_facts),
            (events.prediction, self._show_prediction),
            (events.saved, self._show_saved),
            (events.store, self._show_store),
            (events.writable, self._show_store),
            (events.filter, self._show_choices),
            (events.sort, self._show_choices),
            (events.reviewer, self._show_store),
            (self.session.cell_clicked, self._take_focus),
            *self.status.wiring(),
        ]

    def _connect_controls(self) -> None:
        review = self.session.review
        self.use_frame.clicked.connect(self._review_frame)
        self.open_cells.clicked.connect(self._choose_cells)
        self.filter.activated.connect(self._filter_chosen)
        self.sort.activated.connect(self._sort_chosen)
        self.size.valueChanged.connect(self._size_chosen)
        self.view.chosen.connect(review.select)
        self.view.stepped.connect(review.step)
        self.view.opened.connect(self._show_in_viewer)
        self.view.folded.connect(self._show_current)
        self.reviewer.editingFinished.connect(self._reviewer_named)
        self.choose_store.clicked.connect(self._choose_store)
        self.compare.clicked.connect(self._compare)

    # -- from the user to the state

    def _review_frame(self) -> None:
        if self.state.cells is None:
            self.state.complain("Open a specimen first: no frame is in the viewer.")
        self.session.review.review_frame()

    def _choose_cells(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Open a cell folder")
        if chosen:
            self.session.start(self.session.review.open_cell_folder(Path(chosen)))

    def _choose_store(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the decisions")
        if chosen:
            self.session.review.use_store(Path(chosen))

    def _compare(self) -> None:
        found = self.session.review.compare_reviewers()
        self.agreement.setText("\n".join(found) or "There is no other reviewer.")
        self.agreement.setVisible(True)

    def _filter_chosen(self, index: int) -> None:
        self.session.review.set_filter(self.filter.itemData(index))

    def _sort_chosen(self, index: int) -> None:
        self.session.start(self.session.review.set_sort(self.sort.itemData(index)))

    def _size_chosen(self, side: int) -> None:
        self.view.set_side(side)

    def _reviewer_named(self) -> None:
        self.session.review.set_reviewer(self.reviewer.text())

    def _show_in_viewer(self, _row: int | None = None) -> None:
        """Go to the current cell, and to its frame where another one is open."""
        review, frame = self.state.review, self.session.review.frame_of_current()
        if review is None or frame is None:
            return
        cells = self.state.cells
        if cells is None or cells.frame.name != frame:
            job = self.session.specimen.go_to_frame(frame, review.root)
            self.session.start(job)
            if job is None:
                self.state.complain(f"The frame {frame} is not at hand.")
            return
        self.session.link.zoom_to_current()

    def _take_focus(self) -> None:
        if self.isVisible():
            self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    # -- from the state to the screen

    def _refresh(self) -> None:
        self._show_choices()
        self._show_review()
        self._show_store()
        self._show_saved()
        self.status.refresh()

    def _show_review(self) -> None:
        review = self.state.review
        self.tiles.cache.clear()
        self.title.setText(review.title if review else "No cells yet")
        self.title.setToolTip(self.title.text())
        vocabulary = review.vocabulary if review else self.state.vocabulary
        self.decide.show_patterns(vocabulary)
        self.keys.setText(keys_text(vocabulary))
        self.model.refresh()
        self._show_decisions()
        self._show_current()

    def _show_rows(self) -> None:
        self.model.refresh()
        self._show_current()

    def _show_decisions(self) -> None:
        self.model.touch()
        count = self.session.review.count()
        self.progress.setRange(0, max(count.total, 1))
        self.progress.setValue(count.decided)
        self.progress.setFormat(f"{count.decided:,} of {count.total:,}")
        self.progress.setToolTip(
            f"{count.accepted:,} accepted, {count.rejected:,} rejected, "
            f"{count.relabelled:,} relabelled"
        )
        self._show_facts()

    def _show_current(self) -> None:
        keep = set(self.view.chosen_rows()) == set(self.state.selected)
        self.view.show_current(self.state.current, keep)
        self._show_facts()

    def _show_facts(self) -> None:
        self.decide.set_ready(self.state.current is not None)
        self.detail.refresh()

    def _show_saved(self) -> None:
        saved = self.state.saved
        colour = WARNING_COLOUR if saved == NOT_SAVED else GOOD_COLOUR
        self.saved.setText(saved)
        self.saved.setStyleSheet(f"color: {colour};")

    def _show_store(self) -> None:
        store = self.state.store
        text = f"Decisions in {store / STORE}" if store else "No folder chosen."
        text += "" if self.state.writable else " (read-only)"
        self.store.setText(text)
        self.reviewer.setText(self.state.reviewer)
        self.agreement.setVisible(False)

    def _show_choices(self) -> None:
        self.filter.setCurrentIndex(self.filter.findData(self.state.filter))
        self.sort.setCurrentIndex(self.sort.findData(self.state.sort))

    def _show_prediction(self) -> None:
        self._scored_for = (0, 0)
        if self.state.sort in ("uncertainty", "suspicion"):
            self.session.review.refresh()
        self.model.touch()

    def _predicted(self, cell: int) -> tuple[Pattern, float] | None:
        """Return what the model calls a cell under review, where it is known."""
        review, prediction = self.state.review, self.state.prediction
        if review is None or prediction is None:
            return None
        if self._scored_for != (id(review), id(prediction)):
            self._scores = self.session.review.scores()
            self._scored_for = (id(review), id(prediction))
        if self._scores is None or np.isnan(self._scores[cell, 0]):
            return None
        best = int(self._scores[cell].argmax())
        return review.vocabulary[best], float(self._scores[cell, best])
