"""Curves through finished runs; truth is written by hand where numbers are made."""

import json
from dataclasses import replace

import numpy as np
import pytest

from training.errors import BadRunError, BadSettingError
from training.runs.folder import RunFolder
from training.studies.curve_page import write_curves
from training.studies.curve_runs import plan_curves, run_planned
from training.studies.learning_curves import (
    CurveStudy,
    Fitted,
    Point,
    _fit,
    study_runs,
)

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {
    "protocol": "group-k",
    "folds": "2",
    "epochs": "1",
    "vote_epochs": "1",
    "width": "0.04",
    "input_size": "32",
    "batch_size": "16",
    "learning_rate": "0.02",
}


def plan(data, **changes):
    return plan_curves(
        str(data),
        "set-1",
        shares="0.5,1",
        seeds=1,
        workers=1,
        changes={**SMALL, **changes},
    )


@pytest.fixture
def data(task1, make_cells):
    return task1(make_cells((8, 8, 0, 0, 0, 0), cells=4))


def opened(out, planned):
    return [RunFolder.open(out / "runs" / name) for name in planned]


def test_planned_runs_are_done_once_and_drawn(tmp_path, data):
    planned = plan(data)
    assert list(planned) == ["specimen-0.5-seed-0", "cell-0.5-seed-0", "all-seed-0"]
    events = list(run_planned(tmp_path, planned))
    assert {name for name, _ in events} == set(planned)
    assert list(run_planned(tmp_path, planned)) == []
    study = study_runs(opened(tmp_path, planned))
    sizes = {(p.curve, p.share): (p.specimens, p.cells) for p in study.points}
    assert sizes == {
        ("specimens", 0.5): (4, 16),
        ("specimens", 1.0): (8, 32),
        ("cells", 0.5): (8, 16),
        ("cells", 1.0): (8, 32),
    }
    assert (study.n, study.held_out) == (64, 16)
    page = write_curves(tmp_path, study).read_text()
    assert study.comparison() in page
    assert "learning-curve" in {p.stem for p in tmp_path.iterdir()}
    content = json.loads((tmp_path / "learning-curve.json").read_text())
    assert content["sentence"] == study.sentence()
    full = [p for p in content["points"] if p["share"] == 1]
    assert full[0]["mean_class_accuracy"] == full[1]["mean_class_accuracy"]
    measured = json.loads(
        (tmp_path / "runs" / "all-seed-0" / "metrics.json").read_text()
    )
    assert full[0]["mean_class_accuracy"] == pytest.approx(
        measured["mean_class_accuracy"]
    )


def test_other_settings_in_the_folder_are_refused(tmp_path, data):
    list(run_planned(tmp_path, plan(data)))
    with pytest.raises(BadRunError, match="other settings"):
        list(run_planned(tmp_path, plan(data, epochs="2")))


def test_runs_that_cannot_be_compared(tmp_path, data, make_cells, task1):
    planned = plan(data)
    list(run_planned(tmp_path / "one", planned))
    runs = opened(tmp_path / "one", planned)
    with pytest.raises(BadRunError, match="do not give a curve over specimens"):
        study_runs(runs[1:])
    with pytest.raises(BadRunError, match="do not give a curve over cells"):
        study_runs([runs[0], runs[2]])
    with pytest.raises(BadRunError, match="there is none"):
        study_runs([])
    longer = plan(data, learning_rate="0.01")
    list(run_planned(tmp_path / "two", longer))
    with pytest.raises(BadRunError, match="in more than its training set"):
        study_runs([*runs, opened(tmp_path / "two", longer)[0]])
    less = task1(make_cells((8, 7, 0, 0, 0, 0), cells=4), name="less")
    list(run_planned(tmp_path / "three", plan(less)))
    with pytest.raises(BadRunError, match="held out other cells"):
        study_runs([*runs, opened(tmp_path / "three", plan(less))[2]])


@pytest.mark.parametrize("shares", ["", "1", "0,1", "0.5,2", "half,1"])
def test_shares_that_are_none(shares):
    with pytest.raises(BadSettingError, match="not shares"):
        plan_curves("data", "set-1", shares=shares)


