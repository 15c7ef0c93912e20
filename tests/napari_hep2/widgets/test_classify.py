"""The widget in a real window, driven by clicks."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_hep2.jobs import run_here
from napari_hep2.widgets.classify import ClassifyWidget, VerdictPanel
from training.patterns import I3A
from training.verdict import specimen_verdict


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


def click(qtbot, part):
    qtbot.mouseClick(part, Qt.MouseButton.LeftButton)


def test_from_the_model_to_the_export(
    qtbot, monkeypatch, viewer, specimens, model_file, tmp_path
):
    widget = ClassifyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Classify", area="right")
    session, state = widget.session, widget.state
    assert not widget.run.isEnabled()
    assert widget.verdict.title.text() == "Not classified yet"
    run_here(session.specimen.open_folder(specimens))

    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_: (str(model_file), "")
    )
    click(qtbot, widget.choose)
    assert widget.model.text() == "untrained"
    assert "Trained on: nothing" in widget.card.text()
    assert widget.command.line.text().startswith("python -m training predict")

    click(qtbot, widget.run)
    qtbot.waitUntil(lambda: state.prediction is not None, timeout=30_000)
    assert widget.verdict.title.text() == "No verdict"
    assert widget.verdict.reason.text().startswith("Too few cells: 6")
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
    assert widget.card.text() == "Its card cannot be read."
    click(qtbot, widget.run)
    qtbot.waitUntil(lambda: bool(state.fault))
    assert "other" in widget.status.news.text()


def panel_for(qtbot, shares):
    scores = np.concatenate(
        [np.tile(np.eye(6)[k] * 0.9 + 0.1 / 6, (n, 1)) for k, n in shares.items()]
    ).astype(np.float32)
    panel = VerdictPanel()
    qtbot.addWidget(panel)
    counts = [(p, shares.get(k, 0)) for k, p in enumerate(I3A)]
    panel.show_verdict(specimen_verdict(scores, I3A), counts)
    panel.show()
    return panel


def test_a_clear_verdict_names_pattern_group_and_second(qtbot):
    panel = panel_for(qtbot, {4: 80, 0: 10})
    assert panel.title.text() == "Nuclear membrane"
    assert panel.group.text() == "ICAP group AC-11/12"
    assert panel.second.text() == "Second: Homogeneous, 10 of 90 cells."
    assert panel.chip.isVisible()


def test_a_mixed_verdict_says_so(qtbot):
    panel = panel_for(qtbot, {2: 60, 3: 40})
    assert panel.title.text() == "Nucleolar with centromere"
    assert not panel.second.isVisible()


def test_a_withheld_verdict_gives_its_reason(qtbot):
    panel = panel_for(qtbot, dict.fromkeys(range(6), 10))
    assert panel.title.text() == "No verdict"
    assert panel.reason.text().startswith("No pattern leads clearly")
    assert not panel.chip.isVisible()
    assert not panel.group.isVisible()


def test_the_bars_are_as_long_as_the_shares(qtbot):
    panel = panel_for(qtbot, {5: 30, 1: 10})
    panel.bars.resize(400, panel.bars.sizeHint().height())
    image = panel.bars.grab().toImage()
    y = 5 * 24 + 12
    row = [image.pixelColor(x, y).name() for x in range(image.width())]
    golgi = row[40:].count("#d55e00")
    y = 1 * 24 + 12
    row = [image.pixelColor(x, y).name() for x in range(image.width())]
    speckled = row[40:].count("#e69f00")
    assert golgi == pytest.approx(3 * speckled, abs=3)
