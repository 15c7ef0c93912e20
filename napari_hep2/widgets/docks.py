"""Opens a widget of the plugin from another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDockWidget, QWidget

if TYPE_CHECKING:
    from napari_hep2.widgets.trainer import TrainerWidget


def trainer_of(viewer: Any) -> TrainerWidget:
    """Return the *LOSO trainer* of a viewer, opened and in front.

    Parameters
    ----------
    viewer
        A viewer, or napari's proxy of it.
    """
    from napari_hep2.widgets.trainer import TrainerWidget

    window = getattr(viewer, "__wrapped__", viewer).window
    for widget in window.dock_widgets.values():
        if isinstance(widget, TrainerWidget):
            break
    else:
        _, widget = window.add_plugin_dock_widget(
            "napari-hep2", "LOSO trainer", tabify=True
        )
    _bring_forward(widget)
    made: TrainerWidget = widget
    return made


def _bring_forward(widget: QWidget) -> None:
    part: QWidget | None = widget
    while part is not None and not isinstance(part, QDockWidget):
        part = part.parentWidget()
    if part is not None:
        part.show()
        part.raise_()
