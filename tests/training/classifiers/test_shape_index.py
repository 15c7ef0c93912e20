import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.special import softmax
from skimage.feature import hessian_matrix
from skimage.feature import shape_index as reference_index
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC

from training.augmentation import VIEWS, turn
from training.classifiers import shape_index as module
from training.classifiers.features import Bag
from training.classifiers.shape_index import (
    ShapeIndexSystem,
    choose,
    decide,
    donut_weights,
    fit_svm,
    histograms,
    shape_index,
)
from training.classifiers.svm import fit_sharpness
from training.config import ShapeIndexSettings
from training.errors import InterruptedRunError, SpecimensError

SMALL = ShapeIndexSettings(scales=(1.0, 2.0, 4.0), bins=6, rings=3)


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates (y, x) from the middle pixel of an odd side."""
    line = np.arange(side) - side // 2
    return np.meshgrid(line, line, indexing="ij")


def at_centre(image: np.ndarray, sigma: float) -> tuple[float, float]:
    index, curvedness = shape_index(
        torch.tensor(image[None], dtype=torch.float32), sigma
    )
    middle = image.shape[0] // 2
    return float(index[0, middle, middle]), float(curvedness[0, middle, middle])


def random_cells(
    count: int = 4, side: int = 40, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth noise, at most 100, in off-centre ellipses that touch the border."""
    rng = np.random.default_rng(seed)
    images = gaussian_filter(rng.random((count, side, side)), (0, 1, 1))
    images = (images - images.min()) / np.ptp(images) * 100
    y, x = np.mgrid[:side, :side]
    masks = np.stack(
        [
            ((y - rng.uniform(12, 20)) / 16) ** 2
            + ((x - rng.uniform(14, 26)) / 12) ** 2
            < 1
            for _ in range(count)
        ]
    )
    return images.astype(np.uint8), masks


def written_out(
    image: np.ndarray, mask: np.ndarray, settings: ShapeIndexSettings
) -> np.ndarray:
    """The features of one cell by scikit-image, scipy and loops."""
    low, high = np.percentile(image, [1, 99])
    grey = np.clip((image - low) / (high - low), 0, 1)
    ys, xs = np.nonzero(mask)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    rho = np.hypot(y - ys.mean(), x - xs.mean()) / np.sqrt(mask.sum() / np.pi)
    disc = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2
    inside = binary_dilation(mask, disc)
    counts = np.empty((settings.bins, len(settings.scales), settings.rings))
    for s, sigma in enumerate(settings.scales):
        lyy, lxy, lxx = sigma**2 * np.stack(
            hessian_matrix(grey, sigma, mode="reflect", use_gaussian_derivatives=False)
        )
        curvedness = 0.5 * np.sqrt(lxx**2 + 2 * lxy**2 + lyy**2)
        index = np.pi / 2 * np.nan_to_num(reference_index(grey, sigma, mode="reflect"))
        for k in range(settings.rings):
            radius = k / (settings.rings - 1)
            window = np.exp(-((rho - radius) ** 2) / (2 * settings.ring_width**2))
            window = window * inside / (window * inside).sum()
            for b in range(settings.bins):
                centre = -np.pi / 2 + (b + 0.5) * np.pi / settings.bins
                near = np.exp(-((index - centre) ** 2) / (2 * settings.tonal_scale**2))
                counts[b, s, k] = (near * curvedness * window).sum()
    return np.sqrt(counts.ravel() / counts.sum())


@pytest.mark.parametrize("sigma", [1.0, 1.4, 2.8, 8.0])
@pytest.mark.parametrize("smoothing", [0.0, 2.0])
def test_equals_scikit_image_to_the_border(sigma, smoothing):
    images = np.random.default_rng(1).random((3, 60, 44))
    images = gaussian_filter(images, (0, smoothing, smoothing))
    images = (images - images.min()) / np.ptp(images)
    index, curvedness = shape_index(torch.tensor(images, dtype=torch.float32), sigma)
    for k, image in enumerate(images):
        lyy, lxy, lxx = hessian_matrix(
            image, sigma, mode="reflect", use_gaussian_derivatives=False
        )
        expected = 0.5 * sigma**2 * np.sqrt(lxx**2 + 2 * lxy**2 + lyy**2)
        np.testing.assert_allclose(curvedness[k], expected, atol=1e-6)
        curved = expected > 0.01 * expected.max()
        assert curved.mean() > 0.98
        ours, theirs = index[k].numpy(), reference_index(image, sigma, mode="reflect")
        np.testing.assert_allclose(
            ours[curved], theirs[curved] * np.pi / 2, rtol=0, atol=1e-5
        )


