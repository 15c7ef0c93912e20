"""The verdict panel by itself."""

from datetime import UTC, datetime

import numpy as np
import pytest

from napari_hep2.classify.widgets.verdict_panel import VerdictPanel
from training.decisions.model import Decision
from training.evaluation.decided_verdict import verdict_as_decided
from training.evaluation.verdict import specimen_verdict
from training.patterns import I3A


def panel_for(qtbot, shares):
    scores = np.concatenate(
        [np.tile(np.eye(6)[k] * 0.9 + 0.1 / 6, (n, 1)) for k, n in shares.items()]
    ).astype(np.float32)
    panel = VerdictPanel()
    qtbot.addWidget(panel)
    counts = [(p, shares.get(k, 0)) for k, p in enumerate(I3A)]
    panel.show_verdict(specimen_verdict(scores, I3A), I3A, counts)
    panel.show()
    return panel


def test_a_clear_verdict_names_pattern_group_and_second(qtbot):
    panel = panel_for(qtbot, {4: 80, 0: 10})
    assert panel.model.title.text() == "Nuclear membrane"
    assert panel.model.group.text() == "ICAP group AC-11/12"
    assert panel.model.second.text() == "Second: Homogeneous, 10 of 90 cells."
    assert panel.model.chip.isVisible()


def test_a_mixed_verdict_says_so(qtbot):
    panel = panel_for(qtbot, {2: 60, 3: 40})
    assert panel.model.title.text() == "Nucleolar with centromere"
    assert panel.model.second.text().startswith("Mixed: second is Centromere, 40 of")


def test_a_withheld_verdict_gives_its_reason(qtbot):
    panel = panel_for(qtbot, dict.fromkeys(range(6), 10))
    assert panel.model.title.text() == "No verdict: no clear pattern"
    assert panel.model.reason.text().startswith("No pattern leads clearly")
    assert not panel.model.chip.isVisible()
    assert not panel.model.group.isVisible()


def test_the_bars_are_as_long_as_the_shares(qtbot):
    panel = panel_for(qtbot, {5: 30, 1: 10})
    panel.bars.resize(400, panel.bars.sizeHint().height())
    image = panel.bars.grab().toImage()
    y = 5 * 22 + 11
    row = [image.pixelColor(x, y).name() for x in range(image.width())]
    golgi = row[40:].count("#d55e00")
    y = 1 * 22 + 11
    row = [image.pixelColor(x, y).name() for x in range(image.width())]
    speckled = row[40:].count("#e69f00")
    assert golgi == pytest.approx(3 * speckled, abs=3)


def test_two_verdicts_stand_side_by_side_and_fit_a_narrow_dock(qtbot):
    panel = panel_for(qtbot, {4: 80, 0: 10})
    scores = np.full((20, 6), 0.02, np.float32)
    scores[:, 4] = 0.9
    said = {
        f"c{k}": Decision(f"c{k}", "anna", "relabelled", name, None, datetime.now(UTC))
        for k, name in enumerate(["Golgi"] * 6 + ["of another table"])
    }
    ids = [f"c{k}" for k in range(20)]
    decided = verdict_as_decided(scores, ids, said, I3A)
    panel.show_decided(decided, I3A)
    panel.show_verdict(specimen_verdict(scores, I3A), I3A, panel.bars.counts)
    assert panel.model.caption.text() == "By the model"
    assert panel.yours.caption.text() == "With your 7 decisions"
    assert panel.yours.title.text() == "Nuclear membrane with golgi"
    assert panel.yours.note.text() == (
        "7 relabelled, counted as the new pattern. 1 of a pattern that the model does "
        "not know."
    )
    panel.resize(300, panel.heightForWidth(300))
    assert panel.minimumSizeHint().width() <= 300
    assert panel.model.geometry().right() < panel.yours.geometry().left()
    panel.show_decided(None, I3A)
    panel.show_verdict(specimen_verdict(scores, I3A), I3A, panel.bars.counts)
    assert not panel.yours.isVisible()
    assert panel.model.caption.text() == ""
