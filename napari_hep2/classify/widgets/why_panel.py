"""Why the current cell was given its pattern: map, views, training cells alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_hep2.classify.state import CellReasons, NearCell
from napari_hep2.common.crop_picture import crop_pixmap
from napari_hep2.common.parts import (
    Wire,
    button,
    pattern_pixmap,
    row,
    text_label,
)
from napari_hep2.session import ViewerSession
from training.data.cells.orientations import VIEWS

SIDE = 88
_NEAR = 44
_ACROSS = 6


class WhyPanel(QWidget):
    """Follows the current cell; computes in the worker while nothing else runs there.

    Parameters
    ----------
    session
        Its `why` is shown; its `runner` computes.
    """

    def __init__(self, session: ViewerSession) -> None:
        super().__init__()
        self._session, self._state = session, session.state
        self.name, self.views, self.notes = (text_label() for _ in range(3))
        self.crop, self.map = _picture(), _picture()
        self.again = button("Explain", "Look at this cell again", "explain")
        self.again.clicked.connect(self._explain)
        self.near = QWidget()
        self._grid = QGridLayout(self.near)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(4)
        self._grid.setVerticalSpacing(1)
        self._grid.setColumnStretch(_ACROSS, 1)
        self._build()

    def _build(self) -> None:
        beside = QVBoxLayout()
        beside.setSpacing(3)
        for part in (self.name, self.views):
            beside.addWidget(part)
        beside.addStretch(1)
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        for picture in (self.crop, self.map):
            top.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(beside, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.near)
        layout.addWidget(self.notes)
        layout.addLayout(row(self.again, 1))

    def wiring(self) -> list[Wire]:
        """Return the signals that the panel follows."""
        events = self._state.events
        return [
            (self._session.why.found.events.reasons, self.refresh),
            (events.current, self.follow),
            (events.prediction, self.follow),
            (events.busy, self.follow),
            (events.blind, self.refresh),
        ]

    def follow(self) -> None:
        """Explain the current cell once the worker is free."""
        self.refresh()
        why = self._session.why
        if self.isVisible() and not self._state.busy and why.is_wanted:
            self._session.start(why.explain())

    def showEvent(self, event: Any) -> None:
        """Catch up with what came while the panel was not seen."""
        super().showEvent(event)
        self.follow()

    def _explain(self) -> None:
        self._session.start(self._session.why.explain())

    def refresh(self) -> None:
        """Show what is known of the current cell."""
        reasons = self._session.why.found.reasons
        for part in (self.crop, self.map, self.near, self.views, self.notes):
            part.setVisible(reasons is not None)
        cell = self._session.why.cell()
        self.again.setVisible(reasons is None and bool(cell))
        self.again.setEnabled(not self._state.busy)
        if reasons is not None:
            self._show(reasons)
        elif self._state.prediction is None:
            self.name.setText("Classify the cells first.")
        else:
            self.name.setText(
                "Not explained yet." if cell else "Choose a cell that was scored."
            )

    def _show(self, reasons: CellReasons) -> None:
        name = "" if self._state.blind else f"{reasons.cell}\n"
        self.name.setText(f"{name}{reasons.pattern.title} {reasons.score:.2f}")
        self.views.setText(views_text(reasons))
        self.crop.setPixmap(crop_pixmap(reasons.crop, SIDE))
        self.map.setVisible(reasons.map is not None)
        if reasons.map is not None:
            self.map.setPixmap(map_pixmap(reasons.crop, reasons.map, SIDE))
            self.map.setToolTip(
                f"Orange: the region that most supports {reasons.pattern.title} "
                "(Grad-CAM). The map is coarse and shows no structure."
            )
        self._show_near(reasons.near)
        self.notes.setText("\n".join(reasons.notes))
        self.notes.setVisible(bool(reasons.notes))

    def _show_near(self, near: tuple[NearCell, ...]) -> None:
        while self._grid.count():
            item = self._grid.takeAt(0)
            part = item.widget() if item is not None else None
            if part is not None:
                part.deleteLater()
        self.near.setVisible(bool(near))
        if near:
            title = text_label("The most similar training cell of each pattern:")
            self._grid.addWidget(title, 0, 0, 1, _ACROSS + 1)
        for place, one in enumerate(near):
            line, column = 1 + 2 * (place // _ACROSS), place % _ACROSS
            self._grid.addWidget(_near_picture(one), line, column)
            self._grid.addWidget(_near_name(one), line + 1, column)


def views_text(reasons: CellReasons) -> str:
    """Return how stable a cell's pattern is, in a sentence."""
    if reasons.agreeing is None:
        return ""
    return (
        f"{reasons.agreeing} of {VIEWS} orientations agree; its score lies between "
        f"{reasons.low:.2f} and {reasons.high:.2f}."
    )


def map_pixmap(
    crop: npt.NDArray[Any], where: npt.NDArray[np.float32], side: int
) -> QPixmap:
    """Return a crop with a map over it as a picture of `side` pixels.

    Parameters
    ----------
    crop : (S, S) uint8 or uint16
    where : (S, S) float32 in 0..1
    """
    from training.reports.specimens.page import heat, stretched

    drawn = np.ascontiguousarray(heat(stretched(crop), where))
    height, width = drawn.shape[:2]
    image = QImage(
        drawn.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888
    )
    return QPixmap.fromImage(
        image.scaled(
            side,
            side,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    )


def _picture() -> QLabel:
    made = QLabel()
    made.setFixedSize(QSize(SIDE, SIDE))
    return made


def _near_picture(one: NearCell) -> QLabel:
    made = QLabel()
    made.setFixedSize(QSize(_NEAR, _NEAR))
    made.setPixmap(crop_pixmap(one.picture, _NEAR))
    made.setToolTip(
        f"{one.pattern.title}, specimen {one.specimen}, cell {one.cell}, similarity "
        f"{one.likeness:.2f}"
    )
    return made


def _near_name(one: NearCell) -> QWidget:
    chip, name = QLabel(), QLabel(one.specimen)
    chip.setPixmap(pattern_pixmap(one.pattern, 14))
    name.setMaximumWidth(_NEAR - 16)
    name.setToolTip(f"Specimen {one.specimen}")
    made = QWidget()
    made.setLayout(row(chip, name, 1, spacing=2))
    return made