def test_shapes_have_the_index_that_theory_says():
    y, x = grid(41)
    cap = np.exp(-(x**2 + y**2) / 72)
    ridge = np.exp(-(x**2) / 72)
    saddle = (x**2 - y**2) / 800
    for image, expected in [
        (cap, np.pi / 2),
        (1 - cap, -np.pi / 2),
        (ridge, np.pi / 4),
        (ridge.T, np.pi / 4),
        (1 - ridge, -np.pi / 4),
        (saddle, 0),
    ]:
        assert at_centre(image, 2.0)[0] == pytest.approx(expected, abs=2e-3)


def test_a_slanted_ridge_is_a_ridge():
    y, x = grid(41)
    for angle in (0.3, np.pi / 4, 1.1):
        across = np.cos(angle) * x + np.sin(angle) * y
        index, _ = at_centre(np.exp(-(across**2) / 72), 2.0)
        assert index == pytest.approx(np.pi / 4, abs=0.02)


@pytest.mark.parametrize("sigma", [3.0, 6.0])
def test_curvedness_of_a_blob_is_that_of_the_formula(sigma):
    y, x = grid(101)
    blob = np.exp(-(x**2 + y**2) / (2 * 6.0**2))
    expected = sigma**2 * 6.0**2 / (6.0**2 + sigma**2) ** 2 / np.sqrt(2)
    assert at_centre(blob, sigma)[1] == pytest.approx(expected, rel=0.03)


def test_scale_normalised_curvedness_does_not_depend_on_size():
    y, x = grid(121)
    small = at_centre(np.exp(-(x**2 + y**2) / 50), 4.0)[1]
    large = at_centre(np.exp(-(x**2 + y**2) / 200), 8.0)[1]
    assert small == pytest.approx(large, rel=0.03)


def test_a_flat_image_has_neither_index_nor_curvedness():
    index, curvedness = shape_index(torch.full((1, 12, 12), 0.5), 2.0)
    assert (index == 0).all()
    assert (curvedness == 0).all()


def test_donuts_are_gaussians_of_the_relative_distance():
    _, masks = random_cells()
    weights = donut_weights(torch.tensor(masks), 4, 0.25).numpy()
    y, x = np.mgrid[:40, :40]
    disc = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2
    for mask, windows in zip(masks, weights, strict=True):
        ys, xs = np.nonzero(mask)
        rho = np.hypot(y - ys.mean(), x - xs.mean()) / np.sqrt(mask.sum() / np.pi)
        for radius, window in zip([0, 1 / 3, 2 / 3, 1], windows, strict=True):
            expected = np.exp(-((rho - radius) ** 2) / (2 * 0.25**2))
            expected = expected * binary_dilation(mask, disc)
            np.testing.assert_allclose(window, expected / expected.sum(), atol=1e-7)


def test_donuts_sum_to_one_and_end_two_pixels_from_the_mask():
    mask = torch.zeros(1, 21, 21, dtype=torch.bool)
    mask[0, 10, 8:13] = True
    weights = donut_weights(mask, 5, 2.0)
    torch.testing.assert_close(weights.sum((2, 3)), torch.ones(1, 5))
    weighing = weights[0] > 0
    for y, x, expected in [
        (10, 10, True),
        (12, 10, True),
        (13, 10, False),
        (10, 14, True),
        (10, 15, False),
        (11, 13, True),
        (12, 13, False),
    ]:
        assert (weighing[:, y, x] == expected).all(), (y, x)


def test_a_donut_lies_on_its_radius():
    y, x = grid(61)
    mask = torch.tensor(x**2 + y**2 <= 20**2)[None]
    weights = donut_weights(mask, 5, 0.1)[0].numpy()
    for window, radius in zip(weights, [0, 5, 10, 15, 20], strict=True):
        top = np.unravel_index(window.argmax(), window.shape)
        assert np.hypot(top[0] - 30, top[1] - 30) == pytest.approx(radius, abs=0.6)


