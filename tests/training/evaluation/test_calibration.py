import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from training.errors import BadRunError
from training.evaluation.calibration import (
    BINS,
    calibration_content,
    measure_calibration,
    reliability,
    risk_at,
    risk_curve,
)

SCORES = np.array(
    [[0.75, 0.25, 0], [0.5, 0.25, 0.25], [0.25, 0.75, 0], [0, 0, 1]], np.float32
)
TRUTH = np.array([0, 1, 0, 2])
SPECIMENS = np.array(["a", "b", "a", "c"])


@pytest.fixture
def by_hand():
    return measure_calibration(SCORES, TRUTH, SPECIMENS)


def draw(cells: int, seed: int = 0, patterns: int = 3, specimens: int = 12):
    """Cells whose scores are true: the pattern is drawn from them."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(patterns), cells).astype(np.float32)
    drawn = (rng.random((cells, 1)) > scores.cumsum(axis=1)).sum(axis=1)
    truth = np.minimum(drawn, patterns - 1)
    return scores, truth, rng.integers(0, specimens, cells).astype(str)


def test_brier_and_log_loss_by_hand(by_hand):
    """Squared distances 0.125, 0.875, 1.125 and 0."""
    assert by_hand.brier == pytest.approx(2.125 / 4)
    losses = [-math.log(0.75), -math.log(0.25), -math.log(0.25), 0]
    assert by_hand.log_loss == pytest.approx(sum(losses) / 4)
    assert (by_hand.n, by_hand.specimens) == (4, 3)


def test_the_balanced_losses_give_each_pattern_one_voice(by_hand):
    """Pattern 0 has two cells, 1 and 2 one each."""
    assert by_hand.balanced_brier == pytest.approx((0.625 + 0.875 + 0) / 3)
    pattern_0 = -(math.log(0.75) + math.log(0.25)) / 2
    assert by_hand.balanced_log_loss == pytest.approx((pattern_0 + math.log(4)) / 3)


def test_the_calibration_error_by_hand(by_hand):
    """Top scores 0.5 (wrong), 0.75 twice (one right) and 1 (right)."""
    assert by_hand.bin_n.tolist() == [0] * 7 + [1] + [0] * 3 + [2] + [0] * 2 + [1]
    assert by_hand.bin_confidence[[7, 11, 14]].tolist() == [0.5, 0.75, 1]
    assert by_hand.bin_right[[7, 11, 14]].tolist() == [0, 0.5, 1]
    assert np.isnan(by_hand.bin_right[[0, 13]]).all()
    assert by_hand.expected_error == pytest.approx(0.25 * 0.5 + 0.5 * 0.25)


def test_the_curve_by_hand(by_hand):
    """The two cells of 0.75 are half a wrong cell each, in either order."""
    assert by_hand.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert by_hand.risk == pytest.approx([0, 0.25, 1 / 3, 0.5])
    assert by_hand.area == pytest.approx((0 + 0.25 + 1 / 3 + 0.5) / 4)
    assert by_hand.risk_at == pytest.approx({0.5: 0.25, 0.8: 0.5, 0.9: 0.5, 1.0: 0.5})


def test_an_edge_belongs_to_the_bin_below():
    top = np.array([1 / 15, 2 / 15, np.nextafter(2 / 15, 1), 3 / 15, 14 / 15, 1])
    count = reliability(top, np.ones(6, bool))[2]
    assert count.tolist() == [1, 1, 2] + [0] * 10 + [1, 1]


def test_agrees_with_scikit_learn():
    scores, truth, specimens = draw(500)
    found = measure_calibration(scores, truth, specimens)
    one_each = [brier_score_loss(truth == k, scores[:, k]) for k in range(3)]
    assert found.brier == pytest.approx(sum(one_each))
    wide = scores.astype(np.float64)
    wide /= wide.sum(axis=1, keepdims=True)
    assert found.log_loss == pytest.approx(log_loss(truth, wide), rel=1e-5)


def test_true_scores_are_calibrated_and_boastful_ones_are_not():
    scores, truth, specimens = draw(20000)
    found = measure_calibration(scores, truth, specimens)
    assert found.expected_error < 0.015
    boastful = scores**3 / (scores**3).sum(axis=1, keepdims=True)
    worse = measure_calibration(boastful.astype(np.float32), truth, specimens)
    assert worse.expected_error > 0.1
    assert worse.brier > found.brier
    assert worse.log_loss > found.log_loss


def test_a_score_of_nought_for_the_truth_costs_a_finite_loss():
    scores = np.array([[1, 0], [1, 0]], np.float32)
    found = measure_calibration(scores, np.array([1, 0]), np.array(["a", "b"]))
    assert found.log_loss == pytest.approx(-math.log(1e-6) / 2)


def test_a_thousand_cells_keep_101_points_of_their_curve():
    scores, truth, specimens = draw(1000)
    found = measure_calibration(scores, truth, specimens)
    top = scores.max(axis=1).astype(np.float64)
    curve = risk_curve(top, scores.argmax(axis=1) == truth)
    assert len(found.coverage) == len(found.risk) == 101
    assert (found.coverage[0], found.coverage[-1]) == (0.001, 1)
    positions = np.rint(1000 * found.coverage).astype(int) - 1
    assert found.risk.tolist() == curve[positions].tolist()
    assert found.area == pytest.approx(curve.mean())


@pytest.mark.parametrize(
    ("coverage", "cells", "answered"),
    [(0.5, 3, 2), (0.8, 35, 28), (0.9, 30, 27), (0.9, 1, 1), (1.0, 7, 7), (0.9, 7, 7)],
)
def test_a_coverage_is_reached_not_missed(coverage, cells, answered):
    curve = np.arange(1, cells + 1, dtype=float)
    assert risk_at(curve, coverage) == answered


tied = st.lists(
    st.tuples(st.sampled_from([0.4, 0.5, 0.6, 0.9]), st.booleans()), min_size=1
)


@given(tied, st.randoms(use_true_random=False))
def test_the_curve_does_not_depend_on_the_order_of_cells(cells, random):
    shuffled = random.sample(cells, len(cells))
    curves = [
        risk_curve(*(np.array(side) for side in zip(*order, strict=True)))
        for order in (cells, shuffled)
    ]
    assert curves[0].tolist() == curves[1].tolist()


@given(tied)
def test_the_curve_without_ties_is_the_running_share_wrong(cells):
    right = np.array([flag for _, flag in cells])
    top = np.linspace(0.9, 0.4, len(right))
    expected = [1 - right[: m + 1].mean() for m in range(len(right))]
    assert risk_curve(top, right) == pytest.approx(expected)


@given(tied)
def test_the_risk_of_all_cells_is_the_error_rate(cells):
    top, right = (np.array(side) for side in zip(*cells, strict=True))
    assert risk_curve(top, right)[-1] == pytest.approx(1 - right.mean())


def test_a_tie_is_the_mean_over_its_orders():
    """Of two wrong and one right cell under one right: the mean of three orders."""
    top = np.array([0.9, 0.5, 0.5, 0.5])
    orders = [[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]
    unequal = np.array([0.9, 0.7, 0.6, 0.5])
    curves = [risk_curve(unequal, np.array(order, bool)) for order in orders]
    found = risk_curve(top, np.array(orders[0], bool))
    assert found == pytest.approx(np.mean(curves, axis=0))


@given(st.integers(1, 60), st.integers(0, 5))
def test_bounds(cells, seed):
    found = measure_calibration(*draw(cells, seed))
    assert 0 <= found.expected_error <= 1
    assert 0 <= found.brier <= 2
    assert 0 <= found.area <= 1
    assert found.bin_n.sum() == found.n == cells
    assert (np.diff(found.coverage) > 0).all()


def test_as_many_cells_of_each_pattern_need_no_balance():
    scores, _, specimens = draw(300)
    found = measure_calibration(scores, np.arange(300) % 3, specimens)
    assert found.balanced_brier == pytest.approx(found.brier)
    assert found.balanced_log_loss == pytest.approx(found.log_loss)


def test_the_intervals_are_over_specimens_not_cells():
    """As many cells as one likes of four specimens leave the interval as it is."""
    found = []
    for cells in (5, 50):
        scores = np.tile(np.array([1, 0], np.float32), (4 * cells, 1))
        scores[: 2 * cells] = [0, 1]
        specimens = np.repeat(["a", "b", "c", "d"], cells)
        truth = np.zeros(4 * cells, np.int64)
        found.append(measure_calibration(scores, truth, specimens))
    assert found[0].brier == found[1].brier == 1
    assert found[0].brier_interval == pytest.approx(found[1].brier_interval)
    reach = 4.3027 * np.sqrt(4 / 3) / 2
    assert found[0].brier_interval == pytest.approx(np.exp([-reach, reach]), rel=1e-4)


def test_the_intervals_hold_their_mean():
    scores, _, specimens = draw(400)
    truth = specimens.astype(int) % 3
    found = measure_calibration(scores, truth, specimens)
    low, high = found.brier_interval
    assert low < found.brier < high
    low, high = found.log_loss_interval
    assert low < found.log_loss < high


def test_one_specimen_has_no_interval():
    found = measure_calibration(SCORES, TRUTH, np.array(["a"] * 4))
    assert found.brier_interval is None
    assert found.log_loss_interval is None


def test_no_cell_has_no_figures():
    found = measure_calibration(
        np.zeros((0, 6), np.float32), np.zeros(0, np.int64), np.zeros(0, "U1")
    )
    assert found.n == 0
    assert math.isnan(found.expected_error)
    assert len(found.coverage) == 0
    content = calibration_content(found)
    assert content["brier"] is None
    assert content["balanced_log_loss"] is None
    assert content["risk_at_coverage"] == dict.fromkeys(("0.5", "0.8", "0.9", "1"))


def test_the_content_is_plain_json(by_hand):
    content = calibration_content(by_hand)
    read = json.loads(json.dumps(content, allow_nan=False))
    assert read == content
    assert len(content["bins"]) == BINS
    assert content["bins"][11] == {
        "above": 11 / 15,
        "to": 12 / 15,
        "confidence": 0.75,
        "right": 0.5,
        "n": 2,
    }
    assert content["bins"][0]["right"] is None
    assert content["expected_calibration_error"] == pytest.approx(0.25)
    assert content["risk_at_coverage"]["0.5"] == pytest.approx(0.25)


@pytest.mark.parametrize("row", [[0.5, 0.4, 0], [1.5, -0.5, 0], [np.nan, 0, 1]])
def test_scores_that_are_no_distribution_are_refused(row):
    scores = SCORES.copy()
    scores[2] = row
    with pytest.raises(BadRunError, match="1 of 4 cells"):
        measure_calibration(scores, TRUTH, SPECIMENS)
