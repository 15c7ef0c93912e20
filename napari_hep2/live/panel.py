"""The section *Live LOSO*: what the labels of now are worth, after each decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QGraphicsOpacityEffect, QListWidget, QVBoxLayout, QWidget

from napari_hep2.common.confusion import ConfusionView
from napari_hep2.common.palette import theme_palette
from napari_hep2.common.parts import Wire, button, row, text_label
from napari_hep2.live.controller import curve_line, headline, specimen_line
from napari_hep2.session import ViewerSession

if TYPE_CHECKING:
    from training.studies.live_loso import LiveFigures

_PALE = 0.45
"""Opacity of figures that are older than the last decision."""

_CAVEAT = "For review: what is chosen was chosen over all specimens. Report a run."
_BLIND = "A blind reviewer sees no figures of the labels."


class LivePanel(QWidget):
    """Mean class accuracy, confusion matrix and hardest specimens, live.

    Nothing is computed before the section is opened, nor while it is folded away.

    Parameters
    ----------
    session
        Of the viewer.
    viewer
        Tells the theme; nothing in it is changed.
    """

    def __init__(self, session: ViewerSession, viewer: Any) -> None:
        super().__init__()
        self._session, self._viewer = session, viewer
        self._live, self._desk = session.live, session.live.desk
        self.headline = text_label()
        self.curve = text_label()
        self.caveat = text_label(_CAVEAT)
        self.confusion = ConfusionView()
        self.hardest = QListWidget()
        self.hardest.setAccessibleName("Hardest specimens")
        self.hardest.setToolTip("Specimens of which the others recognise least")
        self.doubt = button(
            "Sort by doubt",
            "Show the cells first whose label is doubted most by a model that never "
            "saw their specimen",
            "live_doubt",
        )
        self.again = button("Try again", "Read the cells again", "live_again")
        self.working = text_label()
        self._lay_out()
        self.doubt.clicked.connect(self._sort)
        self.again.clicked.connect(self._try_again)
        self.hardest.itemActivated.connect(self._show_specimen)
        self.hardest.itemClicked.connect(self._show_specimen)

    def _lay_out(self) -> None:
        self.figures = QWidget()
        inside = QVBoxLayout(self.figures)
        inside.setContentsMargins(0, 0, 0, 0)
        shown = (self.headline, self.curve, self.confusion, self.hardest, self.caveat)
        for part in shown:
            inside.addWidget(part)
        self._pale = QGraphicsOpacityEffect(self.figures)
        self.figures.setGraphicsEffect(self._pale)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.working)
        layout.addWidget(self.figures)
        layout.addLayout(row(self.doubt, self.again, 1))

    # -- from the user

    def _sort(self) -> None:
        self._session.start(self._live.sort_by_doubt())

    def _try_again(self) -> None:
        self._live.again()
        self._follow()

    def _show_specimen(self) -> None:
        figures, at = self._desk.figures, self.hardest.currentRow()
        if figures is not None and 0 <= at < len(figures.hardest):
            self._session.review.order.set_specimen_filter(figures.hardest[at].name)

    # -- from the state

    def wiring(self) -> list[Wire]:
        """Return the signals that the panel follows."""
        events, desk = self._session.state.events, self._desk.events
        shown = (
            desk.figures, desk.curve, desk.is_behind, desk.busy, desk.progress,
            desk.fault,
        )  # fmt: skip
        return [
            (events.review, self._follow),
            (events.decisions, self._follow),
            (events.blind, self.refresh),
            *((signal, self.refresh) for signal in shown),
        ]

    def _follow(self) -> None:
        if self.isVisible():
            self._session.live_lane.follow()
            self.refresh()

    def refresh(self) -> None:
        """Show the desk."""
        if not self.isVisible():
            return
        desk, state = self._desk, self._session.state
        figures = None if state.review is None or state.blind else desk.figures
        self.working.setText(self._words())
        self.working.setVisible(bool(self.working.text()))
        self.again.setVisible(bool(desk.fault) and not state.blind)
        self.figures.setVisible(figures is not None)
        self.doubt.setVisible(figures is not None)
        if figures is not None and state.review is not None:
            self._show(figures, state.review.vocabulary.names)

    def _words(self) -> str:
        """Return why there are no figures, or what is done until there are."""
        desk, state = self._desk, self._session.state
        if state.review is None:
            return "Open cells to review first."
        if state.blind or desk.fault:
            return _BLIND if state.blind else desk.fault
        share = "" if desk.progress is None else f" {100 * desk.progress:.0f} %"
        return f"{desk.busy}{share}" if desk.busy and desk.figures is None else ""

    def _show(self, figures: LiveFigures, patterns: tuple[str, ...]) -> None:
        self._pale.setOpacity(_PALE if self._desk.is_behind else 1.0)
        self._pale.setEnabled(self._desk.is_behind)
        metrics = figures.metrics
        self.headline.setText(headline(figures))
        curve = self._desk.curve
        self.curve.setText("" if curve is None else curve_line(curve))
        self.curve.setVisible(bool(self.curve.text()))
        counts = tuple(tuple(one) for one in metrics.confusion.tolist())
        specimens = dict(zip(patterns, metrics.specimens.tolist(), strict=True))
        self.confusion.set_palette(theme_palette(str(self._viewer.theme)))
        self.confusion.show_counts(patterns, counts, specimens)
        self.hardest.clear()
        for one in figures.hardest:
            self.hardest.addItem(specimen_line(one, patterns))
        lines = max(self.hardest.count(), 1)
        self.hardest.setFixedHeight(
            lines * self.hardest.sizeHintForRow(0) + 2 * self.hardest.frameWidth()
            if self.hardest.count()
            else 0
        )

    def showEvent(self, event: object) -> None:
        """Begin, or catch up with what was decided while the section was folded."""
        super().showEvent(event)
        self._follow()
