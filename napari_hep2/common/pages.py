"""Pages and folders that the system shows outside the window."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices

from napari_hep2.state import SessionState


def open_page(state: SessionState, page: Path) -> None:
    """Show a page or a folder with the system's program, or say where it is."""
    if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(page))):
        state.tell(f"No program could be opened; it is {page}")
