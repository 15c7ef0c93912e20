"""What *Live LOSO* does next: figures first, then their curve, and never behind."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_hep2.jobs import run_here
from napari_hep2.live.controller import LiveController, curve_line
from napari_hep2.state import SessionState
from training.studies.live_loso import CurvePoint, LiveCurve


class Study:
    """Counts what is asked of it."""

    def __init__(self):
        self.asked = []

    def measure(self, labels):
        self.asked.append("figures")
        return SimpleNamespace(labels=labels, doubt=labels / 10)

    def curve(self, figures):
        self.asked.append("curve")
        yield 0.5
        return LiveCurve(figures.labels, (CurvePoint(9, 0.8),))


@pytest.fixture
def study():
    return Study()


@pytest.fixture
def live(study, monkeypatch):
    state = SessionState(review=[None, None])
    labels = np.array([0, 1])
    monkeypatch.setattr(
        "napari_hep2.live.controller.current_labels", lambda *_: labels.copy()
    )
    sorted_by = []
    made = LiveController(state, sorted_by.append)
    made.labels, made.sorted_by = labels, sorted_by
    made._of, made._study = state.review, study
    return made


def test_figures_come_first_then_their_curve_and_then_nothing(live, study):
    run_here(live.next_job())
    assert study.asked == ["figures", "curve"]
    assert live.desk.curve.labels is live.desk.figures.labels
    assert live.next_job() is None


def test_a_decision_while_the_curve_is_drawn_is_measured_at_once(live, study):
    curve = live.next_job().done(study.measure(live.labels.copy()))
    live.desk.busy = curve.title
    assert live.next_job() is None, "the curve is drawn"
    live.labels[0] = 1
    assert live.next_job() is not None
    assert live.desk.is_behind
    assert live.next_job() is None, "the figures are measured"


def test_cells_are_sorted_by_doubt(live):
    assert live.sort_by_doubt() is None
    run_here(live.next_job())
    live.sort_by_doubt()
    assert live.sorted_by[0].tolist() == [0, 0.1]


def test_a_curve_is_a_sentence_and_one_point_is_none():
    points = (CurvePoint(14, 0.6123), CurvePoint(56, 0.755))
    assert curve_line(LiveCurve(np.zeros(2), points)) == (
        "Trained on 14, 56 specimens: 61.2, 75.5 %."
    )
    assert curve_line(LiveCurve(np.zeros(2), points[:1])) == ""
