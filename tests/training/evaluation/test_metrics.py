import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from training import paper
from training.evaluation.intervals import rate_intervals
from training.evaluation.metrics import (
    basis_words,
    borrowed_words,
    by_specimen,
    class_rates,
    confusion_matrix,
    mean_class_accuracy,
    measure,
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


def test_the_figures_carry_the_intervals_of_the_specimens():
    rng = np.random.default_rng(3)
    specimens = np.repeat(np.arange(20).astype(str), 10)
    truth = np.repeat(np.arange(20) % 3, 10)
    predicted = np.where(rng.random(200) < 0.7, truth, (truth + 1) % 3)
    found = measure(truth, predicted, specimens, 4)
    right = by_specimen(truth == predicted, truth, specimens, 4)
    total = by_specimen(np.ones(200), truth, specimens, 4)
    expected = rate_intervals(right, total)
    assert found.interval == pytest.approx(expected.mean)
    assert found.rate_intervals[1] == pytest.approx(expected.each[1])
    assert found.rate_intervals[3] is None
    assert not found.borrowed.any()


def test_one_specimen_has_no_interval():
    zeros = np.zeros(3, np.int64)
    found = measure(zeros, zeros, np.array(["a"] * 3), 2)
    assert (found.interval, found.rate_intervals) == (None, (None, None))


def test_sums_by_specimen_and_pattern():
    specimens = np.array(["b", "a", "b", "b"])
    truth = np.array([0, 1, 0, 2])
    sums = by_specimen(np.array([0.5, 1, 2, 4]), truth, specimens, 3)
    assert sums.tolist() == [[0, 1, 0], [2.5, 0, 4]]


def test_words_on_what_a_mean_rests_on():
    names = ("a", "b", "c")
    truth = np.repeat([0, 1], [6, 1])
    specimens = np.array(list("pqrstuv"))
    predicted = np.array([0, 0, 0, 0, 1, 1, 1])
    found = measure(truth, predicted, specimens, 3)
    assert basis_words(found) == "over 2 of 3 patterns"
    assert borrowed_words(found, names).startswith("b has one specimen: how far")
    whole = measure(truth[:6], predicted[:6], specimens[:6], 1 + 1)
    assert borrowed_words(whole, names[:2]) == ""
    assert basis_words(measure(truth, predicted, specimens, 2)) == ""
