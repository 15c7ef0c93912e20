import numpy as np
import pytest
from scipy.special import softmax
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC

from training.config import ShapeIndexSettings
from training.errors import InterruptedRunError, SpecimensError
from training.models.features.base import Bag
from training.models.features.shape_index import ShapeIndexSystem
from training.models.features.shape_index import choice as module
from training.models.features.shape_index.choice import choose, decide, fit_svm
from training.models.features.svm import fit_sharpness

SMALL = ShapeIndexSettings(scales=(1.0, 2.0, 4.0), bins=6, rings=3)


def some_bag(
    patterns=(0, 1, 2), specimens=4, cells=6, length=10, seed=0, spread=1.0, apart=2.0
) -> Bag:
    """Features around a centre a pattern, and another a specimen."""
    rng = np.random.default_rng(seed)
    features, truth, names = [], [], []
    for k in patterns:
        for number in range(specimens):
            centre = apart * np.eye(length)[k] + rng.normal(0, 0.5, length)
            features.append(rng.normal(centre, spread, (cells, length)))
            truth += [k] * cells
            names += [f"{k}-{number}"] * cells
    count = len(truth)
    pixels = np.zeros((count, 8, 8), np.uint8)
    return Bag(
        pixels,
        pixels == 0,
        np.concatenate(features).astype(np.float32),
        np.array(truth),
        np.array(names),
    )


def test_a_decision_is_the_mean_margin_of_the_pairs_of_scikit_learn():
    """Each pair of patterns is an SVM of its own, fitted on their cells alone."""
    train, test = some_bag(seed=0), some_bag(seed=1)
    found = decide(fit_svm(train.features, train.patterns, 3.0, 0.07), test.features, 3)
    features = train.features.astype(np.float64)
    mean, deviation = features.mean(0), features.std(0)
    scaled, shown = (features - mean) / deviation, (test.features - mean) / deviation
    expected = np.zeros((len(test), 3))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        rows = np.isin(train.patterns, (one, other))
        svm = SVC(C=3.0, gamma=0.07).fit(scaled[rows], train.patterns[rows])
        margin = svm.decision_function(shown)
        expected[:, other] += margin / 2
        expected[:, one] -= margin / 2
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_the_choice_is_the_best_of_all_on_inner_folds():
    """The inner folds walked through once more, by scikit-learn alone."""
    train = some_bag(patterns=(0, 1, 2, 3), spread=2.0)
    settings = ShapeIndexSettings(
        c_values=(0.01, 1.0, 100.0), gamma_factors=(0.03, 1.0, 10.0)
    )
    found = choose(train, settings, 4, seed=5)
    results = {}
    for c in (0.01, 1.0, 100.0):
        for gamma in (0.003, 0.1, 1.0):
            folds = StratifiedGroupKFold(3, shuffle=True, random_state=5)
            decisions = np.empty((len(train), 4))
            for fitted, held in folds.split(
                train.features, train.patterns, train.specimens
            ):
                svm = fit_svm(train.features[fitted], train.patterns[fitted], c, gamma)
                decisions[held] = decide(svm, train.features[held], 4)
            right = decisions.argmax(1) == train.patterns
            accuracy = np.mean([right[train.patterns == k].mean() for k in range(4)])
            results[c, gamma] = accuracy, decisions
    accuracies = [accuracy for accuracy, _ in results.values()]
    assert len({round(accuracy, 6) for accuracy in accuracies}) > 2
    assert found.accuracy == pytest.approx(max(accuracies))
    (c, gamma), (accuracy, decisions) = max(
        results.items(), key=lambda item: (item[1][0], -item[0][0], -item[0][1])
    )
    assert (found.c, found.gamma) == pytest.approx((c, gamma))
    assert found.accuracy == pytest.approx(accuracy)
    assert found.sharpness == pytest.approx(
        fit_sharpness(decisions, train.patterns), rel=1e-3
    )


def test_of_equal_choices_the_smoothest_is_taken():
    settings = ShapeIndexSettings(c_values=(100, 1, 10), gamma_factors=(0.5, 0.1))
    found = choose(some_bag(apart=20), settings, 3, seed=0)
    assert (found.accuracy, found.c) == (1, 1)
    assert found.gamma == pytest.approx(0.1 / 10)


def test_classes_count_alike_in_the_choice_however_many_cells_they_have():
    found = module._mean_class_accuracy(np.zeros(10, int), np.array([0] * 9 + [1]))
    assert found == 0.5


def test_scaler_and_svm_of_an_inner_fold_do_not_see_its_held_specimens(monkeypatch):
    train = some_bag()
    rows = map(tuple, train.features)
    names = dict(zip(rows, train.specimens, strict=True))
    sides = []

    def specimens(features):
        return {names[tuple(row)] for row in features}

    def fit(features, *rest):
        sides.append([specimens(features), None])
        return fit_svm(features, *rest)

    def decided(svm, features, n_patterns):
        sides[-1][1] = specimens(features)
        return decide(svm, features, n_patterns)

    monkeypatch.setattr(module, "fit_svm", fit)
    monkeypatch.setattr(module, "decide", decided)
    choose(train, ShapeIndexSettings(), 3, seed=0)
    assert len(sides) == 3 * 3 * 3
    for seen, held in sides:
        assert held
        assert not seen & held
        assert seen | held == set(train.specimens)


