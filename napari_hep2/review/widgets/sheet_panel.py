"""The picture sheet of what the gallery shows, and the command that makes it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_hep2.common.parts import CommandLine, Wire, button, row, text_label
from napari_hep2.review.controllers.sheets import SheetController
from napari_hep2.session import ViewerSession

_KINDS = "Picture sheets (*.png *.pdf)"


class SheetPanel(QWidget):
    """Says what a sheet would show, and makes it."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self._sheets = SheetController(session.state, session.review)
        self._path = Path("sheet.png")
        self._build()

    def _build(self) -> None:
        self.make = button(
            "Sheet\u2026", "Draw the cells shown on a PNG or PDF", "make_sheet"
        )
        self.make.clicked.connect(self._choose)
        self.what = text_label()
        self.command = CommandLine()
        self.no_command = text_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.setSpacing(4)
        top = row(self.make, self.what)
        top.setStretch(1, 1)
        layout.addLayout(top)
        layout.addWidget(self.command)
        layout.addWidget(self.no_command)

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Picture sheet", str(self._path), _KINDS
        )
        if not chosen:
            return
        path = Path(chosen)
        self._path = path if path.suffix else path.with_suffix(".png")
        self.refresh()
        self._session.start(self._sheets.sheet_job(self._path))

    # -- from the state

    def wiring(self) -> list[Wire]:
        """Return the state's signals that the panel follows."""
        events, own = self._state.events, self._session.review.state.events
        signals = (
            events.review,
            own.shown,
            own.contrast,
            events.blind,
            events.decisions,
            own.as_of,
            events.store,
            events.reviewer,
        )
        return [(signal, self.refresh) for signal in signals]

    def showEvent(self, event: object) -> None:
        """Show what is shown now: it was not followed while folded away."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Show what a sheet would show, and its command."""
        if not self.isVisible():
            return
        review, refusal = self._state.review, self._sheets.refusal()
        if review is None or refusal:
            text = refusal
        else:
            choice = self._session.review.order.choice()
            words = f"{choice.filter_words(review)}; {choice.order_words()}"
            n = len(self._session.review.state.shown)
            text = f"{n:,} of {len(review):,} cells: {words}"
        self.what.setText(text)
        self.make.setEnabled(not refusal)
        why_none = refusal or self._sheets.no_command()
        self.command.setVisible(not why_none)
        self.no_command.setVisible(bool(why_none) and not refusal)
        self.no_command.setText(why_none)
        self.command.show_command("" if why_none else self._sheets.command(self._path))
