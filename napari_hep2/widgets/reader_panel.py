"""Who reviews, where decisions are kept, what others said, and how it once stood."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.controllers.label_queue import LabelQueue
from napari_hep2.widgets.parts import Wire, button, row, text_label
from napari_hep2.widgets.session import ViewerSession
from training.data.reviewed import STORE


class ReaderPanel(QWidget):
    """Reviewer, blind mode, store, agreement, the past, and the scores of a run."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self._build()
        self._lay_out()
        self._connect()

    def _build(self) -> None:
        self.reviewer = QLineEdit()
        self.reviewer.setToolTip(
            "Each reviewer decides and undoes for themselves alone"
        )
        self.blind = QCheckBox("Blind")
        self.blind.setToolTip(
            "Hide names of specimens and frames, and what other reviewers said"
        )
        self.store = text_label()
        self.choose_store = button(
            "Change\u2026", "Keep the decisions in another folder", "choose_store"
        )
        self.compare = button(
            "Compare reviewers", "How far their decisions agree", "compare"
        )
        self.agreement = text_label()
        self.step = QSpinBox()
        self.step.setToolTip("A step of the store: each action is one")
        self.as_of = button("As of step", "How it stood then, to read only", "as_of")
        self.back = button("Now", "Back to how it stands now", "now")
        self.run = button(
            "Scores of a run\u2026",
            "Sort by what a finished run, that held these cells out, doubts",
            "run_scores",
        )

    def _lay_out(self) -> None:
        inside = QVBoxLayout(self)
        inside.setContentsMargins(12, 0, 0, 0)
        inside.setSpacing(4)
        who = row(QLabel("Reviewer"), self.reviewer, self.blind)
        where = row(self.store, self.choose_store)
        where.setStretch(0, 1)
        past = row(self.as_of, self.step, self.back, 1)
        for part in (who, where, row(self.compare, self.run, 1), past):
            inside.addLayout(part)
        inside.addWidget(self.agreement)

    def _connect(self) -> None:
        self.reviewer.editingFinished.connect(self._named)
        self.blind.clicked.connect(self._session.review.set_blind)
        self.choose_store.clicked.connect(self._choose_store)
        self.compare.clicked.connect(self._compare)
        self.as_of.clicked.connect(self._go_back)
        self.back.clicked.connect(self._come_back)
        self.run.clicked.connect(self._choose_run)

    # -- from the user

    def _named(self) -> None:
        self._session.review.set_reviewer(self.reviewer.text())

    def turn_blind(self) -> None:
        """Hide names and what others said, or show them again."""
        self._session.review.set_blind(not self._state.blind)

    def _choose_store(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the decisions")
        if chosen:
            self._session.review.use_store(Path(chosen))

    def _choose_run(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "A finished run")
        if chosen:
            self._session.start(LabelQueue(self._state).load_job(Path(chosen)))

    def _compare(self) -> None:
        job = self._session.review.compare_reviewers(self._show_agreement)
        self._session.start(job)

    def _show_agreement(self, lines: list[str]) -> None:
        self.agreement.setText("\n".join(lines) or "There is no other reviewer.")
        self.agreement.setVisible(True)

    def _go_back(self) -> None:
        self._session.start(self._session.review.show_as_of(self.step.value()))

    def _come_back(self) -> None:
        self._session.start(self._session.review.show_as_of(None))

    # -- from the state

    def wiring(self) -> list[Wire]:
        """Return the state's signals that the panel follows."""
        events = self._state.events
        signals = (
            events.store,
            events.writable,
            events.reviewer,
            events.blind,
            events.as_of,
            events.decisions,
        )
        return [(signal, self.refresh) for signal in signals]

    def refresh(self) -> None:
        """Show the state."""
        state, store = self._state, self._state.store
        text = f"Decisions in {store / STORE}" if store else "No folder chosen."
        text += "" if state.writable else " (read-only)"
        if state.as_of is not None:
            text += f", as of step {state.as_of}"
        if text != self.store.text():
            self.agreement.setVisible(False)
            self.store.setText(text)
        if self.reviewer.text() != state.reviewer and not self.reviewer.hasFocus():
            self.agreement.setVisible(False)
            self.reviewer.setText(state.reviewer)
        self.blind.setChecked(state.blind)
        self.step.setRange(0, self._session.review.last_step)
        self.back.setEnabled(state.as_of is not None)
