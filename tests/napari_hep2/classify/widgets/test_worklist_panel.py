"""The worklist driven by clicks, alone and in napari's window."""

import threading
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from napari_hep2.classify.widgets.widget import ClassifyWidget
from napari_hep2.classify.widgets.worklist_panel import (
    COLUMNS,
    WorklistWidget,
    cells_of_row,
)
from napari_hep2.jobs import Job, Progress, run_here
from napari_hep2.session import ViewerSession
from training.config import PlateSettings
from training.data.simulation.series import simulate_plates
from training.decisions.specimens import Answer, read_sayings
from training.inference.model_file import Model
from training.patterns import I3A


def click(qtbot, part):
    qtbot.mouseClick(part, Qt.MouseButton.LeftButton)


@pytest.fixture
def worklist(qtbot, viewer, dock, model_file):
    widget = WorklistWidget(viewer)
    dock(widget, "Worklist", "bottom")
    widget.session.classify.choose_model(model_file)
    widget.session.classify.choose_device("cpu")
    yield widget
    widget.session.review.decision_session.close()


def settle(qtbot, session):
    qtbot.waitUntil(lambda: not session.runner.is_running, timeout=60_000)


def test_from_the_folder_to_the_pages(
    qtbot, monkeypatch, worklist, specimens, tmp_path
):
    pages, chosen = [], [str(specimens), str(tmp_path / "out")]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: chosen.pop(0))
    monkeypatch.setattr(
        QDesktopServices,
        "openUrl",
        lambda url: pages.append(url.toLocalFile()) or True,
    )
    assert not worklist.run.isEnabled()
    click(qtbot, worklist.choose_folder)
    click(qtbot, worklist.choose_out)
    assert worklist.command.line.text().startswith("hep2 specimens")
    click(qtbot, worklist.run)
    assert not worklist.run.isEnabled()
    settle(qtbot, worklist.session)
    assert worklist.table.topLevelItemCount() == 3
    assert not worklist.open_report.isEnabled()
    click(qtbot, worklist.open_list)
    assert pages == [str(tmp_path / "out" / "worklist.html")]

    item = next(
        worklist.table.topLevelItem(k)
        for k in range(3)
        if worklist.table.topLevelItem(k).text(1) == "2"
    )
    view = worklist.table.viewport()
    worklist.table.setMinimumHeight(120)
    qtbot.waitUntil(lambda: view.rect().contains(worklist.table.visualItemRect(item)))
    place = worklist.table.visualItemRect(item).center()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: worklist.state.specimen == "2", timeout=30_000)
    settle(qtbot, worklist.session)
    assert worklist.state.cells.frame.name == "00002_p0"
    click(qtbot, worklist.open_report)
    assert pages[-1] == str(tmp_path / "out" / "2" / "report.html")


@pytest.fixture
def reported(qtbot, worklist, specimens, tmp_path):
    """The worklist of three specimens, the second one open."""
    session = worklist.session
    run_here(session.specimen.open_folder(specimens))
    run_here(session.specimen.open_frame(1))
    session.worklist.choose_out(tmp_path / "out")
    run_here(session.worklist.run())
    worklist.table.setMinimumHeight(120)
    return worklist


def marked(worklist):
    item = worklist.table.currentItem()
    return "" if item is None else item.text(1)


@pytest.mark.window
def test_what_is_marked_is_what_is_open_and_signed(
    qtbot, keys, viewer, dock, reported, specimens
):
    classify, state = ClassifyWidget(viewer), reported.state
    dock(classify, "Classify")
    run_here(classify.session.classify.classify())
    assert marked(reported) == state.specimen == "2"
    assert classify.saying.sentence.text() == "Specimen 2 is"
    names = [reported.table.topLevelItem(k).text(1) for k in range(3)]
    place = names.index("2")
    key, following = ("Down", 1) if place < 2 else ("Up", -1)
    seen = []

    def look(opening):
        if opening:
            title = classify.verdict.model.title.text()
            shown = classify.session.link.boxes.visible
            seen.append((marked(reported), title, classify.saying.isEnabled(), shown))

    state.events.opening.connect(look)
    reported.activateWindow()
    reported.table.setFocus()
    qtbot.waitUntil(reported.table.hasFocus)
    keys.press(key)
    wanted = names[place + following]
    qtbot.waitUntil(lambda: state.specimen == wanted, timeout=30_000)
    settle(qtbot, reported.session)
    assert seen == [(wanted, f"Opening specimen {wanted}\u2026", False, False)]
    assert marked(reported) == wanted
    assert classify.saying.sentence.text() == f"Specimen {wanted} is"
    assert classify.session.link.boxes.visible
    classify.session.saying.say(Answer("positive", ("AC-11/12",)))
    assert list(read_sayings(specimens)) == [wanted]


