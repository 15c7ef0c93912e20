import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.models.features.kernel_ridge.choice import Choice, Recipe
from training.models.features.kernel_ridge.fourier import FourierMap
from training.models.features.kernel_ridge.live import UNLABELLED, LiveFolds
from training.models.features.kernel_ridge.sums import sum_cells

pytestmark = pytest.mark.usefixtures("one_thread")
FOURIER = FourierMap.draw((3, 2), (1.0, 1.0), 1.0, 8)
CHOICE = Choice(Recipe((1.0, 0.5), 2.0, 1e-3), 0.8, 2.0)


def some_cells(seed=0, count=60):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 5)).astype(np.float32)
    specimens = np.char.add("s", (np.arange(count) // 5).astype(str))
    return features, np.arange(count) // 5 % 3, specimens


def live(features, patterns, specimens):
    drawn, truth, _ = some_cells(9, 15)
    simulated = sum_cells(FOURIER.lift(drawn), truth)
    return LiveFolds(FOURIER, features, patterns, specimens, CHOICE, 4, simulated)


@given(
    changes=st.lists(
        st.tuples(st.integers(0, 59), st.integers(-1, 3)), min_size=1, max_size=12
    )
)
@settings(max_examples=25, deadline=None)
def test_after_changes_it_is_the_same_as_from_these_labels(changes):
    features, patterns, specimens = some_cells()
    folds = live(features, patterns, specimens)
    folds.scores(patterns)
    changed = patterns.copy()
    for row, pattern in changes:
        changed[row] = pattern
    found = folds.scores(changed)
    again = live(features, changed, specimens).scores(changed)
    np.testing.assert_allclose(found, again, rtol=0, atol=1e-6)


def test_a_change_that_is_taken_back_gives_the_same_bits():
    features, patterns, specimens = some_cells()
    folds = live(features, patterns, specimens)
    before = folds.scores(patterns)
    changed = patterns.copy()
    changed[[3, 17, 40]] = 1, UNLABELLED, 2
    assert not np.array_equal(folds.scores(changed), before)
    assert folds.scores(patterns).tobytes() == before.tobytes()


def test_the_labels_of_a_specimen_do_not_change_its_own_scores():
    features, patterns, specimens = some_cells()
    folds = live(features, patterns, specimens)
    before = folds.scores(patterns)
    changed = patterns.copy()
    changed[:5] = 2
    after = folds.scores(changed)
    np.testing.assert_allclose(after[:5], before[:5], rtol=0, atol=1e-6)
    assert np.abs(after[5:] - before[5:]).max() > 1e-3


def test_two_patterns_must_be_left():
    features, _, specimens = some_cells()
    alone = np.where(np.arange(60) < 5, 0, 1)
    folds = LiveFolds(FOURIER, features, alone, specimens, CHOICE, 4)
    found = folds.scores(alone)
    assert np.isnan(found[:5]).all()
    assert np.isfinite(found[5:]).all()


def test_specimens_left_aside_are_trained_on_by_no_fold():
    features, patterns, specimens = some_cells()
    folds = live(features, patterns, specimens)
    aside = (1, 4, 11)
    found = folds.scores(patterns, aside)
    ordered = np.unique(specimens)
    hidden = np.where(np.isin(specimens, ordered[list(aside)]), UNLABELLED, patterns)
    expected = live(features, hidden, specimens).scores(hidden)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.abs(found - folds.scores(patterns)).max() > 1e-3
