"""Near copies in pairs: both cells side by side, and what to do with them."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.crop_picture import crop_pixmap
from napari_hep2.common.parts import (
    WARNING_COLOUR,
    CommandLine,
    StatusStrip,
    Wire,
    button,
    disconnect_all,
    row,
    text_label,
)
from napari_hep2.review.controllers.near_copies import CopyPair, as_first
from napari_hep2.review.widgets.cell_detail import decision_text
from napari_hep2.review.widgets.crop_tiles import limits_of
from napari_hep2.session import ViewerSession
from training.curation.near_copies import VIEWS

_SIDE = 264


class PairedCell(QWidget):
    """One cell of a pair: its picture, and below it what is known of it."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = QLabel()
        self.picture.setFixedSize(_SIDE, _SIDE)
        self.picture.setStyleSheet("background: #161616;")
        self.facts = QLabel()
        self.facts.setTextFormat(Qt.TextFormat.PlainText)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.facts.setWordWrap(True)
        self.facts.setFixedWidth(_SIDE)
        self.facts.setMinimumHeight(4 * self.facts.fontMetrics().lineSpacing())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.picture)
        layout.addWidget(self.facts)

    def show_cell(self, picture: QPixmap, facts: list[str]) -> None:
        """Show a cell; without facts there is none."""
        self.picture.setPixmap(picture)
        self.facts.setText("\n".join(facts))


