"""The reviewer's name: the one field of all widgets, and the question for it."""

from __future__ import annotations

import getpass
from collections.abc import Callable

from qtpy.QtWidgets import QInputDialog, QLineEdit, QWidget

from napari_hep2.state import UNNAMED, SessionState


class ReviewerField(QLineEdit):
    """Shows under which name decisions are recorded, and changes it.

    Parameters
    ----------
    state
        Its ``reviewer`` is shown.
    rename
        Takes the name that was entered.
    """

    def __init__(self, state: SessionState, rename: Callable[[str], None]) -> None:
        super().__init__()
        self._state, self._rename = state, rename
        self.setPlaceholderText("your name")
        self.setAccessibleName("Reviewer")
        self.setToolTip(
            "Your name as a reviewer: it stands beside each decision, on cells and on "
            "specimens; each reviewer has decisions and an undo of their own"
        )
        self.setMinimumWidth(50)
        self.editingFinished.connect(self.enter)

    def enter(self) -> None:
        """Go on under the name in the field."""
        self._rename(self.text())

    def refresh(self) -> None:
        """Show the name in force, unless another one is being entered."""
        name = self._state.reviewer
        if not self.hasFocus():
            self.setText("" if name == UNNAMED else name)


def ask_reviewer(window: QWidget) -> str:
    """Ask for the reviewer's name; '' where it is not given."""
    name, is_given = QInputDialog.getText(
        window,
        "Reviewer",
        "Your name, which stands beside each of your decisions:",
        text=_account(),
    )
    return name.strip() if is_given else ""


def _account() -> str:
    """Return the name of the user's account, or '' where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
