import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.models.features.kernel_ridge.sums import (
    Equations,
    decide,
    less,
    sum_cells,
    with_simulated,
)

SIZE, PATTERNS = 7, 4


def some_cells(rng, count):
    """Draw lifted features, patterns and specimens; the last feature is 1."""
    lifted = rng.normal(size=(count, SIZE)).astype(np.float32)
    lifted[:, -1] = 1
    return lifted, rng.integers(PATTERNS, size=count), rng.integers(9, size=count)


def refit(lifted, patterns, drawn, drawn_patterns, cells, penalties):
    """Solve weighted least squares cell by cell, by numpy's own least squares."""
    features = np.vstack([lifted, drawn]).astype(np.float64)
    truth = np.concatenate([patterns, drawn_patterns])
    real = np.arange(len(truth)) < len(patterns)
    weights = np.zeros(len(truth))
    for k in np.unique(truth):
        of_real, of_drawn = (truth == k) & real, (truth == k) & ~real
        counted = cells if of_drawn.any() else 0
        total = of_real.sum() + counted
        weights[of_real] = 1 / total
        if of_drawn.any():
            weights[of_drawn] = counted / of_drawn.sum() / total
    weights /= len(np.unique(truth))
    targets = np.where(truth[:, None] == np.unique(truth), 1.0, -1.0)
    root = np.sqrt(weights)[:, None]
    rows = np.vstack([root * features, np.diag(np.sqrt(penalties))])
    right = np.vstack([root * targets, np.zeros((SIZE, targets.shape[1]))])
    return np.unique(truth), np.linalg.lstsq(rows, right, rcond=None)[0]


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(12, 80),
    held=st.sets(st.integers(0, 8), min_size=1, max_size=6),
    cells=st.sampled_from([0.5, 3.0, 100.0]),
    penalty=st.floats(1e-4, 10),
)
@settings(max_examples=60, deadline=None)
def test_a_fold_is_the_refit_from_scratch(seed, count, held, cells, penalty):
    """Over random cells, folds, weights and patterns, some of which go with a fold."""
    rng = np.random.default_rng(seed)
    lifted, patterns, specimens = some_cells(rng, count)
    drawn, drawn_patterns, _ = some_cells(rng, 11)
    drawn_patterns %= PATTERNS - 1
    out = np.isin(specimens, list(held))
    if out.all():
        return
    penalties = penalty * rng.uniform(0.2, 5, SIZE)
    everything = sum_cells(lifted, patterns)
    simulated = sum_cells(drawn, drawn_patterns)
    fold = less(everything, sum_cells(lifted[out], patterns[out]))
    equations = Equations.of(with_simulated(fold, simulated, cells))
    columns = np.arange(SIZE)
    found = equations.solve(columns, penalties, PATTERNS)
    present, expected = refit(
        lifted[~out], patterns[~out], drawn, drawn_patterns, cells, penalties
    )
    assert equations.patterns.tolist() == present.tolist()
    np.testing.assert_allclose(found[:, present], expected, rtol=0, atol=1e-8)
    absent = np.setdiff1d(np.arange(PATTERNS), present)
    assert not found[:, absent].any()


@given(seed=st.integers(0, 2**32 - 1), inner=st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_equations_without_a_specimen_are_those_of_the_others(seed, inner):
    rng = np.random.default_rng(seed)
    lifted, patterns, specimens = some_cells(rng, 40)
    out = specimens == inner
    if out.all() or not out.any():
        return
    sums = with_simulated(
        sum_cells(lifted, patterns), sum_cells(lifted[:3], patterns[:3]), 2.0
    )
    fewer = Equations.of(sums).without(sums, sum_cells(lifted[out], patterns[out]))
    again = Equations.of(
        with_simulated(
            sum_cells(lifted[~out], patterns[~out]),
            sum_cells(lifted[:3], patterns[:3]),
            2.0,
        )
    )
    assert fewer.patterns.tolist() == again.patterns.tolist()
    np.testing.assert_allclose(fewer.matrix, again.matrix, rtol=0, atol=1e-10)
    np.testing.assert_allclose(fewer.totals, again.totals, rtol=0, atol=1e-10)


def test_two_cells_by_hand():
    """Features 1 and -1, targets +-1, weights 1/2: (1 + 1/2 + 1/2) B = (1, -1)."""
    lifted = np.array([[1], [-1]], np.float32)
    equations = Equations.of(sum_cells(lifted, np.array([0, 1])))
    assert equations.matrix.tolist() == [[1.0]]
    found = equations.solve(np.array([0]), np.array([1.0]), 2)
    assert found[0] == pytest.approx([0.5, -0.5])
    shown = decide(lifted, found, equations.patterns)
    assert shown == pytest.approx(np.array([[0.5, -0.5], [-0.5, 0.5]]))


def test_a_column_that_is_not_fitted_on_has_no_coefficient():
    rng = np.random.default_rng(1)
    lifted, patterns, _ = some_cells(rng, 30)
    columns = np.array([0, 2, 6])
    found = Equations.of(sum_cells(lifted, patterns)).solve(columns, np.ones(3), 4)
    alone = Equations.of(sum_cells(lifted[:, columns], patterns))
    np.testing.assert_array_equal(
        found[columns], alone.solve(np.arange(3), np.ones(3), 4)
    )
    assert not np.delete(found, columns, axis=0).any()


def test_a_pattern_that_was_not_trained_on_cannot_win():
    coefficients = np.zeros((1, 3))
    coefficients[0, 1] = -5.0
    found = decide(np.ones((1, 1)), coefficients, np.array([1]))
    assert found.argmax() == 1


def test_nothing_is_fitted_on_no_cell():
    with pytest.raises(ValueError, match="no cell"):
        Equations.of({})