class CopiesPanel(QDialog):
    """A window beside the viewer's that goes through near copies pair by pair.

    Parameters
    ----------
    session
        Of the viewer.
    parent
        The widget that it is closed with.
    """

    def __init__(self, session: ViewerSession, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._state, self._copies = (
            session,
            session.state,
            session.copies,
        )
        self.setWindowTitle("Near copies")
        self._build()
        self._lay_out()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        self.find = self._button("&Find copies", "Compare all cells of the folder")
        self.within = QCheckBox("&Within specimens too")
        self.within.setToolTip("Also pairs of two cells of one specimen")
        self.count = QLabel()
        self.cells = (PairedCell(), PairedCell())
        self.likeness = text_label()
        self.patterns = text_label()
        self.reject = (
            self._button("Reject &left", "Reject it as a copy of the right one"),
            self._button("Reject &right", "Reject it as a copy of the left one"),
        )
        self.keep = self._button(
            "&Keep both", "Use both; a note on the left cell records it"
        )
        self.show_both = self._button("&Show both", "Select both in the gallery")
        self.previous = self._button("&Previous", "Previous pair")
        self.next = self._button("&Next", "Next pair")
        self.next_open = self._button("Next &open", "The next undecided pair")
        self.undo = self._button("&Undo", "Undo the last action")
        self.command = CommandLine()
        self.status = StatusStrip(self._session)

    def _button(self, text: str, tip: str) -> QPushButton:
        made = button(text, f"{tip} (Alt+{text[text.index('&') + 1].upper()})")
        # Enter in a dialog would press the first button.
        made.setAutoDefault(False)
        return made

    def _lay_out(self) -> None:
        pair = QHBoxLayout()
        pair.setSpacing(10)
        for cell in self.cells:
            pair.addWidget(cell)
        left, right = self.reject
        layout = QVBoxLayout(self)
        layout.setSpacing(6)
        layout.addLayout(row(self.find, self.within, 1, self.count))
        layout.addLayout(pair)
        layout.addWidget(self.likeness)
        layout.addWidget(self.patterns)
        layout.addLayout(row(left, 1, self.keep, self.show_both, 1, right))
        moves = (self.previous, self.next, self.next_open, 1, self.undo)
        layout.addLayout(row(*moves))
        layout.addWidget(self.command)
        layout.addWidget(self.status)
        self.status.setSizePolicy(
            QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum
        )
        layout.addStretch(1)
        self.command.copy.setAutoDefault(False)
        self.status.cancel.setAutoDefault(False)

    def _connect(self) -> None:
        copies = self._copies
        self.find.clicked.connect(self._find)
        self.within.toggled.connect(self._set_within)
        for which, one in enumerate(self.reject):
            one.clicked.connect(partial(self._reject, which))
        self.keep.clicked.connect(copies.keep_both)
        self.show_both.clicked.connect(copies.show_both)
        self.previous.clicked.connect(partial(self._go, -1))
        self.next.clicked.connect(partial(self._go, 1))
        self.next_open.clicked.connect(copies.next_open)
        self.undo.clicked.connect(copies.undo)
        self._wires = [*self._wiring(), *self.status.wiring()]
        for signal, slot in self._wires:
            signal.connect(slot)
        self.destroyed.connect(partial(disconnect_all, self._wires))

    def _wiring(self) -> list[Wire]:
        events, own = self._state.events, self._session.review.state.events
        follows = (
            self._copies.changed,
            events.review,
            events.decisions,
            own.marks,
            events.blind,
            own.contrast,
            events.busy,
        )
        return [(signal, self.refresh) for signal in follows]

    def open_beside(self) -> None:
        """Show the window, in front."""
        self.show()
        self.raise_()
        self.activateWindow()
        self.refresh()

    # -- from the user

    def _find(self) -> None:
        self._session.start(self._copies.find_job())

    def _set_within(self, on: bool) -> None:
        self._copies.within = on
        self.command.show_command(self._copies.command())

    def _reject(self, which: int, _checked: bool = False) -> None:
        self._copies.reject(which)

    def _go(self, step: int, _checked: bool = False) -> None:
        self._copies.go(step)

    # -- from the state

    def refresh(self) -> None:
        """Show the pair that is looked at."""
        if not self.isVisible():
            return
        pair = self._copies.current
        self.command.show_command(self._copies.command())
        self._enable(pair)
        self.count.setText(self._count())
        if pair is None:
            self._show_none()
            return
        self._show_cell(0, pair)
        self._show_cell(1, pair)
        self.likeness.setText(self._likeness(pair))
        self._show_patterns(pair)

    def _enable(self, pair: CopyPair | None) -> None:
        copies, own = self._copies, self._session.review.state
        can_say = pair is not None and own.writable and own.as_of is None
        self.find.setEnabled(not self._state.busy)
        for which, one in enumerate(self.reject):
            cell = None if pair is None else (pair.first, pair.second)[which]
            is_new = cell is not None and not copies.is_rejected(cell)
            one.setEnabled(can_say and is_new)
        self.keep.setEnabled(can_say and pair is not None and copies.is_open(pair))
        self.show_both.setEnabled(pair is not None)
        self.previous.setEnabled(copies.place > 0)
        self.next.setEnabled(copies.place + 1 < len(copies.pairs))
        self.next_open.setEnabled(bool(copies.open_count()))

    def _count(self) -> str:
        copies = self._copies
        if not copies.pairs:
            return "No pairs" if copies.is_searched else ""
        count = f"Pair {copies.place + 1:,} of {len(copies.pairs):,}"
        return f"{count}, {copies.open_count():,} open"

    def _show_none(self) -> None:
        for cell in self.cells:
            cell.show_cell(QPixmap(), [])
        self.patterns.setText("")
        self.likeness.setText(
            "No near copies were found."
            if self._copies.is_searched
            else "Find copies first: cells of two specimens with almost the same "
            "picture, in any orientation, shifted or brighter."
        )

    def _show_cell(self, which: int, pair: CopyPair) -> None:
        review = self._state.review
        if review is None:
            return
        cell = (pair.first, pair.second)[which]
        crop = review.crops[cell]
        crop = as_first(crop, pair) if which else crop
        picture = crop_pixmap(
            crop, _SIDE, limits_of(review, self._session.review.state, cell)
        )
        self.cells[which].show_cell(picture, self._facts(cell))

    def _facts(self, cell: int) -> list[str]:
        review, state = self._state.review, self._state
        if review is None:
            return []
        known = review.table.iloc[cell]
        name, pattern = str(known["id"]), known["pattern"] or "pattern not known"
        if state.blind:
            return ["Names are hidden.", str(pattern), decision_text(state, name)]
        specimen = f"Specimen {known['specimen']}, {pattern}"
        return [name, specimen, decision_text(state, name)]

    def _likeness(self, pair: CopyPair) -> str:
        text = f"Similarity {pair.likeness:.3f}. The right one is shown "
        text += VIEWS[pair.view]
        dy, dx = pair.shift
        if dy or dx:
            text += f", moved by {max(abs(dy), abs(dx))} px"
        return f"{text}. Both are used." if self._copies.is_kept(pair) else f"{text}."

    def _show_patterns(self, pair: CopyPair) -> None:
        review = self._state.review
        if review is None:
            return
        names = review.table["pattern"]
        first, second = (str(names[at]) for at in (pair.first, pair.second))
        differ = bool(first and second and first != second)
        words = "Different patterns: one of them is wrong, or both." if differ else ""
        same = "Same pattern." if first and first == second else "Pattern not known."
        self.patterns.setText(f"\u26a0 {words}" if differ else same)
        self.patterns.setStyleSheet(f"color: {WARNING_COLOUR};" if differ else "")
