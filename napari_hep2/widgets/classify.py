"""The widget *Classify*: a pattern on every cell and a verdict on the specimen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.widgets.parts import (
    CommandLine,
    SessionWidget,
    StatusStrip,
    Wire,
    button,
    draw_chip,
    heading,
    pattern_pixmap,
    row,
    scrolled,
    text_label,
)
from training.cards import NOTICE
from training.patterns import Pattern
from training.verdict import SpecimenVerdict

DEVICES = ("auto", "cpu", "cuda")
_LINE = 24
_CHIP = 16


class ShareBars(QWidget):
    """One bar a pattern: letter, name, number of cells and their share."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[tuple[Pattern, int]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_counts(self, counts: list[tuple[Pattern, int]]) -> None:
        """Show the number of cells of each pattern."""
        self.counts = counts
        self.setAccessibleName(
            ", ".join(f"{pattern.title} {n}" for pattern, n in counts)
        )
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return the height of all lines."""
        return QSize(260, _LINE * max(len(self.counts), 1))

    def minimumSizeHint(self) -> QSize:
        """Return the least size in which names and numbers stand beside each other."""
        return QSize(220, _LINE * max(len(self.counts), 1))

    def paintEvent(self, _event: Any) -> None:
        """Draw the bars."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        total = sum(n for _, n in self.counts)
        for k, (pattern, n) in enumerate(self.counts):
            self._draw_line(painter, k * _LINE, pattern, n, total)
        painter.end()

    def _draw_line(
        self, painter: QPainter, top: int, pattern: Pattern, n: int, total: int
    ) -> None:
        middle = Qt.AlignmentFlag.AlignVCenter
        draw_chip(
            painter, QRect(0, top + 4, _CHIP, _CHIP), pattern.letter, pattern.colour
        )
        ink = self.palette().windowText().color()
        painter.setPen(ink)
        metrics = self.fontMetrics()
        names = max(metrics.horizontalAdvance(p.title) for p, _ in self.counts)
        texts = [_number_text(count, total) for _, count in self.counts]
        numbers = max(metrics.horizontalAdvance(text) for text in texts)
        left = _CHIP + 8
        painter.drawText(QRect(left, top, names + 4, _LINE), middle, pattern.title)
        start = left + names + 10
        room = max(self.width() - start - numbers - 12, 20)
        self._draw_bar(painter, QRect(start, top + 7, room, 10), pattern, n, total)
        painter.setPen(ink)
        place = QRect(self.width() - numbers - 6, top, numbers + 4, _LINE)
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(place, middle | right, _number_text(n, total))

    def _draw_bar(
        self, painter: QPainter, space: QRect, pattern: Pattern, n: int, total: int
    ) -> None:
        faint = QColor(self.palette().windowText().color())
        faint.setAlpha(40)
        painter.fillRect(space, faint)
        filled = QRect(space)
        filled.setWidth(round(space.width() * n / total) if total else 0)
        painter.fillRect(filled, QColor(pattern.colour))


def _number_text(n: int, total: int) -> str:
    return f"{n:,}  {n / total:.0%}" if total else ""


