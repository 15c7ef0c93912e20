"""Sheets, and decisions as tables, by the buttons of the widget."""

import json
import shlex

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from typer.testing import CliRunner

from napari_hep2.jobs import run_here
from napari_hep2.review.widgets.widget import ReviewWidget
from training.cli import app
from training.config.commands import PROGRAM
from training.decisions.applied import STORE
from training.decisions.exchange import read_decisions
from training.decisions.store import DecisionStore
from training.patterns import I3A
from training.reports.sheets.files import read_provenance


@pytest.fixture
def widget(qtbot, viewer, dock, specimens, tmp_path):
    """The cells of a folder under review; it was written by the window itself."""
    made = ReviewWidget(viewer)
    dock(made, "Review cells")
    run_here(made.session.specimen.open_folder(specimens))
    run_here(made.session.specimen.write_cells(tmp_path / "cells"))
    run_here(made.session.review.open_cell_folder(tmp_path / "cells"))
    yield made
    made.session.runner.cancel()
    made.session.review.decision_session.close()


def fold(qtbot, widget, title):
    next(t for t in widget.footer.toggles if t.toolTip() == title).click()


def click(qtbot, widget, part):
    qtbot.waitUntil(part.isVisible)
    qtbot.mouseClick(part, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not widget.state.busy)


def name(monkeypatch, path):
    for verb in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, verb, lambda *a, **k: (str(path), ""))


def run(line):
    program, *words = shlex.split(line)
    assert program == PROGRAM
    return CliRunner().invoke(app, words, catch_exceptions=False)


def decide(review, rows, reason=None):
    review.navigation.select(rows[0], rows)
    review.decisions.reject(reason)


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_the_sheet_button_draws_what_is_shown_and_so_does_its_command(
    qtbot, monkeypatch, widget, tmp_path, ending
):
    review, state, panel = widget.session.review, widget.state, widget.sheet_panel
    decide(review, [3, 5, 8], "focus")
    decide(review, [20, 21, 22, 23])
    review.navigation.select(8)
    review.decisions.relabel(I3A.index("Golgi"))
    review.order.set_filter("rejected")
    review.order.set_group("specimen")
    run_here(review.order.set_sort("brightness"))
    review.order.set_descending(True)
    run_here(review.set_contrast_of_specimens(True))
    fold(qtbot, widget, "Sheet")
    qtbot.waitUntil(panel.make.isVisible)
    assert panel.what.text() == (
        "6 of 42 cells: rejected; brightest first, by specimen"
    )
    made = tmp_path / f"made.{ending}"
    name(monkeypatch, made)
    click(qtbot, widget, panel.make)
    assert state.fault == ""
    assert state.message == f"6 cells drawn on 1 page: {made}"
    told = read_provenance(made)
    assert told["cells"] == review_ids(state, review.state.shown)
    assert (told["reviewer"], told["step"]) == ("reviewer", 3)

    again = tmp_path / f"again.{ending}"
    line = panel.command.line.text()
    assert str(made) in line
    run(line.replace(str(made), str(again)))
    commanded = read_provenance(again)
    assert {**commanded, "made": ""} == {**told, "made": ""}
    if ending == "png":
        pictures = [np.asarray(Image.open(path)) for path in (made, again)]
        # The footer's last lines say when it was made.
        np.testing.assert_array_equal(*(one[:-70] for one in pictures))


def review_ids(state, rows):
    return [str(state.review.ids[row]) for row in rows]


def test_a_sheet_of_the_past_and_of_likeness_has_its_command(
    qtbot, monkeypatch, widget, tmp_path
):
    review, state, panel = widget.session.review, widget.state, widget.sheet_panel
    decide(review, [3, 5])
    decide(review, [7])
    review.navigation.select(5)
    run_here(review.order.set_sort("similarity"))
    run_here(review.decision_session.past_job(1))
    review.order.set_filter("rejected")
    fold(qtbot, widget, "Sheet")
    name(monkeypatch, tmp_path / "past")
    click(qtbot, widget, panel.make)
    made = tmp_path / "past.png"
    assert read_provenance(made)["cells"] == review_ids(state, [5, 3])
    line = panel.command.line.text()
    assert "--like" in line
    assert "--as-of 1" in line
    run(line.replace(str(made), str(tmp_path / "again.png")))
    assert read_provenance(tmp_path / "again.png")["cells"] == review_ids(state, [5, 3])


