"""Intervals by hand, and how often they hold the truth of drawn populations."""

import numpy as np
import pytest
from drawn_specimens import ROWS, beta, draw, held
from scipy.stats import t as student

from training.evaluation import intervals
from training.evaluation.intervals import (
    loss_interval,
    mean_interval,
    pair,
    percent_range,
    rate_intervals,
)

HOLDS = pytest.approx(0.955, abs=0.02)
"""94 to 97 %, and half a point for 2,000 repeats."""


def specimens(*rates, cells=10):
    """Recognised and all cells (S, K) of specimens whose rates are given by pattern."""
    rows = [(k, rate) for k, its in enumerate(rates) for rate in its]
    right, total = np.zeros((2, len(rows), len(rates)))
    for row, (k, rate) in enumerate(rows):
        right[row, k], total[row, k] = rate * cells, cells
    return right, total


@pytest.mark.parametrize("row", ROWS)
def test_the_intervals_hold_the_truth(row):
    rng = np.random.default_rng(1)
    drawn = draw(ROWS[row], 2.0, 2000, rng)
    found = rate_intervals(drawn.right(rng), drawn.total)
    assert held(found.mean, drawn.means.mean(axis=1)) == HOLDS
    assert held(found.each, drawn.means) == HOLDS


@pytest.mark.parametrize("concentration", [1.0, 6.0])
def test_they_hold_it_however_far_specimens_differ(concentration):
    rng = np.random.default_rng(2)
    drawn = draw(ROWS["3 each"], concentration, 2000, rng)
    found = rate_intervals(drawn.right(rng), drawn.total)
    assert held(found.mean, drawn.means.mean(axis=1)) == HOLDS


def test_a_spread_that_is_taken_too_small_is_noticed(monkeypatch):
    """A fifth less of each deviation, or the normal quantile for Student's."""

    def coverage(row):
        rng = np.random.default_rng(1)
        drawn = draw(ROWS[row], 2.0, 2000, rng)
        found = rate_intervals(drawn.right(rng), drawn.total)
        return held(found.mean, drawn.means.mean(axis=1))

    whole = intervals._spread
    with monkeypatch.context() as patch:
        patch.setattr(intervals, "_spread", lambda *given: _smaller(whole(*given)))
        assert coverage("11, 11, 11, 11, 9, 3") < 0.92
    with monkeypatch.context() as patch:
        patch.setattr(intervals, "stdtrit", lambda _, tail: student.ppf(tail, 1e9))
        assert coverage("2 each") < 0.92


def _smaller(spread):
    return type(spread)(spread.mean, 0.64 * spread.variance, spread.size, spread.tested)


