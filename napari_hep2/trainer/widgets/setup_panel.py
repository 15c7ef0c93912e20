"""Setup of a run: experiment, folders, settings; its cost and command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from magicgui.widgets.bases import ValueWidget
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.trainer.controllers.controller import (
    CostProbe,
    RunPlan,
    free_run_folder,
    own_settings,
)
from napari_hep2.trainer.widgets.settings_page import SettingsPage
from napari_hep2.trainer.words import LEAKY
from training.config.commands import shown_line
from training.runs.experiments import Experiment
from training.runs.folder import LOG

_KEPT = ("device", "workers", "reviewed")
"""Settings that are no part of an experiment: they stay when another is chosen."""

PROBE_MS = 800
"""How long the choices must rest before the cost is asked for."""


def text_label(text: str = "") -> QLabel:
    """Return a label that wraps, can be copied, and takes text as it is."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


class FolderEdit(QWidget):
    """A folder, typed or picked."""

    changed = Signal()

    def __init__(self, title: str, hint: str) -> None:
        super().__init__()
        self._title = title
        self.edit = QLineEdit(placeholderText=hint)
        self.edit.setAccessibleName(hint)
        self.button = QPushButton("Browse")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.button)
        self.edit.textChanged.connect(self._told)
        self.button.clicked.connect(self._browse)

    @property
    def path(self) -> Path | None:
        """The folder, absolute, or None where the field is empty."""
        text = self.edit.text().strip()
        return Path(text).expanduser().absolute() if text else None

    def set_path(self, path: Path) -> None:
        """Show a folder."""
        self.edit.setText(str(path))

    def _told(self) -> None:
        self.changed.emit()

    def _browse(self) -> None:
        start = str(self.path or Path.home())
        found = QFileDialog.getExistingDirectory(self, self._title, start)
        if found:
            self.edit.setText(found)


