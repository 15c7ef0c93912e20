"""A Qt form made from a settings model: its fields, ranges, units and help.

The model is the one home of every default: a form holds none of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from training.config import Settings, as_typed
from training.errors import BadSettingError

S = TypeVar("S", bound=Settings)

_DECIMALS = 6
_TINY = 10.0**-_DECIMALS
_LARGE_INT = 2**31 - 1
_LARGE_FLOAT = 1e9


class FormTypeError(TypeError):
    """A field whose type no form can show."""


class PlainDoubleSpinBox(QDoubleSpinBox):
    """A number box that shows 0.002 as 0.002 and not as 0.002000."""

    def textFromValue(self, value: float) -> str:
        """Return the shortest text of `value`."""
        return f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".") or "0"


class SettingsForm(QWidget, Generic[S]):
    """Shows the fields of a settings model and reads a valid model back.

    Parameters
    ----------
    model
        The settings class.
    fields
        Names of the fields to show, in this order; all by default.
    values
        What to start from; the defaults by default. Fields that are not shown keep
        these values.

    Raises
    ------
    FormTypeError
        If a field to show is no int, float, bool, str, tuple or Literal.
    """

    changed = Signal()

    def __init__(
        self,
        model: type[S],
        fields: Sequence[str] | None = None,
        values: S | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._base: S = values if values is not None else model()
        names = fields if fields is not None else tuple(model.model_fields)
        self.editors: dict[str, QWidget] = {
            name: make_editor(name, model.model_fields[name]) for name in names
        }
        self._build()
        self.set_settings(self._base)
        self._connect()

    def _build(self) -> None:
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        grow = QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        layout.setFieldGrowthPolicy(grow)
        for name, editor in self.editors.items():
            label = QLabel(plain_name(name))
            label.setToolTip(editor.toolTip())
            label.setBuddy(editor)
            layout.addRow(label, editor)

    def _connect(self) -> None:
        for editor in self.editors.values():
            change_signal(editor).connect(self._told)

    def _told(self) -> None:
        self.changed.emit()

    def settings(self) -> S:
        """Return what the form says as a valid model.

        Raises
        ------
        BadSettingError
            If the model refuses it, as for values that do not go together.
        """
        said = {name: read_editor(editor) for name, editor in self.editors.items()}
        try:
            return self._model.model_validate(self._base.model_dump() | said)
        except ValidationError as fault:
            first = fault.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or self._model.__name__
            raise BadSettingError(
                plain_name(name), str(first["msg"]), "change it, or reset it"
            ) from fault

    def set_settings(self, values: S) -> None:
        """Show these values."""
        self._base = values
        for name, editor in self.editors.items():
            write_editor(editor, getattr(values, name))

    def reset(self) -> None:
        """Go back to the model's defaults."""
        self.set_settings(self._model())

    def differing(self) -> dict[str, Any]:
        """Return the fields, shown or not, that differ from the defaults."""
        return differing(self.settings())


def differing(settings: Settings) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    plain = type(settings)()
    return {
        name: value
        for name, value in settings.model_dump().items()
        if value != getattr(plain, name)
    }


def plain_name(name: str) -> str:
    """Return a field's name as a person reads it."""
    return name.replace("_", " ").capitalize()


def make_editor(name: str, field: FieldInfo) -> QWidget:
    """Return the editor of one field, with its range, unit and help."""
    editor = _editor_of_type(name, field)
    editor.setObjectName(name)
    editor.setToolTip(field.description or "")
    if not isinstance(editor, QCheckBox):
        editor.setMinimumWidth(90)
        editor.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return editor


def _editor_of_type(name: str, field: FieldInfo) -> QWidget:
    kind = field.annotation
    if kind is bool:
        return QCheckBox()
    if kind is int:
        return _int_box(field)
    if kind is float:
        return _float_box(field)
    if get_origin(kind) is Literal:
        box = QComboBox()
        for value in get_args(kind):
            box.addItem(str(value), value)
        return box
    if kind is str or get_origin(kind) is tuple:
        return QLineEdit()
    raise FormTypeError(f"{name}: a form cannot show {kind}")


def _int_box(field: FieldInfo) -> QSpinBox:
    low, high = bounds(field, 1, -_LARGE_INT, _LARGE_INT)
    box = QSpinBox()
    box.setRange(int(low), int(high))
    box.setSuffix(_suffix(field))
    return box


def _float_box(field: FieldInfo) -> QDoubleSpinBox:
    low, high = bounds(field, _TINY, -_LARGE_FLOAT, _LARGE_FLOAT)
    box = PlainDoubleSpinBox()
    box.setDecimals(_DECIMALS)
    box.setRange(low, high)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    box.setSuffix(_suffix(field))
    return box


def _suffix(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    return f" {unit}" if unit else ""


def bounds(
    field: FieldInfo, step: float, low: float, high: float
) -> tuple[float, float]:
    """Return the least and the greatest value that a field takes.

    An open bound is moved in by `step`, the smallest difference an editor can show.
    """
    for limit in field.metadata:
        if isinstance(limit, Ge):
            low = float(limit.ge)  # type: ignore[arg-type]
        elif isinstance(limit, Gt):
            low = float(limit.gt) + step  # type: ignore[arg-type]
        elif isinstance(limit, Le):
            high = float(limit.le)  # type: ignore[arg-type]
        elif isinstance(limit, Lt):
            high = float(limit.lt) - step  # type: ignore[arg-type]
    return low, high


def read_editor(editor: QWidget) -> Any:
    """Return the value that an editor shows."""
    if isinstance(editor, QCheckBox):
        return editor.isChecked()
    if isinstance(editor, QComboBox):
        return editor.currentData()
    if isinstance(editor, QLineEdit):
        return editor.text()
    return editor.value()


def write_editor(editor: QWidget, value: Any) -> None:
    """Show a value."""
    if isinstance(editor, QCheckBox):
        editor.setChecked(value)
    elif isinstance(editor, QComboBox):
        editor.setCurrentIndex(editor.findData(value))
    elif isinstance(editor, QLineEdit):
        editor.setText(str(as_typed(value)))
    else:
        editor.setValue(value)


def change_signal(editor: QWidget) -> Any:
    """Return the signal that an editor gives when its value changes."""
    if isinstance(editor, QCheckBox):
        return editor.toggled
    if isinstance(editor, QComboBox):
        return editor.currentIndexChanged
    if isinstance(editor, QLineEdit):
        return editor.textChanged
    return editor.valueChanged
