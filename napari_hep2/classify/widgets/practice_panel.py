"""Panel on which a person practises on specimens whose answer is known."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QComboBox, QVBoxLayout, QWidget

from napari_hep2.common.parts import Wire, row, scroll_to, text_label
from napari_hep2.session import ViewerSession


class PracticePanel(QWidget):
    """*[x] Practise against [teacher]*, the known answer, and the matrix so far."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._saying, self._state = session.saying, session.state
        self.on = QCheckBox("Practise against")
        self.on.setToolTip(
            "Hide the model and the answers of others until you have answered; then "
            "the known answer is shown, and your first answers are counted"
        )
        self.teacher = QComboBox()
        self.teacher.setAccessibleName("Whose answers are known")
        self.result = text_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        choice = row(self.on, self.teacher)
        choice.setStretch(1, 1)
        layout.addLayout(choice)
        layout.addWidget(self.result)
        self.on.clicked.connect(self._choose)
        self.teacher.activated.connect(self._choose)

    def wiring(self) -> list[Wire]:
        """Return the signals that the panel follows."""
        found, events = self._saying.found.events, self._state.events
        signals = (found.sayings, found.teacher, events.cells, events.reviewer)
        wires: list[Wire] = [(signal, self.refresh) for signal in signals]
        return [*wires, (self._saying.answered, self._show_told)]

    def _show_told(self) -> None:
        if self._saying.found.teacher:
            scroll_to(self)

    def refresh(self) -> None:
        """Show who can teach, and what is told by now."""
        kept = self._saying.found.teacher or self.teacher.currentText()
        names = self._saying.teachers() if self._saying.folder() else ()
        self.teacher.clear()
        self.teacher.addItems(names)
        self.teacher.setCurrentText(kept)
        self.on.setChecked(bool(self._saying.found.teacher))
        self.on.setEnabled(bool(names) or self.on.isChecked())
        lines = self._saying.told()
        self.result.setText("\n".join(lines))
        self.result.setVisible(bool(lines))

    def _choose(self) -> None:
        is_on = self.on.isChecked()
        self._saying.practise(self.teacher.currentText() if is_on else "")