class SetupPanel(QWidget):
    """Gathers a `RunPlan`; shows what it would cost and the command that runs it.

    Parameters
    ----------
    experiments
        To choose from, by name.
    runs
        Folder in which new run folders are proposed.
    """

    changed = Signal()

    def __init__(self, experiments: Mapping[str, Experiment], runs: Path) -> None:
        super().__init__()
        self._experiments = experiments
        self._runs = runs
        self._proposed: Path | None = None
        self._probe = CostProbe()
        self._rest = QTimer(self, singleShot=True, interval=PROBE_MS)
        self._listen = QTimer(self, interval=150)
        self._pages: dict[str, SettingsPage] = {}
        self._shown: SettingsPage | None = None
        self._build()
        self._connect()
        self._take_experiment()

    # -- build

    def _build(self) -> None:
        self.experiment = QComboBox(accessibleName="Experiment")
        for name in self._experiments:
            self.experiment.addItem(name)
        self.about = text_label()
        self.data = FolderEdit(
            "Folder of the cells", "an official layout or cell folder"
        )
        self.extra = FolderEdit(
            "Folder of the extra cells", "trained on, never tested: Task-2"
        )
        self.out = FolderEdit("Run folder", "a new folder")
        self._settings = QVBoxLayout()
        self.leaky = text_label(LEAKY)
        self.cost = text_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._build_choices())
        layout.addWidget(self.leaky)
        layout.addLayout(self._settings)
        layout.addLayout(self._build_cost())
        layout.addLayout(self._build_command())
        layout.addStretch(1)

    def _build_choices(self) -> QFormLayout:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Experiment", self.experiment)
        form.addRow(self.about)
        form.addRow("Cells", self.data)
        self.extra_label = QLabel("Extra cells")
        form.addRow(self.extra_label, self.extra)
        form.addRow("Run folder", self.out)
        return form

    def _build_cost(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.cost, 1)
        return row

    def _build_command(self) -> QHBoxLayout:
        self.command = QPlainTextEdit(readOnly=True, accessibleName="Command")
        self.command.setToolTip("What Start does, to be pasted into a terminal.")
        self.command.setFixedHeight(4 * self.fontMetrics().height())
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the command.")
        row = QHBoxLayout()
        row.addWidget(self.command, 1)
        row.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)
        return row

    @property
    def editors(self) -> dict[str, ValueWidget[Any]]:
        """The editors of the settings of the experiment that is chosen, by name."""
        return self._page().editors

    def _page(self) -> SettingsPage:
        """Return the page of the chosen classifier, which is made when first asked."""
        settings = self._experiments[self.experiment.currentText()].classifier
        if settings.name not in self._pages:
            page = SettingsPage(type(settings))
            page.changed.connect(self._refresh)
            self._pages[settings.name] = page
            self._settings.addWidget(page)
        return self._pages[settings.name]

    # -- connect

    def _connect(self) -> None:
        self.experiment.currentIndexChanged.connect(self._take_experiment)
        self.data.changed.connect(self._refresh)
        self.extra.changed.connect(self._refresh)
        self.out.changed.connect(self._refresh)
        self.copy.clicked.connect(self._copy_command)
        self._rest.timeout.connect(self._ask_cost)
        self._listen.timeout.connect(self._hear_cost)

    def _take_experiment(self) -> None:
        page = self._page()
        own = own_settings(self._experiments[self.experiment.currentText()])
        if self._shown is not None:
            own |= {name: self._shown.editors[name].value for name in _KEPT}
            self._shown.hide()
        self._shown = page
        page.show_values(own)
        page.show()
        self.propose_run_folder()
        self._refresh()

    def propose_run_folder(self) -> None:
        """Propose a new run folder unless the user has typed one that is free."""
        chosen = self.out.path
        used = chosen is not None and (chosen / LOG).exists()
        if chosen is None or used or chosen == self._proposed:
            parent = chosen.parent if chosen is not None and used else self._runs
            name = self.plan().experiment.name
            self._proposed = free_run_folder(parent, name)
            self.out.set_path(self._proposed)

    def use_accepted(self, folder: Path) -> None:
        """Choose a cell folder, and of it the cells that reviewers accepted."""
        self.data.set_path(folder)
        self.editors["reviewed"].value = "accepted"

    def plan(self) -> RunPlan:
        """Return what is chosen."""
        experiment = self._experiments[self.experiment.currentText()]
        return RunPlan(
            experiment,
            self.data.path,
            self.out.path,
            self._page().values(),
            self.extra.path,
        )

    # -- refresh

    def _refresh(self) -> None:
        plan = self.plan()
        self.about.setText(_about(plan.experiment))
        self.editors["folds"].enabled = plan.uses_folds
        self.extra.setVisible(plan.uses_extra)
        self.extra_label.setVisible(plan.uses_extra)
        self.leaky.setVisible(plan.leaky)
        self.command.setPlainText(shown_line(plan.command()))
        self._probe.cancel()
        self.cost.setText(plan.obstacle())
        if plan.data is not None and plan.data.is_dir():
            self._rest.start()
        self.changed.emit()

    def _ask_cost(self) -> None:
        if self.isVisible():
            self.cost.setText("Reading the cells and timing a few steps ...")
            self._probe.ask(self.plan().forecast_command())
            self._listen.start()

    def _hear_cost(self) -> None:
        if self._probe.poll():
            obstacle = self.plan().obstacle()
            self.cost.setText(f"{self._probe.text} {obstacle}".strip())
        if not self._probe.asking:
            self._listen.stop()

    def give_up_cost(self) -> None:
        """End the process that tells the cost."""
        self._rest.stop()
        self._listen.stop()
        self._probe.cancel()

    def _copy_command(self) -> None:
        QGuiApplication.clipboard().setText(self.command.toPlainText())

    def hideEvent(self, event: object) -> None:
        """Ask for no cost that nobody sees."""
        self.give_up_cost()
        super().hideEvent(event)

    def showEvent(self, event: object) -> None:
        """Ask for the cost, if there is a data folder."""
        super().showEvent(event)
        self._refresh()


def _about(experiment: Experiment) -> str:
    paper = ""
    if experiment.paper_mca is not None:
        paper = f" The paper's mean class accuracy: {experiment.paper_mca:.2f} %."
    title = experiment.title[:1].upper() + experiment.title[1:]
    return f"{title}. Needs {experiment.needs}.{paper}"