def test_drawing_cells_in_place_of_specimens_is_noticed():
    """Each specimen's cells dealt to ten, as if there were ten times as many."""
    rng = np.random.default_rng(1)
    drawn = draw(ROWS["6 each"], 2.0, 500, rng)
    tenth = np.repeat(drawn.cells // 10, 10, axis=1)
    dealt = np.eye(6)[np.repeat(drawn.pattern, 10)]
    chance = np.repeat(drawn.accuracy, 10, axis=1)
    right = rng.binomial(tenth, chance)[..., None] * dealt
    found = rate_intervals(right, tenth[..., None] * dealt)
    assert held(found.mean, drawn.means.mean(axis=1)) < 0.6
    assert held(found.each, drawn.means) < 0.6


def test_the_difference_of_two_systems_holds_the_truth():
    rng = np.random.default_rng(3)
    for row in ("16, 16, 16, 16, 15, 4 (Task-1)", "3 each"):
        drawn = draw(ROWS[row], 2.0, 2000, rng)
        other = beta(drawn.means[:, drawn.pattern], 2.0, rng)
        gained = drawn.right(rng, other) - drawn.right(rng)
        assert held(mean_interval(gained, drawn.total), 0.0) == HOLDS


def test_a_loss_holds_the_truth():
    rng = np.random.default_rng(4)
    drawn = draw(ROWS["6 each"], 2.0, 2000, rng)
    loss = drawn.spread(drawn.cells * 1.5 * (1 - drawn.accuracy))
    cells = drawn.total.sum(axis=1)
    truth = (cells * 1.5 * (1 - drawn.means)).sum(axis=1) / cells.sum(axis=1)
    assert held(loss_interval(loss, drawn.total), truth) == HOLDS


def test_a_mean_by_hand():
    """Two patterns of two equal specimens: 0 and 2, 1 and 5, in values a cell.

    Variances 2 and 8, so 5 where all are pooled, which the prior is worth 12 degrees of
    freedom beside 1: (12 * 5 + 2) / 13 and (12 * 5 + 8) / 13; the mean's is their sum
    over 2 specimens and 2 * 2 patterns.
    """
    sums, total = specimens((0, 2), (1, 5))
    low, high = mean_interval(sums, total)
    assert (low + high) / 2 == pytest.approx(2)
    deviation = np.sqrt((62 + 68) / 13 / 8)
    freedom = (62 + 68) ** 2 / (62**2 + 68**2) - 1
    assert (high - low) / 2 == pytest.approx(student.ppf(0.975, freedom) * deviation)


def test_the_variance_is_right_for_specimens_of_unequal_size():
    """Its mean over many draws is that of the drawn means, whatever the weights."""
    rng = np.random.default_rng(0)
    total = np.array([250.0, 60, 100])[:, None]
    values = rng.normal(0, 1, (20000, 3, 1))
    found = intervals._spread(values * total, np.broadcast_to(total, values.shape))
    assert found.variance.mean() == pytest.approx(1, abs=0.03)
    expected = (values * total).sum(axis=1) / total.sum()
    assert (1 / found.size[0]) == pytest.approx(expected.var(), rel=0.05)


def test_one_specimen_borrows_its_width():
    right, total = specimens((0.6, 0.9, 0.7, 0.8), (0.5, 0.9, 0.6), (0.8,))
    found = rate_intervals(right, total)
    assert found.borrowed.tolist() == [False, False, True]
    widths = np.diff(found.each)[:, 0]
    assert widths[2] > widths[1] > widths[0]


def test_with_one_specimen_of_each_there_is_none():
    found = rate_intervals(*specimens((0.6,), (0.5,), (0.8,)))
    assert np.isnan(found.mean).all()
    assert np.isnan(found.each).all()
    assert pair(found.mean) is None
    assert pair(mean_interval(*specimens((0.6,), (0.5,), (0.8,)))) is None


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_where_no_specimen_differs_each_is_one_trial(rate):
    """Of nine specimens that are all right, the truth may well be 0.8, not 0.5."""
    found = rate_intervals(*specimens((rate,) * 9, (rate,) * 9))
    far = np.abs(np.array([found.mean, *found.each]) - rate).max(axis=1)
    assert (far > 0.15).all()
    assert (far < 0.35).all()


def test_never_narrower_than_cells_that_are_alone():
    """Forty specimens of exactly the same rate are not surer than their cells."""
    right, total = specimens((0.5,) * 20, (0.5,) * 20, cells=4)
    low, high = rate_intervals(right, total).each[0]
    assert (high - low) / 2 > 1.9 * np.sqrt(0.25 / 80)


def test_a_pattern_that_was_not_tested_changes_nothing():
    rates = (0.6, 0.9, 0.7), (0.5, 0.9, 0.6)
    with_it, without = (rate_intervals(*specimens(*x)) for x in ((*rates, ()), rates))
    assert with_it.mean == pytest.approx(without.mean)
    assert np.isnan(with_it.each[2]).all()


def test_a_range_in_words():
    assert percent_range((0.641, 0.802)) == "64.1 to 80.2"
    assert percent_range((-0.012, 0.031), "+") == "-1.2 to +3.1"
