"""Opens a widget of the plugin from another one."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget, QWidget


def opened_widget(viewer: Any, title: str) -> Any:
    """Return a widget of the plugin, opened and in front.

    Parameters
    ----------
    viewer
        A viewer, or napari's proxy of it.
    title
        As the plugin's menu names it.
    """
    window = getattr(viewer, "__wrapped__", viewer).window
    _, widget = window.add_plugin_dock_widget("napari-hep2", title, tabify=True)
    _bring_forward(widget)
    return widget


def _bring_forward(widget: QWidget) -> None:
    part: QWidget | None = widget
    while part is not None and not isinstance(part, QDockWidget):
        part = part.parentWidget()
    if part is not None:
        part.show()
        part.raise_()
