from pathlib import Path

import pytest
from qtpy.QtCore import QSettings, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_hep2.review.widgets.key_sheet import KeyForm, KeySheet
from napari_hep2.review.widgets.keys import (
    FIXED,
    VERBS,
    KeyTable,
    Shortcuts,
    key_settings,
    normal,
    sheet,
)
from training.errors import BadSettingError
from training.patterns import I3A


def test_no_key_does_two_things():
    keys = [normal(key) for verb in VERBS for key in verb.keys]
    keys += [normal(key) for _, fixed, _ in FIXED for key in fixed]
    assert len(set(keys)) == len(keys)
    assert all(keys)


def test_a_key_that_is_changed_is_kept(tmp_path):
    table = KeyTable(key_settings())
    table.change("accept", "q")
    assert table.keys_of("accept") == ("Q",)
    assert KeyTable(key_settings()).keys_of("accept") == ("Q",)
    # The second key of a verb stays beside the new first one.
    table.change("undo", "U")
    assert table.keys_of("undo") == ("U", "Ctrl+Z")
    table.reset()
    assert KeyTable(key_settings()).keys_of("accept") == ("A",)


@pytest.mark.parametrize("key", ["R", "r", "Ctrl+Z", "Left", "Tab"])
def test_a_key_that_is_taken_is_refused_in_a_sentence(key):
    table = KeyTable()
    with pytest.raises(BadSettingError, match="already the key for"):
        table.change("accept", key)
    assert table.keys_of("accept") == ("A",)


def test_no_key_is_no_key():
    with pytest.raises(BadSettingError, match="none was pressed"):
        KeyTable().change("accept", "")


def test_a_clash_in_the_settings_file_is_left_aside(tmp_path):
    settings = QSettings(str(tmp_path / "own.ini"), QSettings.Format.IniFormat)
    settings.setValue("review keys/accept", "R")
    settings.setValue("review keys/reject", "X")
    settings.setValue("review keys/flag", "no such key")
    table = KeyTable(settings)
    assert table.keys_of("accept") == ("A",)
    assert table.keys_of("reject") == ("X", "Del")
    assert table.keys_of("flag") == ("F",)


def test_keys_act_in_the_widget_and_follow_the_table(qtbot):
    window = QWidget()
    layout = QVBoxLayout(window)
    inside, outside = QWidget(), QLineEdit()
    for part in (inside, outside):
        part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        layout.addWidget(part)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    window.activateWindow()
    table, pressed = KeyTable(), []
    shortcuts = Shortcuts(inside, table, {"accept": lambda: pressed.append(1)})
    inside.setFocus()
    qtbot.waitUntil(inside.hasFocus)
    qtbot.keyClick(inside, Qt.Key.Key_A)
    table.change("accept", "Q")
    shortcuts.bind()
    qtbot.keyClick(inside, Qt.Key.Key_A)
    assert pressed == [1]
    qtbot.keyClick(inside, Qt.Key.Key_Q)
    assert pressed == [1, 1]
    outside.setFocus()
    qtbot.keyClick(outside, Qt.Key.Key_Q)
    assert pressed == [1, 1]
    inside.setFocus()
    shortcuts.pause()
    qtbot.keyClick(inside, Qt.Key.Key_Q)
    assert pressed == [1, 1]
    shortcuts.go_on()
    qtbot.keyClick(inside, Qt.Key.Key_Q)
    assert pressed == [1, 1, 1]


def test_the_sheet_names_every_key(qtbot):
    table = KeyTable()
    table.change("accept", "Q")
    made = KeySheet(table, I3A, lambda: None)
    qtbot.addWidget(made)
    lines = made.text().splitlines()
    assert "Q: accept: a good cell of its pattern" in lines
    assert "6: Golgi" in lines
    assert not any(line.startswith("7:") for line in lines)
    assert len(lines) == len(VERBS) - 3 + len(FIXED)


def test_the_form_changes_a_key_and_refuses_a_clash(qtbot):
    table = KeyTable()
    form = KeyForm(table, I3A)
    qtbot.addWidget(form)
    field = form.fields["flag"]
    field.setKeySequence(QKeySequence("A"))
    field.editingFinished.emit()
    assert "already the key for: accept" in form.fault.text()
    assert field.keySequence() == QKeySequence("F")
    field.setKeySequence(QKeySequence("J"))
    field.editingFinished.emit()
    assert form.fault.text() == ""
    assert table.keys_of("flag") == ("J",)
    form.defaults.click()
    assert field.keySequence() == QKeySequence("F")


def test_the_docs_have_the_same_keys():
    text = (
        Path(__file__).parents[4].joinpath("docs/guide/curator.md").read_text("utf-8")
    )
    for _, lines in sheet(KeyTable(), I3A):
        for keys, what in lines:
            if not keys.isdigit():
                assert f"| {keys} | {what} |" in text
