"""The worklist: specimens of a folder ranked by doubt, each with its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
)

from napari_hep2.classify.widgets.words import WITHHELD, percent
from napari_hep2.common.pages import open_page
from napari_hep2.common.parts import (
    ALARM,
    CommandLine,
    SessionWidget,
    StatusStrip,
    Wire,
    button,
    pattern_icon,
    row,
    text_label,
)
from training.decisions.specimens import told_text
from training.evaluation.verdict import NEGATIVE
from training.inference.cards import SIMULATED
from training.patterns import Vocabulary

COLUMNS = (
    "",
    "specimen",
    "result",
    "verdict",
    "probability",
    "second",
    "withheld",
    "doubt",
    "cells",
    "reviewers' decision",
    "fault",
)
_SPECIMEN = int(Qt.ItemDataRole.UserRole) + 1
_RESULT, _VERDICT = 2, 3
_NUMBERS = (0, 4, 7, 8)
_OF_MODEL = (0, *range(2, 8))
"""Columns by which the model tells its verdict; the rank does, too."""


class WorklistWidget(SessionWidget):
    """Reports a folder in the worker and opens what a person wants to see.

    Parameters
    ----------
    napari_viewer
        The viewer, given by napari.
    """

    def sizeHint(self) -> QSize:
        """Return the size that a dock below the picture takes at first."""
        return QSize(800, 260)

    def _build(self) -> None:
        self.work, self._lent = self.session.worklist, False
        self.folder, self.out = _path_label(), _path_label()
        self.choose_folder = button("Folder\u2026", "A folder of specimens", "")
        self.choose_out = button("Reports in\u2026", "A folder for the reports", "")
        self.run = button(
            "Report all",
            "Report each specimen; finished reports are kept",
            "run_worklist",
        )
        self.open_report = button("Open report", "Report of the selected specimen", "")
        self.open_list = button("Open worklist", "Page that ranks all specimens", "")
        self.table = QTreeWidget()
        self.table.setHeaderLabels(list(COLUMNS))
        self.table.setAccessibleName("Worklist")
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setMinimumHeight(28)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.header()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.alarm = text_label(SIMULATED)
        self.alarm.setStyleSheet(ALARM)
        self.command = CommandLine()
        self.status = StatusStrip(self.session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 2)
        layout.setSpacing(2)
        top = row(self.choose_folder, self.folder, self.choose_out, self.out, self.run)
        top.setStretch(1, 1)
        top.setStretch(3, 1)
        layout.addLayout(top)
        layout.addWidget(self.alarm)
        layout.addWidget(self.table, 1)
        below = row(self.open_report, self.open_list, self.command)
        below.setStretch(2, 1)
        layout.addLayout(below)
        layout.addWidget(self.status)
        self._connect()

    def _connect(self) -> None:
        self.choose_folder.clicked.connect(self._choose_folder)
        self.choose_out.clicked.connect(self._choose_out)
        self.run.clicked.connect(self._run)
        self.open_report.clicked.connect(self._open_report)
        self.open_list.clicked.connect(self._open_list)
        self.table.currentItemChanged.connect(self._show_specimen)
        self.table.itemActivated.connect(self._answer)

    def _wiring(self) -> list[Wire]:
        found, events = self.work.found.events, self.state.events
        return [
            (found.rows, self._show_rows),
            (found.folder, self._show_ready),
            (found.out, self._show_ready),
            (found.is_whole, self._show_ready),
            (self.session.saying.answered, self._take_keys_back),
            (self.session.saying.found.events.teacher, self._show_practice),
            (events.model, self._show_model),
            (events.blind, self._show_rows),
            (events.busy, self._show_ready),
            (events.opening, self._mark_open),
            (events.cells, self._mark_open),
            (events.collection, self._show_ready),
            *self.status.wiring(),
        ]

    # -- what is clicked

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of specimens")
        if chosen:
            self.work.choose_folder(Path(chosen))

    def _choose_out(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the reports")
        if chosen:
            self.work.choose_out(Path(chosen))

    def _run(self) -> None:
        self.session.start(self.work.run())

    def _chosen(self) -> str:
        item = self.table.currentItem()
        return "" if item is None else _name_of(item)

    def _show_specimen(self, item: QTreeWidgetItem | None) -> None:
        """Open the row that a click or a key went to; one that is refused is left."""
        if item is not None:
            job = self.work.open_specimen(_name_of(item))
            if not self.session.start(job):
                self._mark_open()
        self._show_ready()

    def _answer(self) -> None:
        """Give the keys to the answer; they come back once it is saved."""
        self._lent = True
        self.session.saying.asked.emit()

    def _take_keys_back(self) -> None:
        if self._lent:
            self._lent = False
            self.window().activateWindow()
            self.table.setFocus()

    def _open_report(self) -> None:
        self._open(self._chosen())

    def _open_list(self) -> None:
        self._open("")

    def _open(self, specimen: str) -> None:
        page = self.work.page(specimen)
        if page is None:
            self.state.complain("The page is missing: report the folder again.")
        else:
            open_page(self.state, page)

    # -- from the state

    def _mark_open(self) -> None:
        """Mark the specimen that is open: what is marked is what is signed."""
        if self.state.opening:
            return
        name, table = self.work.open_row(), self.table
        rows = [table.topLevelItem(k) for k in range(table.topLevelItemCount())]
        found = [one for one in rows if one is not None and name == _name_of(one)]
        table.blockSignals(True)
        table.setCurrentItem(found[0] if found else None)
        table.blockSignals(False)
        self._show_ready()

    def _refresh(self) -> None:
        self.work.take_open_folder()
        self._show_practice()
        self._show_model()
        self.status.refresh()

    def _show_model(self) -> None:
        """Say aloud that the model is of simulated cells."""
        card = self.session.classify.card()
        self.alarm.setVisible(card is not None and card.simulated)
        self._show_ready()

    def _show_ready(self) -> None:
        self.work.take_open_folder()
        found, state = self.work.found, self.state
        for label, path in ((self.folder, found.folder), (self.out, found.out)):
            label.setText("none chosen" if path is None else str(path))
            label.setToolTip("" if path is None else str(path))
        chosen = found.folder is not None and found.out is not None
        self.run.setEnabled(chosen and state.model is not None and not state.busy)
        self.open_report.setEnabled(bool(self._chosen()))
        self.open_list.setEnabled(found.is_whole)
        self.command.show_command(self.work.command())

    @property
    def _hides_others(self) -> bool:
        return self.state.blind or bool(self.session.saying.found.teacher)

    def _show_practice(self) -> None:
        """Hide what the model says, and what others do, while a person practises."""
        for column in _OF_MODEL:
            is_hidden = bool(self.session.saying.found.teacher)
            self.table.setColumnHidden(column, is_hidden)
        self._show_rows()

    def _seen(self, one: dict[str, Any]) -> dict[str, Any]:
        """Return a row as the reviewer may see it, perhaps without others' answers."""
        own = [
            each
            for each in one["specimen_decisions"]
            if not self._hides_others or each["reviewer"] == self.state.reviewer
        ]
        return {**one, "specimen_decisions": own}

    def _show_rows(self) -> None:
        kept = self._chosen()
        self.table.blockSignals(True)
        self.table.clear()
        for one in self.work.found.rows:
            item = _item(self._seen(one), self.state.vocabulary)
            self.table.addTopLevelItem(item)
            if one["specimen"] == kept:
                self.table.setCurrentItem(item)
        self.table.blockSignals(False)
        self._mark_open()


