"""The widget *Classify*: a pattern on every cell and a verdict on the specimen."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.classify.widgets.doubt_panel import DoubtPanel
from napari_hep2.classify.widgets.practice_panel import PracticePanel
from napari_hep2.classify.widgets.specimen_answer_panel import SayingPanel
from napari_hep2.classify.widgets.verdict_panel import VerdictPanel
from napari_hep2.classify.widgets.why_panel import WhyPanel
from napari_hep2.classify.widgets.worklist_panel import WorklistWidget
from napari_hep2.common.docks import dock_of
from napari_hep2.common.pages import open_page
from napari_hep2.common.parts import (
    CommandLine,
    SessionWidget,
    StatusStrip,
    Wire,
    button,
    heading,
    row,
    scrolled,
    text_label,
)

DEVICES = ("auto", "cpu", "cuda")

_REPORT = "Write the specimen's report and open it"


class ClassifyWidget(SessionWidget):
    """Runs a model on the open frame; what it says never becomes a decision.

    Parameters
    ----------
    napari_viewer
        The viewer, given by napari.
    """

    def _build(self) -> None:
        self._make_model()
        self.verdict, self.doubt = VerdictPanel(), DoubtPanel()
        self.saying, self.why = SayingPanel(self.session), WhyPanel(self.session)
        self.practice = PracticePanel(self.session)
        self.said_by_model, self._boxes_hidden = QWidget(), False
        self.report = button("Report\u2026", _REPORT, "report")
        self.worklist = button(
            "Worklist\u2026",
            "Report a folder of specimens, ranked by doubt",
            "worklist",
        )
        self._list: WorklistWidget | None = None
        self.export = button(
            "Export\u2026", "Save table, verdict and picture to a folder", "export"
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
        inside.addWidget(self.saying)
        inside.addWidget(self.practice)
        inside.addLayout(row(self.report, self.worklist, self.export))
        inside.addWidget(self.said_by_model)
        why = QVBoxLayout(self.said_by_model)
        why.setContentsMargins(0, 0, 0, 0)
        why.addWidget(self.doubt)
        why.addWidget(heading("Why this cell was given its pattern"))
        why.addWidget(self.why)
        inside.addWidget(heading("Model"))
        inside.addWidget(self.card)
        inside.addWidget(self.command)
        inside.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(content), 1)
        below = QVBoxLayout()
        below.setContentsMargins(8, 0, 8, 8)
        below.addWidget(self.status)
        layout.addLayout(below)

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
        self.device.setToolTip("'auto' uses a GPU where there is one")
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
        self.report.clicked.connect(self._report)
        self.worklist.clicked.connect(self.show_worklist)
        self.doubt.next_cell.clicked.connect(self._next_doubtful)
        self.doubt.sort.clicked.connect(self._sort_by_doubt)
        self.doubt.chosen.connect(self._go_to)
        events = self.state.events
        return [
            (events.cells, self._show_prediction),
            (events.busy, self._show_ready),
            (events.opening, self._show_prediction),
            (events.model, self._show_model),
            (events.device, self._show_model),
            (events.prediction, self._show_prediction),
            (events.collection, self._show_prediction),
            (events.decisions, self._show_verdict),
            (events.review, self._show_verdict),
            (events.current, self._mark_current),
            (events.blind, self._show_cells),
            (self.session.worklist.written, self._open_report),
            *self.saying.wiring(),
            *(
                (signal, self._show_practice)
                for signal in (
                    self.session.saying.found.events.teacher,
                    self.session.saying.found.events.sayings,
                    events.cells,
                    events.prediction,
                    events.reviewer,
                )
            ),
            *self.practice.wiring(),
            *self.why.wiring(),
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

    def _report(self) -> None:
        work = self.session.worklist
        if work.found.out is None and self.state.collection is not None:
            chosen = QFileDialog.getExistingDirectory(self, "Folder for the reports")
            if not chosen:
                return
            work.choose_out(Path(chosen))
        self.session.start(work.report())

    def _open_report(self, page: Path) -> None:
        open_page(self.state, page)

    def show_worklist(self) -> None:
        """Open the worklist below the picture, or bring it to the front."""
        if self._list is None:
            self._list = WorklistWidget(self.viewer)
        dock = dock_of(self._list)
        if dock is None:
            self.viewer.window.add_dock_widget(
                self._list, name="Worklist", area="bottom"
            )
        else:
            dock.show()
            dock.raise_()

    # -- by doubt

    def _next_doubtful(self) -> None:
        cell = self.session.verdict.next_doubtful()
        if cell is not None:
            self._go_to(cell)

    def _sort_by_doubt(self) -> None:
        self.session.start(self.session.review.order.set_sort("uncertainty"))

    def _go_to(self, cell: str) -> None:
        """Make a cell the current one, here, in the viewer and in *Review cells*."""
        if self.session.verdict.can_show(cell):
            self.session.review.select_cell(cell)
            self.session.link.zoom_to_current()

    # -- from the state

    def _refresh(self) -> None:
        self._show_model()
        self._show_prediction()
        self.saying.refresh()
        self.practice.refresh()
        self._show_practice()
        self.why.refresh()
        self.status.refresh()

    def _show_ready(self) -> None:
        state = self.state
        is_free = not state.busy and not state.opening
        ready = state.cells is not None and state.model is not None and is_free
        self.report.setEnabled(ready and state.collection is not None)
        command = self.session.worklist.report_command()
        self.report.setToolTip(f"{_REPORT}\n{command}".rstrip())
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
        self.verdict.show_model(facts)
        if facts is not None:
            self.card.setText(
                f"{facts.name}\nTrained on: {facts.trained_on}\n"
                f"Measured on single cells: {facts.measured}"
            )
        else:
            self.card.setText(
                "The model's card cannot be read." if model else "Choose a model file."
            )
        self._show_ready()

    def _show_prediction(self) -> None:
        is_there = self.state.prediction is not None and not self.state.opening
        self.export.setEnabled(is_there)
        self._show_verdict()
        self._show_cells()
        self._show_model()

    def _show_verdict(self) -> None:
        """Show the model's verdict and, beside it, the one with decisions.

        While another frame is opened there is none: it would be taken for that one's.
        """
        if self.state.opening:
            name = "" if self.state.blind else f" {self.state.opening}"
            nothing = [(pattern, 0) for pattern in self.state.vocabulary]
            self.verdict.show_nothing(nothing, f"Opening{name}\u2026")
            return
        prediction, counts = self.state.prediction, self.session.classify.counts()
        if prediction is None:
            self.verdict.show_nothing(counts, self.session.classify.unscored())
            return
        verdicts = self.session.verdict
        self.verdict.show_decided(
            verdicts.decided(), prediction.vocabulary, prediction.card
        )
        self.verdict.show_verdict(
            prediction.verdict,
            prediction.vocabulary,
            counts,
            prediction.card,
            verdicts.judged_on(),
        )

    def _show_practice(self) -> None:
        """Hide what the model says of a specimen that is still to be answered."""
        is_hidden = self.session.saying.hides()
        self.verdict.setVisible(not is_hidden)
        self.said_by_model.setVisible(not is_hidden)
        boxes = self.session.link.boxes
        if boxes is not None and (is_hidden or self._boxes_hidden):
            boxes.visible = not is_hidden
        self._boxes_hidden = is_hidden

    def _show_cells(self) -> None:
        is_opening = bool(self.state.opening)
        doubtful, typical = ((), ()) if is_opening else self.session.verdict.shown()
        self.doubt.show_cells(doubtful, typical, self.state.blind)
        self._mark_current()

    def _mark_current(self) -> None:
        self.doubt.mark(self.session.verdict.current())
