"""The runs of a folder: pick one to see it, two to compare them."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
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
from napari_hep2.jobs import Job
from napari_hep2.notices import notify
from napari_hep2.state import SessionState
from napari_hep2.trainer.controllers.model_fit import ModelFit
from napari_hep2.trainer.controllers.runs import RunsController
from napari_hep2.trainer.state import RunsState
from napari_hep2.trainer.widgets.pattern_bars import PatternBars
from napari_hep2.trainer.words import pair_sentence, run_columns, run_tip
from napari_hep2.workers import Lane, fault_words, worker_pool
from training.errors import Hep2Error

_FEWEST, _MOST = 3, 7
"""Lines of the list; it scrolls where there are more runs."""
_PATH = int(Qt.ItemDataRole.UserRole)


class RunsPanel(QWidget):
    """List of runs, the comparison of two, and what a finished run is good for.

    Jobs have lanes of their own: what another dock works on goes on meanwhile.

    Parameters
    ----------
    session
        Where news are given.

    Attributes
    ----------
    picked
        Gives the folder of the one run that was picked.
    """

    picked = Signal(Path)

    def __init__(self, session: SessionState) -> None:
        super().__init__()
        self._session = session
        self.state = RunsState()
        self.verbs = RunsController(self.state)
        self.fit = ModelFit()
        self._reading, self._writing = (
            Lane(worker_pool(), self, holds=False) for _ in range(2)
        )
        self._build()
        self._lay_out()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        self.folder_label = text_label()
        self.folder_button = button(
            "Folder of runs\u2026", "List the runs in another folder", "runs_folder"
        )
        self.list = QTreeWidget()
        self.list.setHeaderLabels(["Run", "Date", "Experiment", "Accuracy, %"])
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setAccessibleName("Runs")
        self.list.setToolTip("Pick one to see it, two with Ctrl to compare them")
        header = self.list.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setStretchLastSection(False)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.report = button("Report", "Write the report and show it", "run_report")
        self.fit_button = button("Fit a model\u2026", "", "run_fit")
        self.folder = button("Folder", "Show the files of the run", "run_folder")
        self.difference = text_label()
        self.bars = PatternBars()
        self.command = CommandLine()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        top = row(self.folder_label, self.folder_button)
        top.setStretch(0, 1)
        layout.addLayout(top)
        layout.addWidget(self.list)
        layout.addLayout(shared_row(self.report, self.fit_button, self.folder))
        layout.addWidget(self.difference)
        layout.addWidget(self.bars)
        layout.addWidget(self.command)

    def _connect(self) -> None:
        self.folder_button.clicked.connect(self._choose_folder)
        self.list.itemSelectionChanged.connect(self._choose)
        self.report.clicked.connect(self._report)
        self.fit_button.clicked.connect(self._fit)
        self.folder.clicked.connect(self._open_folder)
        for lane in (self._reading, self._writing):
            lane.failed.connect(self._complain)
            lane.changed.connect(self.refresh)

    def wiring(self) -> list[Wire]:
        """Return the signals that the panel follows."""
        events = self.state.events
        return [
            (events.runs, self._show_runs),
            (events.chosen, self._show_choice),
            (events.pair, self.refresh),
        ]

    # -- from the user

    def show_folder(self, folder: Path) -> None:
        """List the runs in a folder, or those beside a run."""
        self._begin(self._reading, self.verbs.list_job(folder))

    def follow(self, run: Path) -> None:
        """Mark the run that is shown, and list its folder where it is not listed."""
        if run not in {one.path for one in self.state.runs}:
            self.show_folder(run.parent)
        self._begin(self._reading, self.verbs.follow(run))

    def _choose_folder(self) -> None:
        start = str(self.state.folder or Path.home())
        found = QFileDialog.getExistingDirectory(
            self, "A folder of runs, or a run", start
        )
        if found:
            self.show_folder(Path(found))

    def _choose(self) -> None:
        paths = [Path(item.data(0, _PATH)) for item in self.list.selectedItems()]
        self._begin(self._reading, self.verbs.choose(paths))
        if len(paths) == 1:
            self.picked.emit(paths[0])

    def _report(self) -> None:
        self._begin(self._writing, self.verbs.report_job(self._show_page))

    def _show_page(self, page: Path) -> None:
        self._session.tell(f"{page} written.")
        open_page(self._session, page)

    def _open_folder(self) -> None:
        for run in self.state.chosen:
            open_page(self._session, run.path)

    def _fit(self) -> None:
        if self.fit.running:
            self.fit.stop()
            return
        run = self.state.chosen[0].path
        start = str(run.parent / f"{run.name}.safetensors")
        words = "A model of all cells, by the recipe of the run"
        chosen, _ = QFileDialog.getSaveFileName(self, words, start, "*.safetensors")
        if chosen:
            try:
                self.fit.start(run, Path(chosen).with_suffix(".safetensors"))
            except Hep2Error as fault:
                self._session.complain(fault)
            self.refresh()

    def poll(self) -> None:
        """Tell the end of a fit."""
        if self.fit.poll():
            if self.fit.fault:
                self._session.complain(self.fit.fault)
            else:
                self._session.tell(f"{self.fit.model} written; choose it in Classify.")
            notify(self._session.fault or self._session.message, bool(self.fit.fault))
            self.refresh()

    def _begin(self, lane: Lane, job: Job | None) -> None:
        if job is not None:
            lane.begin(job)

    def _complain(self, job: Job | None, fault: Exception) -> None:
        self._session.complain(fault_words(job, fault))

    # -- from the state

    def _show_runs(self) -> None:
        with QSignalBlocker(self.list):
            self.list.clear()
            for run in self.state.runs:
                item = QTreeWidgetItem(list(run_columns(run)))
                item.setData(0, _PATH, str(run.path))
                for column in range(4):
                    item.setToolTip(column, run_tip(run))
                self.list.addTopLevelItem(item)
        lines = 1 + min(max(len(self.state.runs), _FEWEST), _MOST)
        self.list.setFixedHeight(lines * (self.list.fontMetrics().height() + 5))
        self._show_choice()

    def _show_choice(self) -> None:
        marked = {str(run.path) for run in self.state.chosen}
        with QSignalBlocker(self.list):
            for k in range(self.list.topLevelItemCount()):
                item = self.list.topLevelItem(k)
                item.setSelected(item.data(0, _PATH) in marked)
        self.refresh()

    def refresh(self) -> None:
        """Show the state, and what is at work."""
        state, job = self.state, self._reading.job or self._writing.job
        folder = state.folder
        count = f"{len(state.runs) or 'No run yet'} in {folder.name}" if folder else ""
        self.folder_label.setText(f"{job.title} \u2026" if job else count)
        self.folder_label.setToolTip(str(folder or ""))
        finished = bool(state.finished)
        self.report.setEnabled(finished and self._writing.job is None)
        self.folder.setEnabled(bool(state.chosen))
        self._refresh_fit(finished and len(state.chosen) == 1)
        two = len(state.chosen) == 2
        words = "" if not two or finished else "Both runs must be finished to compare."
        self.difference.setText(pair_sentence(state.pair) if state.pair else words)
        self.difference.setVisible(bool(self.difference.text()))
        self.bars.show_pair(state.pair)
        self.command.show_command(self.verbs.command())

    def _refresh_fit(self, one_finished: bool) -> None:
        running, model = self.fit.running, self.fit.model
        self.fit_button.setText("Stop fitting" if running else "Fit a model\u2026")
        self.fit_button.setEnabled(one_finished or running)
        self.fit_button.setToolTip(
            f"{model} is being fitted; what is done is kept"
            if running
            else "Train one model on all cells by the recipe of the run, for Classify"
        )
