"""The arithmetic that ties the paper's printed figures together."""

import numpy as np
import pytest

from training import paper
from training.evaluation.metrics import class_rates, mean_class_accuracy
from training.patterns import I3A
from training.splits.sampling import PAPER_VIEWS


@pytest.mark.parametrize(
    ("table", "printed"), [(paper.TABLE_4, 79.13), (paper.TABLE_5, 83.55)]
)
def test_tables_4_and_5(table, printed):
    """Whole cells are behind the printed rates; their pooled mean is printed too.

    Two entries of Table 4 (86.1668 and 13.3978) are printed cut, not rounded.
    """
    counts = paper.integer_table(table)
    assert counts.sum(axis=1).tolist() == paper.TASK1_CELLS.tolist()
    rates = 100 * counts / paper.TASK1_CELLS[:, None]
    assert np.abs(rates - table).max() < 0.01
    assert round(100 * mean_class_accuracy(counts), 2) == printed
    assert np.diag(table).mean() == pytest.approx(printed, abs=0.01)


def test_the_first_row_of_table_4_in_cells():
    """By hand: 86.16 % of 2494 is 2148.8, and so on."""
    row = paper.integer_table(paper.TABLE_4)[0]
    assert row.tolist() == [2149, 226, 14, 0, 105, 0]


def test_the_tables_give_the_printed_results():
    results = paper.MEAN_CLASS_ACCURACY
    for table, name in (
        (paper.TABLE_4, "set-3"),
        (paper.TABLE_5, "pooled-augmented"),
    ):
        found = 100 * class_rates(paper.integer_table(table)).mean()
        assert found == pytest.approx(results[name], abs=0.005)
    assert results["set-1-k-fold"] - results["set-1"] == pytest.approx(20.64)


def test_task_1():
    assert paper.TASK1_CELLS.sum() == 13596
    rest = paper.SET3_SPECIMENS - paper.TASK2_SPECIMENS
    assert rest.tolist() == [16, 16, 16, 16, 15, 4]
    assert rest.sum() == paper.TASK1_SPECIMENS == 83


def test_set_3_takes_41_cells_of_each_specimen():
    assert paper.SET3_CELLS.sum() == 13120
    assert (paper.SET3_CELLS % paper.CELLS_PER_SPECIMEN == 0).all()
    specimens = paper.SET3_CELLS // paper.CELLS_PER_SPECIMEN
    assert specimens.tolist() == paper.SET3_SPECIMENS.tolist()
    assert specimens.sum() == 320
    assert paper.TASK2_SPECIMENS.sum() == 237 == 320 - paper.TASK1_SPECIMENS


def test_41_is_the_only_number_of_cells_that_fits_all_six_patterns():
    assert np.gcd.reduce(paper.SET3_CELLS) == 41


def test_augmented_task_2_is_the_factors_times_the_counts():
    """The four counts we lack have one factor, so their sum is enough."""
    known = [count for count in paper.TASK2_CELLS if count is not None]
    augmented = [count for count in paper.TASK2_AUGMENTED if count is not None]
    factors = paper.TASK2_FACTORS.tolist()
    assert augmented == [
        factor * count for factor, count in zip(factors[4:], known, strict=True)
    ]
    assert set(factors[:4]) == {2}
    others = paper.TASK2_TOTAL - sum(known)
    assert others == 42763
    assert 2 * others + sum(augmented) == paper.TASK2_AUGMENTED_TOTAL


def test_the_eight_views_of_the_papers_text_do_not_give_its_total():
    others, numem, golgi = 42763, *paper.TASK2_CELLS[4:]
    assert 2 * others + 8 * numem + 8 * golgi != paper.TASK2_AUGMENTED_TOTAL
    assert "17,452 = 4 x 4,363" in paper.TASK2_FACTORS_NOTE


def test_the_views_that_are_trained_on_are_the_tables():
    views = [PAPER_VIEWS.get(name, 2) for name in I3A.names]
    assert views == paper.TASK2_FACTORS.tolist()


def test_the_compared_systems():
    ours = paper.COMPARED_SYSTEMS["paper-network"]
    assert ours == paper.MEAN_CLASS_ACCURACY["set-2"]
    ranked = sorted(
        paper.COMPARED_SYSTEMS, key=lambda name: paper.COMPARED_SYSTEMS[name]
    )
    assert ranked == ["lenet", "paper-network", "shape-index", "local-patterns"]
