import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from training import paper
from training.evaluation.metrics import (
    by_specimen,
    class_rates,
    confusion_matrix,
    draw_within,
    drawn_rates,
    mean_class_accuracy,
    measure,
    specimen_interval,
)


def test_a_confusion_matrix_written_by_hand():
    truth = np.array([0, 0, 1, 2, 2, 2])
    predicted = np.array([0, 1, 1, 2, 0, 2])
    expected = [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    found = confusion_matrix(truth, predicted, 3)
    assert found.tolist() == expected
    assert class_rates(found) == pytest.approx([0.5, 1, 2 / 3])
    assert mean_class_accuracy(found) == pytest.approx((0.5 + 1 + 2 / 3) / 3)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_agrees_with_scikit_learn(pairs):
    truth, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    confusion = confusion_matrix(truth, predicted, 6)
    expected = sklearn_confusion(truth, predicted, labels=range(6))
    assert np.array_equal(confusion, expected)
    if set(predicted) <= set(truth):
        balanced = balanced_accuracy_score(truth, predicted)
        assert mean_class_accuracy(confusion) == pytest.approx(balanced)


def test_a_class_without_cells_has_no_rate_and_no_weight():
    confusion = confusion_matrix(np.array([0, 0, 2]), np.array([0, 0, 0]), 3)
    assert np.isnan(class_rates(confusion)[1])
    assert mean_class_accuracy(confusion) == pytest.approx(0.5)


def test_cells_of_the_papers_table_measure_as_printed():
    """The same through single cells: 13,596 of them, as a run would pool them."""
    counts = paper.integer_table(paper.TABLE_4)
    truth, predicted = (
        np.repeat(side, counts.ravel()) for side in np.indices((6, 6)).reshape(2, -1)
    )
    metrics = measure(truth, predicted, truth.astype(str), 6)
    assert metrics.n == 13596
    assert metrics.confusion.tolist() == counts.tolist()
    assert 100 * metrics.mean_class_accuracy == pytest.approx(79.13, abs=0.005)


def test_the_interval_is_over_specimens_not_cells():
    """100 cells of 2 specimens, one all right and one all wrong, leave 0 to 1."""
    truth = np.zeros(100, np.int64)
    predicted = np.repeat([0, 1], 50)
    specimens = np.repeat(["a", "b"], 50)
    rng = np.random.default_rng(0)
    assert specimen_interval(truth, predicted, specimens, 2, rng) == (0.0, 1.0)


def test_the_interval_agrees_with_a_loop():
    rng = np.random.default_rng(3)
    specimens = np.repeat(np.arange(20).astype(str), 10)
    truth = np.repeat(np.arange(20) % 3, 10)
    predicted = np.where(rng.random(200) < 0.7, truth, (truth + 1) % 3)
    low, high = specimen_interval(truth, predicted, specimens, 3, rng, 4000)
    drawn = []
    for _ in range(1500):
        chosen = np.concatenate(
            [
                rng.choice(np.flatnonzero(np.arange(20) % 3 == k), n)
                for k, n in zip(range(3), (7, 7, 6), strict=True)
            ]
        )
        rows = np.concatenate([np.flatnonzero(specimens == str(s)) for s in chosen])
        table = confusion_matrix(truth[rows], predicted[rows], 3)
        drawn.append(mean_class_accuracy(table))
    assert (low, high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.015)


def test_one_specimen_has_no_interval():
    zeros = np.zeros(3, np.int64)
    rng = np.random.default_rng(0)
    assert specimen_interval(zeros, zeros, np.array(["a"] * 3), 2, rng) is None


def test_sums_by_specimen_and_pattern():
    specimens = np.array(["b", "a", "b", "b"])
    truth = np.array([0, 1, 0, 2])
    sums = by_specimen(np.array([0.5, 1, 2, 4]), truth, specimens, 3)
    assert sums.tolist() == [[0, 1, 0], [2.5, 0, 4]]


def test_a_draw_keeps_how_many_specimens_a_pattern_has():
    stratum = np.array([0, 1, 0, 1, 1, 3])
    weights = draw_within(stratum, np.random.default_rng(0), 500)
    for value, size in ((0, 2), (1, 3), (3, 1)):
        assert (weights[:, stratum == value].sum(axis=1) == size).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.15)
    assert weights[:, 0].std() > 0.5


def test_the_rates_of_a_draw():
    """Specimens drawn 2, 1 and 0 times, so none of pattern 1; then the third alone."""
    right, total = (
        np.array([[1.0, 0], [4, 0], [1, 2]]),
        np.array([[2.0, 0], [5, 0], [1, 3]]),
    )
    rates = drawn_rates(np.array([[2.0, 1, 0], [0, 0, 1]]), right, total)
    assert rates[0, 0] == pytest.approx(6 / 9)
    assert np.isnan(rates[0, 1])
    assert rates[1] == pytest.approx([1, 2 / 3])
