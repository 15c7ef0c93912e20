"""The widget *Specimen*: open specimens, cut their cells, see what was dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_hep2.common.parts import (
    WARNING_COLOUR,
    CommandLine,
    Folds,
    SessionWidget,
    StatusStrip,
    Wire,
    button,
    heading,
    pattern_icon,
    row,
    scrolled,
    text_label,
)
from napari_hep2.forms import SettingsForm
from napari_hep2.remembered import recent_folder
from napari_hep2.samples import SAMPLE_FRAME, SampleDataError, sample_specimens
from napari_hep2.specimen.controllers.frames import count_cells
from napari_hep2.specimen.widgets.frame_tree import NOT_KNOWN, FrameTree
from napari_hep2.specimen.widgets.mask_panel import MendingPanel
from napari_hep2.specimen.widgets.nuclei_panel import NucleiPanel
from napari_hep2.viewer.layer_arrays import image_layer, labels_layer, view_of
from training.config import ExtractionSettings
from training.data.cells.extraction import DROP_REASONS, FLAGS, FrameCells
from training.errors import Hep2Error

_FROM_IMAGE = "Make one from the image"


class SpecimenWidget(SessionWidget):
    """Opens specimens and shows the cells that the extraction finds.

    Parameters
    ----------
    napari_viewer
        The viewer, given by napari.
    """

    # -- build

    def _build(self) -> None:
        content = QWidget()
        inside = QVBoxLayout(content)
        inside.setContentsMargins(8, 8, 8, 8)
        inside.setSpacing(6)
        self._build_folder(inside)
        self._build_cells(inside)
        self.nuclei = NucleiPanel(self.session, self.viewer)
        self.folds = Folds(
            ("From open layers", self._make_layers()),
            ("Find nuclei", self.nuclei),
            ("Settings", self._make_settings()),
        )
        self.mending = MendingPanel(self.session)
        self.mending_fold = Folds(("Edit the mask", self.mending))
        inside.addWidget(self.folds)
        inside.addWidget(self.mending_fold)
        self._build_writing(inside)
        self.status = StatusStrip(self.session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._area = scrolled(content)
        layout.addWidget(self._area, 1)
        below = QVBoxLayout()
        below.setContentsMargins(8, 0, 8, 8)
        below.addWidget(self.status)
        layout.addLayout(below)

    def _build_folder(self, inside: QVBoxLayout) -> None:
        self.open = button("Open folder\u2026", "A folder of specimens", "open")
        self.sample = button("Sample", "Simulated specimens to try", "sample")
        self.folder = text_label()
        self.frames = FrameTree(self.state)
        inside.addLayout(row(self.open, self.sample))
        inside.addWidget(self.folder)
        inside.addWidget(self.frames, 1)

    def _build_cells(self, inside: QVBoxLayout) -> None:
        self.specimen = QLineEdit()
        self.specimen.setPlaceholderText("specimen id")
        self.specimen.setAccessibleName("Specimen")
        self.pattern = QComboBox()
        self.pattern.setAccessibleName("Pattern")
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        grow = QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        form.setFieldGrowthPolicy(grow)
        form.addRow("Specimen", self.specimen)
        form.addRow("Pattern", self.pattern)
        self.count = heading("")
        self.read_as = text_label()
        self.dropped, self.flagged, self.sizes = (text_label() for _ in range(3))
        self.misfit = text_label()
        self.misfit.setStyleSheet(f"color: {WARNING_COLOUR};")
        self.fit = button("", "Cut every frame from now on with this size", "fit")
        self.show_dropped = QCheckBox("Show dropped cells")
        self.show_dropped.setToolTip("Dim boxes with the reason written on them")
        inside.addLayout(form)
        inside.addWidget(self.count)
        inside.addWidget(self.read_as)
        for part in (self.dropped, self.flagged, self.sizes, self.misfit, self.fit):
            inside.addWidget(part)
        inside.addWidget(self.show_dropped)

    def _make_layers(self) -> QWidget:
        self.image, self.mask = QComboBox(), QComboBox()
        for box in (self.image, self.mask):
            box.setMinimumContentsLength(8)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.extract = button("Extract", "Cut the cells of this image", "extract")
        content = QWidget()
        form = QFormLayout(content)
        form.setContentsMargins(12, 0, 0, 0)
        form.addRow("Image", self.image)
        form.addRow("Mask", self.mask)
        form.addRow(self.extract)
        return content

    def _make_settings(self) -> QWidget:
        self.extraction = SettingsForm(ExtractionSettings)
        self.again = button("Extract again", "With these settings", "again")
        self.reset = button("Defaults", "Back to the defaults", "reset")
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(12, 0, 0, 0)
        layout.addWidget(self.extraction)
        layout.addLayout(row(self.again, self.reset))
        return content

    def _build_writing(self, inside: QVBoxLayout) -> None:
        self.write = button(
            "Write cell folder\u2026", "Cut the cells of every specimen", "write"
        )
        self.command = CommandLine()
        inside.addWidget(self.write)
        inside.addWidget(self.command)

    # -- connect

    def _wiring(self) -> list[Wire]:
        self._connect_controls()
        events, layers = self.state.events, self.viewer.layers.events
        return [
            (events.collection, self._show_collection),
            (events.position, self.frames.show_position),
            (events.opening, self._show_opened),
            (events.cells, self._show_cells),
            (events.picture, self._show_names),
            (events.specimen, self._show_names),
            (events.blind, self._show_collection),
            (events.pattern, self._show_names),
            (events.show_dropped, self._show_toggle),
            (layers.inserted, self._list_layers),
            (layers.inserted, self._follow_reader),
            (layers.removed, self._list_layers),
            (layers.renamed, self._list_layers),
            (self.session.mending.changed, self._unfold_edits),
            *self.nuclei.wiring(),
            *self.mending.wiring(),
            *self.status.wiring(),
        ]

    def _connect_controls(self) -> None:
        self.open.clicked.connect(self._choose_folder)
        self.sample.clicked.connect(self._open_sample)
        self.frames.chosen.connect(self._frame_chosen)
        self.frames.stepped.connect(self._stepped)
        self.specimen.editingFinished.connect(self._specimen_named)
        self.pattern.activated.connect(self._pattern_chosen)
        self.show_dropped.toggled.connect(self._dropped_toggled)
        self.extract.clicked.connect(self._extract_layers)
        self.fit.clicked.connect(self._fit_crops)
        self.again.clicked.connect(self._extract_again)
        self.nuclei.wanted.connect(self._extract_again)
        self.reset.clicked.connect(self.extraction.reset)
        self.write.clicked.connect(self._choose_output)

    def showEvent(self, event: QShowEvent) -> None:
        """Take clicks on the picture for edits of the mask while this is seen."""
        super().showEvent(event)
        self.session.clicks.is_on = True

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave clicks to others."""
        super().hideEvent(event)
        self.session.clicks.is_on = False

    # -- from the user to the state

    def open_folder(self, folder: Path) -> None:
        """Open a folder of specimens."""
        self.session.start(self.session.specimen.open_folder(folder))

    def _choose_folder(self) -> None:
        words, start = "Open a folder of specimens", recent_folder()
        chosen = QFileDialog.getExistingDirectory(self, words, start)
        if chosen:
            self.open_folder(Path(chosen))

    def _open_sample(self) -> None:
        try:
            job = self.session.specimen.open_folder(sample_specimens(), SAMPLE_FRAME)
            self.session.start(job)
        except SampleDataError as fault:
            self.state.complain(fault)

    def _frame_chosen(self, specimen: int, frame: int) -> None:
        job = self.session.specimen.open_frame(specimen, frame)
        if not self.session.start(job):
            self.frames.show_position()

    def _stepped(self, step: int) -> None:
        self.session.start(self.session.specimen.step_frame(step))

    def _specimen_named(self) -> None:
        self.session.specimen.set_specimen(self.specimen.text())

    def _pattern_chosen(self, index: int) -> None:
        self.session.specimen.set_pattern(self.pattern.itemData(index))

    def _dropped_toggled(self, is_on: bool) -> None:
        self.state.show_dropped = is_on

    def _follow_reader(self, event: Any) -> None:
        """Open the folder of a frame that was dropped on the viewer."""
        self._open_frame_of(event.value)

    def _open_frame_of(self, layer: Any) -> None:
        made = layer.metadata
        if not hasattr(layer, "contrast_limits") or not {"folder", "frame"} <= set(
            made
        ):
            return
        opened = self.state.cells or self.state.picture
        if opened is None or opened.frame.name != made["frame"]:
            folder = Path(made["folder"])
            job = self.session.specimen.open_folder(folder, made["frame"])
            self.session.start(job)

    def _extract_layers(self) -> None:
        layer = self._layer(self.image.currentText())
        if layer is None:
            self.state.complain("Open an image first, then pick it here.")
            return
        mask, view = self._layer(self.mask.currentData() or ""), view_of(self.viewer)
        try:
            image = image_layer(layer, view)
            labels = None if mask is None else labels_layer(mask, view, image)
        except Hep2Error as fault:
            self.state.complain(fault)
            return
        self.session.link.adopt(layer)
        source = Path(layer.source.path) if layer.source.path else None
        self.session.start(self.session.specimen.use_layers(image, labels, source))

    def _layer(self, name: str) -> Any:
        found = [layer for layer in self.viewer.layers if layer.name == name]
        # A plugin is given a stand-in that other threads must not use.
        return getattr(found[0], "__wrapped__", found[0]) if found else None

    def _extract_again(self) -> None:
        specimen = self.session.specimen
        try:
            specimen.set_settings("extraction", self.extraction.settings())
            specimen.set_settings("segmentation", self.nuclei.settings())
        except Hep2Error as fault:
            self.state.complain(fault)
            return
        self.session.start(specimen.extract_again())

    def _fit_crops(self) -> None:
        job = self.session.specimen.fit_crops()
        self.extraction.set_settings(self.state.extraction)
        self.session.start(job)

    def _choose_output(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the cells")
        if chosen:
            self.session.start(self.session.specimen.write_cells(Path(chosen)))

    # -- from the state to the screen

    def _refresh(self) -> None:
        self._list_layers()
        self._show_collection()
        self._show_cells()
        self._show_toggle()
        self.nuclei.refresh()
        self.mending.refresh()
        self.status.refresh()
        if self.state.cells is None and not self.state.opening:
            for layer in list(self.viewer.layers)[:1]:
                self._open_frame_of(layer)

    def _show_opened(self) -> None:
        """Mark what is open once nothing else is being opened."""
        if not self.state.opening:
            self.frames.show_position()

    def _show_collection(self) -> None:
        collection = self.state.collection
        self._fill_patterns()
        self.write.setEnabled(collection is not None)
        self._show_again()
        self.frames.show_collection()
        if collection is None:
            self.folder.setText("No folder is open.")
        else:
            n = len(collection.specimens)
            noun = "specimen" if n == 1 else "specimens"
            text = f"{collection.root.name}: {n} {noun}, layout {collection.layout}"
            self.folder.setText(text)
            self.folder.setToolTip(str(collection.root))
        self.command.setVisible(collection is not None)
        self._show_command()

    def _show_command(self) -> None:
        self.command.show_command(self.session.specimen.command())

    def _fill_patterns(self) -> None:
        self.pattern.clear()
        self.pattern.addItem(NOT_KNOWN, None)
        for pattern in self.state.vocabulary:
            self.pattern.addItem(pattern_icon(pattern), pattern.title, pattern.name)
        self._show_names()

    def _show_names(self) -> None:
        is_blind = self.state.blind
        self.specimen.setText("hidden" if is_blind else self.state.specimen)
        self.specimen.setReadOnly(is_blind or self.state.collection is not None)
        index = -1 if is_blind else max(self.pattern.findData(self.state.pattern), 0)
        self.pattern.setCurrentIndex(index)

    def _show_cells(self) -> None:
        cells = self.state.cells
        shown = (self.read_as, self.dropped, self.flagged, self.sizes)
        for part in (*shown, self.show_dropped):
            part.setVisible(cells is not None)
        for part in (self.specimen, self.pattern):
            part.setEnabled(cells is not None)
        self._show_again()
        self._show_names()
        self._show_command()
        self._show_fit(cells)
        if cells is None:
            self.count.setText("No cells yet.")
            return
        self.read_as.setText(cells.understood)
        self._show_count(cells)

    def _show_again(self) -> None:
        """Offer other settings, also for a frame that gave no cells with these."""
        state = self.state
        self.again.setEnabled(state.cells is not None or state.collection is not None)

    def _show_fit(self, cells: FrameCells | None) -> None:
        """Show what is wrong with the size of the nuclei, for crops and for HEp-2."""
        fit = cells.cells.fit if cells is not None else None
        notes = [fit.note if fit else "", cells.odd_size if cells else ""]
        told = [f"{note[:1].upper()}{note[1:]}." for note in notes if note]
        size = fit.better_size if fit is not None else None
        self.misfit.setText(" ".join(told))
        self.misfit.setVisible(bool(told))
        self.fit.setText(f"Cut with a size of {size}")
        self.fit.setVisible(bool(notes[0]) and size is not None)

    def _show_count(self, cells: FrameCells) -> None:
        count = count_cells(cells)
        made = ", mask made from the image" if cells.mask_made else ""
        self.count.setText(f"{count.kept} of {count.total} cells kept{made}")
        _show_codes(self.dropped, "Dropped", count.dropped, DROP_REASONS)
        _show_codes(self.flagged, "Flagged", count.flagged, FLAGS)
        if count.area is not None:
            low, middle, high = (f"{round(float(a)):,}" for a in count.area)
            text = f"Nucleus area {middle} px (most {low} to {high})"
            self.sizes.setText(f"{text}{_in_micrometres(cells)}")

    def _unfold_edits(self) -> None:
        """Show what can be done with an edit that is not applied."""
        toggle = self.mending_fold.toggles[0]
        if self.session.mending.pending and not toggle.isChecked():
            toggle.setChecked(True)
            # What is below is laid out first.
            QTimer.singleShot(0, self._scroll_to_apply)

    def _scroll_to_apply(self) -> None:
        self._area.ensureWidgetVisible(self.mending.undo)

    def _show_toggle(self) -> None:
        self.show_dropped.setChecked(self.state.show_dropped)

    def _list_layers(self) -> None:
        images, masks = self.image.currentText(), self.mask.currentData()
        self.image.clear()
        self.mask.clear()
        self.mask.addItem(_FROM_IMAGE, None)
        for layer in self.viewer.layers:
            kind = type(getattr(layer, "__wrapped__", layer)).__name__
            if kind == "Image":
                self.image.addItem(layer.name)
            elif kind == "Labels":
                self.mask.addItem(layer.name, layer.name)
        self.image.setCurrentIndex(max(self.image.findText(images), 0))
        self.mask.setCurrentIndex(max(self.mask.findData(masks), 0))
        self.extract.setEnabled(self.image.count() > 0)


def _in_micrometres(cells: FrameCells) -> str:
    """Return how large the usual nucleus is where the size of a pixel is known."""
    fit, side = cells.cells.fit, cells.pixel_size
    if fit is None or side is None:
        return ""
    return f", {fit.diameter * side:.3g} µm across at {side:.3g} µm per pixel"


def _show_codes(
    label: QLabel, head: str, found: dict[str, int], meaning: dict[str, str]
) -> None:
    """Show counts of reason codes; what they mean is in the tool tip."""
    label.setVisible(bool(found))
    parts = ", ".join(f"{n} {code.replace('-', ' ')}" for code, n in found.items())
    label.setText(f"{head}: {parts}")
    tips = [f"{code}: {meaning.get(code, '')}" for code in found]
    label.setToolTip("\n".join(tips))
