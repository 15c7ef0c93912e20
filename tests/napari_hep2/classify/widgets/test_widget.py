"""The widget driven by clicks, alone and in napari's window."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton

from napari_hep2.classify.state import NearCell
from napari_hep2.classify.widgets.widget import ClassifyWidget
from napari_hep2.classify.widgets.worklist_panel import WorklistWidget
from napari_hep2.jobs import run_here
from napari_hep2.samples import sample_model
from training.decisions.specimens import Answer, give_answer, read_sayings
from training.errors import BadModelError
from training.patterns import I3A


def click(qtbot, part):
    qtbot.mouseClick(part, Qt.MouseButton.LeftButton)


def test_from_the_model_to_the_export(
    qtbot, monkeypatch, viewer, dock, specimens, model_file, tmp_path
):
    widget = ClassifyWidget(viewer)
    dock(widget, "Classify")
    session, state = widget.session, widget.state
    assert not widget.run.isEnabled()
    assert widget.verdict.model.title.text() == "Not classified yet"
    run_here(session.specimen.open_folder(specimens))

    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_: (str(model_file), "")
    )
    click(qtbot, widget.choose)
    assert widget.model.text() == "untrained"
    assert "Trained on: nothing" in widget.card.text()
    assert widget.command.line.text().startswith("hep2 predict")

    click(qtbot, widget.run)
    qtbot.waitUntil(lambda: state.prediction is not None, timeout=30_000)
    assert widget.verdict.model.title.text() == "No verdict: too few cells"
    assert widget.verdict.model.reason.text().startswith("Too few cells: 6")
    assert widget.verdict.notice.text() == "Research use only, not for diagnosis."
    assert sum(n for _, n in widget.verdict.bars.counts) == 6
    assert state.decisions == {}
    texts = session.link.boxes.text.values
    assert texts[0] in ("border", "b")
    assert set("".join(texts[1:])) - set(" .0123456789") <= set("HSNCMG")

    out = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(out))
    click(qtbot, widget.export)
    qtbot.waitUntil(lambda: not session.runner.is_running)
    assert (out / "00001_p0_verdict.json").is_file()

    (model_file.parent / "other.safetensors").write_bytes(b"nothing")
    session.classify.choose_model(model_file.parent / "other.safetensors")
    assert widget.card.text() == "The model's card cannot be read."
    click(qtbot, widget.run)
    qtbot.waitUntil(lambda: bool(state.fault))
    assert "other" in widget.status.news.text()


@pytest.fixture
def opened(qtbot, viewer, dock, specimens, model_file):
    """The widget in its dock, the first frame classified and under review."""
    widget = ClassifyWidget(viewer)
    dock(widget, "Classify")
    session = widget.session
    run_here(session.specimen.open_folder(specimens))
    session.classify.choose_model(model_file)
    session.classify.choose_device("cpu")
    run_here(session.classify.classify())
    qtbot.waitUntil(lambda: session.why.found.reasons is not None, timeout=30_000)
    settle(qtbot, session)
    yield widget
    session.review.decision_session.close()


def settle(qtbot, session):
    """Wait until no job runs, as when a cell is explained."""
    qtbot.waitUntil(
        lambda: not session.runner.is_running and not session.state.busy,
        timeout=30_000,
    )


def test_a_model_of_simulated_cells_says_so_aloud(qtbot, opened, specimens, tmp_path):
    session, panel = opened.session, opened.verdict
    assert not panel.alarm.isVisible()
    worklist = WorklistWidget(opened.viewer)
    qtbot.addWidget(worklist)
    assert worklist.alarm.isHidden()
    session.classify.choose_model(sample_model())
    assert panel.alarm.isVisible()
    assert not worklist.alarm.isHidden()
    assert panel.alarm.text().startswith("This model was trained on simulated cells")
    state = session.state
    run_here(session.classify.classify())
    verdict = replace(
        state.prediction.verdict,
        pattern=I3A[0],
        second=I3A[1],
        probabilities=np.array([0.95, 0.05, 0, 0, 0, 0]),
    )
    state.prediction = replace(state.prediction, verdict=verdict)
    shown = " ".join(one.text() for one in panel.findChildren(QLabel))
    assert "Right for 95 % of simulated specimens like this." in shown
    assert "robability" not in shown.replace(panel.alarm.text(), "")
    settle(qtbot, session)


def test_the_verdict_follows_a_decision_and_its_undoing(qtbot, opened):
    session, panel = opened.session, opened.verdict
    assert not panel.yours.isVisible()
    for cell in session.verdict.cells()[:2]:
        session.review.select_cell(cell)
        session.review.decisions.reject()
    assert panel.yours.isVisible()
    assert panel.model.caption.text() == "By the model"
    assert panel.yours.caption.text() == "With your 2 decisions"
    assert panel.model.reason.text().startswith("Too few cells: 6")
    assert panel.yours.reason.text().startswith("Too few cells: 4")
    assert panel.yours.note.text() == "2 rejected, left out."
    session.review.decisions.undo()
    assert panel.yours.caption.text() == "With your 1 decision"
    session.review.decisions.undo()
    assert not panel.yours.isVisible()
    assert not panel.model.caption.isVisible()
    settle(qtbot, session)


def test_a_tile_goes_to_the_cell_in_viewer_and_review(qtbot, opened):
    session = opened.session
    tiles = opened.doubt.doubtful.buttons
    assert len(tiles) == 6
    cell, tile = list(tiles.items())[-1]
    click(qtbot, tile)
    assert session.verdict.current() == cell
    row = session.state.review.row_of[cell]
    assert session.state.selected == (row,)
    centre = opened.viewer.camera.center[-2:]
    place = session.state.review.table[["y", "x"]].iloc[row]
    assert centre == pytest.approx(tuple(place), abs=1)
    assert "#7fb8ff" in tile.styleSheet()
    settle(qtbot, session)


def test_next_doubtful_goes_through_the_tiles_in_order(qtbot, opened):
    session = opened.session
    session.review.select_cell(str(session.state.review.ids[0]))
    order = list(opened.doubt.doubtful.buttons)
    seen = []
    for _ in order:
        click(qtbot, opened.doubt.next_cell)
        seen.append(session.verdict.current())
    assert seen == order
    click(qtbot, opened.doubt.sort)
    assert session.review.state.sort == "uncertainty"
    settle(qtbot, session)


def test_names_are_hidden_from_a_blind_reviewer(qtbot, opened):
    session = opened.session
    qtbot.waitUntil(lambda: session.why.found.reasons is not None, timeout=30_000)
    tile = next(iter(opened.doubt.doubtful.buttons.values()))
    assert "00001_p0" in tile.toolTip()
    assert "00001_p0" in opened.why.name.text()
    session.state.blind = True
    tile = next(iter(opened.doubt.doubtful.buttons.values()))
    assert "00001_p0" not in tile.toolTip()
    assert "00001_p0" not in opened.why.name.text()
    settle(qtbot, session)


def test_the_selected_cell_is_explained_by_the_worker(qtbot, opened):
    session, why = opened.session, opened.why
    for cell in session.verdict.cells()[:3]:
        session.review.select_cell(cell)
        qtbot.waitUntil(
            lambda cell=cell: (
                session.why.found.reasons is not None
                and session.why.found.reasons.cell == cell
            ),
            timeout=30_000,
        )
        assert cell in why.name.text()
        assert " of 8 orientations agree" in why.views.text()
        assert not why.map.pixmap().isNull()
        assert "hep2 neighbours" in why.notes.text()
        assert not why.near.isVisible()
    settle(qtbot, session)
    session.review.select_cell(str(session.state.review.ids[0]))
    assert why.name.text() == "Choose a cell that was scored."
    assert not why.again.isVisible()


def test_a_click_from_cell_to_cell_stops_no_other_work(qtbot, opened):
    session = opened.session
    session.state.busy = "Writing"
    session.review.select_cell(session.verdict.cells()[3])
    assert not session.runner.is_running
    assert opened.why.again.isVisible()
    assert not opened.why.again.isEnabled()
    session.state.busy = ""
    qtbot.waitUntil(lambda: session.why.found.reasons is not None, timeout=30_000)
    settle(qtbot, session)


def test_a_cell_that_cannot_be_explained_is_not_tried_for_ever(
    qtbot, monkeypatch, opened
):
    session = opened.session
    settle(qtbot, session)
    calls = []

    def fail(*_args):
        calls.append(1)
        raise BadModelError("model", "it fails", "use another")

    monkeypatch.setattr("napari_hep2.classify.controllers.why.explained", fail)
    session.review.select_cell(session.verdict.cells()[-1])
    qtbot.waitUntil(lambda: "it fails" in session.state.fault, timeout=30_000)
    qtbot.wait(200)
    assert len(calls) == 1
    assert opened.why.again.isVisible()
    click(qtbot, opened.why.again)
    qtbot.waitUntil(lambda: len(calls) == 2, timeout=30_000)
    settle(qtbot, session)


def test_training_cells_are_shown_with_their_specimens(qtbot, opened):
    near = tuple(
        NearCell(I3A[k], f"sp{k}", "c", 0.5, np.zeros((48, 48), np.uint8))
        for k in range(6)
    )
    qtbot.waitUntil(
        lambda: opened.session.why.found.reasons is not None, timeout=30_000
    )
    found = opened.session.why.found
    found.reasons = replace(found.reasons, near=near, notes=())
    assert opened.why.near.isVisible()
    names = [part.text() for part in opened.why.near.findChildren(QLabel)]
    assert [name for name in names if name.startswith("sp")] == [
        f"sp{k}" for k in range(6)
    ]
    settle(qtbot, opened.session)


@pytest.mark.window
def test_nothing_is_cut_off_in_a_dock_as_it_opens(qtbot, opened):
    session = opened.session
    found = session.why.found
    near = tuple(
        NearCell(I3A[k], "a long name", "c", 0.5, np.zeros((48, 48), np.uint8))
        for k in range(6)
    )
    found.reasons = replace(found.reasons, near=near)
    session.saying.say(Answer("positive", ("AC-11/12",)))
    session.review.select_cell(session.verdict.cells()[0])
    session.review.decisions.reject()
    settle(qtbot, session)
    found.reasons = replace(found.reasons, near=near)
    content = opened.verdict.parentWidget()
    assert content.layout().minimumSize().width() <= opened.sizeHint().width() - 16


def test_the_specimen_is_said_with_a_name(qtbot, opened, specimens):
    panel, state = opened.saying, opened.state
    assert not panel.take_back.isVisible()
    assert panel.result.currentIndex() == -1
    assert not panel.save.isEnabled()
    for words in ("nuclear membrane", "AC-3"):
        panel.pattern.setText(words)
        qtbot.keyClick(panel.pattern, Qt.Key.Key_Return)
    assert panel.codes == ["AC-11/12", "AC-3"]
    assert panel.result.currentText() == "positive"
    panel.drop("AC-3")
    panel.grade.setCurrentText("++")
    panel.titre.setText("320")
    panel.comment.setText("a broken rim")
    panel.reviewer.setText("Anna")
    click(qtbot, panel.save)
    assert state.reviewer == "Anna"
    said = "positive ++ 1:320: AC-11/12 Nuclear envelope (a broken rim), Anna, "
    assert panel.stands.text().startswith(said)
    assert read_sayings(specimens)["1"][0].pattern == "AC-11/12"
    assert state.prediction.verdict.pattern is None
    click(qtbot, panel.take_back)
    assert not panel.stands.isVisible()
    assert panel.codes == []
    panel.result.setCurrentText("negative")
    assert not panel.grade.isEnabled()
    click(qtbot, panel.save)
    assert panel.stands.text().startswith("negative, Anna, ")
    settle(qtbot, opened.session)


def test_what_does_not_go_together_is_not_saved(qtbot, opened, specimens):
    panel, state = opened.saying, opened.state
    panel.add("AC-21")
    panel.result.setCurrentText("negative")
    click(qtbot, panel.save)
    assert "it goes with no pattern" in state.fault
    panel.result.setCurrentText("positive")
    panel.titre.setText("strong")
    click(qtbot, panel.save)
    assert "write it as 1:160" in state.fault
    panel.pattern.setText("no such thing")
    qtbot.keyClick(panel.pattern, Qt.Key.Key_Return)
    assert "No pattern has all the words" in state.fault
    panel.titre.clear()
    click(qtbot, panel.save)
    assert "'no such thing' is not added yet" in state.fault
    assert read_sayings(specimens) == {}
    assert panel.codes == ["AC-21"]
    session = opened.session
    run_here(session.specimen.open_frame(2))
    assert panel.codes == []
    assert panel.titre.text() == ""
    settle(qtbot, session)


def test_return_adds_what_stands_on_top_of_the_list(qtbot, opened):
    panel = opened.saying
    panel.pattern.setFocus()
    for words, code in (("ro", "AC-4"), ("golgi polar", "AC-22"), ("AC-1", "AC-1")):
        qtbot.keyClicks(panel.pattern, words)
        offered = panel.pattern.completer().completionModel()
        assert offered.index(0, 0).data().startswith(f"{code} ")
        qtbot.keyClick(panel.pattern, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: panel.pattern.text() == "")
        assert panel.codes[-1] == code
    assert panel.codes == ["AC-4", "AC-22", "AC-1"]
    settle(qtbot, opened.session)


def test_tab_goes_from_the_field_over_the_patterns_to_the_comment(qtbot, opened):
    panel = opened.saying
    panel.add("AC-4")
    panel.add("AC-22")
    qtbot.waitUntil(lambda: len(panel.chosen.findChildren(QPushButton)) == 2)
    chips = panel.chosen.findChildren(QPushButton)
    part = panel.pattern
    for following in (*chips, panel.comment):
        part = part.nextInFocusChain()
        while part.focusPolicy() == Qt.FocusPolicy.NoFocus or not part.isVisible():
            part = part.nextInFocusChain()
        assert part is following
    chips[0].setFocus()
    panel.drop("AC-4")
    assert panel.window().focusWidget() is panel.pattern
    settle(qtbot, opened.session)


def test_in_practice_the_model_and_others_are_hidden_until_answered(
    qtbot, opened, specimens
):
    session, state, panel = opened.session, opened.state, opened.practice
    assert not panel.on.isEnabled()
    give_answer(specimens, "1", "teacher", Answer("positive", ("AC-3",), "++"))
    session.saying.refresh()
    assert "teacher" in opened.saying.stands.text()
    click(qtbot, panel.on)
    assert session.saying.found.teacher == "teacher"
    assert opened.saying.stands.text() == ""
    assert not opened.verdict.isVisible()
    assert not opened.doubt.isVisible()
    assert not session.link.boxes.visible
    assert "AC-3" not in panel.result.text()
    opened.saying.add("AC-1")
    click(qtbot, opened.saying.save)
    assert (
        "Known answer (teacher): positive ++: AC-3 Centromere." in panel.result.text()
    )
    assert "0 of 1 as teacher" in panel.result.text()
    assert opened.verdict.isVisible()
    assert session.link.boxes.visible
    assert state.prediction is not None
    session.saying.say(Answer("positive", ("AC-3",)))
    assert "AC-3: AC-1 1" in panel.result.text()
    click(qtbot, panel.on)
    assert session.saying.found.teacher == ""
    assert "teacher" in opened.saying.stands.text()
    settle(qtbot, session)


def test_the_report_is_written_and_opened(qtbot, monkeypatch, opened, tmp_path):
    pages = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: pages.append(url.toLocalFile())
    )
    out = tmp_path / "reports"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(out))
    settle(qtbot, opened.session)
    assert "hep2 specimens" in opened.report.toolTip()
    assert opened.report.toolTip().endswith("--only 1")
    click(qtbot, opened.report)
    qtbot.waitUntil(lambda: bool(pages), timeout=60_000)
    assert pages == [str(out / "1" / "report.html")]
    assert (out / "1" / "report.html").is_file()
    settle(qtbot, opened.session)
    assert "No program could be opened" in opened.state.message


@pytest.mark.window
def test_nothing_lives_on_when_the_widget_is_gone(qtbot, opened):
    session = opened.session
    settle(qtbot, session)
    opened.viewer.window.remove_dock_widget(opened)
    opened.deleteLater()
    qtbot.wait(50)
    session.review.select_cell(session.verdict.cells()[4])
    session.review.decisions.reject()
    session.saying.say(Answer("positive", ("AC-22",)))
    assert not session.runner.is_running