ENVELOPE = "reviewer: positive: AC-11/12 Nuclear envelope"
SIGNED = COLUMNS.index("reviewers' decision")


def test_a_signed_specimen_is_signed_in_its_row(reported):
    saying, state = reported.session.saying, reported.state
    item = reported.table.currentItem()
    assert item.text(1) == "2"
    assert item.text(SIGNED) == ""
    saying.say(Answer("positive", ("AC-11/12",)))
    assert reported.table.currentItem().text(SIGNED) == ENVELOPE
    reported.session.review.decision_session.set_reviewer("Bert")
    state.blind = True
    assert reported.table.currentItem().text(SIGNED) == ""
    state.blind = False
    assert reported.table.currentItem().text(SIGNED) == ENVELOPE
    reported.session.review.decision_session.set_reviewer("reviewer")
    saying.take_back()
    assert reported.table.currentItem().text(SIGNED) == ""


def test_a_row_opens_with_its_verdict_and_the_report_scores_nothing_twice(
    qtbot, monkeypatch, reported, tmp_path
):
    scored, real = [], Model.scores
    monkeypatch.setattr(Model, "scores", lambda *a: scored.append(a[1]) or real(*a))
    session, state = reported.session, reported.state
    rows = [reported.table.topLevelItem(k) for k in range(3)]
    reported.table.setCurrentItem(next(r for r in rows if r.text(1) == "3"))
    qtbot.waitUntil(lambda: state.specimen == "3", timeout=30_000)
    assert state.prediction.cells is state.cells
    assert (session.link.boxes.features["pattern"] != "").any()
    session.worklist.choose_out(tmp_path / "again")
    run_here(session.worklist.report())
    assert state.message.startswith("The report of specimen 3 is written")
    # Doubtful cells are explained, in other orientations.
    crops = state.prediction.crops
    assert not any(np.array_equal(one, crops) for one in scored)


def test_a_row_of_reports_from_before_is_scored_as_it_opens(
    qtbot, reported, specimens, tmp_path
):
    session = ViewerSession(reported.viewer)
    session.classify.choose_model(reported.state.model)
    session.classify.choose_device("cpu")
    session.worklist.choose_folder(specimens)
    session.start(session.worklist.open_specimen("1"))
    qtbot.waitUntil(lambda: session.state.prediction is not None, timeout=30_000)
    assert session.state.specimen == "1"
    session.runner.cancel()


def test_a_row_that_is_refused_is_not_marked(qtbot, reported):
    gate = threading.Event()

    def work():
        gate.wait(30)
        yield Progress("saved")

    reported.session.start(Job("Saving", work, lambda _: None, protected=True))
    other = next(
        item
        for item in map(reported.table.topLevelItem, range(3))
        if item.text(1) != "2"
    )
    reported.table.setCurrentItem(other)
    assert reported.state.fault.startswith("Saving is not finished")
    assert marked(reported) == reported.state.specimen == "2"
    gate.set()
    settle(qtbot, reported.session)


def test_a_page_that_is_gone_is_told(qtbot, worklist, specimens, tmp_path):
    work = worklist.session.worklist
    work.choose_folder(specimens)
    work.choose_out(tmp_path / "out")
    run_here(work.run())
    work.page().unlink()
    click(qtbot, worklist.open_list)
    assert worklist.state.fault.startswith("The page is missing")


def test_cancel_keeps_what_is_done(qtbot, worklist, specimens, tmp_path):
    work, state = worklist.session.worklist, worklist.state
    work.choose_folder(specimens)
    work.choose_out(tmp_path / "out")
    work.found.events.rows.connect(worklist.session.runner.cancel)
    click(qtbot, worklist.run)
    qtbot.waitUntil(lambda: bool(work.found.rows), timeout=60_000)
    work.found.events.rows.disconnect(worklist.session.runner.cancel)
    settle(qtbot, worklist.session)
    assert state.busy == ""
    assert worklist.table.topLevelItemCount() >= 1
    assert not worklist.open_list.isEnabled()
    assert worklist.run.isEnabled()


