import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from training.errors import SpecimensError
from training.models.features.svm import (
    all_patterns,
    fit_sharpness,
    inner_folds,
    to_scores,
)


def some_cells(
    specimens_per_pattern: list[int], cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Patterns and specimens; a specimen has one pattern."""
    patterns, specimens = [], []
    for pattern, count in enumerate(specimens_per_pattern):
        for number in range(count):
            patterns += [pattern] * cells
            specimens += [f"{pattern}-{number}"] * cells
    return np.array(patterns), np.array(specimens)


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 5), min_size=2, max_size=6),
    cells=st.integers(4, 9),
    folds=st.integers(2, 4),
    seed=st.integers(0, 1000),
)
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_no_specimen_is_on_both_sides_and_every_cell_is_held_out_once(
    counts, cells, folds, seed
):
    patterns, specimens = some_cells(counts, cells)
    held_out = np.zeros(len(patterns), int)
    for fitted, held in inner_folds(patterns, specimens, folds, seed):
        assert not set(specimens[fitted]) & set(specimens[held])
        assert len(fitted) + len(held) == len(patterns)
        held_out[held] += 1
    assert (held_out == 1).all()


def test_every_fold_has_every_pattern_where_specimens_allow():
    patterns, specimens = some_cells([3, 3, 3, 3], 5)
    for fitted, held in inner_folds(patterns, specimens, 3, seed=0):
        assert set(patterns[fitted]) == set(patterns[held]) == {0, 1, 2, 3}


def test_the_seed_alone_deals_the_specimens():
    patterns, specimens = some_cells([6, 6], 4)

    def held(seed):
        dealt = inner_folds(patterns, specimens, 3, seed)
        return [tuple(part) for _, part in dealt]

    assert held(1) == held(1)
    assert len({tuple(held(seed)) for seed in range(5)}) > 1


def test_folds_are_no_more_than_specimens():
    patterns, specimens = some_cells([1, 1], 10)
    assert len(list(inner_folds(patterns, specimens, 5, seed=0))) == 2


def test_folds_are_no_more_than_cells_of_the_commonest_pattern():
    patterns, specimens = some_cells([2, 2, 2], 1)
    assert len(list(inner_folds(patterns, specimens, 5, seed=0))) == 2


@pytest.mark.parametrize(("counts", "cells"), [([1], 9), ([0, 1], 9), ([1, 1, 1], 1)])
def test_too_few_to_deal_is_refused(counts, cells):
    patterns, specimens = some_cells(counts, cells)
    with pytest.raises(SpecimensError, match="two specimens or more"):
        list(inner_folds(patterns, specimens, 3, seed=0))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spread", [0.3, 1.0, 8.0])
def test_sharpness_is_the_best_of_a_fine_grid(seed, spread):
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 4, 200)
    decisions = rng.normal(0, spread, (200, 4))
    decisions[np.arange(200), patterns] += spread
    grid = np.exp(np.linspace(np.log(0.01), np.log(100), 4001))
    losses = [
        -log_softmax(decisions * factor, axis=1)[np.arange(200), patterns].mean()
        for factor in grid
    ]
    found = fit_sharpness(decisions, patterns)
    step = grid[1] / grid[0]
    assert grid[np.argmin(losses)] / step <= found <= grid[np.argmin(losses)] * step


def test_sharpness_recovers_the_temperature_that_made_the_truth():
    rng = np.random.default_rng(0)
    decisions = rng.normal(0, 1, (20_000, 3))
    scores = to_scores(decisions, 2.5)
    patterns = (rng.random((20_000, 1)) > scores.cumsum(axis=1)).sum(axis=1)
    assert fit_sharpness(decisions, patterns.clip(0, 2)) == pytest.approx(2.5, rel=0.05)


def test_sharpness_stays_in_its_range():
    decisions = np.array([[0.1, 0.0], [0.1, 0.0]])
    assert fit_sharpness(decisions, np.array([1, 1])) == pytest.approx(0.01, rel=1e-3)
    assert fit_sharpness(decisions, np.array([0, 0])) == pytest.approx(100, rel=1e-3)


def test_a_pattern_that_is_not_known_does_not_change_the_sharpness():
    rng = np.random.default_rng(3)
    patterns = rng.integers(0, 2, 50)
    decisions = rng.normal(0, 1, (50, 2)) + np.eye(2)[patterns]
    whole = all_patterns(decisions, np.array([0, 1]), 5)
    assert fit_sharpness(whole, patterns) == fit_sharpness(decisions, patterns)


def test_scores_are_a_softmax():
    scores = to_scores(np.log([[1.0, 3.0], [4.0, 1.0]]), 2.0)
    np.testing.assert_allclose(scores, [[0.1, 0.9], [16 / 17, 1 / 17]], rtol=1e-6)
    assert scores.dtype == np.float32


def test_columns_stand_where_the_vocabulary_has_them():
    decisions = np.array([[1.0, 2.0, 3.0], [6.0, 5.0, 4.0]])
    inf = np.inf
    np.testing.assert_array_equal(
        all_patterns(decisions, np.array([0, 2, 3]), 5),
        [[1, -inf, 2, 3, -inf], [6, -inf, 5, 4, -inf]],
    )


def test_one_column_of_two_patterns_becomes_two():
    whole = all_patterns(np.array([0.5, -2.0]), np.array([1, 2]), 3)
    np.testing.assert_array_equal(whole, [[-np.inf, -0.5, 0.5], [-np.inf, 2.0, -2.0]])


@pytest.mark.parametrize("sharpness", [0.01, 1.0, 100.0])
def test_a_pattern_that_was_not_trained_on_has_no_score(sharpness):
    whole = all_patterns(np.array([0.5, -2.0]), np.array([0, 3]), 6)
    scores = to_scores(whole, sharpness)
    assert (scores[:, [1, 2, 4, 5]] == 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)


def test_no_cells_have_no_decisions():
    assert all_patterns(np.empty((0, 2)), np.array([0, 1]), 6).shape == (0, 6)
