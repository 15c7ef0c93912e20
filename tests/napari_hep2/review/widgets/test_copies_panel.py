"""Near copies in the widget: found in the worker, walked, rejected, undone."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_hep2.jobs import run_here
from napari_hep2.review.widgets.crop_tiles import ROW_ROLE
from napari_hep2.review.widgets.widget import ReviewWidget


@pytest.fixture
def widget(qtbot, viewer, dock, copied_cells):
    made = ReviewWidget(viewer)
    dock(made, "Review cells")
    run_here(made.session.review.open_cell_folder(copied_cells))
    yield made
    made.session.runner.cancel()
    made.session.review.decision_session.close()


@pytest.fixture
def panel(qtbot, widget):
    widget.footer.toggles[1].click()
    qtbot.mouseClick(widget.quality.copies, Qt.MouseButton.LeftButton)
    made = widget.quality.pairs
    qtbot.waitUntil(made.isActiveWindow)
    return made


def press(qtbot, panel, key):
    """Press a button by its mnemonic, which Qt draws as pressed for 100 ms."""
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    clicked = [one for one in panel.findChildren(QPushButton) if is_of(one, key)]
    assert len(clicked) == 1
    with qtbot.waitSignal(clicked[0].clicked):
        qtbot.keyClick(panel, key, Qt.KeyboardModifier.AltModifier)


def is_of(button, key):
    text = button.text().upper()
    return "&" in text and text[text.index("&") + 1] == chr(key)


@pytest.fixture
def found(qtbot, widget, panel):
    assert not panel.reject[1].isEnabled()
    qtbot.mouseClick(panel.find, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.count.text() == "Pair 1 of 2, 2 open", timeout=20_000)
    qtbot.waitUntil(lambda: not widget.state.busy)
    return panel


def pixels(picture):
    image = picture.pixmap().toImage()
    side = range(60, 200, 10)
    return [image.pixelColor(x, y).red() for y in side for x in side]


def test_pairs_are_walked_and_shown_alike(qtbot, widget, found):
    state, panel = widget.state, found
    differences = []
    for _ in range(2):
        left, right = (pixels(cell.picture) for cell in panel.cells)
        differences += [abs(a - b) for a, b in zip(left, right, strict=True)]
        qtbot.mouseClick(panel.next, Qt.MouseButton.LeftButton)
    assert sum(differences) / len(differences) < 12, "turned as they match"
    assert not panel.next.isEnabled()
    qtbot.mouseClick(panel.previous, Qt.MouseButton.LeftButton)
    assert panel.count.text() == "Pair 1 of 2, 2 open"
    facts = [cell.facts.text() for cell in panel.cells]
    assert all("Specimen" in text and "No decision yet." in text for text in facts)
    widget.session.review.decision_session.set_blind(True)
    for cell in panel.cells:
        assert "Specimen" not in cell.facts.text()
        assert "_p0_" not in cell.facts.text()
    assert str(state.review.store) in panel.command.line.text()


def test_the_patterns_of_a_pair_are_compared(qtbot, widget, found):
    said = set()
    for _ in range(2):
        said.add(found.patterns.text())
        qtbot.mouseClick(found.next, Qt.MouseButton.LeftButton)
    assert any(text == "Same pattern." for text in said)
    assert any("Different patterns" in text for text in said)


def test_right_is_rejected_by_its_key_and_undone(qtbot, widget, found):
    state, panel = widget.state, found
    pair = widget.session.copies.pairs[0]
    first, second = state.review.ids[pair.first], state.review.ids[pair.second]
    press(qtbot, panel, Qt.Key.Key_R)
    assert state.decisions[second].reason == f"copy of {first}"
    assert panel.count.text() == "Pair 2 of 2, 1 open"
    press(qtbot, panel, Qt.Key.Key_P)
    assert f"Rejected: copy of {first}." in panel.cells[1].facts.text()
    assert not panel.reject[1].isEnabled()
    assert panel.reject[0].isEnabled()
    press(qtbot, panel, Qt.Key.Key_U)
    assert state.decisions == {}
    assert panel.count.text() == "Pair 1 of 2, 2 open"
    assert panel.reject[1].isEnabled()


def test_both_are_kept_and_both_are_shown_in_the_gallery(qtbot, widget, found):
    state, panel = widget.state, found
    pair = widget.session.copies.pairs[0]
    press(qtbot, panel, Qt.Key.Key_S)
    assert state.selected == (pair.first, pair.second)
    chosen = {index.data(ROW_ROLE) for index in widget.view.selectedIndexes()}
    assert chosen == set(state.selected)
    press(qtbot, panel, Qt.Key.Key_K)
    assert panel.count.text() == "Pair 2 of 2, 1 open"
    press(qtbot, panel, Qt.Key.Key_P)
    assert not panel.keep.isEnabled()
    assert panel.likeness.text().endswith("Both are used.")


def test_a_search_is_cancelled(qtbot, widget, panel):
    qtbot.mouseClick(panel.find, Qt.MouseButton.LeftButton)
    assert widget.state.busy
    assert not panel.find.isEnabled()
    qtbot.mouseClick(panel.status.cancel, Qt.MouseButton.LeftButton)
    assert not widget.state.busy
    assert panel.find.isEnabled()
    qtbot.wait(300)
    assert widget.session.copies.pairs == ()