def test_a_pathologist_walks_through_a_series(qtbot, monkeypatch, worklist, tmp_path):
    """From a plate with its controls to positive and negative, and to a report."""
    settings = PlateSettings(wells=8, cells=8, height=200, width=240, seed=1)
    wells = list(simulate_plates(tmp_path / "plate", settings))
    pages = []
    monkeypatch.setattr(
        QDesktopServices,
        "openUrl",
        lambda url: pages.append(Path(url.toLocalFile())) or True,
    )
    worklist.work.choose_folder(tmp_path / "plate" / "wells")
    worklist.work.choose_out(tmp_path / "out")
    click(qtbot, worklist.run)
    settle(qtbot, worklist.session)
    found = {
        item.text(1): item
        for k in range(worklist.table.topLevelItemCount())
        if (item := worklist.table.topLevelItem(k)) is not None
    }
    assert set(found) == {one.id for one in wells}
    result, verdict = COLUMNS.index("result"), COLUMNS.index("verdict")
    negative = found["P1-A01"]
    assert negative.text(result) == "negative (negative control)"
    assert negative.text(verdict) == "none"
    assert "index 0.00" in negative.toolTip(result)
    assert found["P1-A02"].text(result).startswith("positive +")
    assert found["P1-A03"].text(result) == "borderline (cut-off control)"
    worklist.table.setCurrentItem(negative)
    click(qtbot, worklist.open_report)
    assert '<p class="figure">Negative</p>' in pages[0].read_text()


@pytest.mark.window
def test_the_button_of_classify_opens_it_once_and_again(
    qtbot, viewer, dock, specimens, model_file
):
    classify = ClassifyWidget(viewer)
    dock(classify, "Classify")
    run_here(classify.session.specimen.open_folder(specimens))
    click(qtbot, classify.worklist)
    assert "Worklist" in viewer.window.dock_widgets
    made = viewer.window.dock_widgets["Worklist"]
    assert classify.session.worklist.found.folder == specimens
    click(qtbot, classify.worklist)
    assert viewer.window.dock_widgets["Worklist"] is made
    viewer.window.remove_dock_widget(made)
    assert "Worklist" not in viewer.window.dock_widgets
    click(qtbot, classify.worklist)
    assert "Worklist" in viewer.window.dock_widgets
    classify.session.review.decision_session.close()


def test_a_row_in_words():
    row = {
        "rank": 1,
        "specimen": "7",
        "intensity": {"result": "positive", "grade": "++", "role": "positive control"},
        "pattern": None,
        "second_pattern": "NuMem",
        "mixed": False,
        "withheld": "not-one-of-these",
        "scores": {"Golgi": 0.6, "NuMem": 0.4},
        "probabilities": {"Golgi": 0.61, "NuMem": 0.39},
        "doubt": 0.39,
        "cells": 1234,
        "specimen_decisions": [
            {"reviewer": "anna", "text": "x", "result": None, "reported": None},
            {
                "reviewer": "b",
                "text": "y",
                "result": "positive",
                "reported": "negative",
            },
        ],
        "faults": ["one.", "two."],
    }
    told = dict(zip(COLUMNS, cells_of_row(row, I3A), strict=True))
    assert told["verdict"] == "none (Golgi leads)"
    assert told["probability"] == "61 %"
    assert told["second"] == "Nuclear membrane"
    assert told["withheld"] == "perhaps not one of these patterns"
    assert told["reviewers' decision"] == "anna: x; b: y, reported as negative"
    assert told["fault"] == "one. two."
    assert told["cells"] == "1,234"
    assert told["result"] == "positive ++ (positive control)"
    row |= {
        "withheld": "negative",
        "intensity": {"result": "negative", "grade": "negative", "role": "patient"},
    }
    told = dict(zip(COLUMNS, cells_of_row(row, I3A), strict=True))
    assert (told["result"], told["verdict"], told["withheld"]) == (
        "negative",
        "none",
        "",
    )
