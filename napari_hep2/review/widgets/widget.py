"""The widget *Review cells*: a gallery of crops, keyboard first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QLabel,
    QLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.docks import MiddleOfWindow, opened_widget
from napari_hep2.common.parts import (
    Folds,
    SessionWidget,
    StatusStrip,
    Wire,
    button,
    row,
    scrolled,
    text_label,
)
from napari_hep2.live.panel import LivePanel
from napari_hep2.review.controllers.scores import leading_two, scores_of
from napari_hep2.review.widgets.cell_detail import CellDetail
from napari_hep2.review.widgets.choosers import Choosers
from napari_hep2.review.widgets.crop_tiles import TileDelegate
from napari_hep2.review.widgets.decision_bar import DecisionBar
from napari_hep2.review.widgets.gallery import GalleryView
from napari_hep2.review.widgets.gallery_model import GalleryModel
from napari_hep2.review.widgets.key_sheet import KeySheet
from napari_hep2.review.widgets.keys import KeyTable, Shortcuts, key_settings
from napari_hep2.review.widgets.progress import ProgressPanel
from napari_hep2.review.widgets.quality_panel import QualityPanel
from napari_hep2.review.widgets.reviewer_panel import ReviewerPanel
from napari_hep2.review.widgets.runs_panel import ExperimentsPanel
from napari_hep2.review.widgets.sheet_panel import SheetPanel
from training.patterns import Pattern

_LOOK_MS = 5000
"""How often the file is asked whether another reviewer wrote into it."""

_WIDE, _BESIDE = 700, 340
"""Pixels: a widget this wide has its controls beside the gallery, so wide."""
_TALL = 900
_FOLD_LOW, _FOLD_TALL = 74, 180
"""Pixels: a widget this high shows the cell and an open fold, a lower one either."""
_MATRIX = 0.4
"""Share of the height that live figures take."""


class ReviewWidget(SessionWidget):
    """Goes through the cells of the open frame or of a cell folder.

    Parameters
    ----------
    napari_viewer
        The viewer, given by napari.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        in_view = {"show": self._show_in_viewer}
        # Enter also ends a line of text and presses a button: it acts on tiles alone.
        self.shortcuts = (
            Shortcuts(self, self.key_table, self._actions()),
            Shortcuts(self.view, self.key_table, in_view),
        )
        for opened in (self.choosers.entered, self.decide.reasons.aboutToShow):
            opened.connect(self._pause_keys)
        for closed in (self.choosers.left, self.decide.reasons.aboutToHide):
            closed.connect(self._closed.start)
        self._closed.timeout.connect(self._keys_go_on)

    # -- build

    def _build(self) -> None:
        self._make_source()
        self._make_gallery()
        self.key_table = KeyTable(key_settings())
        self.choosers = Choosers(self.session)
        self.progress = ProgressPanel(self.state, self.session.review)
        self.detail = CellDetail(self.state, self.session.review)
        self.decide = DecisionBar(self.session.review, self.key_table)
        self.reviewers = ReviewerPanel(self.session)
        self.quality = QualityPanel(self.session)
        self.experiments = ExperimentsPanel(self.session, self._train_on)
        self.live = LivePanel(self.session, self.viewer)
        self.specimens = text_label()
        self.sheet_panel = SheetPanel(self.session)
        self.footer = Folds(
            ("Specimens", self.specimens),
            ("Quality", self.quality),
            ("Reviewer", self.reviewers),
            ("Runs", self.experiments),
            ("Sheet", self.sheet_panel),
            ("LOSO", self.live),
            height=_FOLD_LOW,
        )
        self.keys = button("Keys", "The list of keys (?)", "keys")
        self.status = StatusStrip(self.session)
        self.middle = MiddleOfWindow(self)
        self._lay_out()

    def _lay_out(self) -> None:
        heads = row(self.title, self.use_frame, self.open_cells, self.keys)
        self._above = _stacked(heads, self.choosers, self.progress)
        self._below = _stacked(self.detail, self.decide, self.footer)
        content = QWidget()
        self._grid = QGridLayout(content)
        self._grid.setContentsMargins(8, 6, 8, 0)
        self._grid.setSpacing(4)
        self._is_wide: bool | None = None
        self._arrange(is_wide=False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 4)
        outer.setSpacing(0)
        outer.addWidget(scrolled(content), 1)
        below = row(self.status)
        below.setContentsMargins(8, 0, 8, 0)
        outer.addLayout(below)

    def _arrange(self, is_wide: bool) -> None:
        """Set the controls above and below the gallery, or beside it."""
        if is_wide == self._is_wide:
            return
        self._is_wide, grid = is_wide, self._grid
        places = ((0, 1), (1, 1), (0, 0)) if is_wide else ((0, 0), (2, 0), (1, 0))
        for part, place in zip(
            (self._above, self._below, self.view), places, strict=True
        ):
            grid.removeWidget(part)
            lines = 2 if is_wide and part is self.view else 1
            grid.addWidget(part, *place, lines, 1)
        top = Qt.AlignmentFlag.AlignTop if is_wide else Qt.AlignmentFlag(0)
        grid.setAlignment(self._below, top)
        for line in range(3):
            grid.setRowStretch(line, int(line == 1))
        for part in (self._above, self._below):
            part.setFixedWidth(_BESIDE) if is_wide else _as_wide_as_there_is(part)
        grid.setColumnStretch(0, 1)

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

    def _make_gallery(self) -> None:
        state = self.session.review.state
        self.model = GalleryModel(self.state, state, self)
        self.tiles = TileDelegate(self.state, state, self._predicted, self)
        self.view = GalleryView(self.model, self.tiles)
        self._scores = np.empty((0, 0), np.float32)
        self._leading: npt.NDArray[np.int64] | None = None
        self._look = QTimer(self)
        self._look.setInterval(_LOOK_MS)
        # A key changes decisions, rows and the current cell: facts are read once.
        self._facts = QTimer(self)
        self._facts.setSingleShot(True)
        self._facts.setInterval(0)
        # The key that closes a list is the list's: the others act once it is over.
        self._closed = QTimer(self)
        self._closed.setSingleShot(True)
        self._closed.setInterval(0)

    # -- keys

    def _actions(self) -> dict[str, Callable[[], Any]]:
        """Return what each key of the table calls."""
        review, choosers = self.session.review, self.choosers
        return self.decide.actions() | {
            "note": self._write_note,
            "back": review.navigation.back,
            "filter": choosers.filter.showPopup,
            "pattern": choosers.pattern.showPopup,
            "specimen": choosers.specimen.showPopup,
            "sort": choosers.sort.showPopup,
            "group": choosers.group.showPopup,
            "turn": choosers.turn_round,
            "similar": choosers.sort_by_likeness,
            "select_all": review.navigation.select_all,
            "middle": self.middle.turn,
            "larger": choosers.larger,
            "smaller": choosers.smaller,
            "contours": choosers.turn_contours,
            "contrast": choosers.turn_contrast,
            "context": choosers.turn_context,
            "blind": self.reviewers.turn_blind,
            "keys": self.show_keys,
        }

    def _pause_keys(self) -> None:
        for one in self.shortcuts:
            one.pause()

    def _keys_go_on(self) -> None:
        for one in self.shortcuts:
            one.go_on()

    def show_keys(self) -> None:
        """Open the sheet of keys."""
        review = self.state.review
        vocabulary = review.vocabulary if review else self.state.vocabulary
        self.sheet = KeySheet(self.key_table, vocabulary, self._keys_changed, self)
        self.sheet.open()

    def _keys_changed(self) -> None:
        for one in self.shortcuts:
            one.bind()
        self.decide.show_keys()
        self._show_review()

    # -- connect

    def _wiring(self) -> list[Wire]:
        self._connect_controls()
        events, own = self.state.events, self.session.review.state.events
        return [
            (events.review, self._show_review),
            (own.shown, self._show_rows),
            (own.headings, self._show_rows),
            (events.decisions, self._show_decisions),
            (own.marks, self._show_marks),
            (own.others, self._show_marks),
            (events.current, self._show_current),
            (events.selected, self._show_current),
            (events.prediction, self._show_prediction),
            (own.scores, self._show_prediction),
            (own.measures, self._show_measures),
            (events.cells, self._show_cells),
            (own.contours, self._show_contours),
            (own.context, self._show_facts),
            (own.contrast, self._show_contrast),
            (events.blind, self._show_blind),
            (own.saved, self.progress.show_saved),
            (self.session.cell_clicked, self._take_focus),
            *self.choosers.wiring(),
            *self.reviewers.wiring(),
            *self.quality.wiring(),
            *self.experiments.wiring(),
            *self.sheet_panel.wiring(),
            *self.live.wiring(),
            *self.status.wiring(),
        ]

    def _connect_controls(self) -> None:
        review = self.session.review
        self.use_frame.clicked.connect(self._review_frame)
        self.open_cells.clicked.connect(self._choose_cells)
        self.keys.clicked.connect(self.show_keys)
        self.choosers.sized.connect(self.view.set_side)
        self.choosers.left.connect(self._take_focus)
        self.detail.left.connect(self._take_focus)
        self.decide.note_wanted.connect(self._write_note)
        self.view.chosen.connect(review.navigation.select)
        self.view.ranged.connect(review.navigation.select_range)
        self.view.stepped.connect(review.navigation.step)
        self.view.extended.connect(review.navigation.extend)
        self.view.opened.connect(self._show_in_viewer)
        self.view.folded.connect(self._show_current)
        self.tiles.contours.ready.connect(self.view.viewport().update)
        self.footer.toggles[0].toggled.connect(self._show_specimens)
        self.footer.turned.connect(self._share_height)
        self._look.timeout.connect(review.decision_session.refresh)
        self._facts.timeout.connect(self._read_facts)

    def sizeHint(self) -> QSize:
        """Return the size that a dock takes at first: four tiles side by side."""
        return QSize(400, 640)

    def resizeEvent(self, event: Any) -> None:
        """Share the new height out."""
        super().resizeEvent(event)
        self._arrange(is_wide=self.width() >= _WIDE)
        self._share_height()

    def _share_height(self) -> None:
        """Show the current cell beside an open fold only where tiles have room too."""
        is_tall = self.height() >= _TALL
        height = _FOLD_TALL if is_tall else _FOLD_LOW
        if self.footer.toggles[-1].isChecked():
            height = max(height, round(_MATRIX * self.height()))
        self.footer.set_height(height)
        self.detail.setVisible(is_tall or not self.footer.is_open)

    def _write_note(self) -> None:
        if self.height() < _TALL:
            self.footer.fold_away()
        self.detail.write_note()

    def showEvent(self, event: Any) -> None:
        """Look for what other reviewers write while the widget is seen."""
        super().showEvent(event)
        self._look.start()

    def hideEvent(self, event: Any) -> None:
        """Stop looking."""
        super().hideEvent(event)
        self._look.stop()

    # -- from the user to the state

    def _review_frame(self) -> None:
        if self.state.cells is None:
            self.state.complain("Open a specimen first: no frame is in the viewer.")
        self.session.review.review_frame()

    def _choose_cells(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Open a cell folder")
        if chosen:
            self.session.start(self.session.review.open_cell_folder(Path(chosen)))

    def _train_on(self, folder: Path) -> None:
        opened_widget(self.viewer, "LOSO trainer").use_accepted(folder)

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
                name = "Its frame" if self.state.blind else f"The frame {frame}"
                self.state.complain(f"{name} was not found.")
            return
        self.session.link.zoom_to_current()

    def _take_focus(self) -> None:
        if self.isVisible():
            self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    # -- from the state to the screen

    def _refresh(self) -> None:
        self.choosers.refresh()
        self._show_review()
        self.reviewers.refresh()
        self.progress.show_saved()
        self.status.refresh()

    def _show_review(self) -> None:
        review = self.state.review
        self._take_scores()
        self.tiles.cache.clear()
        self.tiles.contours.clear()
        self._show_title()
        vocabulary = review.vocabulary if review else self.state.vocabulary
        self.decide.show_patterns(vocabulary)
        self.model.refresh()
        self._show_decisions()
        self._show_current()

    def _show_title(self) -> None:
        review = self.state.review
        text = review.title if review else "No cells yet"
        if review is not None and self.state.blind and not review.is_folder:
            text = "A frame"
        self.title.setText(text)
        self.title.setToolTip(text)

    def _show_rows(self) -> None:
        self.model.refresh()
        self._show_current()

    def _show_decisions(self) -> None:
        self.progress.refresh()
        self._show_specimens()
        self._show_marks()

    def _show_marks(self) -> None:
        self.model.touch()
        self._show_facts()

    def _show_specimens(self) -> None:
        if self.footer.toggles[0].isChecked():
            self.specimens.setText(self.progress.specimens_text())

    def _show_current(self) -> None:
        self.view.show_current(self.state.current, self.state.selected)
        self._show_facts()

    def _show_facts(self) -> None:
        self.decide.set_ready(self.state.current is not None)
        if not self._facts.isActive():
            self._facts.start()

    def _read_facts(self) -> None:
        self.progress.show_specimen()
        self.detail.refresh()

    def _show_measures(self) -> None:
        if self.session.review.state.sort in ("uncertainty", "suspicion"):
            self.session.review.order.refresh()

    def _show_cells(self) -> None:
        """Take outlines from the mask of the frame that is open now."""
        self.tiles.contours.clear()
        self.view.viewport().update()
        self._show_facts()

    def _show_contours(self) -> None:
        self.view.viewport().update()

    def _show_contrast(self) -> None:
        self.tiles.cache.clear()
        self.view.viewport().update()
        self._show_facts()

    def _show_blind(self) -> None:
        self._show_title()
        self._show_decisions()
        self.view.viewport().update()

    def _show_prediction(self) -> None:
        self._take_scores()
        self.session.review.order.refresh()
        self.model.touch()

    def _predicted(self, cell: int) -> list[tuple[Pattern, float]]:
        """Return the two patterns that lead by the scores of a cell, where it has."""
        review = self.state.review
        if review is None or self._leading is None or self._leading[cell, 0] < 0:
            return []
        scores = self._scores[cell]
        return [(review.vocabulary[k], float(scores[k])) for k in self._leading[cell]]

    def _take_scores(self) -> None:
        """Find the leading patterns of all cells at once: tiles are painted often."""
        self._leading = None
        scores = scores_of(self.state, self.session.review.state)
        if scores is not None:
            self._scores, self._leading = scores, leading_two(scores)


def _stacked(*parts: QWidget | QLayout) -> QWidget:
    """Put parts below one another, in a widget that takes no more than they need."""
    made = QWidget()
    layout = QVBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for part in parts:
        if isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part)
    return made


def _as_wide_as_there_is(part: QWidget) -> None:
    part.setMinimumWidth(0)
    part.setMaximumWidth(16_777_215)
