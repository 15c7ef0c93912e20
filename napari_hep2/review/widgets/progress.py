"""Progress of the review, per specimen and in all, with pace and time left."""

from __future__ import annotations

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from napari_hep2.common.parts import GOOD_COLOUR, WARNING_COLOUR, row
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.decision_session import NOT_SAVED
from napari_hep2.review.controllers.pace import pace_text, per_minute
from napari_hep2.state import SessionState
from training.decisions.current import times_of
from training.decisions.store import now

_PAUSE_MS = 1000


class ProgressPanel(QWidget):
    """Decided of all, of the current specimen, the pace, and what was saved last."""

    def __init__(self, state: SessionState, review: ReviewController) -> None:
        super().__init__()
        self._state, self._review = state, review
        self.bar = QProgressBar()
        self.bar.setMinimumWidth(84)
        self.bar.setMinimumHeight(18)
        # The bar takes what the texts leave, so that no number is cut.
        self.bar.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.saved = QLabel()
        self.saved.setMinimumWidth(60)
        self.pace, self.specimen = QLabel(), QLabel()
        self.specimen.setMinimumWidth(40)
        self.pace.setToolTip("Decisions a minute over the last ten minutes")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.show_pace)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        above, below = row(self.bar, self.saved), row(self.specimen, self.pace)
        for line in (above, below):
            line.setStretch(0, 1)
            layout.addLayout(line)

    def refresh(self) -> None:
        """Show the counts; the pace follows within a second."""
        count = self._review.progress.count()
        self.bar.setRange(0, max(count.total, 1))
        self.bar.setValue(count.decided)
        self.bar.setFormat(f"{count.decided:,} of {count.total:,}")
        self.bar.setToolTip(
            f"{count.accepted:,} accepted, {count.rejected:,} rejected, "
            f"{count.relabelled:,} relabelled"
        )
        if not self._timer.isActive():
            self._timer.start(_PAUSE_MS)

    def show_specimen(self) -> None:
        """Show how far the current cell's specimen is."""
        found = self._review.progress.of_current()
        if found is None:
            self.specimen.setText("")
            return
        name = "Specimen" if self._state.blind else f"Specimen {found.specimen}"
        self.specimen.setText(f"{name}: {found.decided:,} of {found.total:,}")

    def show_pace(self) -> None:
        """Show the pace and the time left."""
        count = self._review.progress.count()
        if not count.total:
            self.pace.setText("")
            return
        pace = per_minute(times_of(self._state.decisions), now())
        self.pace.setText(pace_text(pace, count.total - count.decided))

    def show_saved(self) -> None:
        """Show what the store confirmed last, and under whose name."""
        saved, name = self._review.state.saved, self._state.reviewer
        colour = WARNING_COLOUR if saved == NOT_SAVED else GOOD_COLOUR
        is_done = saved.endswith(", saved")
        self.saved.setText(f"{saved} ({name})" if is_done else saved)
        self.saved.setToolTip(self.saved.text())
        self.saved.setStyleSheet(f"color: {colour};")

    def specimens_text(self) -> str:
        """Return how far each specimen is, a line a specimen."""
        if self._state.blind:
            return "The names of specimens are hidden in blind mode."
        return "\n".join(
            f"Specimen {one.specimen}: {one.decided:,} of {one.total:,}"
            for one in self._review.progress.of_specimens()
        )
