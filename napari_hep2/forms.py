"""Forms on magicgui's widgets, made from settings: names, ranges, units and help.

The settings are the one home of every default: a form holds none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.section import CollapsibleSection
from training.config import Settings, as_typed
from training.errors import BadSettingError

S = TypeVar("S", bound=Settings)

_LARGE_INT = 2**31 - 1
_LARGE_FLOAT = 1e9
_SPARE_DECIMALS = 2
"""Decimals that a number box has beyond those of the field's default."""


class FormTypeError(TypeError):
    """A field whose type no form can show."""


class FieldForm(QWidget):
    """An editor for each of some fields, two a row or below each other.

    Parameters
    ----------
    fields
        Fields of settings by name, in the order in which they are shown.
    first
        Names of the fields in sight; the others lie in a section that is closed.
        Without any, all are shown below each other.
    across
        Of these, in a row.

    Attributes
    ----------
    editors
        magicgui's widgets by the names of the fields.

    Raises
    ------
    FormTypeError
        If a field is no int, float, bool, str, tuple or Literal.
    """

    changed = Signal()

    def __init__(
        self,
        fields: Mapping[str, FieldInfo],
        first: Sequence[str] = (),
        across: int = 2,
    ) -> None:
        super().__init__()
        self.editors = {
            name: make_editor(name, field) for name, field in fields.items()
        }
        self._first = [name for name in first if name in self.editors]
        self._across = across
        self._build()
        for editor in self.editors.values():
            editor.changed.connect(self._emit_changed)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        rest = QWidget()
        form = QFormLayout(rest)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, editor in self.editors.items():
            if name not in self._first:
                form.addRow(_label(editor), editor.native)
        if self._first:
            layout.addLayout(self._build_first())
            layout.addWidget(CollapsibleSection("More settings", rest, shown=False))
        else:
            layout.addWidget(rest)

    def _build_first(self) -> QGridLayout:
        grid = QGridLayout()
        for index, name in enumerate(self._first):
            row, column = divmod(index, self._across)
            editor = self.editors[name]
            grid.addWidget(_label(editor), row, 2 * column)
            grid.addWidget(editor.native, row, 2 * column + 1)
        for column in range(self._across):
            grid.setColumnStretch(2 * column + 1, 1)
        return grid

    def _emit_changed(self) -> None:
        self.changed.emit()

    def values(self) -> dict[str, Any]:
        """Return what every editor shows, by name."""
        return {name: editor.value for name, editor in self.editors.items()}

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show these values."""
        for name, value in values.items():
            _show(self.editors[name], value)


class SettingsForm(FieldForm, Generic[S]):
    """Shows the fields of a settings model and returns a valid model.

    Parameters
    ----------
    model
        The settings class.
    fields
        Names of the fields to show, in this order; all by default.
    values
        What to start from; the defaults by default. Fields that are not shown keep
        these values.
    first, across
        As `FieldForm` takes them.
    """

    def __init__(
        self,
        model: type[S],
        fields: Sequence[str] | None = None,
        values: S | None = None,
        first: Sequence[str] = (),
        across: int = 2,
    ) -> None:
        names = fields if fields is not None else tuple(model.model_fields)
        shown = {name: model.model_fields[name] for name in names}
        super().__init__(shown, first, across)
        self._model = model
        self.set_settings(values if values is not None else model())

    def settings(self) -> S:
        """Return a valid model with what the form shows.

        Raises
        ------
        BadSettingError
            If the model refuses it, as for values that do not go together.
        """
        try:
            return self._model.model_validate(self._base.model_dump() | self.values())
        except ValidationError as fault:
            first = fault.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or self._model.__name__
            raise BadSettingError(
                plain_name(name), str(first["msg"]), "change it, or reset it"
            ) from fault

    def set_settings(self, values: S) -> None:
        """Show these values."""
        self._base = values
        self.show_values({name: getattr(values, name) for name in self.editors})

    def reset(self) -> None:
        """Go back to the model's defaults."""
        self.set_settings(self._model())


def plain_name(name: str) -> str:
    """Return a field's name as a person reads it."""
    return name.replace("_", " ").capitalize()


def make_editor(name: str, field: FieldInfo) -> ValueWidget[Any]:
    """Return the editor of one field, with its range, unit and help."""
    editor = _editor_of_type(name, field)
    native = editor.native
    native.setObjectName(name)
    native.setAccessibleName(plain_name(name))
    if not isinstance(editor, CheckBox):
        native.setMinimumWidth(90)
        native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return editor


def _editor_of_type(name: str, field: FieldInfo) -> ValueWidget[Any]:
    kind, extra = field.annotation, field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    label = plain_name(name) + (f" ({unit})" if unit else "")
    shown: dict[str, Any] = {"name": name, "label": label}
    shown["tooltip"] = field.description or ""
    if kind is bool:
        return CheckBox(text="", **shown)
    if kind is int:
        low, high = bounds(field, 1, -_LARGE_INT, _LARGE_INT)
        return SpinBox(min=int(low), max=int(high), value=int(low), **shown)
    if kind is float:
        step = 10.0 ** -(_decimals(field.default) + _SPARE_DECIMALS)
        low, high = bounds(field, step, -_LARGE_FLOAT, _LARGE_FLOAT)
        box = FloatSpinBox(min=low, max=high, value=low, step=step, **shown)
        box.native.setStepType(box.native.StepType.AdaptiveDecimalStepType)
        if isinstance(extra, dict) and "lowest" in extra:
            box.native.setSpecialValueText(str(extra["lowest"]))
        return box
    if get_origin(kind) is Literal:
        choices = [(str(value), value) for value in get_args(kind)]
        return ComboBox(choices=choices, **shown)
    if kind is str or get_origin(kind) is tuple:
        return LineEdit(**shown)
    raise FormTypeError(f"{name}: a form cannot show {kind}")


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


def _show(editor: ValueWidget[Any], value: Any) -> None:
    """Show a value with all its decimals."""
    if isinstance(editor, FloatSpinBox):
        box = editor.native
        box.setDecimals(max(box.decimals(), _decimals(value)))
    editor.value = as_typed(value) if isinstance(editor, LineEdit) else value


def _decimals(value: float) -> int:
    """Return how many decimals a number needs."""
    return len(f"{value:.10f}".rstrip("0").partition(".")[2])


def _label(editor: ValueWidget[Any]) -> QLabel:
    label = QLabel(editor.label)
    label.setToolTip(editor.tooltip or "")
    label.setBuddy(editor.native)
    return label
