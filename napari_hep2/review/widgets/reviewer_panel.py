"""Panel of the reviewer: name, decision store, other reviewers, earlier steps."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.parts import CommandLine, Wire, button, row, text_label
from napari_hep2.common.reviewer_field import ReviewerField
from napari_hep2.review.controllers.exchange import ExchangeController
from napari_hep2.session import ViewerSession
from training.decisions.applied import STORE

_TABLES = "Tables (*.csv *.parquet)"


class ReviewerPanel(QWidget):
    """Reviewer, blind mode, store, its exchange, agreement and the past."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self._review = session.review
        self._exchange = ExchangeController(session.state, session.review)
        self._build()
        self._lay_out()
        self._connect()

    def _build(self) -> None:
        self.reviewer = ReviewerField(self._state, self._session.name_reviewer)
        self.blind = QCheckBox("Blind")
        self.blind.setToolTip(
            "Hide the names of specimens and frames, and the decisions of other "
            "reviewers"
        )
        self.store = text_label()
        self.choose_store = button(
            "Change\u2026", "Store the decisions in another folder", "choose_store"
        )
        self.compare = button(
            "Compare reviewers", "Agreement of their decisions", "compare"
        )
        self.export = button(
            "Export\u2026", "Write every step of all reviewers to a table", "export"
        )
        self.take = button(
            "Import\u2026", "Add the steps of a table that are missing here", "import"
        )
        self.command = CommandLine()
        self.command.hide()
        self.agreement = text_label()
        self.step = QSpinBox()
        self.step.setToolTip("Number of a step: each action is one")
        self.as_of = button(
            "As of step", "Show the decisions as of that step, read-only", "as_of"
        )
        self.back = button("Now", "Back to the current decisions", "now")

    def _lay_out(self) -> None:
        inside = QVBoxLayout(self)
        inside.setContentsMargins(12, 0, 0, 0)
        inside.setSpacing(4)
        who = row(QLabel("Reviewer"), self.reviewer, self.blind)
        where = row(self.store, self.choose_store)
        where.setStretch(0, 1)
        past = row(self.as_of, self.step, self.back, 1)
        tables = row(self.compare, self.export, self.take, 1)
        for part in (who, where, tables, past):
            inside.addLayout(part)
        inside.addWidget(self.command)
        inside.addWidget(self.agreement)

    def _connect(self) -> None:
        self.blind.clicked.connect(self._review.decision_session.set_blind)
        self.choose_store.clicked.connect(self._choose_store)
        self.compare.clicked.connect(self._compare)
        self.export.clicked.connect(self._choose_export)
        self.take.clicked.connect(self._choose_import)
        self.as_of.clicked.connect(self._go_back)
        self.back.clicked.connect(self._come_back)

    # -- from the user

    def turn_blind(self) -> None:
        """Hide names and what others decided, or show them again."""
        self._review.decision_session.set_blind(not self._state.blind)

    def _choose_store(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the decisions")
        if chosen:
            self._review.decision_session.use(Path(chosen))

    def _choose_export(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Export the decisions", "decisions.csv", _TABLES
        )
        if chosen:
            path = Path(chosen)
            path = path if path.suffix else path.with_suffix(".csv")
            self._show_command(self._exchange.export_command(path))
            self._session.start(self._exchange.export_job(path))

    def _choose_import(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Import decisions", "", _TABLES)
        if chosen:
            self._show_command(self._exchange.import_command(Path(chosen)))
            self._session.start(self._exchange.import_job(Path(chosen)))

    def _show_command(self, command: str) -> None:
        self.command.show_command(command if self._state.store else "")
        self.command.setVisible(self._state.store is not None)

    def _compare(self) -> None:
        job = self._review.others.compare(self._show_agreement)
        self._session.start(job)

    def _show_agreement(self, lines: list[str]) -> None:
        self.agreement.setText("\n".join(lines) or "There is no other reviewer.")
        self.agreement.setVisible(True)

    def _go_back(self) -> None:
        self._session.start(self._review.decision_session.past_job(self.step.value()))

    def _come_back(self) -> None:
        self._review.decision_session.come_back()

    # -- from the state

    def wiring(self) -> list[Wire]:
        """Return the state's signals that the panel follows."""
        events, own = self._state.events, self._review.state.events
        signals = (
            events.store,
            own.writable,
            events.blind,
            own.as_of,
            events.decisions,
        )
        wires: list[Wire] = [(signal, self.refresh) for signal in signals]
        return [*wires, (events.reviewer, self._renamed)]

    def _renamed(self) -> None:
        self.agreement.setVisible(False)
        self.refresh()

    def refresh(self) -> None:
        """Show the state."""
        state, store = self._state, self._state.store
        own = self._review.state
        text = f"Decisions in {store / STORE}" if store else "No folder chosen."
        text += "" if own.writable else " (read-only)"
        if own.as_of is not None:
            text += f", as of step {own.as_of}"
        if text != self.store.text():
            self.agreement.setVisible(False)
            self.store.setText(text)
        self.reviewer.refresh()
        self.blind.setChecked(state.blind)
        self.step.setRange(0, self._review.decision_session.last_step)
        self.back.setEnabled(own.as_of is not None)
