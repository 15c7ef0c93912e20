import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import BadRunError
from training.evaluation.comparison import (
    compare,
    comparison_content,
    holm,
    matched,
    sign_flip_test,
    together,
)
from training.evaluation.metrics import confusion_matrix, mean_class_accuracy

TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SPECIMENS = np.array(["a", "a", "b", "b", "c", "c", "d", "d"])
FIRST = np.array([0, 1, 1, 1, 1, 0, 1, 1])
SECOND = np.array([0, 0, 0, 0, 1, 0, 0, 1])


def draw(specimens=24, cells=10, rates=(0.6, 0.8), seed=0):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(specimens) % 3, cells)
    ids = np.repeat([f"s{k}" for k in range(specimens)], cells)
    systems = [
        np.where(rng.random(len(truth)) < rate, truth, (truth + 1) % 3)
        for rate in rates
    ]
    return truth, *systems, ids


def flipped(truth, first, second, specimens, chosen):
    """The two systems with their names exchanged in the specimens `chosen`."""
    swap = np.isin(specimens, list(chosen))
    return np.where(swap, second, first), np.where(swap, first, second)


def difference(truth, first, second, n_patterns):
    accuracies = [
        mean_class_accuracy(confusion_matrix(truth, side, n_patterns))
        for side in (first, second)
    ]
    return accuracies[1] - accuracies[0]


def test_a_comparison_by_hand():
    """First: 1/4 and 3/4 right. Second: 4/4 and 2/4.

    The specimens add 1/8, 2/8, 0 and -1/8 to the difference of 2/8. Six of the eight
    ways to set three signs give 2/8 or more in size.
    """
    found = compare(TRUTH, FIRST, SECOND, SPECIMENS, 2)
    assert (found.n, found.specimens) == (8, 4)
    assert (found.first, found.second, found.difference) == (0.5, 0.75, 0.25)
    assert (found.first_better, found.second_better, found.equal) == (1, 2, 1)
    sums = [
        abs(a + 2 * b + c) for a, b, c in itertools.product((1, -1), (1, -1), (1, -1))
    ]
    assert sorted(sums) == [0, 0, 2, 2, 2, 2, 4, 4]
    assert found.p_value == 6 / 8
    assert found.exact


def test_the_exact_test_agrees_with_exchanging_predictions():
    truth, first, second, specimens = draw(specimens=7, cells=6, seed=2)
    names = np.unique(specimens)
    observed = abs(difference(truth, first, second, 3))
    as_large = 0
    subsets = [
        chosen
        for size in range(len(names) + 1)
        for chosen in itertools.combinations(names, size)
    ]
    for chosen in subsets:
        swapped = flipped(truth, first, second, specimens, chosen)
        as_large += abs(difference(truth, *swapped, 3)) >= observed - 1e-12
    found = compare(truth, first, second, specimens, 3)
    assert found.exact
    assert found.p_value == pytest.approx(as_large / len(subsets))


def test_a_pattern_of_one_cell_weighs_as_much_as_one_of_eight():
    """In sixteenths, the specimens add 8, -2 and -2: no flip gives less than 4.

    Counted by cells they would add 1, -2 and -2, and half the flips would give less.
    """
    truth = np.array([0] + [1] * 8)
    specimens = np.array(["a"] + ["b"] * 4 + ["c"] * 4)
    first = np.array([1] + [1] * 8)
    second = np.array([0] + [1, 1, 0, 0] * 2)
    found = compare(truth, first, second, specimens, 2)
    assert found.difference == pytest.approx(4 / 16)
    assert found.p_value == 1


def test_flips_are_sampled_where_there_are_many_specimens():
    terms = np.random.default_rng(1).normal(0.3, 1, 17)
    rng = np.random.default_rng(0)
    sampled, exact = sign_flip_test(terms, rng, 20000)
    assert not exact
    every = np.arange(2**17)[:, None] >> np.arange(17) & 1
    as_large = np.abs((1 - 2 * every) @ terms) >= abs(terms.sum())
    assert sampled == pytest.approx(as_large.mean(), abs=0.012)


def test_no_sampled_p_value_is_nought():
    found = sign_flip_test(np.ones(60), np.random.default_rng(0), 999)
    assert found == (1 / 1000, False)


def test_all_signs_alike_leave_two_of_all_flips():
    found = sign_flip_test(np.array([0.5, 1, 2]), np.random.default_rng(0), 10)
    assert found == (2 / 8, True)


def test_specimens_without_a_difference_do_not_count_as_many():
    """40 of 43 specimens are equal: the other three are flipped in all ways."""
    terms = np.zeros(43)
    terms[:3] = 0.1
    assert sign_flip_test(terms, np.random.default_rng(0), 10) == (0.25, True)


def test_a_system_is_no_better_than_itself():
    found = compare(TRUTH, FIRST, FIRST, SPECIMENS, 2)
    assert found.difference == 0
    assert found.interval == (0, 0)
    assert (found.first_better, found.second_better, found.equal) == (0, 0, 4)
    assert found.p_value == 1


def test_the_p_value_is_even_where_there_is_no_difference():
    """Two equal systems: at most a share alpha of p-values is at most alpha."""
    p_values = np.array(
        [
            compare(*draw(rates=(0.7, 0.7), seed=k), 3, draws=200).p_value
            for k in range(200)
        ]
    )
    assert (p_values <= 0.1).mean() < 0.17
    assert (p_values <= 0.5).mean() > 0.35


