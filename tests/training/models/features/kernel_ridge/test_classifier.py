from dataclasses import replace

import numpy as np
import pytest

from training.config import KernelRidgeSettings
from training.data.cells.cell_set import SIMULATED
from training.errors import BadSettingError, InterruptedRunError, SpecimensError
from training.models.base import EpochRecord
from training.models.features.families import FamilyFeatures
from training.models.features.kernel_ridge import KernelRidge
from training.models.features.kernel_ridge.sums import Equations, sum_cells
from training.models.features.store import FeatureStore
from training.splits.protocols import leave_one_specimen_out
from training.splits.samples import Samples

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = KernelRidgeSettings(input_size=32, fourier=60, chosen_on=24)


@pytest.fixture(scope="module")
def drawn(make_cells):
    """Cells of three specimens a pattern, with masks; the last two are simulated."""
    cells = make_cells((3, 3, 3, 3, 3, 3), cells=5)
    cells = replace(cells, masks=np.ones(cells.images.shape, bool))
    extra = np.isin(cells.specimens, ["52", "42"])
    names = np.where(extra, np.char.add(SIMULATED, cells.specimens), cells.specimens)
    return replace(cells, extra=extra, specimens=names)


@pytest.fixture
def bind(tmp_path):
    def bound(cells, settings=SMALL):
        families = FamilyFeatures(settings)
        store = FeatureStore(families, families.recipe, cells, tmp_path)
        return KernelRidge(settings, cells, store)

    return bound


def drain(fitting):
    """Return the records of a fit and its held-out scores."""
    records = []
    try:
        while True:
            records.append(next(fitting))
    except StopIteration as end:
        return records, end.value


def test_each_held_out_specimen_is_scored(bind, drawn):
    classifier, right = bind(drawn), []
    for fold in leave_one_specimen_out(drawn).folds[:4]:
        samples = Samples.plain(fold.train)
        (record,), held = drain(classifier.fit(samples, fold.test, seed=0))
        assert isinstance(record, EpochRecord)
        assert held.scores.shape == (len(fold.test), 6)
        assert held.scores.sum(axis=1) == pytest.approx(1)
        right += (held.scores.argmax(1) == drawn.patterns[fold.test]).tolist()
        assert held.chosen["simulated cells"] in SMALL.simulated_cells
        assert held.chosen["shape-index"] == 1
        assert held.chosen["intensities"] in SMALL.family_weights
    assert np.mean(right) > 0.5


def test_a_fold_is_solved_as_if_it_were_alone(bind, drawn):
    """Sums of all cells less the held-out ones, against those of its cells alone."""
    classifier = bind(drawn)
    fold = leave_one_specimen_out(drawn).folds[5]
    choice = classifier.choose(fold.train)
    shared = classifier.solve(fold.train, choice)
    alone = bind(drawn.take(fold.train))
    assert alone.choose(np.arange(len(fold.train))).recipe == choice.recipe
    again = alone.solve(np.arange(len(fold.train)), choice)
    np.testing.assert_allclose(
        shared.coefficients, again.coefficients, rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("change", ["labels", "count", "pixels"])
def test_a_held_out_specimen_changes_nothing_of_its_fold(bind, drawn, change):
    fold = leave_one_specimen_out(drawn).folds[2]
    before = bind(drawn)
    choice = before.choose(fold.train)
    expected = before.solve(fold.train, choice).coefficients
    rng, train = np.random.default_rng(0), fold.train
    if change == "labels":
        patterns = drawn.patterns.copy()
        patterns[fold.test] = rng.integers(6, size=len(fold.test))
        other = replace(drawn, patterns=patterns)
    elif change == "pixels":
        images = drawn.images.copy()
        images[fold.test] = rng.integers(256, size=images[fold.test].shape)
        other = replace(drawn, images=images)
    else:
        kept = np.delete(np.arange(len(drawn)), fold.test[1:])
        other, train = drawn.take(kept), np.flatnonzero(np.isin(kept, train))
    after = bind(other)
    chosen = after.choose(train)
    assert chosen.recipe == choice.recipe
    assert chosen.accuracy == choice.accuracy
    assert chosen.sharpness == pytest.approx(choice.sharpness, rel=1e-4)
    found = after.solve(train, choice).coefficients
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


def test_the_choice_is_the_best_of_all_inner_refits(bind, drawn):
    """Each inner fold refitted from its cells, in double precision, by hand."""
    settings = SMALL.model_copy(
        update={
            "families": ("shape-index", "intensities"),
            "family_weights": (0.0, 2.0),
            "penalties": (1e-4, 3.0),
        }
    )
    cells = drawn.take(np.flatnonzero(drawn.own))
    rng = np.random.default_rng(3)
    cells = replace(
        cells,
        images=(cells.images // 3 + rng.integers(0, 160, cells.images.shape)).astype(
            np.uint8
        ),
    )
    classifier = bind(cells, settings)
    rows = np.arange(len(cells))
    choice = classifier.choose(rows)
    few = classifier.fourier.first(settings.chosen_on)
    lifted = few.lift(FamilyFeatures(settings).compute(cells.images, cells.masks))
    rates = {}
    for weight in settings.family_weights:
        columns, penalties = few.columns((1.0, weight))
        for penalty in settings.penalties:
            found = np.zeros(len(cells), np.int64)
            for name in np.unique(cells.specimens):
                out = cells.specimens == name
                sums = sum_cells(lifted[~out], cells.patterns[~out])
                solved = Equations.of(sums).solve(columns, penalty * penalties, 6)
                found[out] = (lifted[out] @ solved).argmax(axis=1)
            right = found == cells.patterns
            rates[weight, penalty] = np.mean(
                [right[cells.patterns == k].mean() for k in range(6)]
            )
    assert len(set(rates.values())) > 1
    assert choice.accuracy == pytest.approx(max(rates.values()))
    best = choice.recipe.weights[1], choice.recipe.penalty
    assert rates[best] == max(rates.values())


def test_of_many_specimens_some_of_each_pattern_are_left_out(bind, drawn):
    settings = SMALL.model_copy(update={"inner_specimens": 6})
    some = bind(drawn, settings)._chosen_on.specimens(np.arange(len(drawn)), 6)
    assert sorted({int(one.patterns[0]) for one in some}) == list(range(6))
    assert len(some) == 6


def test_cells_of_one_pattern_are_refused(bind, drawn):
    rows = np.flatnonzero(drawn.patterns == 0)
    with pytest.raises(SpecimensError, match="one pattern only"):
        bind(drawn).choose(rows)


def test_cells_drawn_anew_are_refused(bind, drawn):
    weighted = Samples(np.arange(9), np.zeros(9, np.int64), np.full(9, 1 / 9))
    with pytest.raises(BadSettingError, match="balance"):
        next(bind(drawn).fit(weighted, np.arange(3), seed=0))


def test_a_fit_can_be_stopped(bind, drawn):
    fold = leave_one_specimen_out(drawn).folds[0]
    fitting = bind(drawn).fit(
        Samples.plain(fold.train), fold.test, seed=0, should_stop=lambda: True
    )
    with pytest.raises(InterruptedRunError):
        next(fitting)
