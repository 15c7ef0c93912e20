"""What is chosen before a run: experiment, folders, settings; its cost and command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.controllers.trainer import CostProbe, RunPlan, free_run_folder
from napari_hep2.forms import (
    change_signal,
    make_editor,
    plain_name,
    read_editor,
    write_editor,
)
from napari_hep2.trainer_process import display
from napari_hep2.trainer_words import LEAKY
from training.config import NetworkSettings, ProtocolSettings
from training.experiments import Experiment
from training.runs import RunConfig

FIRST = ("protocol", "folds", "epochs", "width", "workers", "device")
"""Settings in sight; all others are folded away."""

PROBE_MS = 800
"""How long the choices must rest before the cost is asked for."""

FIELDS = {
    **ProtocolSettings.model_fields,
    **NetworkSettings.model_fields,
    "workers": RunConfig.model_fields["workers"],
}


def text_label(text: str = "") -> QLabel:
    """Return a label that wraps, can be copied, and takes text as it is."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


class Fold(QWidget):
    """A heading that shows and hides what is under it."""

    def __init__(self, title: str, content: QWidget, shown: bool) -> None:
        super().__init__()
        self._content = content
        self.button = QToolButton(text=title, checkable=True, checked=shown)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setAutoRaise(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.button.toggled.connect(self._toggled)
        self._toggled(shown)

    def _toggled(self, shown: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow
        self.button.setArrowType(arrow)
        self._content.setVisible(shown)

    def unfold(self, shown: bool) -> None:
        """Show or hide the content."""
        self.button.setChecked(shown)


class FolderEdit(QWidget):
    """A folder, typed or picked."""

    changed = Signal()

    def __init__(self, title: str, hint: str) -> None:
        super().__init__()
        self._title = title
        self.edit = QLineEdit(placeholderText=hint)
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
        self.editors: dict[str, QWidget] = {}
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
        self.out = FolderEdit("Run folder", "a new folder")
        self.leaky = text_label(LEAKY)
        self.cost = text_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._build_choices())
        layout.addLayout(self._build_first())
        layout.addWidget(self.leaky)
        layout.addWidget(self._build_rest())
        layout.addLayout(self._build_cost())
        layout.addLayout(self._build_command())

    def _build_choices(self) -> QFormLayout:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Experiment", self.experiment)
        form.addRow(self.about)
        form.addRow("Cells", self.data)
        form.addRow("Run folder", self.out)
        return form

    def _build_first(self) -> QGridLayout:
        grid = QGridLayout()
        for index, name in enumerate(FIRST):
            row, column = divmod(index, 2)
            editor = self._editor(name)
            label = QLabel(plain_name(name))
            label.setToolTip(editor.toolTip())
            label.setBuddy(editor)
            grid.addWidget(label, row, 2 * column)
            grid.addWidget(editor, row, 2 * column + 1)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        return grid

    def _build_rest(self) -> Fold:
        content = QWidget()
        form = QFormLayout(content)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in FIELDS:
            if name not in FIRST:
                editor = self._editor(name)
                label = QLabel(plain_name(name))
                label.setToolTip(editor.toolTip())
                form.addRow(label, editor)
        self.rest = Fold("More settings", content, shown=False)
        return self.rest

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

    def _editor(self, name: str) -> QWidget:
        editor = self._device_editor() if name == "device" else _editor(name)
        self.editors[name] = editor
        return editor

    def _device_editor(self) -> QComboBox:
        box = QComboBox(toolTip=RunConfig.model_fields["device"].description)
        for device in ("auto", "cpu", "cuda"):
            box.addItem(device, device)
        return box

    # -- connect

    def _connect(self) -> None:
        self.experiment.currentIndexChanged.connect(self._take_experiment)
        self.data.changed.connect(self._refresh)
        self.out.changed.connect(self._refresh)
        for editor in self.editors.values():
            change_signal(editor).connect(self._refresh)
        self.copy.clicked.connect(self._copy_command)
        self._rest.timeout.connect(self._ask_cost)
        self._listen.timeout.connect(self._hear_cost)

    def _take_experiment(self) -> None:
        experiment = self.plan().experiment
        own: dict[str, Any] = {
            **experiment.network.model_dump(),
            **experiment.protocol.model_dump(),
        }
        for name, value in own.items():
            write_editor(self.editors[name], value)
        self.propose_run_folder()
        self._refresh()

    def propose_run_folder(self) -> None:
        """Propose a new run folder unless the user has typed one that is free."""
        chosen = self.out.path
        used = chosen is not None and (chosen / "trainer.log").exists()
        if chosen is None or used or chosen == self._proposed:
            parent = chosen.parent if chosen is not None and used else self._runs
            name = self.plan().experiment.name
            self._proposed = free_run_folder(parent, name)
            self.out.set_path(self._proposed)

    def plan(self) -> RunPlan:
        """Return what is chosen."""
        experiment = self._experiments[self.experiment.currentText()]
        settings = {name: read_editor(box) for name, box in self.editors.items()}
        return RunPlan(experiment, self.data.path, self.out.path, settings)

    # -- refresh

    def _refresh(self) -> None:
        plan = self.plan()
        self.about.setText(_about(plan.experiment))
        self.editors["folds"].setEnabled(plan.uses_folds)
        self.leaky.setVisible(plan.leaky)
        self.command.setPlainText(display(plan.command()))
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


def _editor(name: str) -> QWidget:
    editor = make_editor(name, FIELDS[name])
    if name == "workers":
        editor.setSpecialValueText("one a core")
    return editor


def _about(experiment: Experiment) -> str:
    paper = ""
    if experiment.paper_mca is not None:
        paper = f" The paper's mean class accuracy: {experiment.paper_mca:.2f} %."
    title = experiment.title[:1].upper() + experiment.title[1:]
    return f"{title}. Needs {experiment.needs}.{paper}"