def test_a_blind_reader_and_an_empty_gallery_get_no_sheet(qtbot, widget):
    review, panel = widget.session.review, widget.sheet_panel
    fold(qtbot, widget, "Sheet")
    qtbot.waitUntil(panel.make.isVisible)
    assert panel.make.isEnabled()
    review.decision_session.set_blind(True)
    assert not panel.make.isEnabled()
    assert "blind" in panel.what.text()
    review.decision_session.set_blind(False)
    review.order.set_filter("accepted")
    assert not panel.make.isEnabled()
    assert panel.what.text() == "No cell is shown: choose another filter."


def test_a_frame_is_drawn_though_no_command_does_it(
    qtbot, monkeypatch, widget, tmp_path
):
    widget.session.review.review_frame()
    fold(qtbot, widget, "Sheet")
    panel = widget.sheet_panel
    name(monkeypatch, tmp_path / "frame.png")
    click(qtbot, widget, panel.make)
    assert len(read_provenance(tmp_path / "frame.png")["cells"]) == 7
    assert read_provenance(tmp_path / "frame.png")["source"] == "frame"
    assert not panel.command.isVisible()
    assert "of a cell folder" in panel.no_command.text()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_decisions_go_to_a_table_and_come_back_from_it(
    qtbot, monkeypatch, widget, tmp_path, ending
):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    review, state, panel = widget.session.review, widget.state, widget.reviewers
    decide(review, [3, 5], "focus")
    review.decisions.flag()
    review.decisions.undo()
    table, store = tmp_path / f"made.{ending}", tmp_path / "cells" / STORE
    name(monkeypatch, table)
    fold(qtbot, widget, "Reviewer")
    click(qtbot, widget, panel.export)
    assert state.message == f"3 steps written to {table}"
    with DecisionStore(store, "reviewer") as opened:
        kept = opened.records()
    assert read_decisions(table) == kept
    line = panel.command.line.text()
    run(line.replace(str(table), str(tmp_path / f"again.{ending}")))
    assert (tmp_path / f"again.{ending}").read_bytes() == table.read_bytes()

    # Another reviewer of another folder takes them, and has them once.
    (tmp_path / "other").mkdir()
    review.decision_session.use(tmp_path / "other")
    assert state.decisions == {}
    click(qtbot, widget, panel.take)
    assert state.message == (
        "Of 3 steps by reviewer 3 were added, 0 were present already, none was refused."
    )
    assert sorted(state.decisions) == review_ids(state, [3, 5])
    with DecisionStore(tmp_path / "other" / STORE, "reviewer") as opened:
        assert opened.records() == kept
    click(qtbot, widget, panel.take)
    assert "0 were added, 3 were present already" in state.message
    answer = run(f"{panel.command.line.text()} --json").stdout
    assert json.loads(answer)["added"] == 0
    review.decisions.undo()
    assert state.decisions == {}, "what was imported is undone as any step"


def test_an_import_that_is_refused_changes_nothing(
    qtbot, monkeypatch, widget, tmp_path
):
    review, state, panel = widget.session.review, widget.state, widget.reviewers
    fold(qtbot, widget, "Reviewer")
    bad = tmp_path / "bad.csv"
    bad.write_text("step,reviewer\n1,Ana\n")
    name(monkeypatch, bad)
    click(qtbot, widget, panel.take)
    assert "line 1" in state.fault
    assert not (tmp_path / "cells" / STORE).exists()
    click(qtbot, widget, panel.export)
    assert state.fault.startswith("There are no decisions to export")

    decide(review, [3])
    table = tmp_path / "t.csv"
    name(monkeypatch, table)
    click(qtbot, widget, panel.export)
    (tmp_path / "other").mkdir()
    review.decision_session.use(tmp_path / "other")
    decide(review, [4])
    click(qtbot, widget, panel.take)
    assert "nothing was imported" in state.fault
    assert sorted(state.decisions) == review_ids(state, [4])
    run_here(review.decision_session.past_job(1))
    click(qtbot, widget, panel.take)
    assert "press Now first" in state.fault
