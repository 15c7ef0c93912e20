"""Choosers above the gallery: its filter, order and display."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QPushButton, QSlider, QVBoxLayout, QWidget

from napari_hep2.common.key_fields import Chooser
from napari_hep2.common.parts import Wire, button, pattern_icon, row
from napari_hep2.review.widgets.crop_tiles import TILE_MAX, TILE_MIN, TILE_START
from napari_hep2.session import ViewerSession
from training.curation.filtering import FILTERS, GROUPS, SORTS
from training.curation.ordering import Filter, PatternChoice

CONTRASTS = {
    "cell": "Contrast: cell",
    "specimen": "Contrast: specimen",
}
_CONTRAST_TIPS = {
    "cell": "Each cell is stretched between its percentiles 1 and 99.7",
    "specimen": "Cells are stretched between percentiles 1 and 99.7 of some cells of "
    "their specimen",
}
_TILE_STEP = 16


class Choosers(QWidget):
    """Filter, pattern, specimen, order, group; contrast, outlines, context, size.

    Attributes
    ----------
    sized
        Gives the width of tiles that is wanted, in pixels.
    entered, left
        Say that a list was opened, and closed, so that the gallery has the keys again.
    """

    sized = Signal(int)
    entered = Signal()
    left = Signal()

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._review = session, session.review
        self._build()
        self._connect()

    def _build(self) -> None:
        self.filter = Chooser("Which cells are shown")
        self.pattern = Chooser("Only cells labelled or predicted as a pattern")
        self.specimen = Chooser("Only cells of a specimen")
        self.sort = Chooser(
            "Sort order; 'uncertain' and 'suspicious' (not predicted as the "
            "specimen's pattern) need a prediction of the frame or a run"
        )
        self.group = Chooser("Grouping of the cells")
        for box, entries in ((self.filter, FILTERS), (self.sort, SORTS)):
            for data, text in entries.items():
                box.addItem(text, data)
        for group, text in GROUPS.items():
            self.group.addItem(text, group)
        self.turn = _toggle("\u21c5", "Reverse the order")
        self.turn.setMaximumWidth(32)
        self.contrast = _toggle(CONTRASTS["cell"], "")
        self.contours = _toggle("Masks", "Outlines of the nuclei (M)")
        self.context = _toggle("Around", "Surroundings of the current cell (V)")
        self.score = button(
            "Score all cells",
            "Score every cell under review by the model of Classify, then sort",
            "score_all",
        )
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setRange(TILE_MIN, TILE_MAX)
        self.size.setValue(TILE_START)
        self.size.setFixedWidth(44)
        self.size.setToolTip("Size of the tiles (+ and -)")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.filter, self.pattern, self.specimen, spacing=4))
        layout.addLayout(row(self.sort, self.turn, self.group, spacing=4))
        parts = (self.contrast, self.contours, self.context, 1, self.size)
        layout.addLayout(row(*parts, spacing=4))
        layout.addWidget(self.score)

    def _connect(self) -> None:
        order = self._review.order
        chosen = (
            (self.filter, self._filter_chosen),
            (self.pattern, order.set_pattern_filter),
            (self.specimen, order.set_specimen_filter),
            (self.group, order.set_group),
        )
        for box, verb in chosen:
            box.activated.connect(partial(_choose, box, verb))
        self.sort.activated.connect(self._sort_chosen)
        for box in (self.filter, self.pattern, self.specimen, self.sort, self.group):
            box.opened.connect(self.entered)
            box.closed.connect(self.left)
        self.score.clicked.connect(self.score_all)
        self.turn.clicked.connect(order.set_descending)
        self.contrast.clicked.connect(self._contrast_chosen)
        self.contours.clicked.connect(self._contours_chosen)
        self.context.clicked.connect(self._context_chosen)
        self.size.valueChanged.connect(self.sized)

    # -- from the user

    def _filter_chosen(self, which: Filter) -> None:
        if which == "proposed":
            self._session.start(self._session.quality.show_proposed())
            self.show_state()
        else:
            self._review.order.set_filter(which)

    def score_all(self) -> None:
        """Score every cell under review, and sort by what was asked for."""
        self._session.start(self._session.experiments.score_all_job())

    def _sort_chosen(self, index: int) -> None:
        self._session.start(self._review.order.set_sort(self.sort.itemData(index)))
        self.show_state()

    def sort_by_likeness(self) -> None:
        """Sort by likeness to the current cell."""
        self._session.start(self._review.order.set_sort("similarity"))

    def turn_round(self) -> None:
        """Show the other end of the order first, or the first again."""
        self._review.order.set_descending(not self._review.state.descending)

    def _contrast_chosen(self, wanted: bool) -> None:
        self._session.start(self._review.set_contrast_of_specimens(wanted))
        self.show_state()

    def turn_contrast(self) -> None:
        """Switch the contrast between per specimen and per cell."""
        self._contrast_chosen(self._review.state.contrast == "cell")

    def _contours_chosen(self, wanted: bool) -> None:
        self._review.state.contours = wanted

    def turn_contours(self) -> None:
        """Draw outlines, or none."""
        self._review.state.contours = not self._review.state.contours

    def _context_chosen(self, wanted: bool) -> None:
        self._review.state.context = wanted

    def turn_context(self) -> None:
        """Show what lies around the current cell, or the cell alone."""
        self._review.state.context = not self._review.state.context

    def larger(self) -> None:
        """Make the tiles larger."""
        self.size.setValue(self.size.value() + _TILE_STEP)

    def smaller(self) -> None:
        """Make the tiles smaller."""
        self.size.setValue(self.size.value() - _TILE_STEP)

    # -- from the state

    def wiring(self) -> list[Wire]:
        """Return the state's signals that the choosers follow."""
        shared, events = self._session.state.events, self._review.state.events
        lists = (shared.review, shared.blind, shared.prediction)
        shown = (
            events.filter,
            events.pattern_filter,
            events.specimen_filter,
            events.sort,
            events.wanted,
            events.descending,
            events.group,
            events.contrast,
            events.contours,
            events.context,
        )
        wires: list[Wire] = [(signal, self.refresh) for signal in lists]
        return [*wires, *((signal, self.show_state) for signal in shown)]

    def refresh(self) -> None:
        """Fill the lists of patterns and specimens anew."""
        state = self._session.state
        self.pattern.clear()
        self.pattern.addItem("Pattern", None)
        kinds: list[tuple[Any, str]] = [("own", "")]
        if state.prediction is not None:
            kinds.append(("predicted", "Called "))
        for kind, before in kinds:
            vocabulary = state.review.vocabulary if state.review else state.vocabulary
            for index, pattern in enumerate(vocabulary):
                text = f"{before}{pattern.title}"
                chosen = PatternChoice(kind, index)
                self.pattern.addItem(pattern_icon(pattern), text, chosen)
        self._fill_specimens()
        self.show_state()

    def _fill_specimens(self) -> None:
        state = self._session.state
        self.specimen.clear()
        names = state.review.specimen_names if state.review else ()
        self.specimen.setEnabled(not state.blind)
        if state.blind:
            chosen = self._review.state.specimen_filter
            self.specimen.addItem("One" if chosen else "Hidden", chosen)
            return
        self.specimen.addItem("Specimen", "")
        for name in names:
            self.specimen.addItem(f"Specimen {name}", name)

    def show_state(self) -> None:
        """Show what is chosen."""
        state = self._review.state
        self.filter.show_data(state.filter)
        self.pattern.show_data(state.pattern_filter)
        self.specimen.show_data(state.specimen_filter)
        self.sort.show_data(state.sort)
        self.score.setVisible(state.wanted is not None)
        self.group.show_data(state.group)
        self.turn.setChecked(state.descending)
        self.contrast.setChecked(state.contrast == "specimen")
        self.contours.setChecked(state.contours)
        self.context.setChecked(state.context)
        self.contrast.setText(CONTRASTS[state.contrast])
        tip = f"{_CONTRAST_TIPS[state.contrast]}, for display only"
        self.contrast.setToolTip(tip)


def _choose(box: Chooser, verb: Callable[[Any], None], index: int) -> None:
    verb(box.itemData(index))


def _toggle(text: str, tip: str) -> QPushButton:
    made = button(text, tip)
    made.setCheckable(True)
    return made
