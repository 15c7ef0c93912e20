"""The command under each widget: copied by a button, shown by an arrow."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_hep2.common.parts import CommandLine


def test_the_command_is_copied_and_shown_when_wanted(qtbot):
    line = CommandLine()
    qtbot.addWidget(line)
    line.show()
    line.show_command("")
    assert not line.copy.isEnabled()
    line.show_command("hep2 list")
    assert not line.line.isVisible()
    assert line.copy.toolTip().endswith("\nhep2 list")
    qtbot.mouseClick(line.copy, Qt.MouseButton.LeftButton)
    assert QApplication.clipboard().text() == "hep2 list"
    qtbot.mouseClick(line.unfold, Qt.MouseButton.LeftButton)
    assert line.line.isVisible()
    assert line.line.text() == "hep2 list"
