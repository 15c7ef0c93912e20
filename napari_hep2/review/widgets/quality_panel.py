"""Proposals to reject cells by their quality: measured, seen, decided at once."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_hep2.common.parts import CommandLine, Wire, button, row, text_label
from napari_hep2.common.section import CollapsibleSection
from napari_hep2.forms import SettingsForm
from napari_hep2.review.widgets.copies_panel import CopiesPanel
from napari_hep2.session import ViewerSession
from training.config import QualitySettings
from training.decisions.model import REASONS
from training.errors import BadSettingError


class QualityPanel(QWidget):
    """Measures the cells under review and selects those that are proposed."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self.pairs: CopiesPanel | None = None
        self._build()
        self._lay_out()
        self._connect()

    def _build(self) -> None:
        self.measure = button(
            "Measure quality",
            "Measure focus, saturation and shape of every cell",
            "measure",
        )
        self.reason = QComboBox()
        self.reason.setToolTip("Reason for the proposed rejection")
        self.propose = button(
            "Select", "Select the undecided cells of that reason", "propose"
        )
        self.reject = button(
            "Reject these", "Reject the selected cells for that reason", "reject_these"
        )
        self.copies = button(
            "Near copies\u2026", "Pairs of cells with almost the same picture", "copies"
        )
        self.why = text_label()
        self.form = SettingsForm(QualitySettings, values=self._session.quality.settings)
        self.anew = button(
            "Propose again", "Apply these limits; nothing is measured again", "anew"
        )
        self.reset = button("Reset", "Back to the default limits", "reset_limits")
        self.command = CommandLine()

    def _lay_out(self) -> None:
        limits = QWidget()
        inside = QVBoxLayout(limits)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.form)
        inside.addLayout(row(self.anew, self.reset, 1))
        self.limits = CollapsibleSection("Limits", limits, shown=False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.measure, self.reason, 1))
        layout.addLayout(row(self.propose, self.reject, self.copies, 1))
        layout.addWidget(self.why)
        layout.addWidget(self.limits)
        layout.addWidget(self.command)

    def _connect(self) -> None:
        self.measure.clicked.connect(self._measure)
        self.propose.clicked.connect(self._propose)
        self.reject.clicked.connect(self._reject)
        self.form.changed.connect(self._limits_changed)
        self.anew.clicked.connect(self._propose_anew)
        self.reset.clicked.connect(self.form.reset)
        self.copies.clicked.connect(self._show_copies)

    def _show_copies(self) -> None:
        if self.pairs is None:
            self.pairs = CopiesPanel(self._session, self)
        self.pairs.open_beside()

    def _measure(self) -> None:
        self._session.start(self._session.quality.measure_job())

    def _propose(self) -> None:
        self._session.quality.propose_rejections(self.reason.currentData())

    def _reject(self) -> None:
        reason = self._session.quality.reason_of_selection()
        if reason is not None:
            self._session.review.decisions.reject(reason)

    def _limits_changed(self) -> None:
        """Keep the limits in view for what is proposed next."""
        try:
            self._session.quality.settings = self.form.settings()
        except BadSettingError as fault:
            self._state.complain(fault)
        self._show_command()

    def _propose_anew(self) -> None:
        try:
            limits = self.form.settings()
        except BadSettingError as fault:
            self._state.complain(fault)
            return
        self._session.start(self._session.quality.propose_anew(limits))

    # -- from the state

    def wiring(self) -> list[Wire]:
        """Return the signals that the panel follows."""
        events, own = self._state.events, self._session.review.state.events
        return [
            (events.review, self.refresh),
            (own.measures, self.refresh),
            (events.decisions, self.refresh),
            (self._session.quality.proposed, self.refresh),
            (events.current, self.show_cell),
            (events.selected, self.show_cell),
        ]

    def refresh(self) -> None:
        """Show how many undecided cells are proposed for each reason."""
        if not self.isVisible():
            return
        quality = self._session.quality
        counts = quality.proposals()["reason"].value_counts()
        kept = self.reason.currentData()
        self.reason.clear()
        for code, count in counts.items():
            self.reason.addItem(f"{REASONS[str(code)]}: {count:,}", str(code))
        self.reason.setCurrentIndex(max(self.reason.findData(kept), 0))
        self.propose.setEnabled(bool(len(counts)))
        self.measure.setEnabled(self._state.review is not None)
        self.anew.setEnabled(quality.is_measured)
        self.anew.setToolTip(
            "Apply these limits; nothing is measured again"
            if quality.is_measured
            else "Measure the quality of the cells first"
        )
        self._show_command()
        self.show_cell()

    def _show_command(self) -> None:
        command = self._session.quality.command()
        self.command.setVisible(bool(command))
        self.command.show_command(command)

    def show_cell(self) -> None:
        """Show why the current cell is proposed."""
        if not self.isVisible():
            return
        quality, current = self._session.quality, self._state.current
        why = "" if current is None else quality.why(current)
        self.why.setText(why)
        self.why.setVisible(bool(why))
        self.reject.setEnabled(quality.reason_of_selection() is not None)

    def showEvent(self, event: object) -> None:
        """Catch up with what came while the panel was folded."""
        super().showEvent(event)
        self.refresh()
