"""A scientist compares two runs, reads the report of the better one, and fits it."""

import pytest
from qtpy.QtCore import QSettings
from qtpy.QtGui import QDesktopServices

from napari_hep2.trainer.widgets.widget import LAST_RUN, TrainerWidget


@pytest.mark.window
def test_a_scientist(window, person, chosen, study, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(
        QDesktopServices,
        "openUrl",
        lambda url: opened.append(url.toLocalFile()) or True,
    )
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    settings.setValue(LAST_RUN, str(study[1] / "none"))
    trainer = TrainerWidget(window, settings=settings)
    window.window.add_dock_widget(trainer, name="LOSO trainer", area="right")
    runs = trainer.runs
    person.sees(lambda: runs.list.topLevelItemCount() == 3)
    person.click(trainer.setup_fold.button)

    def row(k):
        return runs.list.visualItemRect(runs.list.topLevelItem(k)).center()

    person.click(runs.list.viewport(), row(0))
    person.sees(lambda: trainer.word.text() == "Done")
    person.click(runs.list.viewport(), row(2), held="Control_L")
    person.sees(lambda: runs.bars.isVisible() and "points" in runs.difference.text())

    person.click(runs.list.viewport(), row(0))
    person.sees(lambda: runs.fit_button.isEnabled())
    person.click(runs.report)
    person.sees(lambda: bool(opened))
    assert opened[0].endswith("report.html")
    chosen["file"] = tmp_path / "mine.safetensors"
    person.click(runs.fit_button)
    assert runs.fit.running
    runs.fit.stop()
    person.sees(lambda: not runs.fit.running)
