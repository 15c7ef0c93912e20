"""Using the accepted cells only, chosen in the trainer's window."""

import shlex

from napari.components import ViewerModel
from qtpy.QtCore import QSettings

from napari_hep2.trainer.widgets.widget import TrainerWidget


def test_the_choice_stands_in_the_command(qtbot, tmp_path):
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    widget = TrainerWidget(ViewerModel(), settings=settings)
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitExposed(widget)
    setup = widget.setup
    setup.data.edit.setText(str(tmp_path))
    box = setup.editors["reviewed"]
    assert box.value == "not-rejected"
    assert "accepted or relabelled" in box.tooltip
    box.value = "accepted"
    command = shlex.split(setup.command.toPlainText())
    assert command[-2:] == ["--set", "reviewed=accepted"]