def test_the_interval_is_paired():
    """Both miss the same specimens, so the difference is far surer than either."""
    truth, _, _, specimens = draw(specimens=40, cells=20)
    rng = np.random.default_rng(5)
    hard = np.isin(specimens, [f"s{k}" for k in range(0, 40, 2)])
    wrong = (truth + 1) % 3
    first = np.where(hard, wrong, truth)
    second = np.where(rng.random(len(truth)) < 0.1, truth, first)
    found = compare(truth, first, second, specimens, 3)
    low, high = found.interval
    assert low < found.difference < high
    assert low > 0
    assert high - low < 0.06


def test_the_interval_is_over_specimens_not_cells():
    """Four specimens of 50 cells, each recognised by one of the systems.

    Of four values 1, 1, -1, -1 the standard error is sqrt(4 / 3) / 2.
    """
    truth = np.zeros(200, np.int64)
    specimens = np.repeat(["a", "b", "c", "d"], 50)
    first = np.repeat([0, 1], 100)
    found = compare(truth, first, 1 - first, specimens, 2)
    reach = 4.3027 * np.sqrt(4 / 3) / 2
    assert found.interval == pytest.approx((-reach, reach), abs=1e-4)
    assert found.p_value == 1


def test_one_specimen_has_no_interval():
    truth = np.zeros(4, np.int64)
    found = compare(truth, truth + 1, truth, np.array(["a"] * 4), 2)
    assert found.interval is None
    assert (found.difference, found.p_value) == (1, 1)


def test_a_pattern_without_cells_has_no_weight():
    with_more = compare(TRUTH, FIRST, SECOND, SPECIMENS, 6)
    assert with_more == compare(TRUTH, FIRST, SECOND, SPECIMENS, 2)


@given(st.integers(0, 50), st.integers(6, 20))
def test_the_other_way_round_is_the_mirror_image(seed, specimens):
    truth, first, second, ids = draw(specimens, 4, seed=seed)
    there = compare(truth, first, second, ids, 3, draws=100)
    back = compare(truth, second, first, ids, 3, draws=100)
    assert back.difference == -there.difference
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert (back.first_better, back.equal) == (there.second_better, there.equal)
    assert back.p_value == there.p_value


@given(st.integers(0, 50), st.randoms(use_true_random=False))
def test_the_order_of_cells_does_not_matter(seed, random):
    cells = draw(6, 4, seed=seed)
    order = random.sample(range(24), 24)
    mixed = [side[order] for side in cells]
    assert compare(*mixed, 3, draws=50) == compare(*cells, 3, draws=50)


def test_the_same_seed_gives_the_same_comparison():
    cells = draw(seed=1, rates=(0.68, 0.72))
    found = [compare(*cells, 3, seed=seed, draws=500) for seed in (7, 7, 8)]
    assert found[0] == found[1]
    assert found[0].p_value != found[2].p_value
    assert not found[0].exact


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(BadRunError, match="8, 7, 8, 8 cells"):
        compare(TRUTH, FIRST[:-1], SECOND, SPECIMENS, 2)
    nothing = TRUTH[:0]
    with pytest.raises(BadRunError, match="no cell was held out"):
        compare(nothing, nothing, nothing, SPECIMENS[:0], 2)


def test_comparisons_looked_at_together_are_adjusted():
    """p-values 3/4 and 1 of two comparisons: 2 * 3/4 and 1, at most 1."""
    pair = [compare(TRUTH, FIRST, one, SPECIMENS, 2) for one in (SECOND, FIRST)]
    assert [one.p_holm for one in pair] == [None, None]
    assert [one.p_holm for one in together(pair)] == [1, 1]
    assert together(pair[:1])[0].p_holm == 3 / 4
    assert together([]) == []


def test_the_content_is_plain_json():
    content = comparison_content(compare(TRUTH, FIRST, SECOND, SPECIMENS, 2))
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["difference"] == 0.25
    assert content["p_value"] == 0.75


def test_holm_by_hand():
    """0.01, 0.03, 0.04 times 3, 2, 1; none may be below the one before."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.9]).tolist() == [1, 1]
    assert holm([0.2]).tolist() == [0.2]
    assert holm([]).tolist() == []


def step_down(p_values, alpha):
    """Holm's procedure as he states it: reject from the least on, stop at the first."""
    rejected = set()
    for rank, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        if p_values[k] * (len(p_values) - rank) > alpha:
            break
        rejected.add(k)
    return rejected


@given(st.lists(st.floats(1e-6, 1), max_size=12), st.floats(0.001, 0.5))
def test_holm_claims_what_the_step_down_procedure_claims(p_values, alpha):
    claimed = set(np.flatnonzero(holm(p_values) <= alpha).tolist())
    assert claimed == step_down(p_values, alpha)


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_adjustment_and_bonferroni(p_values):
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(len(p_values) * np.array(p_values), 1)).all()


@given(st.sets(st.text("abc1", min_size=1), min_size=1), st.data())
def test_matched_brings_cells_into_one_order(names, data):
    first = np.array(data.draw(st.permutations(sorted(names))))
    second = np.array(data.draw(st.permutations(sorted(names))))
    first_rows, second_rows = matched(first, second)
    assert first[first_rows].tolist() == second[second_rows].tolist() == sorted(names)


def test_matched_refuses_cells_of_one_run_only():
    with pytest.raises(BadRunError) as caught:
        matched(np.array(["a", "b"]), np.array(["b", "c", "d"]))
    assert str(caught.value) == (
        "the compared runs: 3 cells were held out in only one of them; "
        "compare runs that held out the same cells."
    )


def test_matched_refuses_an_id_that_stands_twice():
    with pytest.raises(BadRunError, match="the id b stands for more than one cell"):
        matched(np.array(["a", "b"]), np.array(["b", "a", "b"]))