class VerdictPanel(QFrame):
    """The verdict on the specimen, or why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("verdict")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.chip, self.title = QLabel(), QLabel()
        self.title.setStyleSheet("font-size: 20px; font-weight: bold;")
        self.title.setWordWrap(True)
        self.group, self.reason, self.second = (text_label() for _ in range(3))
        self.bars = ShareBars()
        self.notice = text_label(NOTICE)
        bold = self.notice.font()
        bold.setBold(True)
        self.notice.setFont(bold)
        layout = QVBoxLayout(self)
        layout.setSpacing(5)
        head = row(self.chip, self.title, spacing=10)
        head.setStretch(1, 1)
        layout.addLayout(head)
        for part in (self.group, self.reason, self.second, self.bars, self.notice):
            layout.addWidget(part)

    def show_nothing(self, counts: list[tuple[Pattern, int]]) -> None:
        """Say that nothing was classified yet; the bars are the legend."""
        self.chip.setVisible(False)
        self.title.setText("Not classified yet")
        for part in (self.group, self.reason, self.second):
            part.setVisible(False)
        self.bars.show_counts(counts)

    def show_verdict(
        self, verdict: SpecimenVerdict, counts: list[tuple[Pattern, int]]
    ) -> None:
        """Show a verdict with its reason, second pattern and counts."""
        pattern = verdict.pattern
        self.chip.setVisible(pattern is not None)
        if pattern is None:
            self.title.setText("No verdict")
        else:
            self.chip.setPixmap(pattern_pixmap(pattern, 30))
            second = verdict.second if verdict.mixed else None
            mixed = f" with {second.title.lower()}" if second else ""
            self.title.setText(pattern.title + mixed)
        self.group.setVisible(pattern is not None)
        self.group.setText(f"ICAP group {pattern.icap}" if pattern else "")
        self.reason.setVisible(True)
        self.reason.setText(verdict.reason)
        self.second.setVisible(verdict.second is not None and not verdict.mixed)
        self.second.setText(_second_text(verdict, counts))
        self.bars.show_counts(counts)


def _second_text(verdict: SpecimenVerdict, counts: list[tuple[Pattern, int]]) -> str:
    if verdict.second is None:
        return ""
    n = dict(counts).get(verdict.second, 0)
    return f"Second: {verdict.second.title}, {n} of {verdict.n_cells} cells."


class ClassifyWidget(SessionWidget):
    """Runs a model on the open frame; what it says never becomes a decision.

    Parameters
    ----------
    napari_viewer
        The viewer, given by napari.
    """

    def _build(self) -> None:
        self._make_model()
        self.verdict = VerdictPanel()
        self.export = button(
            "Export\u2026", "Table, verdict and picture into a folder", "export"
        )
        self.command = CommandLine()
        self.status = StatusStrip(self.session)
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.setContentsMargins(8, 8, 8, 8)
        inside.setSpacing(6)
        inside.addLayout(self.choices)
        inside.addWidget(self.run)
        inside.addWidget(self.verdict)
        inside.addWidget(heading("Model"))
        inside.addWidget(self.card)
        inside.addWidget(self.export)
        inside.addWidget(self.command)
        inside.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(content), 1)
        below = QVBoxLayout()
        below.setContentsMargins(8, 0, 8, 8)
        below.addWidget(self.status)
        layout.addLayout(below)
        self.setMinimumWidth(320)

    def _make_model(self) -> None:
        self.model = QLabel()
        self.model.setMinimumWidth(60)
        self.model.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.choose = button("Choose\u2026", "A model file (.safetensors)", "choose")
        self.device = QComboBox()
        for device in DEVICES:
            self.device.addItem(device, device)
        self.device.setToolTip("'auto' takes a GPU where there is one")
        self.run = button("Classify the cells", "Score every kept cell", "run")
        self.card = text_label()
        self.choices = QFormLayout()
        grow = QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        self.choices.setFieldGrowthPolicy(grow)
        model = row(self.model, self.choose)
        model.setStretch(0, 1)
        self.choices.addRow("Model", model)
        self.choices.addRow("Device", self.device)

    def _wiring(self) -> list[Wire]:
        self.choose.clicked.connect(self._choose_model)
        self.device.activated.connect(self._device_chosen)
        self.run.clicked.connect(self._run)
        self.export.clicked.connect(self._choose_output)
        events = self.state.events
        return [
            (events.cells, self._show_ready),
            (events.busy, self._show_ready),
            (events.model, self._show_model),
            (events.device, self._show_model),
            (events.prediction, self._show_prediction),
            (events.collection, self._show_prediction),
            *self.status.wiring(),
        ]

    def _choose_model(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Choose a model", "", "Models (*.safetensors)"
        )
        if chosen:
            self.session.classify.choose_model(Path(chosen))

    def _device_chosen(self, index: int) -> None:
        self.session.classify.choose_device(self.device.itemData(index))

    def _run(self) -> None:
        self.session.start(self.session.classify.classify())

    def _choose_output(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the export")
        if chosen:
            self.session.start(self.session.classify.export(Path(chosen)))

    def _refresh(self) -> None:
        self._show_model()
        self._show_prediction()
        self.status.refresh()

    def _show_ready(self) -> None:
        state = self.state
        ready = state.cells is not None and state.model is not None and not state.busy
        self.run.setEnabled(ready)
        if state.cells is None:
            self.run.setToolTip("Open a specimen first")
        self.command.setVisible(bool(self.session.classify.command()))
        self.command.show_command(self.session.classify.command())

    def _show_model(self) -> None:
        model = self.state.model
        self.model.setText(model.stem if model else "none chosen")
        self.model.setToolTip(str(model or ""))
        self.device.setCurrentIndex(self.device.findData(self.state.device))
        facts = self.session.classify.card()
        if facts is not None:
            self.card.setText(
                f"{facts.name}\nTrained on: {facts.trained_on}\n"
                f"Measured: {facts.measured}"
            )
        else:
            self.card.setText(
                "Its card cannot be read." if model else "Choose a model file."
            )
        self._show_ready()

    def _show_prediction(self) -> None:
        prediction, counts = self.state.prediction, self.session.classify.counts()
        self.export.setEnabled(prediction is not None)
        if prediction is None:
            self.verdict.show_nothing(counts)
        else:
            self.verdict.show_verdict(prediction.verdict, counts)
        self._show_model()
