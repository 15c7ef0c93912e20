"""Napari's notifications of the ends and faults of what took long.

Its activity dock is not used: the moving picture that it shows meanwhile repaints the
whole window, with its OpenGL canvas, and takes a processor core of its own.
"""

from __future__ import annotations

LONG = 10.0
"""Seconds from which a person may be looking elsewhere."""


def notify(text: str, is_fault: bool = False) -> None:
    """Show a sentence in a corner of napari's window."""
    from napari.utils.notifications import show_info, show_warning

    (show_warning if is_fault else show_info)(text)
