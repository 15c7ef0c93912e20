"""The settings of a run: those of its classifier, its training set and its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.section import Fold
from napari_hep2.forms import (
    change_signal,
    make_editor,
    plain_name,
    read_editor,
    write_editor,
)
from training.config import ProtocolSettings, Settings, TrainingSetSettings
from training.runs.folder import RunConfig

FIRST = ("protocol", "folds", "epochs", "width", "workers", "device")
"""Settings in sight, where the classifier has them; all others are folded away."""


class SettingsPage(QWidget):
    """An editor for each setting of a run of one kind of classifier.

    Parameters
    ----------
    classifier
        The class of its settings.
    """

    changed = Signal()

    def __init__(self, classifier: type[Settings]) -> None:
        super().__init__()
        fields = _fields(classifier)
        self.editors = {name: _editor(name, field) for name, field in fields.items()}
        self._build()
        for editor in self.editors.values():
            change_signal(editor).connect(self._told)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._build_first())
        layout.addWidget(self._build_rest())

    def _build_first(self) -> QGridLayout:
        grid = QGridLayout()
        for index, name in enumerate(name for name in FIRST if name in self.editors):
            row, column = divmod(index, 2)
            editor = self.editors[name]
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
        for name, editor in self.editors.items():
            if name not in FIRST:
                label = QLabel(plain_name(name))
                label.setToolTip(editor.toolTip())
                form.addRow(label, editor)
        self.rest = Fold("More settings", content, shown=False)
        return self.rest

    def _told(self) -> None:
        self.changed.emit()

    def value(self, name: str) -> Any:
        """Return what one editor shows."""
        return read_editor(self.editors[name])

    def values(self) -> dict[str, Any]:
        """Return what every editor shows, by name."""
        return {name: read_editor(editor) for name, editor in self.editors.items()}

    def show_values(self, values: Mapping[str, object]) -> None:
        """Show these values."""
        for name, value in values.items():
            write_editor(self.editors[name], value)


def _fields(classifier: type[Settings]) -> dict[str, FieldInfo]:
    """Return the fields of a run, by name, in the order in which they are shown."""
    own = {name: classifier.model_fields[name] for name in classifier.changeable()}
    run = {name: RunConfig.model_fields[name] for name in ("workers", "device")}
    protocol, training_set = ProtocolSettings, TrainingSetSettings
    return {**protocol.model_fields, **own, **training_set.model_fields, **run}


def _editor(name: str, field: FieldInfo) -> QWidget:
    if name == "device":
        box = QComboBox(toolTip=field.description)
        for device in ("auto", "cpu", "cuda"):
            box.addItem(device, device)
        return box
    editor = make_editor(name, field)
    if name == "workers":
        editor.setSpecialValueText("one a core")
    return editor
