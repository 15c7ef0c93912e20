"""Runs and labels: what runs doubt, what decisions made since did to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QLabel,
    QListWidget,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.pages import open_page
from napari_hep2.common.parts import (
    CommandLine,
    Wire,
    button,
    row,
    shared_row,
    text_label,
)
from napari_hep2.review.controllers.run_words import run_line
from napari_hep2.session import ViewerSession

_LIST_LINES = 4


class ExperimentsPanel(QWidget):
    """Scores to sort by, stale runs, rescoring, learning curves, the accepted cells.

    Parameters
    ----------
    session
        Of the viewer.
    use_accepted
        Shows a cell folder in the trainer, for a run on its accepted cells.
    """

    def __init__(
        self, session: ViewerSession, use_accepted: Callable[[Path], None]
    ) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self._verbs, self._desk = session.experiments, session.experiments.desk
        self._use_accepted = use_accepted
        self._build()
        self._lay_out()
        self._connect()

    def _build(self) -> None:
        self.scores = button(
            "Scores of a run\u2026",
            "Sort by how strongly a finished run, whose models never saw the "
            "specimen, contradicts the label",
            "run_scores",
        )
        self.views = button(
            "Scores in eight orientations",
            "Sort by how much the scores of the Classify model vary over a cell's "
            "eight orientations",
            "views",
        )
        self.said = text_label()
        self.source = QComboBox()
        self.source.setMinimumWidth(80)
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.source.setToolTip("Whose uncertainty the cells are sorted by")
        self.source_label = QLabel("Uncertain by")
        self._build_runs()
        self.command = CommandLine()

    def _build_runs(self) -> None:
        self.stale = button(
            "Stale runs\u2026",
            "List the runs of a folder whose labels have changed since",
            "stale",
        )
        self.rescore = button(
            "Rescore",
            "Measure the run's held-out cells again with today's decisions, without "
            "training",
            "rescore",
        )
        self.curve = button(
            "Learning curve\u2026",
            "Compare the gain from more specimens with that from more cells of each, "
            "over the selected runs or all in the list",
            "curve",
        )
        self.runs = QListWidget()
        self.runs.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        lines = _LIST_LINES * (self.runs.fontMetrics().height() + 3)
        self.runs.setFixedHeight(lines + 2 * self.runs.frameWidth())
        self.runs.setMinimumWidth(80)
        self.runs.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.runs.setWordWrap(True)
        self.answer = text_label()
        self.accepted = button(
            "Use the accepted cells",
            "Choose the folder under review in the LOSO trainer, for its accepted "
            "cells only",
            "use_accepted",
        )
        self.step = QLabel()
        self.step.setToolTip("The step of the decisions that a run started now records")

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(shared_row(self.scores, self.views))
        layout.addWidget(self.said)
        source = row(self.source_label, self.source)
        source.setStretch(1, 1)
        layout.addLayout(source)
        layout.addLayout(shared_row(self.stale, self.curve))
        layout.addWidget(self.runs)
        layout.addWidget(self.answer)
        layout.addLayout(row(self.rescore, self.accepted, self.step, 1))
        layout.addWidget(self.command)

    def _connect(self) -> None:
        self.scores.clicked.connect(self._choose_scores)
        self.views.clicked.connect(self._score_views)
        self.source.activated.connect(self._take_source)
        self.stale.clicked.connect(self._choose_folder)
        self.runs.itemSelectionChanged.connect(self._choose_runs)
        self.rescore.clicked.connect(self._rescore)
        self.curve.clicked.connect(self._draw_curve)
        self.accepted.clicked.connect(self._use)

    # -- from the user

    def _ask(self, title: str) -> Path | None:
        start = str(self._desk.folder or Path.home())
        chosen = QFileDialog.getExistingDirectory(self, title, start)
        return Path(chosen) if chosen else None

    def _choose_scores(self) -> None:
        run = self._ask("A finished run")
        if run is not None:
            self._session.start(self._verbs.scores_job(run))

    def _score_views(self) -> None:
        self._session.start(self._verbs.views_job())

    def _take_source(self, index: int) -> None:
        self._session.start(self._verbs.queue.take(self.source.itemData(index)))

    def _choose_folder(self) -> None:
        folder = self._ask("A run, or a folder of runs")
        if folder is not None:
            self._session.start(self._verbs.stale_job(folder))

    def _choose_runs(self) -> None:
        self._verbs.choose([index.row() for index in self.runs.selectedIndexes()])

    def _rescore(self) -> None:
        chosen = self._verbs.chosen_runs()
        run = chosen[0] if len(chosen) == 1 else self._ask("A finished run")
        if run is not None:
            self._session.start(self._verbs.rescore_job(run))

    def _draw_curve(self) -> None:
        """Draw the curves of the runs at hand; of a folder where there are none."""
        runs: list[Path] = self._verbs.chosen_runs()
        if len(runs) < 2:
            runs = [Path(one.run) for one in self._desk.runs]
        title = "Folder of the page" if runs else "A folder of finished runs"
        folder = self._ask(title)
        if folder is not None:
            job = self._verbs.curve_job(runs or [folder], folder, self.open_page)
            self._session.start(job)

    def open_page(self, page: Path) -> None:
        """Show a page in the browser."""
        open_page(self._state, page)

    def _use(self) -> None:
        self._session.start(self._verbs.accepted_job(self._use_accepted))

    # -- from the state

    def wiring(self) -> list[Wire]:
        """Return the signals that the panel follows."""
        of_state, of_desk = self._state.events, self._desk.events
        own = self._session.review.state.events
        signals = (
            of_state.review,
            own.measures,
            of_state.decisions,
            of_state.store,
            of_state.blind,
            of_state.model,
            of_desk.chosen,
            of_desk.answer,
            of_desk.command,
        )
        return [
            (of_desk.runs, self.show_runs),
            *((signal, self.refresh) for signal in signals),
        ]

    def show_runs(self) -> None:
        """List the runs that were found."""
        with QSignalBlocker(self.runs):
            self.runs.clear()
            for one in self._desk.runs:
                self.runs.addItem(run_line(one))
                self.runs.item(self.runs.count() - 1).setToolTip(one.run)
        self.refresh()

    def refresh(self) -> None:
        """Show the state and the desk."""
        if not self.isVisible():
            return
        self._show_scores()
        self._show_choice()
        answer = self._desk.answer or self._verbs.details()
        self.answer.setText(answer)
        self.answer.setVisible(bool(answer))
        folder = self._verbs.folder()
        self.accepted.setEnabled(folder is not None)
        step = self._session.review.decision_session.last_step
        self.step.setText("" if folder is None else f"step {step}")
        self.command.setVisible(bool(self._desk.command))
        self.command.show_command(self._desk.command)

    def _show_scores(self) -> None:
        sources = self._verbs.queue.sources
        self.said.setText("\n".join(one.said for one in sources.values()))
        self.said.setVisible(bool(sources))
        self.source.clear()
        for key, one in sources.items():
            self.source.addItem(one.title, key)
        self.source.setCurrentIndex(self.source.findData(self._verbs.queue.taken))
        for part in (self.source_label, self.source):
            part.setVisible(len(sources) > 1)
        self.scores.setEnabled(self._state.review is not None)
        model = self._state.model
        self.views.setEnabled(self._state.review is not None and model is not None)
        self.views.setToolTip(
            f"Sort by how much the scores of {model.stem}, the Classify model, vary "
            "over a cell's eight orientations"
            if model is not None
            else "No model is chosen: choose one in Classify"
        )

    def _show_choice(self) -> None:
        self.runs.setVisible(bool(self._desk.runs))
        with QSignalBlocker(self.runs):
            for k in range(self.runs.count()):
                self.runs.item(k).setSelected(k in self._desk.chosen)
        self.rescore.setText(
            "Rescore" if len(self._desk.chosen) == 1 else "Rescore\u2026"
        )

    def showEvent(self, event: object) -> None:
        """Catch up with what came while the panel was folded."""
        super().showEvent(event)
        self.show_runs()
