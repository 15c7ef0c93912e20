"""The bar in a window of its own: each key and button reaches the store."""

import pytest
from qtpy.QtCore import Qt

from napari_hep2.review.widgets.decision_bar import DecisionBar
from napari_hep2.review.widgets.keys import VERBS, KeyTable, Shortcuts
from training.decisions.store import Mark
from training.patterns import I3A

CELL = "00001_p0_0002"


@pytest.fixture
def bar(qtbot, review):
    made = DecisionBar(review)
    qtbot.addWidget(made)
    made.show_patterns(I3A)
    Shortcuts(made, KeyTable(), made.actions())
    made.show()
    made.setFocus()
    made.activateWindow()
    qtbot.waitUntil(made.hasFocus)
    return made


def press(qtbot, bar, verb, table=None):
    """Press the first key of a verb, whatever the table says it is."""
    key = (table or KeyTable()).keys_of(verb)[0]
    shift = key.startswith("Shift+")
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier(0)
    qtbot.keyClick(bar, key[-1].lower(), modifier)


def test_flag_and_undo_by_keys(qtbot, bar, review, state):
    review.navigation.select(1)
    press(qtbot, bar, "flag")
    assert review.state.marks == {CELL: Mark(True)}
    press(qtbot, bar, "undo")
    assert review.state.marks == {}
    press(qtbot, bar, "redo")
    assert review.state.marks == {CELL: Mark(True)}


def test_a_note_is_asked_for_where_there_is_a_cell(qtbot, bar, review):
    review.navigation.select(1)
    with qtbot.waitSignal(bar.note_wanted, timeout=1000):
        press(qtbot, bar, "note")
    with qtbot.waitSignal(bar.note_wanted, timeout=1000):
        qtbot.mouseClick(bar.note, Qt.MouseButton.LeftButton)
    review.navigation.select(None)
    with qtbot.assertNotEmitted(bar.note_wanted):
        press(qtbot, bar, "note")


def test_verdicts_by_keys(qtbot, bar, review, state):
    review.navigation.select(1)
    for verb in ("accept", "reject", "pattern_6"):
        press(qtbot, bar, verb)
    said = [d.pattern or d.verdict for d in state.decisions.values()]
    assert said == ["accepted", "rejected", "Golgi"]


def test_buttons_do_what_their_keys_do(qtbot, bar, review, state):
    review.navigation.select(1)
    qtbot.mouseClick(bar.flag, Qt.MouseButton.LeftButton)
    assert review.state.marks == {CELL: Mark(True)}
    qtbot.mouseClick(bar.take, Qt.MouseButton.LeftButton)
    assert state.fault.startswith("Classify the frame first")
    bar.set_ready(False)
    assert not any(part.isEnabled() for part in (bar.take, bar.flag, bar.note))


def test_buttons_of_another_vocabulary_go_at_once(qtbot, review):
    """Deleted later, they would lie over the bar until the window is idle."""
    made = DecisionBar(review)
    qtbot.addWidget(made)
    made.show_patterns(I3A)
    old = made.patterns
    made.show_patterns(I3A)
    made.show()
    assert not any(one.isVisible() for one in old)
    assert all(one.isVisible() for one in made.patterns)


def test_the_tips_follow_the_table_of_keys(bar):
    key = KeyTable().shown("flag")
    assert bar.flag.toolTip() == f"{key}: set or remove the flag"
    bar._table.change("flag", "J")
    bar.show_keys()
    assert bar.flag.toolTip() == "J: set or remove the flag"


def test_every_verb_that_decides_is_in_the_bar(bar):
    decides = {verb.name for verb in VERBS if verb.section == "Decide"}
    assert decides == set(bar.actions()) - {"next"}