def test_scores_are_the_softmax_of_sharpened_decisions():
    train, test = some_bag(seed=0), some_bag(seed=1)
    settings = ShapeIndexSettings()
    system = ShapeIndexSystem(settings, 3)
    system.fit(train, 0, lambda: False)
    (scores,) = system.members(test)
    choice = choose(train, settings, 3, seed=0)
    svm = fit_svm(train.features, train.patterns, choice.c, choice.gamma)
    decisions = decide(svm, test.features, 3)
    expected = softmax(choice.sharpness * decisions, axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert scores.dtype == np.float32


def test_the_same_seed_gives_the_same_scores():
    train, test = some_bag(spread=2.0), some_bag(seed=1, spread=2.0)

    def scores():
        system = ShapeIndexSystem(ShapeIndexSettings(), 3)
        system.fit(train, 7, lambda: False)
        return system.members(test)[0]

    np.testing.assert_array_equal(scores(), scores())


@pytest.mark.parametrize("patterns", [(0, 2, 4), (1, 5)])
def test_patterns_that_were_not_trained_on_have_no_score(patterns):
    system = ShapeIndexSystem(ShapeIndexSettings(), 6)
    system.fit(some_bag(patterns), 0, lambda: False)
    (scores,) = system.members(some_bag(patterns, seed=1))
    assert scores.shape[1] == 6
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    others = [k for k in range(6) if k not in patterns]
    assert (scores[:, others] == 0).all()
    assert (scores[:, list(patterns)] > 0).all()


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_a_pattern_of_one_specimen_is_trained_on_but_not_chosen_by():
    many = some_bag((0, 1), apart=20)
    one = some_bag((2,), specimens=1, apart=20)
    train = Bag(
        *(
            np.concatenate([getattr(bag, name) for bag in (many, one)])
            for name in ("images", "masks", "features", "patterns", "specimens")
        )
    )
    assert choose(train, ShapeIndexSettings(), 3, seed=0).accuracy > 0.9
    system = ShapeIndexSystem(ShapeIndexSettings(), 3)
    system.fit(train, 0, lambda: False)
    (scores,) = system.members(one)
    assert (scores.argmax(1) == 2).mean() > 0.5


@pytest.mark.parametrize(("patterns", "specimens"), [((3,), 1), ((3,), 4), ((0, 1), 1)])
def test_too_few_specimens_are_refused(patterns, specimens):
    system = ShapeIndexSystem(ShapeIndexSettings(), 6)
    with pytest.raises(SpecimensError, match="two specimens"):
        system.fit(some_bag(patterns, specimens), 0, lambda: False)


@pytest.mark.parametrize("after", [0, 1, 18])
def test_a_fit_can_be_stopped_before_each_svm(after):
    asked = iter(range(100))
    system = ShapeIndexSystem(ShapeIndexSettings(), 3)
    with pytest.raises(InterruptedRunError):
        system.fit(some_bag(), 0, lambda: next(asked) >= after)
    with pytest.raises(RuntimeError, match="fit comes before members"):
        system.members(some_bag())


def draw(pattern: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A nucleus with a bright rim, bright dots, or dark holes."""
    line = np.arange(41) - 20
    y, x = np.meshgrid(line, line, indexing="ij")
    rho = np.hypot(y, x) / rng.uniform(13, 17)
    image = 0.5 * (rho < 1)
    if pattern == 0:
        image = image + np.exp(-(((rho - 0.9) / 0.1) ** 2))
    for _ in range(6 * (pattern > 0)):
        at = rng.uniform(-8, 8, 2)
        dot = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 8)
        image = image + (dot if pattern == 1 else -0.4 * dot)
    image = (image + rng.normal(0, 0.05, image.shape)).clip(0)
    gain = rng.uniform(40, 120)
    return (gain * image).clip(0, 255).astype(np.uint8), rho < 1


def drawn_bag(system: ShapeIndexSystem, seed: int, specimens: int, cells: int) -> Bag:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), specimens * cells)
    names = np.repeat([f"{seed}-{k}" for k in range(3 * specimens)], cells)
    drawn = [draw(int(pattern), rng) for pattern in truth]
    images, masks = (np.stack(part) for part in zip(*drawn, strict=True))
    return Bag(images, masks, system.compute(images, masks), truth, names)


def test_learns_drawn_patterns_and_tells_them_in_other_specimens():
    system = ShapeIndexSystem(ShapeIndexSettings(), 3)
    system.fit(drawn_bag(system, 0, 4, 8), 0, lambda: False)
    test = drawn_bag(system, 1, 2, 10)
    (scores,) = system.members(test)
    assert (scores.argmax(1) == test.patterns).mean() > 0.9
    assert scores[np.arange(len(test)), test.patterns].mean() > 0.6