def _name_of(item: QTreeWidgetItem) -> str:
    return str(item.data(0, _SPECIMEN))


def _item(one: dict[str, Any], vocabulary: Vocabulary) -> QTreeWidgetItem:
    item = QTreeWidgetItem([*cells_of_row(one, vocabulary)])
    item.setData(0, _SPECIMEN, one["specimen"])
    place = vocabulary.find(one["pattern"] or "")
    if place is not None:
        item.setIcon(_VERDICT, pattern_icon(vocabulary[place]))
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    for column in _NUMBERS:
        item.setTextAlignment(column, right)
    item.setToolTip(_RESULT, "\n".join(_intensity_lines(one["intensity"])))
    item.setToolTip(_VERDICT, one["reason"])
    item.setToolTip(len(COLUMNS) - 1, "\n".join(one["faults"]))
    return item


def cells_of_row(one: dict[str, Any], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return a row of the worklist as texts, in the order of `COLUMNS`."""
    odds, pattern = one["probabilities"], one["pattern"]
    verdict = _title(pattern, vocabulary)
    if not verdict and one["withheld"] == NEGATIVE:
        verdict = "none"
    elif not verdict:
        leads = max(one["scores"], key=one["scores"].get) if one["cells"] else ""
        verdict = f"none ({_title(leads, vocabulary)} leads)" if leads else "none"
    if one["mixed"]:
        verdict += f" with {_title(one['second_pattern'], vocabulary).lower()}"
    return (
        str(one["rank"]),
        one["specimen"],
        result_text(one["intensity"]),
        verdict,
        "none fitted" if odds is None else percent(max(odds.values())),
        _title(one["second_pattern"], vocabulary),
        WITHHELD.get(one["withheld"], ""),
        f"{one['doubt']:.2f}",
        f"{one['cells']:,}",
        "; ".join(map(told_text, one["specimen_decisions"])),
        " ".join(one["faults"]),
    )


def result_text(intensity: dict[str, Any]) -> str:
    """Return a result as ``positive ++``, with the role of a control behind it."""
    result, role = intensity["result"], intensity["role"]
    words = f"positive {intensity['grade']}" if result == "positive" else result
    return words if role == "patient" else f"{words} ({role})"


def _intensity_lines(intensity: dict[str, Any]) -> list[str]:
    return [intensity["reason"], *intensity["notes"]]


def _title(name: str | None, vocabulary: Vocabulary) -> str:
    place = vocabulary.find(name or "")
    return (name or "") if place is None else vocabulary[place].title


def _path_label() -> QLabel:
    made = QLabel()
    made.setMinimumWidth(40)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return made