def test_an_empty_mask_is_the_whole_image():
    masks = torch.zeros(2, 9, 9, dtype=torch.bool)
    masks[1] = True
    weights = donut_weights(masks, 3, 0.2)
    assert torch.equal(weights[0], weights[1])
    assert (weights > 0).all(1).any(2).any(1).all()


@pytest.mark.parametrize("width", [1e-3, 2.0])
def test_donuts_stay_finite_for_a_tiny_nucleus(width):
    mask = torch.zeros(1, 9, 9, dtype=torch.bool)
    mask[0, 4, 4] = True
    weights = donut_weights(mask, 16, width)
    torch.testing.assert_close(weights.sum((2, 3)), torch.ones(1, 16))


def test_a_pixel_counts_by_nearness_curvedness_and_weight(monkeypatch):
    index = torch.tensor([[[np.pi / 4, -np.pi / 4]]], dtype=torch.float32)
    curvedness = torch.tensor([[[2.0, 3.0]]])
    monkeypatch.setattr(module, "shape_index", lambda *_: (index, curvedness))
    weights = torch.tensor([[[[0.5, 0.5]], [[1.0, 0.0]]]])
    counts = histograms(torch.zeros(1, 1, 2), weights, 1.0, 2, np.pi / 4)
    far = np.exp(-2)  # the other bin's centre is two widths away
    expected = [[1.5 + far, 2 * far], [1 + 1.5 * far, 2]]
    np.testing.assert_allclose(counts[0], expected, rtol=1e-6)


def test_features_equal_those_written_out():
    images, masks = random_cells()
    found = ShapeIndexSystem(SMALL, 6).compute(images, masks)
    expected = [written_out(*cell, SMALL) for cell in zip(images, masks, strict=True)]
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert found.shape == (4, 6 * 3 * 3)
    assert found.dtype == np.float32


def test_features_have_length_one_and_none_is_lost_between_chunks():
    images, masks = random_cells(70, 32)
    system = ShapeIndexSystem(SMALL, 6)
    found = system.compute(images, masks)
    np.testing.assert_allclose(np.square(found).sum(1), 1, rtol=1e-5)
    for k in (0, 31, 32, 69):
        one = system.compute(images[k : k + 1], masks[k : k + 1])
        np.testing.assert_allclose(found[k : k + 1], one, atol=1e-6)


def test_features_are_the_same_in_all_eight_views():
    images, masks = random_cells()
    system = ShapeIndexSystem(ShapeIndexSettings(), 6)
    expected = system.compute(images, masks)
    for view in range(1, VIEWS):
        views = torch.full((len(images),), view)
        turned = system.compute(
            turn(torch.tensor(images), views).numpy(),
            turn(torch.tensor(masks), views).numpy(),
        )
        np.testing.assert_allclose(turned, expected, atol=1e-5)
    assert system.invariant


def test_features_do_not_depend_on_gain_and_offset():
    images, masks = random_cells()
    system = ShapeIndexSystem(SMALL, 6)
    expected = system.compute(images, masks)
    for changed in (2 * images, images + 40, 2 * images + 55):
        np.testing.assert_allclose(system.compute(changed, masks), expected, atol=1e-5)


def test_one_hot_pixel_changes_nothing():
    images, masks = random_cells()
    hot = images.copy()
    for image in hot:
        image[np.unravel_index(image.argmax(), image.shape)] = 255
    system = ShapeIndexSystem(SMALL, 6)
    np.testing.assert_allclose(
        system.compute(hot, masks), system.compute(images, masks), atol=1e-6
    )


def test_what_is_far_from_the_nucleus_is_not_seen():
    images, _ = random_cells()
    masks = np.zeros(images.shape, bool)
    masks[:, 4:14, 4:14] = True
    changed = images.copy()
    changed[:, -8:] = changed[:, -8:, ::-1]  # the percentiles stay
    system = ShapeIndexSystem(ShapeIndexSettings(scales=(1.0, 2.0)), 6)
    np.testing.assert_allclose(
        system.compute(changed, masks), system.compute(images, masks), atol=1e-5
    )


def test_a_flat_cell_has_no_features():
    found = ShapeIndexSystem(SMALL, 6).compute(
        np.full((2, 32, 32), 77, np.uint8), np.ones((2, 32, 32), bool)
    )
    assert (found == 0).all()


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
    y, x = grid(41)
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
