"""The LOSO trainer: start a run, see it learn, stop, resume, come back to it.

The trainer is a process of its own: closing this dock or napari does not end it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSettings, Qt, QTimer
from qtpy.QtGui import QFont
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.confusion import ConfusionView
from napari_hep2.common.palette import theme_palette
from napari_hep2.common.parts import (
    SessionWidget,
    StatusStrip,
    Wire,
    button,
    shared_row,
)
from napari_hep2.common.section import CollapsibleSection
from napari_hep2.live.panel import LivePanel
from napari_hep2.notices import notify
from napari_hep2.trainer.controllers.controller import TrainerController
from napari_hep2.trainer.widgets.curves import LearningCurves
from napari_hep2.trainer.widgets.fold_tiles import FoldTiles, TileLegend
from napari_hep2.trainer.widgets.runs_panel import RunsPanel
from napari_hep2.trainer.widgets.setup_panel import SetupPanel, text_label
from napari_hep2.trainer.words import (
    accuracy_sentence,
    duration,
    status_sentence,
    warnings,
)
from training.errors import Hep2Error
from training.runs.experiments import EXPERIMENTS, Experiment
from training.runs.replay import RunState

if TYPE_CHECKING:
    import napari.viewer

TICK_MS = 150
IDLE_MS = 1000
HIDDEN_MS = 5000
LAST_RUN = "trainer/last_run"


def user_settings() -> QSettings:
    """Return where the plugin remembers the last run folder, and nothing else."""
    return QSettings("napari-hep2", "napari-hep2")


class TrainerWidget(SessionWidget):
    """A view of a `TrainerController`, with the runs of a folder to choose from.

    Parameters
    ----------
    napari_viewer
        The viewer, given by napari.
    experiments
        To choose from, by name.
    settings
        Where the last run folder is remembered.
    """

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        experiments: Mapping[str, Experiment] | None = None,
        settings: QSettings | None = None,
    ) -> None:
        self._settings = settings if settings is not None else user_settings()
        self._experiments = experiments if experiments is not None else EXPERIMENTS
        self._controller = TrainerController()
        self._theme = ""
        self._shown: RunState | None = None
        self._alive: set[Path] = set()
        self._followed_runs: dict[Path, tuple[str, int]] = {}
        super().__init__(napari_viewer)
        self._connect()
        self._retheme()

    # -- build

    def _build(self) -> None:
        self.setup = SetupPanel(self._experiments, self._runs_folder())
        self.setup_fold = CollapsibleSection("New run", self.setup, shown=True)
        self.runs = RunsPanel(self.state)
        self.runs_fold = CollapsibleSection("Runs", self.runs, shown=True)
        self.strip = StatusStrip(self.session)
        body = QWidget()
        column = QVBoxLayout(body)
        column.addWidget(self.setup_fold)
        column.addLayout(self._build_buttons())
        column.addWidget(self.runs_fold)
        column.addWidget(self._build_results(), 1)
        self.live = LivePanel(self.session, self.viewer)
        self.live_fold = CollapsibleSection("Live LOSO", self.live, shown=False)
        column.addWidget(self.live_fold)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.strip)
        self.setMinimumWidth(400)

    def _build_buttons(self) -> QLayout:
        self.start_button = button("Start")
        self.stop_button = button(
            "Stop", "Ends the trainer within 5 seconds; at most one epoch is lost."
        )
        self.resume_button = button(
            "Resume", "Trains the unfinished folds of this run."
        )
        return shared_row(self.start_button, self.stop_button, self.resume_button)

    def _build_results(self) -> QWidget:
        self.title = text_label()
        self.word = QLabel()
        self.word.setFont(_larger(self.font(), 1.0))
        self.sentence = text_label()
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.left = QLabel()
        self.accuracy = QLabel()
        self.accuracy.setFont(_larger(self.font(), 1.25))
        self.measured = text_label()
        self.curves = LearningCurves()
        self.tiles = FoldTiles()
        self.legend = TileLegend()
        self.confusion = ConfusionView()
        self.note = text_label()
        self.results = QWidget()
        column = QVBoxLayout(self.results)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._build_progress())
        column.addLayout(self._build_accuracy())
        column.addWidget(self.tiles)
        column.addWidget(self.legend)
        column.addWidget(self.curves)
        column.addWidget(self.confusion)
        column.addStretch()
        outer = QWidget()
        stack = QVBoxLayout(outer)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.title)
        stack.addLayout(self._build_sentence())
        stack.addWidget(self.results)
        stack.addStretch()
        return outer

    def _build_sentence(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.word, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.sentence, 1)
        return row

    def _build_progress(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.progress, 1)
        row.addWidget(self.left)
        return row

    def _build_accuracy(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(self.accuracy)
        column.addWidget(self.measured)
        column.addWidget(self.note)
        return column

    # -- connect

    def _connect(self) -> None:
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.start_button.clicked.connect(self._start)
        self.stop_button.clicked.connect(self._stop)
        self.resume_button.clicked.connect(self._resume)
        self.runs.picked.connect(self.attach)
        self.setup.changed.connect(self._refresh)
        self.tiles.picked.connect(self.curves.pick)

    # -- verbs

    def _start(self) -> None:
        plan = self.setup.plan()
        if self._try(lambda: self._controller.start(plan)):
            self._followed()

    def _resume(self) -> None:
        if self._try(self._controller.resume):
            self._followed()

    def _stop(self) -> None:
        self._try(self._controller.stop)
        self._tick()

    def attach(self, run: Path) -> None:
        """Show a run folder that exists, also one in training."""
        if run != self._controller.run and self._try(
            lambda: self._controller.attach(run)
        ):
            self._followed()

    def show_runs(self) -> None:
        """Show the list of runs alone."""
        self.setup_fold.unfold(False)
        self.runs_fold.unfold(True)
        self.runs.list.setFocus()

    def use_accepted(self, folder: Path) -> None:
        """Show the choice of a new run on the accepted cells of a cell folder."""
        self.setup.use_accepted(folder)
        self.setup_fold.unfold(True)

    def _try(self, verb: Callable[[], None]) -> bool:
        """Do it; show what is wrong as a sentence."""
        try:
            verb()
        except Hep2Error as fault:
            self.state.complain(fault)
            return False
        self.state.tell("")
        return True

    def _followed(self) -> None:
        self.setup.give_up_cost()
        self.setup.propose_run_folder()
        self.setup_fold.unfold(False)
        self._settings.setValue(LAST_RUN, str(self._controller.run))
        self._settings.sync()
        if self._controller.run is not None:
            self.runs.follow(self._controller.run)
        self._tick()

    def _runs_folder(self) -> Path:
        """Return where runs are: beside the last one."""
        text = self._settings.value(LAST_RUN, "")
        return Path(text).parent if text else Path.home() / "hep2-runs"

    # -- refresh

    def _tick(self) -> None:
        controller = self._controller
        self._alive |= controller.alive
        controller.poll()
        self.runs.poll()
        for run in self._alive - set(controller.training):
            self._alive.remove(run)
            self._notify_end(run)
        if not self.isVisible():
            self._rest_if_idle()
            return
        if self._followed_runs != controller.folds_done:
            self._followed_runs = controller.folds_done
            self._list_runs()
        watched = controller.training or controller.step is not None
        self._timer.setInterval(TICK_MS if watched else IDLE_MS)
        self._refresh()

    def _notify_end(self, run: Path) -> None:
        state = self._controller.state_of(run)
        ended = state.status in ("done", "stopped")
        notify(f"{run.name}: {status_sentence(state)}", is_fault=not ended)

    def _list_runs(self) -> None:
        self.runs.show_folder(self.runs.state.folder or self._runs_folder())

    def _wiring(self) -> list[Wire]:
        return [*self.strip.wiring(), *self.runs.wiring(), *self.live.wiring()]

    def _refresh(self) -> None:
        state = self._controller.state
        self.strip.refresh()
        self._refresh_buttons()
        self.results.setVisible(state is not None and bool(state.folds))
        if state is None:
            self.title.setText("")
            self._say("")
            return
        self._refresh_text(state)
        if state is not self._shown:
            self._shown = state
            for view in (self.curves, self.tiles, self.legend, self.confusion):
                view.show_state(state)

    def _refresh_buttons(self) -> None:
        obstacle = self.setup.plan().obstacle()
        for run in self._controller.training:
            obstacle = f"{run.name} is in training: wait for it, or stop it."
        self.start_button.setEnabled(not obstacle)
        self.start_button.setToolTip(
            obstacle or "Starts the command under New run in a separate process."
        )
        idle = self._controller.step is None
        self.stop_button.setEnabled(self._controller.busy and idle)
        self.resume_button.setEnabled(self._controller.can_resume)

    def _refresh_text(self, state: RunState) -> None:
        run = self._controller.run or Path()
        self.title.setText(f"{run.name}: {state.title}")
        self.title.setToolTip(str(run))
        self._say(status_sentence(state, self._controller.step), state)
        share = state.work_done / len(state.folds) if state.folds else 0.0
        self.progress.setValue(round(1000 * share))
        left = state.seconds_left(time.time())
        self.left.setText(f"about {duration(left)} left" if left is not None else "")
        mean = state.metrics.mean_class_accuracy
        percent = f"{100 * mean:.1f} %" if mean is not None else "\N{EN DASH}"
        self.accuracy.setText(f"Mean class accuracy {percent}")
        self.measured.setText(accuracy_sentence(state.metrics))
        told = warnings(state, self._controller.unreadable)
        self.note.setText("\n".join(told))
        self.note.setVisible(bool(told))

    def _say(self, sentence: str, state: RunState | None = None) -> None:
        word = state.status.capitalize() if state else ""
        self.word.setText(word)
        self.word.setVisible(bool(word))
        self.sentence.setText(sentence)
        self.sentence.setVisible(bool(sentence))

    # -- events of the window

    def showEvent(self, event: object) -> None:
        """Go on drawing."""
        super().showEvent(event)
        self._retheme()
        self._list_runs()
        self._timer.start()

    def hideEvent(self, event: object) -> None:
        """Draw nothing that nobody sees; ends are notified, the trainer goes on."""
        self._timer.setInterval(HIDDEN_MS)
        self._rest_if_idle()
        super().hideEvent(event)

    def _rest_if_idle(self) -> None:
        if not self._controller.training and not self.runs.fit.running:
            self._timer.stop()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme of the window."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._retheme()

    def _retheme(self) -> None:
        theme = str(self.viewer.theme)
        if theme == self._theme or not hasattr(self, "confusion"):
            return
        self._theme = theme
        palette = theme_palette(theme)
        for view in (
            self.curves, self.tiles, self.legend, self.confusion, self.runs.bars,
        ):  # fmt: skip
            view.set_palette(palette)


def _larger(font: QFont, factor: float) -> QFont:
    bold = QFont(font)
    bold.setBold(True)
    bold.setPointSizeF(factor * font.pointSizeF())
    return bold
