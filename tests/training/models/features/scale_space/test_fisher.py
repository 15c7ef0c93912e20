"""The mixture, and the Fisher vectors against their textbook."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from training.models.features.scale_space.fisher import Encoder, fit_encoder


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
