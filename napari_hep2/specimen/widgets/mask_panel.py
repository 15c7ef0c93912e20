"""The panel *Mend the mask*, a part of *Specimen*."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from napari_hep2.common.parts import Wire, add_shortcut, button, text_label
from napari_hep2.session import ViewerSession
from napari_hep2.specimen.controllers.mask_clicks import HINT
from napari_hep2.specimen.controllers.mask_tool import HINTS, KEYS, Tool

TITLES: dict[Tool, str] = {
    "split": "Split",
    "add": "Add",
    "remove": "Remove",
    "merge": "Merge",
}
"""Titles of the tools."""


class MendingPanel(QWidget):
    """Paint, split, add, remove and merge nuclei; apply, undo, back to the original.

    The keys act while the panel has the focus, or the mask's layer in the viewer.

    Parameters
    ----------
    session
        Its verbs are called.
    """

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session = session
        self._mending, self._tool = session.mending, session.tool
        self.tools: dict[Tool, QPushButton] = {}
        self._build()
        self._connect()

    def _build(self) -> None:
        self.paint = button("Paint", "P: brush, for a missed nucleus", "paint")
        self.erase = button("Erase", "E: eraser", "erase")
        for tool, title in TITLES.items():
            made = button(title, f"{KEYS[tool]}: {HINTS[tool]}", tool)
            made.setCheckable(True)
            self.tools[tool] = made
        self.apply = button(
            "Apply", "Ctrl+Return: save, and cut these cells again", "apply"
        )
        self.discard = button("Discard", "Discard the painted changes", "discard")
        self.undo = button(
            "Undo", "U: take back the last stroke, or else the last edit", "undo_mend"
        )
        self.redo = button("Redo", "Shift+U: redo it", "redo_mend")
        self.original = button(
            "Original", "Back to the mask that came with the data", "original"
        )
        self.status, self.hint = text_label(), text_label(HINT)
        grid = QGridLayout()
        grid.setSpacing(4)
        rows = (
            (self.paint, self.erase, self.tools["split"]),
            (self.tools["add"], self.tools["remove"], self.tools["merge"]),
            (self.apply, self.discard, self.original),
            (self.undo, self.redo),
        )
        for y, parts in enumerate(rows):
            for x, part in enumerate(parts):
                part.setMinimumWidth(40)
                grid.addWidget(part, y, x)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.addWidget(self.status)
        layout.addLayout(grid)
        layout.addWidget(self.hint)

    def _verbs(self) -> dict[str, QPushButton]:
        tools: dict[str, QPushButton] = {str(k): part for k, part in self.tools.items()}
        return {
            "paint": self.paint,
            "erase": self.erase,
            **tools,
            "apply": self.apply,
            "discard": self.discard,
            "undo": self.undo,
            "redo": self.redo,
            "original": self.original,
        }

    def _connect(self) -> None:
        for verb, part in self._verbs().items():
            part.clicked.connect(partial(self._do, verb))
        for verb, key in KEYS.items():
            add_shortcut(self, key, partial(self._do, verb))

    def wiring(self) -> list[Wire]:
        """Return the signals that this panel follows."""
        return [
            (self._mending.changed, self.refresh),
            (self._tool.changed, self.refresh),
        ]

    def _do(self, verb: str, *_: object) -> None:
        self._session.desk.do(verb)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done now."""
        mending, history = self._mending, self._mending.history
        is_open = history is not None
        self.status.setText(mending.status())
        for part in (self.paint, self.erase, *self.tools.values()):
            part.setEnabled(is_open)
        for tool, part in self.tools.items():
            part.setChecked(tool == self._tool.current)
        self.apply.setEnabled(mending.pending)
        self.discard.setEnabled(mending.pending)
        applied = None if mending.pending else history
        can_undo = applied is not None and applied.next_undo is not None
        self.undo.setEnabled(mending.pending or can_undo)
        self.redo.setEnabled(mending.can_redo)
        self.original.setEnabled(applied is not None and applied.standing is not None)
