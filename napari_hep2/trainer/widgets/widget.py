"""The LOSO trainer: start a run, see it learn, stop, resume, come back to it.

The trainer is a process of its own: closing this dock or napari does not end it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSettings, Qt, QTimer
from qtpy.QtGui import QFont
from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.confusion import ConfusionView
from napari_hep2.common.docks import DockedWidget
from napari_hep2.common.palette import theme_palette
from napari_hep2.common.parts import disconnect_all
from napari_hep2.common.section import CollapsibleSection
from napari_hep2.live.panel import LivePanel
from napari_hep2.session import session_of
from napari_hep2.trainer.controllers.controller import TrainerController
from napari_hep2.trainer.widgets.curves import LearningCurves
from napari_hep2.trainer.widgets.fold_tiles import FoldTiles, TileLegend
from napari_hep2.trainer.widgets.setup_panel import SetupPanel, text_label
from napari_hep2.trainer.words import (
    accuracy_sentence,
    duration,
    status_sentence,
    warnings,
)
from training.errors import Hep2Error
from training.runs.experiments import EXPERIMENTS, Experiment
from training.runs.folder import EVENTS, RunFolder
from training.runs.replay import RunState

if TYPE_CHECKING:
    import napari.viewer

TICK_MS = 150
IDLE_MS = 1000
LAST_RUN = "trainer/last_run"


def user_settings() -> QSettings:
    """Return where the plugin remembers the last run folder, and nothing else."""
    return QSettings("napari-hep2", "napari-hep2")


class TrainerWidget(DockedWidget):
    """A view of a `TrainerController`.

    Parameters
    ----------
    viewer
        Tells the theme; nothing in it is changed.
    experiments
        To choose from, by name.
    settings
        Where the last run folder is remembered.
    """

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        experiments: Mapping[str, Experiment] | None = None,
        settings: QSettings | None = None,
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._settings = settings if settings is not None else user_settings()
        self._controller = TrainerController()
        self._theme = ""
        self._shown: RunState | None = None
        self._fault = ""
        self._build(experiments if experiments is not None else EXPERIMENTS)
        self._connect()
        self._retheme()
        self._offer_last_run()
        self._refresh()

    # -- build

    def _build(self, experiments: Mapping[str, Experiment]) -> None:
        self.setup = SetupPanel(experiments, self._runs_folder())
        self.setup_fold = CollapsibleSection("New run", self.setup, shown=True)
        body = QWidget()
        column = QVBoxLayout(body)
        column.addWidget(self.setup_fold)
        column.addLayout(self._build_buttons())
        column.addWidget(self._build_results(), 1)
        self.live: LivePanel | None = None
        self.live_fold = CollapsibleSection("Live LOSO", QWidget(), shown=False)
        column.addWidget(self.live_fold)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.setMinimumWidth(400)

    def _build_buttons(self) -> QVBoxLayout:
        self.start_button = QPushButton("Start")
        self.stop_button = QPushButton("Stop")
        self.resume_button = QPushButton("Resume")
        self.attach_button = QPushButton("Attach ...")
        self.last_button = QPushButton()
        self.stop_button.setToolTip(
            "Ends the trainer within 5 seconds; at most one epoch is lost."
        )
        self.resume_button.setToolTip("Trains the unfinished folds of this run.")
        self.attach_button.setToolTip(
            "Shows an existing run folder, finished or in training."
        )
        row = QHBoxLayout()
        for button in (
            self.start_button, self.stop_button, self.resume_button, self.attach_button,
        ):  # fmt: skip
            row.addWidget(button)
        box = QVBoxLayout()
        box.addLayout(row)
        box.addWidget(self.last_button)
        return box

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
        self.attach_button.clicked.connect(self._pick_run)
        self.last_button.clicked.connect(self._attach_last)
        self.setup.changed.connect(self._refresh)
        self.tiles.picked.connect(self.curves.pick)
        self.live_fold.button.toggled.connect(self._open_live)

    # -- verbs

    def _open_live(self) -> None:
        """Show the cells under review, which a session is needed for, once asked."""
        if self.live is None:
            self.live = LivePanel(session_of(self._viewer), self._viewer)
            wires = self.live.wiring()
            for signal, slot in wires:
                signal.connect(slot)
            self.destroyed.connect(partial(disconnect_all, wires))
            self.live_fold.fill(self.live)

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

    def _pick_run(self) -> None:
        start = str(self._controller.run or self._runs_folder())
        found = QFileDialog.getExistingDirectory(self, "Run folder", start)
        if found:
            self.attach(Path(found))

    def attach(self, run: Path) -> None:
        """Show a run folder that exists, also one in training."""
        if self._try(lambda: self._controller.attach(run)):
            self._followed()

    def use_accepted(self, folder: Path) -> None:
        """Show the choice of a new run on the accepted cells of a cell folder."""
        self.setup.use_accepted(folder)
        self.setup_fold.unfold(True)

    def _attach_last(self) -> None:
        last = self._last_run()
        if last is not None:
            self.attach(last)

    def _try(self, verb: Callable[[], None]) -> bool:
        """Do it; show what is wrong as a sentence."""
        self._fault = ""
        try:
            verb()
        except Hep2Error as fault:
            self._fault = str(fault)
            self._refresh()
            return False
        return True

    def _followed(self) -> None:
        self.setup.give_up_cost()
        self.setup.propose_run_folder()
        self.setup_fold.unfold(False)
        self._settings.setValue(LAST_RUN, str(self._controller.run))
        self._settings.sync()
        self.last_button.hide()
        self._tick()

    # -- the last run

    def _last_run(self) -> Path | None:
        text = self._settings.value(LAST_RUN, "")
        run = Path(text) if text else None
        return run if run is not None and (run / EVENTS).is_file() else None

    def _runs_folder(self) -> Path:
        last = self._last_run()
        return last.parent if last else Path.home() / "hep2-runs"

    def _offer_last_run(self) -> None:
        last = self._last_run()
        self.last_button.setVisible(last is not None)
        if last is not None:
            now = "in training" if RunFolder(last).is_running() else "not in training"
            self.last_button.setText(f"Show the last run, {last.name} ({now})")
            self.last_button.setToolTip(str(last))

    # -- refresh

    def _tick(self) -> None:
        self._controller.poll()
        watched = self._controller.busy or self._controller.step is not None
        self._timer.setInterval(TICK_MS if watched else IDLE_MS)
        self._refresh()

    def _refresh(self) -> None:
        state = self._controller.state
        self._refresh_buttons()
        self.results.setVisible(state is not None and bool(state.folds))
        if state is None:
            self.title.setText("")
            self._say(self._fault)
            return
        self._refresh_text(state)
        if state is not self._shown:
            self._shown = state
            for view in (self.curves, self.tiles, self.legend, self.confusion):
                view.show_state(state)

    def _refresh_buttons(self) -> None:
        busy = self._controller.busy
        obstacle = self.setup.plan().obstacle()
        self.start_button.setEnabled(not busy and not obstacle)
        self.start_button.setToolTip(
            obstacle or "Starts the command under New run in a separate process."
        )
        self.stop_button.setEnabled(busy and self._controller.step is None)
        self.resume_button.setEnabled(self._controller.can_resume)
        self.attach_button.setEnabled(not busy)

    def _refresh_text(self, state: RunState) -> None:
        run = self._controller.run or Path()
        self.title.setText(f"{run.name}: {state.title}")
        self.title.setToolTip(str(run))
        self._say(self._fault or status_sentence(state, self._controller.step), state)
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
        word = state.status.capitalize() if state and not self._fault else ""
        self.word.setText(word)
        self.word.setVisible(bool(word))
        self.sentence.setText(sentence)
        self.sentence.setVisible(bool(sentence))

    # -- events of the window

    def showEvent(self, event: object) -> None:
        """Go on drawing."""
        super().showEvent(event)
        self._retheme()
        self._timer.start()

    def hideEvent(self, event: object) -> None:
        """Draw nothing that nobody sees; the trainer goes on."""
        self._timer.stop()
        super().hideEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme of the window."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._retheme()

    def _retheme(self) -> None:
        theme = str(self._viewer.theme)
        if theme == self._theme or not hasattr(self, "confusion"):
            return
        self._theme = theme
        palette = theme_palette(theme)
        for view in (self.curves, self.tiles, self.legend, self.confusion):
            view.set_palette(palette)


def _larger(font: QFont, factor: float) -> QFont:
    bold = QFont(font)
    bold.setBold(True)
    bold.setPointSizeF(factor * font.pointSizeF())
    return bold
