"""A pathologist at a plate in napari's window: worklist, answers by keys, export.

The plate is simulated, with controls, negatives, mixtures and unknown patterns; the
keys are real ones.
"""

import csv
import json

import pytest
from qtpy.QtCore import Qt

from napari_hep2.classify.widgets.widget import ClassifyWidget
from napari_hep2.classify.widgets.worklist_panel import COLUMNS
from napari_hep2.jobs import run_here
from training.config import PlateSettings
from training.data.simulation.series import simulate_plates
from training.decisions.specimens import Answer, answer_of, read_sayings

SIGNED = COLUMNS.index("reviewers' decision")
PLATE = PlateSettings(
    wells=8,
    cells=8,
    height=200,
    width=240,
    seed=1,
    frames=2,
    negatives=0.3,
    mixtures=0.4,
    unknowns=0.4,
)


@pytest.fixture
def plate(tmp_path):
    """The folder of the wells of a small plate, two frames each."""
    wells = list(simulate_plates(tmp_path / "plate", PLATE))
    assert len(wells) == PLATE.wells
    return tmp_path / "plate" / "wells"


@pytest.fixture
def desk(qtbot, viewer, dock, plate, model_file, tmp_path):
    """Classify with the worklist of the plate, reported, under a reviewer's name."""
    classify = ClassifyWidget(viewer)
    dock(classify, "Classify")
    session = classify.session
    session.name_reviewer("Anna")
    session.classify.choose_model(model_file)
    session.classify.choose_device("cpu")
    session.worklist.choose_folder(plate)
    session.worklist.choose_out(tmp_path / "out")
    run_here(session.worklist.run())
    classify.show_worklist()
    yield classify
    session.review.decision_session.close()


def settle(qtbot, session):
    qtbot.waitUntil(lambda: not session.runner.is_running, timeout=60_000)


def type_words(keys, words):
    for word in words:
        keys.press(word)


@pytest.mark.window
def test_from_the_worklist_to_answers_and_out(qtbot, keys, desk, plate, tmp_path):
    session, state, panel = desk.session, desk.state, desk.saying
    table = desk._list.table
    names = [table.topLevelItem(k).text(1) for k in range(table.topLevelItemCount())]
    assert len(names) == len(set(names)) == PLATE.wells
    desk.viewer.window._qt_window.activateWindow()
    table.setFocus()
    qtbot.waitUntil(table.hasFocus)

    # A row is opened by its key, and the answer is for the specimen that is named.
    keys.press("Down")
    qtbot.waitUntil(lambda: state.specimen in names and not state.opening)
    settle(qtbot, session)
    first = state.specimen
    # Both frames of a well are one specimen, and one row.
    assert {len(one.frames) for one in state.collection.specimens} == {PLATE.frames}
    keys.press("Return")
    qtbot.waitUntil(panel.result.hasFocus)
    assert panel.sentence.text() == f"Specimen {first} is"
    type_words(keys, ["p"])
    qtbot.waitUntil(lambda: panel.result.currentText() == "positive")
    keys.press("Tab")
    qtbot.waitUntil(panel.grade.hasFocus)
    keys.press("Down")
    qtbot.waitUntil(lambda: panel.grade.currentText() == "+")
    keys.press("Tab")
    qtbot.waitUntil(panel.titre.hasFocus)
    type_words(keys, "160")
    keys.press("Tab")
    qtbot.waitUntil(panel.pattern.hasFocus)
    type_words(keys, "golgi")
    qtbot.waitUntil(lambda: panel.pattern.text() == "golgi")
    keys.press("Return")
    qtbot.waitUntil(lambda: panel.codes == ["AC-22"])
    keys.press("Control_L", "Return")
    qtbot.waitUntil(table.hasFocus)
    wanted = Answer("positive", ("AC-22",), "+", "1:160")
    assert answer_of(read_sayings(plate)[first][0]) == wanted
    assert table.currentItem().text(SIGNED).startswith("Anna: positive + 1:160: AC-22")

    # The next one is negative, and then taken back; the history keeps both.
    keys.press("Down")
    qtbot.waitUntil(lambda: state.specimen not in (first, "") and not state.opening)
    settle(qtbot, session)
    second = state.specimen
    assert panel.result.currentIndex() == -1
    keys.press("Return")
    qtbot.waitUntil(panel.result.hasFocus)
    type_words(keys, ["n"])
    qtbot.waitUntil(lambda: panel.result.currentText() == "negative")
    keys.press("Control_L", "Return")
    qtbot.waitUntil(table.hasFocus)
    assert answer_of(read_sayings(plate)[second][0]) == Answer("negative")
    qtbot.mouseClick(panel.take_back, Qt.MouseButton.LeftButton)
    assert list(read_sayings(plate)) == [first]

    # Reopened, what was said stands, and what is reported carries it.
    run_here(session.specimen.open_folder(plate))
    place = [one.id for one in state.collection.specimens].index(first)
    run_here(session.specimen.open_frame(place))
    assert panel.result.currentText() == "positive"
    assert panel.codes == ["AC-22"]
    run_here(session.worklist.run())
    out = tmp_path / "out"
    content = json.loads((out / "worklist.json").read_text())
    said = {row["specimen"]: row["specimen_decisions"] for row in content["specimens"]}
    assert [one["patterns"] for one in said[first]] == [["AC-22"]]
    assert content["agreement"][0]["readers"] == ["Anna", "the model"]
    report = json.loads((out / first / "fhir.json").read_text())
    heard = {one["id"]: one for one in report["contained"] if "performer" in one}
    assert set(heard) == {"result-1", "titre-1", "pattern-1"}
    assert heard["titre-1"]["valueString"] == "1:160"
    with (out / "worklist.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = {row["specimen"]: row for row in csv.DictReader(stream)}
    assert rows[first]["specimen_decisions"].startswith("Anna: positive + 1:160")
    assert {row["role"] for row in rows.values()} >= {"patient", "negative control"}
    settle(qtbot, session)
