"""Scale space, descriptors, Fisher vectors, SVMs, and all of them together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import multivariate_normal
from sklearn.svm import LinearSVC

from training.classifiers.features import Bag
from training.classifiers.scale_space import ScaleSpace, linear_svm
from training.classifiers.scale_space.descriptor import (
    COMPARISONS,
    blur,
    compare,
    describe,
    grid_points,
    orientations,
    sample,
    stretch,
)
from training.classifiers.scale_space.fisher import Encoder, fit_encoder
from training.classifiers.scale_space.linear_svm import fit_linear_svms
from training.config import ScaleSpaceSettings
from training.errors import InterruptedRunError

SIDE = 40
SMALL = {
    "sigmas": (0.0, 1.5),
    "radii": (1.5, 3.0),
    "components": 8,
    "gaussians": 4,
    "mixture_points": 1000,
    "inner_folds": 2,
}


def never() -> bool:
    return False


def noise(count: int, sigma: float = 1.0, seed: int = 0) -> np.ndarray:
    rough = np.random.default_rng(seed).normal(size=(count, SIDE, SIDE))
    smooth = ndimage.gaussian_filter(rough, (0, sigma, sigma), mode="wrap")
    low, high = smooth.min(axis=(1, 2)), smooth.max(axis=(1, 2))
    span = (high - low)[:, None, None]
    return np.uint8(np.round(255 * (smooth - low[:, None, None]) / span))


def discs(count: int, radius: float = 12.0) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.repeat((np.hypot(y, x) <= radius)[None], count, axis=0)


def bag(images, masks, patterns, specimens) -> Bag:
    return Bag(
        images,
        masks,
        np.zeros((len(images), 0), np.float32),
        np.asarray(patterns, np.int64),
        np.asarray(specimens, np.str_),
    )


def textures(specimens: int = 4, each: int = 6, first: int = 0) -> Bag:
    """Fine, middling and coarse noise; every specimen has one of them."""
    images, patterns, names = [], [], []
    for pattern, sigma in enumerate((0.6, 1.5, 3.0)):
        for specimen in range(first, first + specimens):
            images.append(noise(each, sigma, seed=100 * pattern + specimen))
            patterns += [pattern] * each
            names += [f"p{pattern}s{specimen}"] * each
    stacked = np.concatenate(images)
    return bag(stacked, discs(len(stacked)), patterns, names)


def system(**changes) -> ScaleSpace:
    return ScaleSpace(ScaleSpaceSettings(**{**SMALL, **changes}), 3)


# Scale space


def test_the_stretch_is_linear_between_two_percentiles():
    image = np.arange(SIDE * SIDE).reshape(1, SIDE, SIDE) % 251
    low, high = np.percentile(image, [1, 99])
    expected = np.clip((image - low) / (high - low), 0, 1)
    np.testing.assert_allclose(stretch(np.uint8(image)), expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.7, 2.0, 4.0])
def test_each_image_is_blurred_as_scipy_does_one(sigma):
    images = stretch(noise(3))
    expected = [ndimage.gaussian_filter(image, sigma) for image in images]
    np.testing.assert_allclose(blur(images, sigma), expected, atol=1e-6)


def test_the_blur_is_a_gaussian_and_the_border_a_mirror():
    spot = np.zeros((1, SIDE, SIDE), np.float32)
    spot[0, 20, 3] = 1
    reach = np.arange(-8, 9)
    kernel = np.exp(-(reach**2) / 8)
    kernel /= kernel.sum()
    row = np.convolve(spot[0, 20], kernel)[8:-8]
    row[:5] += np.convolve(spot[0, 20], kernel)[7:2:-1]
    expected = row * kernel[8]
    np.testing.assert_allclose(blur(spot, 2.0)[0, 20], expected, atol=1e-6)


def test_sigma_0_is_the_image_itself():
    images = stretch(noise(2))
    np.testing.assert_array_equal(blur(images, 0.0), images)


# Points


def test_points_of_a_square_nucleus_counted_by_hand():
    mask = np.zeros((1, SIDE, SIDE), np.bool_)
    mask[0, 10:14, 20:26] = True
    points = grid_points(mask, step=2, margin=0)
    assert sorted(set(points.y.tolist())) == [10.5, 12.5]
    assert sorted(set(points.x.tolist())) == [20.5, 22.5, 24.5]
    assert points.counts.tolist() == [6]


def test_the_margin_is_a_rim_of_so_many_pixels():
    mask = np.zeros((1, SIDE, SIDE), np.bool_)
    mask[0, 15:17, 15:17] = True
    assert grid_points(mask, step=1, margin=3).counts.tolist() == [64]


def test_an_empty_mask_takes_the_whole_crop():
    masks = np.zeros((2, SIDE, SIDE), np.bool_)
    masks[1] = discs(1)[0]
    points = grid_points(masks, step=2, margin=0)
    assert points.counts[0] == (SIDE // 2) ** 2
    assert points.counts[1] < points.counts[0]
    assert torch.bincount(points.cells).tolist() == points.counts.tolist()


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_the_grid_is_its_own_quarter_turn(step):
    mask = np.zeros((1, SIDE, SIDE), np.bool_)
    mask[0, 5:20, 11:33] = True
    here = grid_points(mask, step, margin=1)
    turned = grid_points(np.rot90(mask, 1, (1, 2)).copy(), step, margin=1)
    before = torch.stack([SIDE - 1 - here.x, here.y], dim=1).tolist()
    after = torch.stack([turned.y, turned.x], dim=1).tolist()
    assert sorted(before) == sorted(after)


def test_only_the_chosen_points_are_kept():
    points = grid_points(discs(3), 2, 0)
    chosen = np.zeros(len(points), np.bool_)
    chosen[[0, points.counts[0] + 1, points.counts[0] + 2]] = True
    kept = points.only(chosen)
    assert kept.counts.tolist() == [1, 2, 0]
    assert kept.y.tolist() == points.y.numpy()[chosen].tolist()


def test_sampling_is_bilinear_and_holds_the_border():
    images = torch.from_numpy(stretch(noise(2)))
    rng = np.random.default_rng(1)
    y, x = np.float32(rng.uniform(-4, SIDE + 3, (2, 50)))
    for cell in (0, 1):
        expected = ndimage.map_coordinates(
            images[cell].numpy(), [y, x], order=1, mode="nearest"
        )
        got = sample(
            images,
            torch.full((50,), cell),
            torch.from_numpy(y),
            torch.from_numpy(x),
        )
        np.testing.assert_allclose(got, expected, atol=1e-5)


# The descriptor


def test_a_slope_points_uphill():
    y, x = np.mgrid[:SIDE, :SIDE]
    image = torch.from_numpy(np.float32(3 * y - 4 * x)[None] / 400 + 0.5)
    down, across = orientations(image, grid_points(discs(1), 2, 0))
    np.testing.assert_allclose(down, 0.6, atol=1e-4)
    np.testing.assert_allclose(across, -0.8, atol=1e-4)


def test_a_flat_image_points_outwards():
    points = grid_points(discs(1), 2, 0)
    down, across = orientations(torch.full((1, SIDE, SIDE), 0.5), points)
    middle = (SIDE - 1) / 2
    angle = torch.atan2(points.y - middle, points.x - middle)
    np.testing.assert_allclose(down, angle.sin(), atol=1e-5)
    np.testing.assert_allclose(across, angle.cos(), atol=1e-5)


def test_comparisons_written_by_hand():
    ring = torch.tensor([[[5.0, 1.0, 3.0, 3.0, 2.0, 3.0, 9.0, 0.0]]])
    with_centre = [1, -1, 0, 0, -1, 0, 1, -1]
    opposite = [1, -1, -1, 1]
    adjacent = [-1, 1, 0, -1, 1, 1, -1, 1]
    expected = with_centre + opposite + adjacent
    assert len(expected) == COMPARISONS
    assert compare(torch.tensor([3.0]), ring).tolist() == [expected]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_comparisons_know_the_order_of_grey_values_only(data):
    levels = st.integers(0, 20)
    ranks = np.array(data.draw(st.lists(levels, min_size=17, max_size=17)))
    steps = data.draw(st.lists(st.floats(0.01, 5), min_size=21, max_size=21))
    rising = np.cumsum(steps)

    def signs(values):
        grey = torch.from_numpy(np.float32(values))
        return compare(grey[:1], grey[1:].view(1, 2, 8)).tolist()

    assert signs(rising[ranks]) == signs(ranks)


def test_neighbour_0_lies_uphill_and_the_others_follow_around():
    """On a plane the grey value of neighbour k goes as the cosine of its angle."""
    y, x = np.mgrid[:SIDE, :SIDE]
    image = torch.from_numpy(np.float32(2 * y + 5 * x)[None] / 400)
    found = describe(image, grid_points(discs(1, 8), 2, 0), (2.0, 4.0))
    values = np.round(np.cos(np.arange(8) * math.pi / 4), 6)
    ring = np.sign(
        [*values, *(values[:4] - values[4:]), *(np.roll(values, -1) - values)]
    )
    np.testing.assert_array_equal(found, np.tile(ring, (len(found), 2)))


def test_a_gain_and_an_offset_change_no_descriptor():
    images = np.uint8(noise(2) // 2)
    points = grid_points(discs(2), 2, 0)

    def found(grey):
        return describe(blur(stretch(grey), 1.0), points, (2.0, 4.0))

    changed = (found(images) != found(np.uint8(images * 2 + 1))).float().mean()
    assert changed < 1e-3


def test_a_rising_curve_of_grey_values_changes_few_signs():
    """Interpolated values and the gradient follow a curve only nearly."""
    images = torch.from_numpy(stretch(noise(2, sigma=2.0)))
    points = grid_points(discs(2), 2, 0)
    plain = describe(images, points, (2.0, 4.0))
    curved = describe(images**0.7, points, (2.0, 4.0))
    falling = describe(1 - images, points, (2.0, 4.0))
    assert (plain != curved).float().mean() < 0.05
    assert (plain != falling).float().mean() > 0.2


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_a_quarter_turn_moves_descriptors_and_changes_none(turns, sigma):
    images = noise(1)
    turned = np.rot90(images, turns, (1, 2)).copy()
    masks = np.ones((1, SIDE, SIDE), np.bool_)
    points = grid_points(masks, 2, 0)

    def field(grey):
        found = describe(blur(stretch(grey), sigma), points, (2.0, 4.0))
        return found.view(SIDE // 2, SIDE // 2, -1).numpy()

    same = np.rot90(field(images), turns) == field(turned)
    assert same.mean() > 0.999


# Fisher vectors


def mixture(gaussians: int = 3, d: int = 4, seed: int = 0) -> Encoder:
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 1, gaussians)
    arrays = (
        rng.normal(size=d),
        np.linalg.qr(rng.normal(size=(d, d)))[0],
        weights / weights.sum(),
        rng.normal(size=(gaussians, d)),
        rng.uniform(0.5, 2, (gaussians, d)),
    )
    return Encoder(*(torch.from_numpy(np.float32(array)) for array in arrays))


def cloud(count: int, d: int = 4, seed: int = 1) -> np.ndarray:
    return np.float32(np.random.default_rng(seed).normal(size=(count, d)))


def log_likelihood(points, weights, means, deviations) -> float:
    densities = [
        w * multivariate_normal(mean, np.diag(deviation**2)).pdf(points)
        for w, mean, deviation in zip(weights, means, deviations, strict=True)
    ]
    return float(np.log(np.sum(densities, axis=0)).mean())


def raw_gradients(encoder: Encoder, points: np.ndarray) -> np.ndarray:
    reduced = torch.from_numpy(points)
    found = encoder._gradients(reduced, encoder.posteriors(reduced), [len(points)])
    return found.numpy()[0]


def parameters(encoder: Encoder) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        encoder.weights.double().numpy(),
        encoder.means.double().numpy(),
        encoder.variances.double().sqrt().numpy(),
    )


def test_gradients_against_the_textbook_sum_over_points():
    encoder, points = mixture(), cloud(30)
    weights, means, deviations = parameters(encoder)
    expected = np.zeros((2, *means.shape))
    for point in points:
        densities = weights * np.array(
            [
                multivariate_normal(m, np.diag(s**2)).pdf(point)
                for m, s in zip(means, deviations, strict=True)
            ]
        )
        share = (densities / densities.sum())[:, None]
        distance = (point - means) / deviations
        root = np.sqrt(weights)[:, None]
        expected[0] += share * distance / root / len(points)
        expected[1] += share * (distance**2 - 1) / (root * math.sqrt(2)) / len(points)
    np.testing.assert_allclose(
        raw_gradients(encoder, points), expected.ravel(), rtol=1e-3, atol=1e-5
    )


def test_gradients_against_finite_differences_of_the_likelihood():
    encoder, points = mixture(), cloud(30)
    weights, means, deviations = parameters(encoder)
    found = raw_gradients(encoder, points).reshape(2, *means.shape)
    step = 1e-5
    for k, j in np.ndindex(means.shape):
        scale = deviations[k, j] / math.sqrt(weights[k])
        for kind, factor in ((0, 1.0), (1, 1 / math.sqrt(2))):
            moved = []
            for sign in (1, -1):
                changed = [means.copy(), deviations.copy()]
                changed[kind][k, j] += sign * step
                moved.append(log_likelihood(points, weights, *changed))
            slope = (moved[0] - moved[1]) / (2 * step)
            expected = slope * scale * factor
            assert found[kind, k, j] == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_points_of_the_mixture_itself_pull_nowhere_but_others_do():
    encoder = mixture()
    weights, means, deviations = parameters(encoder)
    rng = np.random.default_rng(3)
    which = rng.choice(len(weights), 20_000, p=weights)
    own = np.float32(means[which] + deviations[which] * rng.normal(size=(20_000, 4)))
    assert np.abs(raw_gradients(encoder, own)).max() < 0.05
    assert np.abs(raw_gradients(encoder, own + 1)).max() > 0.3


def test_a_vector_is_the_signed_root_of_length_1_of_the_cells_own_points():
    encoder, descriptors = mixture(), cloud(50)
    reduced = (descriptors - encoder.centre.numpy()) @ encoder.basis.numpy()
    found = encoder.encode(torch.from_numpy(descriptors), np.array([20, 30])).numpy()
    for row, part in zip(found, (reduced[:20], reduced[20:]), strict=True):
        raw = raw_gradients(encoder, part)
        root = np.sign(raw) * np.sqrt(np.abs(raw))
        np.testing.assert_allclose(row, root / np.linalg.norm(root), atol=1e-4)
    assert found.shape == (2, encoder.length)


def test_an_encoder_keeps_the_components_and_gaussians_asked_for():
    descriptors = np.sign(cloud(500, 20))
    encoder = fit_encoder(descriptors, 6, 5, seed=0)
    assert encoder.basis.shape == (20, 6)
    assert encoder.means.shape == encoder.variances.shape == (5, 6)
    assert float(encoder.weights.sum()) == pytest.approx(1, abs=1e-5)
    few = fit_encoder(descriptors[:4], 64, 128, seed=0)
    assert few.means.shape == (4, 4)


def test_components_are_the_directions_of_largest_variance():
    spread = np.array([0.1, 3.0, 0.5, 1.0], np.float32)
    encoder = fit_encoder(cloud(4000) * spread, 2, 2, seed=0)
    largest = np.abs(encoder.basis.numpy()).argmax(axis=0)
    assert largest.tolist() == [1, 3]
    assert np.abs(encoder.basis.numpy()).max(axis=0).min() > 0.95


def test_the_mixture_finds_clusters():
    centres = np.array([[4, 0], [-4, 0], [0, 6]], np.float32)
    points = np.concatenate([cloud(300, 2, k) * 0.5 + centres[k] for k in range(3)])
    encoder = fit_encoder(points, 2, 3, seed=0)
    found = encoder.means.numpy() @ encoder.basis.numpy().T + encoder.centre.numpy()
    distances = np.linalg.norm(found[:, None] - centres, axis=2)
    assert distances.min(axis=0).max() < 0.2
    np.testing.assert_allclose(encoder.weights, 1 / 3, atol=0.02)
    np.testing.assert_allclose(encoder.variances, 0.26, atol=0.06)


def test_identical_points_leave_a_mixture_that_can_be_used():
    same = np.ones((50, 6), np.float32)
    encoder = fit_encoder(same, 4, 3, seed=0)
    found = encoder.encode(torch.from_numpy(same), np.array([50]))
    assert torch.isfinite(found).all()


# The SVM


@pytest.mark.parametrize(("step", "apart"), [(1e-10, 0.005), (None, 0.1)])
def test_the_svms_are_those_of_scikit_learn(monkeypatch, step, apart):
    if step:
        monkeypatch.setattr(linear_svm, "_SMALLEST_STEP", step)
    rng = np.random.default_rng(0)
    targets = rng.choice([0, 2, 5], 200)
    vectors = np.float32(rng.normal(size=(200, 30)) + 0.4 * targets[:, None])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    used = rng.random(200) < 0.7
    weights, bias, classes = fit_linear_svms(vectors, targets, used, c=2.0)
    theirs = LinearSVC(C=2.0, tol=1e-8, max_iter=100_000, random_state=0)
    theirs.fit(vectors[used], targets[used])
    assert classes.tolist() == [0, 2, 5]
    np.testing.assert_allclose(
        vectors @ weights + bias, theirs.decision_function(vectors), atol=apart
    )


def test_cells_left_out_have_no_part_in_an_svm():
    rng = np.random.default_rng(0)
    vectors = np.float32(rng.normal(size=(60, 10)))
    targets = np.arange(60) % 3
    used = np.arange(60) < 40
    first = fit_linear_svms(vectors, targets, used, 1.0)
    targets[40:] = 4
    vectors[40:] *= 9
    second = fit_linear_svms(vectors, targets, used, 1.0)
    np.testing.assert_allclose(first[0], second[0], atol=1e-4)
    assert second[2].tolist() == [0, 1, 2]


# The system


@pytest.fixture(scope="module")
def fitted() -> ScaleSpace:
    classifier = system()
    classifier.fit(textures(), 0, never)
    return classifier


def test_it_learns_textures_of_specimens_it_did_not_see(fitted):
    test = textures(specimens=2, first=10)
    (scores,) = fitted.members(test)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert (scores.argmax(axis=1) == test.patterns).mean() > 0.9
    truth = scores[np.arange(len(test)), test.patterns]
    assert -np.log(truth).mean() < 0.5 * math.log(3)


def test_vectors_have_length_1_and_each_sigma_the_same_share(fitted):
    cells = textures(1, 3)
    vectors = np.concatenate(
        [part for _, part in fitted._vectors(cells, fitted._fitted.encoders)]
    )
    assert vectors.shape == (len(cells), 2 * 2 * 4 * 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    halves = np.linalg.norm(vectors.reshape(len(cells), 2, -1), axis=2)
    np.testing.assert_allclose(halves, math.sqrt(0.5), atol=1e-5)


def test_a_cell_is_scored_alike_in_any_company_and_turned(fitted):
    cells = textures(specimens=2, each=8, first=20)
    together = fitted.members(cells)[0]
    chosen = slice(33, 40)
    few = bag(
        np.rot90(cells.images[chosen], 1, (1, 2)).copy(),
        np.rot90(cells.masks[chosen], 1, (1, 2)).copy(),
        cells.patterns[chosen],
        cells.specimens[chosen],
    )
    np.testing.assert_allclose(fitted.members(few)[0], together[chosen], atol=5e-3)


def test_the_same_seed_gives_the_same_scores(fitted):
    again, other = system(), system()
    again.fit(textures(), 0, never)
    other.fit(textures(), 1, never)
    test = textures(1, 3, first=10)
    np.testing.assert_array_equal(again.members(test)[0], fitted.members(test)[0])
    assert not np.array_equal(other.members(test)[0], fitted.members(test)[0])


def test_encoders_see_no_pattern(fitted):
    cells = textures()
    relabelled = bag(
        cells.images,
        cells.masks,
        np.roll(cells.patterns, 7),
        cells.specimens[::-1].copy(),
    )
    other = system()
    other.fit(relabelled, 0, never)
    for ours, theirs in zip(
        fitted._fitted.encoders, other._fitted.encoders, strict=True
    ):
        assert torch.equal(ours.basis, theirs.basis)
        assert torch.equal(ours.means, theirs.means)
        assert torch.equal(ours.variances, theirs.variances)
    assert not np.array_equal(fitted._fitted.weights, other._fitted.weights)


def test_a_pattern_that_was_not_trained_on_gets_the_lowest_score():
    cells = textures()
    kept = cells.patterns != 1
    classifier = system()
    classifier.fit(
        bag(
            cells.images[kept],
            cells.masks[kept],
            cells.patterns[kept],
            cells.specimens[kept],
        ),
        0,
        never,
    )
    (scores,) = classifier.members(cells)
    assert scores.shape == (len(cells), 3)
    assert (scores.argmin(axis=1) == 1).all()
    assert (scores.argmax(axis=1) == cells.patterns)[kept].mean() > 0.9


def test_one_specimen_a_pattern_can_be_fitted():
    """No inner fold then knows the patterns that it is to judge."""
    cells = textures(specimens=1)
    classifier = system()
    classifier.fit(cells, 0, never)
    assert classifier._fitted.sharpness == 1
    assert np.isfinite(classifier.members(cells)[0]).all()


def test_cells_without_a_nucleus_are_scored(fitted):
    cells = textures(1, 2)
    empty = bag(
        cells.images, np.zeros_like(cells.masks), cells.patterns, cells.specimens
    )
    np.testing.assert_allclose(fitted.members(empty)[0].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("asked", [1, 3, 6, 7])
def test_a_stop_is_heard_at_every_stage(asked):
    calls = iter(range(1, 100))
    with pytest.raises(InterruptedRunError, match="resume"):
        system().fit(textures(), 0, lambda: next(calls) >= asked)


def test_nothing_is_scored_before_a_fit():
    with pytest.raises(RuntimeError, match="fit comes before"):
        system().members(textures(1, 1))
