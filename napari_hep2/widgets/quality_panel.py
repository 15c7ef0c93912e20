"""Proposals to reject cells by their quality: measured, seen, decided at once."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_hep2.widgets.parts import Wire, button, row, text_label
from napari_hep2.widgets.session import ViewerSession
from training.data.decisions import REASONS


class QualityPanel(QWidget):
    """Measures the cells under review and selects those that are proposed."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self._build()
        self._connect()

    def _build(self) -> None:
        self.measure = button(
            "Measure quality", "Focus, saturation, shape of every cell", "measure"
        )
        self.reason = QComboBox()
        self.reason.setToolTip("Why the rejection of cells is proposed")
        self.propose = button(
            "Select", "Select the undecided cells of that reason", "propose"
        )
        self.reject = button(
            "Reject these", "Reject the selected cells for that reason", "reject_these"
        )
        self.why = text_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.measure, self.reason, 1))
        layout.addLayout(row(self.propose, self.reject, 1))
        layout.addWidget(self.why)

    def _connect(self) -> None:
        self.measure.clicked.connect(self._measure)
        self.propose.clicked.connect(self._propose)
        self.reject.clicked.connect(self._reject)

    def _measure(self) -> None:
        self._session.start(self._session.quality.measure_job())

    def _propose(self) -> None:
        self._session.quality.propose_rejections(self.reason.currentData())

    def _reject(self) -> None:
        reason = self._session.quality.reason_of_selection()
        if reason is not None:
            self._session.review.reject(reason)

    # -- from the state

    def wiring(self) -> list[Wire]:
        """Return the state's signals that the panel follows."""
        events = self._state.events
        return [
            (events.review, self.refresh),
            (events.measures, self.refresh),
            (events.decisions, self.refresh),
            (events.current, self.show_cell),
            (events.selected, self.show_cell),
        ]

    def refresh(self) -> None:
        """Show how many undecided cells are proposed for each reason."""
        if not self.isVisible():
            return
        counts = self._session.quality.proposals()["reason"].value_counts()
        kept = self.reason.currentData()
        self.reason.clear()
        for code, count in counts.items():
            self.reason.addItem(f"{REASONS[str(code)]}: {count:,}", str(code))
        self.reason.setCurrentIndex(max(self.reason.findData(kept), 0))
        self.propose.setEnabled(bool(len(counts)))
        self.measure.setEnabled(self._state.review is not None)
        self.show_cell()

    def show_cell(self) -> None:
        """Show why the current cell is proposed."""
        if not self.isVisible():
            return
        quality, current = self._session.quality, self._state.current
        self.why.setText("" if current is None else quality.why(current))
        self.reject.setEnabled(quality.reason_of_selection() is not None)

    def showEvent(self, event: object) -> None:
        """Catch up with what came while the panel was folded."""
        super().showEvent(event)
        self.refresh()
