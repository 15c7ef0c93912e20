"""The panel *Find nuclei*, a part of *Specimen*."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_hep2.common.parts import Wire, button, row, text_label
from napari_hep2.forms import SettingsForm
from napari_hep2.session import ViewerSession
from training.config import SegmentationSettings
from training.config.data import LEAST_DIAMETER
from training.errors import Hep2Error

_FIRST = ("diameter", "sensitivity")
_RESTING = 200
"""Milliseconds that the view and the fields rest before a preview is made."""

_GIVEN = "The mask of this frame is given or edited: no nuclei are looked for in it."


class NucleiPanel(QWidget):
    """Settings of the nuclei that are looked for, tried on the part in view.

    Parameters
    ----------
    session
        Its preview is asked for.
    viewer
        Its view is followed.

    Attributes
    ----------
    wanted
        Says that the frame is to be cut with these settings.
    """

    wanted = Signal()

    def __init__(self, session: ViewerSession, viewer: Any) -> None:
        super().__init__()
        self._session, self._preview = session, session.preview
        self._camera = viewer.scene.camera
        self._build()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_RESTING)
        self._connect()

    def _build(self) -> None:
        self.form = SettingsForm(SegmentationSettings, first=_FIRST, across=1)
        self._diameter = self.form.editors["diameter"]
        self._last = float(self._diameter.value)
        self.preview = QCheckBox("Preview in view")
        self.preview.setToolTip("Outlines, with these settings, of the part in view")
        self.preview.setChecked(True)
        self.status = text_label()
        self.find = button("Find nuclei", "Cut the frame with these settings", "find")
        self.reset = button("Defaults", "Back to the defaults", "reset_nuclei")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.addWidget(self.form)
        layout.addWidget(self.preview)
        layout.addWidget(self.status)
        layout.addLayout(row(self.find, self.reset))

    def _connect(self) -> None:
        # A number is taken once it is typed in full.
        self._diameter.native.setKeyboardTracking(False)
        self._diameter.changed.connect(self._step_over)
        self.form.changed.connect(self._timer.start)
        self.preview.toggled.connect(self._turn)
        self._timer.timeout.connect(self._ask)
        self.find.clicked.connect(self.wanted)
        self.reset.clicked.connect(self.form.reset)

    def wiring(self) -> list[Wire]:
        """Return the signals that this panel follows."""
        events, camera = self._session.state.events, self._camera.events
        return [
            (events.cells, self.refresh),
            (events.picture, self.refresh),
            (camera.zoom, self._moved),
            (camera.center, self._moved),
            (self._preview.changed, self._show),
        ]

    def settings(self) -> SegmentationSettings:
        """Return what the fields show.

        Raises
        ------
        BadSettingError
            If they do not go together.
        """
        return self.form.settings()

    def showEvent(self, event: QShowEvent) -> None:
        """Preview what is in view."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Take the preview off."""
        super().hideEvent(event)
        self._preview.stop()

    def _step_over(self, value: float) -> None:
        """Step from automatic to the diameter that was measured, and back."""
        if 0 < value < LEAST_DIAMETER:
            start = max(round(self._preview.diameter), LEAST_DIAMETER)
            value = 0 if self._last else start
            self._last = value
            self._diameter.value = value
        self._last = value

    def _turn(self, is_on: bool) -> None:
        if is_on:
            self._ask()
        else:
            self._preview.stop()

    def _moved(self, _event: Any = None) -> None:
        if self._is_previewing:
            self._timer.start()

    @property
    def _is_previewing(self) -> bool:
        return self.isVisible() and self.preview.isChecked()

    def _ask(self) -> None:
        if not self._is_previewing:
            return
        try:
            self._preview.ask(self.settings())
        except Hep2Error as fault:
            self._session.state.complain(fault)

    def refresh(self) -> None:
        """Show what can be done with the open frame."""
        state, can_find = self._session.state, self._preview.can_find
        is_open = state.cells is not None or state.picture is not None
        self.find.setEnabled(can_find or (not is_open and state.collection is not None))
        self.preview.setEnabled(can_find)
        self._show()
        self._moved()

    def _show(self) -> None:
        is_given = self._session.state.cells is not None and not self._preview.can_find
        self.status.setText(_GIVEN if is_given else self._preview.text)
        self.status.setVisible(bool(self.status.text()))
