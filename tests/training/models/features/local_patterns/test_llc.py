import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from training.models.features.local_patterns.coding import encode, fit_dictionary, pool


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal(shape)
    return torch.from_numpy(values.astype(np.float32))


def constrained_least_squares(
    patch: np.ndarray, words: np.ndarray, neighbours: int
) -> np.ndarray:
    """Return the code of one patch from the optimality (KKT) system, in float64."""
    near = np.argsort(((words - patch) ** 2).sum(axis=1))[:neighbours]
    apart = words[near] - patch
    scatter = apart @ apart.T
    ridge = 1e-4 * np.trace(scatter)
    system = np.ones((neighbours + 1, neighbours + 1))
    system[:-1, :-1] = 2 * (scatter + ridge * np.eye(neighbours))
    system[-1, -1] = 0
    solved = np.linalg.solve(system, np.r_[np.zeros(neighbours), 1])
    code = np.zeros(len(words))
    code[near] = solved[:-1]
    return code


def whole(nearest: torch.Tensor, codes: torch.Tensor, words: int) -> np.ndarray:
    return torch.zeros(len(codes), words).scatter_(1, nearest, codes).numpy()


@pytest.mark.parametrize(("length", "neighbours"), [(8, 3), (32, 10), (6, 10)])
def test_codes_are_those_of_the_constrained_least_squares(length, neighbours):
    """With more neighbours than dimensions too, where the ridge decides."""
    patches, words = random(12, length), random(40, length, seed=1)
    ours = whole(*encode(patches, words, neighbours), 40)
    for patch, code in zip(patches.double().numpy(), ours, strict=True):
        direct = constrained_least_squares(patch, words.double().numpy(), neighbours)
        assert np.allclose(code, direct, atol=2e-3)


def test_codes_sum_to_one_and_use_the_nearest_words():
    patches, words = random(50, 16), random(64, 16, seed=1)
    nearest, codes = encode(patches, words, 5)
    assert nearest.shape == codes.shape == (50, 5)
    assert torch.allclose(codes.sum(dim=1), torch.ones(50), atol=1e-5)
    expected = torch.cdist(patches, words).topk(5, largest=False).indices
    assert torch.equal(nearest.sort().values, expected.sort().values)


def test_a_patch_that_is_a_word_is_coded_by_it():
    words = random(30, 16)
    codes = whole(*encode(words[7:8], words, 4), 30)[0]
    assert codes[7] == pytest.approx(1, abs=1e-2)


def test_a_patch_midway_between_two_words():
    words = torch.tensor([[0.0, 0.0], [2.0, 0.0], [50.0, 50.0]])
    codes = whole(*encode(torch.tensor([[1.0, 0.0]]), words, 2), 3)
    assert np.allclose(codes, [[0.5, 0.5, 0]], atol=1e-5)


def test_fewer_words_than_neighbours_and_equal_words():
    nearest, codes = encode(torch.zeros(2, 3), torch.zeros(4, 3), 10)
    assert nearest.shape == (2, 4)
    assert torch.allclose(codes, torch.full((2, 4), 0.25), atol=1e-5)


def test_codes_do_not_depend_on_how_many_are_coded_at_once(monkeypatch):
    patches, words = random(20, 8), random(32, 8, seed=1)
    together = whole(*encode(patches, words, 5), 32)
    monkeypatch.setattr("training.models.features.local_patterns.coding.CHUNK", 7)
    assert np.allclose(whole(*encode(patches, words, 5), 32), together, atol=1e-4)


def test_pooling_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((40, 9)).astype(np.float32)
    dense[rng.random((40, 9)) < 0.6] = 0
    cell, border = rng.integers(0, 3, 40), rng.integers(0, 2, 40)
    nearest = torch.arange(9).repeat(40, 1)
    slots = torch.from_numpy(2 * cell + border)
    ours = pool(nearest, torch.from_numpy(dense), slots, 4, 9).numpy()
    for number in range(3):
        expected = np.zeros((3, 9))
        for code, c, b in zip(dense, cell, border, strict=True):
            if c == number:
                expected[0] = np.maximum(expected[0], code)
                expected[1 + b] = np.maximum(expected[1 + b], code)
        flat = expected.ravel()
        assert np.allclose(ours[number], flat / np.linalg.norm(flat), atol=1e-6)
    assert not ours[3].any(), "a cell without patches"


def test_the_dictionary_finds_the_middles_of_clusters():
    middles = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    rng = np.random.default_rng(0)
    patches = middles[rng.integers(0, 3, 3000)] + rng.normal(0, 0.3, (3000, 2))
    words = fit_dictionary(patches.astype(np.float32), 3, 0).numpy()
    found = words[np.lexsort(words.round().T)]
    assert np.allclose(found, middles[np.lexsort(middles.T)], atol=0.1)


def test_the_dictionary_is_the_same_with_the_same_seed():
    patches = random(500, 6).numpy()
    first = fit_dictionary(patches, 20, 3)
    assert torch.equal(first, fit_dictionary(patches, 20, 3))
    assert not torch.equal(first, fit_dictionary(patches, 20, 4))


def test_there_are_no_more_words_than_patches():
    assert len(fit_dictionary(random(9, 4).numpy(), 50, 0)) == 9


def test_codes_are_sparse_enough_to_be_stored_so():
    pooled = pool(
        torch.zeros(1, 1).long(), torch.ones(1, 1), torch.zeros(1).long(), 1, 4
    )
    assert csr_array(pooled.numpy()).nnz == 2