TOTAL = np.zeros((12, 2))
TOTAL[np.arange(12), np.arange(12) % 2] = 10
WOBBLE = TOTAL * np.where(np.arange(12) < 6, 1, -1)[:, None]
"""Six specimens up and six down, three of each pattern: the mean stays where it is."""


def point(curve, size, accuracy, specimens=10.0, cells=100.0):
    right = accuracy * TOTAL
    return Point(curve, size, size, specimens, cells, 1, accuracy, None, right)


def fitted(slope, scale=0.2, spread=0.0):
    return Fitted(slope, scale, 0 * TOTAL, spread * WOBBLE)


def study(specimens, cells):
    points = (
        point("specimens", 0.5, 0.6, specimens=5, cells=50),
        point("specimens", 1.0, 0.8),
        point("cells", 0.5, 0.7, cells=52),
        point("cells", 1.0, 0.8),
    )
    return CurveStudy(
        points, {"specimens": specimens, "cells": cells}, TOTAL, (), False
    )


def test_the_sentence_says_which_buys_more():
    """Slope 1 halves an error of 20 %; slope 0 leaves it."""
    one = study(fitted(1.0), fitted(0.0))
    assert one.gain("specimens").value == pytest.approx(0.1)
    assert one.gain("cells").value == 0
    assert one.sentence().startswith("More specimens help more than more cells of each")
    assert "+10.0 points (95 % +10.0 to +10.0)" in one.sentence()
    other = study(fitted(0.0), fitted(1.0))
    assert other.sentence().startswith("More cells of each specimen help more")


def test_what_the_runs_do_not_tell_is_not_said():
    unsure = study(fitted(0.3, spread=1.0), fitted(0.2))
    assert unsure.sentence().startswith("The runs do not show which helps more")


def test_the_comparison_is_of_training_sets_of_one_size():
    said = study(fitted(1.0), fitted(0.0)).comparison()
    assert "60.0 % with 50 cells of 5 specimens, 70.0 % with 52 cells of 10" in said
    assert "+10.0" in said
    apart = study(fitted(1.0), fitted(0.0))
    points = [replace(p, cells=80.0) if p.cells == 52 else p for p in apart.points]
    assert replace(apart, points=tuple(points)).comparison() == ""


def test_a_power_law_is_found_again():
    sizes = (0.25, 0.5, 1.0)
    found = _fit([point("cells", s, 1 - 0.2 * s**-0.5) for s in sizes])
    assert (found.slope, found.scale) == pytest.approx((0.5, 0.2))
    assert found.error(4) == pytest.approx(0.1)


def test_the_fit_moves_as_if_it_were_fitted_again():
    """A little more of one specimen at one point, against the derivative."""
    points = [point("cells", s, 1 - 0.2 * s**-0.5) for s in (0.25, 0.5, 1.0)]
    found = _fit(points)
    little = np.zeros_like(TOTAL)
    little[3, 1] = 1e-4
    accuracy = points[1].mean_class_accuracy + little[3, 1] / 60 / 2
    more = replace(points[1], right=points[1].right + little)
    moved = _fit([points[0], replace(more, mean_class_accuracy=accuracy), points[2]])
    told = _fit([points[0], more, points[2]]).moves(2) - found.moves(2)
    change = (told.sum(axis=0) / TOTAL.sum(axis=0)).mean()
    assert change == pytest.approx(moved.error(2) - found.error(2), rel=0.01)


def test_the_interval_of_a_gain_is_wider_where_specimens_differ():
    calm, wild = (study(fitted(0.3, spread=s), fitted(0.2)) for s in (0.1, 1.0))
    one, other = calm.gain("specimens").interval, wild.gain("specimens").interval
    assert other[1] - other[0] == pytest.approx(10 * (one[1] - one[0]))
    few = replace(calm, total=TOTAL[:3])
    halved = {c: fitted(0.3) for c in ("specimens", "cells")}
    halved = {
        c: replace(f, level=f.level[:3], steepness=f.steepness[:3])
        for c, f in halved.items()
    }
    assert "no interval" in replace(few, fits=halved).gain("cells").words()


def test_a_seed_that_is_none_is_told():
    with pytest.raises(BadSettingError, match="seed: 'x' does not fit"):
        plan_curves("cells", "set-1", changes={"seed": "x"})
