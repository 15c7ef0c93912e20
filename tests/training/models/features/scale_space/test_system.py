"""Descriptors, Fisher vectors and SVMs together, on cells of drawn specimens."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training.config import ScaleSpaceSettings
from training.errors import InterruptedRunError
from training.models.features.base import Bag
from training.models.features.scale_space import ScaleSpace

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


def bag(images, masks, patterns, specimens) -> Bag:
    return Bag(
        images,
        masks,
        np.zeros((len(images), 0), np.float32),
        np.asarray(patterns, np.int64),
        np.asarray(specimens, np.str_),
    )


@pytest.fixture(scope="module")
def textures(noise, discs):
    """Return a function that draws fine, middling and coarse noise.

    Every specimen has one of them.
    """

    def draw(specimens: int = 4, each: int = 6, first: int = 0) -> Bag:
        images, patterns, names = [], [], []
        for pattern, sigma in enumerate((0.6, 1.5, 3.0)):
            for specimen in range(first, first + specimens):
                images.append(noise(each, sigma, seed=100 * pattern + specimen))
                patterns += [pattern] * each
                names += [f"p{pattern}s{specimen}"] * each
        stacked = np.concatenate(images)
        return bag(stacked, discs(len(stacked)), patterns, names)

    return draw


def system(**changes) -> ScaleSpace:
    return ScaleSpace(ScaleSpaceSettings(**{**SMALL, **changes}), 3)


@pytest.fixture(scope="module")
def fitted(textures) -> ScaleSpace:
    classifier = system()
    classifier.fit(textures(), 0, never)
    return classifier


def test_it_learns_textures_of_specimens_it_did_not_see(fitted, textures):
    test = textures(specimens=2, first=10)
    (scores,) = fitted.members(test)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert (scores.argmax(axis=1) == test.patterns).mean() > 0.9
    truth = scores[np.arange(len(test)), test.patterns]
    assert -np.log(truth).mean() < 0.5 * math.log(3)


def test_vectors_have_length_1_and_each_sigma_the_same_share(fitted, textures):
    cells = textures(1, 3)
    vectors = np.concatenate(
        [part for _, part in fitted._vectors(cells, fitted._fitted.encoders)]
    )
    assert vectors.shape == (len(cells), 2 * 2 * 4 * 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    halves = np.linalg.norm(vectors.reshape(len(cells), 2, -1), axis=2)
    np.testing.assert_allclose(halves, math.sqrt(0.5), atol=1e-5)


def test_a_cell_is_scored_alike_in_any_company_and_turned(fitted, textures):
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


def test_the_same_seed_gives_the_same_scores(fitted, textures):
    again, other = system(), system()
    again.fit(textures(), 0, never)
    other.fit(textures(), 1, never)
    test = textures(1, 3, first=10)
    np.testing.assert_array_equal(again.members(test)[0], fitted.members(test)[0])
    assert not np.array_equal(other.members(test)[0], fitted.members(test)[0])


def test_encoders_see_no_pattern(fitted, textures):
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


def test_a_pattern_that_was_not_trained_on_gets_the_lowest_score(textures):
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


def test_one_specimen_a_pattern_can_be_fitted(textures):
    """No inner fold then knows the patterns that it is to judge."""
    cells = textures(specimens=1)
    classifier = system()
    classifier.fit(cells, 0, never)
    assert classifier._fitted.sharpness == 1
    assert np.isfinite(classifier.members(cells)[0]).all()


def test_cells_without_a_nucleus_are_scored(fitted, textures):
    cells = textures(1, 2)
    empty = bag(
        cells.images, np.zeros_like(cells.masks), cells.patterns, cells.specimens
    )
    np.testing.assert_allclose(fitted.members(empty)[0].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("asked", [1, 3, 6, 7])
def test_a_stop_is_heard_at_every_stage(asked, textures):
    calls = iter(range(1, 100))
    with pytest.raises(InterruptedRunError, match="resume"):
        system().fit(textures(), 0, lambda: next(calls) >= asked)


def test_nothing_is_scored_before_a_fit(textures):
    with pytest.raises(RuntimeError, match="fit comes before"):
        system().members(textures(1, 1))
