"""Panel of a reviewer's decision on the open specimen: a pattern with a name."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_hep2.common.parts import Wire, button, pattern_icon, row, text_label
from napari_hep2.common.reviewer_field import ReviewerField
from napari_hep2.session import ViewerSession
from training.decisions.specimens import NONE_OF_THESE


class SayingPanel(QWidget):
    """*Specimen 7 is: [pattern] by [reviewer] [Save]*, and what stands."""

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self._saying = session.saying
        self.pattern = QComboBox()
        self.pattern.setToolTip("The pattern of the whole specimen, as you see it")
        self.pattern.setAccessibleName("Pattern of the specimen")
        self.pattern.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.pattern.setMinimumContentsLength(8)
        self.pattern.setPlaceholderText("choose")
        self._shown_for = ""
        self.reviewer = ReviewerField(session.state, session.name_reviewer)
        self.save = button("Save", "Record it under this name", "save_specimen")
        self.take_back = button(
            "Withdraw", "Withdraw your decision; it stays in the history", ""
        )
        self.sentence = QLabel()
        self.stands = text_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        first = row(self.sentence, self.pattern)
        first.setStretch(1, 1)
        second = row(QLabel("by"), self.reviewer, self.save)
        second.setStretch(1, 1)
        third = row(self.stands, self.take_back)
        third.setStretch(0, 1)
        for line in (first, second, third):
            layout.addLayout(line)
        self.pattern.currentIndexChanged.connect(self._show_ready)
        self.save.clicked.connect(self._save)
        self.take_back.clicked.connect(self._saying.take_back)

    def wiring(self) -> list[Wire]:
        """Return the signals that the panel follows."""
        events = self._state.events
        return [
            (self._saying.found.events.sayings, self.refresh),
            (events.cells, self.refresh),
            (events.opening, self.refresh),
            (events.blind, self.refresh),
            (events.specimen, self.refresh),
            (events.collection, self._fill),
            (events.reviewer, self.refresh),
        ]

    def _fill(self) -> None:
        self.pattern.clear()
        for pattern in self._state.vocabulary:
            self.pattern.addItem(pattern_icon(pattern), pattern.title, pattern.name)
        self.pattern.addItem(NONE_OF_THESE, "")
        self.pattern.setCurrentIndex(-1)
        self.refresh()

    def refresh(self) -> None:
        """Show who says what of the open specimen."""
        if not self.pattern.count():
            self._fill()
            return
        state = self._state
        self.setEnabled(state.cells is not None and not state.opening)
        is_named = bool(state.specimen) and not state.blind and not state.opening
        self.sentence.setText(
            f"Specimen {state.specimen} is" if is_named else "The specimen is"
        )
        self.reviewer.refresh()
        own = self._saying.own()
        self.take_back.setVisible(own is not None)
        self._show_said(own)
        lines = self._saying.lines()
        self.stands.setText("\n".join(lines))
        self.stands.setVisible(bool(lines))

    def _show_said(self, own: str | None) -> None:
        """Show what stands; of another specimen nothing is chosen beforehand."""
        specimen = self._state.specimen or ""
        if own is not None:
            self.pattern.setCurrentIndex(self.pattern.findData(own))
        elif specimen != self._shown_for:
            self.pattern.setCurrentIndex(-1)
        self._shown_for = specimen
        self._show_ready()

    def _show_ready(self) -> None:
        self.save.setEnabled(self.pattern.currentIndex() >= 0)

    def _save(self) -> None:
        self.reviewer.enter()
        self._saying.say(self.pattern.currentData() or None)
