import numpy as np
import pytest
import torch

from training.augmentation import VIEWS, normalise, turn


def test_eight_views_written_by_hand():
    image = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8)
    views = turn(image.repeat(8, 1, 1), torch.arange(8)).tolist()
    assert views == [
        [[1, 2], [3, 4]],
        [[2, 4], [1, 3]],
        [[4, 3], [2, 1]],
        [[3, 1], [4, 2]],
        [[2, 1], [4, 3]],
        [[1, 3], [2, 4]],
        [[3, 4], [1, 2]],
        [[4, 2], [3, 1]],
    ]


def test_the_views_are_the_symmetries_of_the_square():
    image = np.random.default_rng(0).integers(0, 256, (7, 7), np.uint8)
    expected = {
        np.rot90(side, k).tobytes() for side in (image, image.T) for k in range(4)
    }
    images = torch.from_numpy(image).repeat(VIEWS, 1, 1)
    found = turn(images, torch.arange(VIEWS)).numpy()
    assert {view.tobytes() for view in found} == expected


def test_each_image_keeps_its_place():
    images = torch.arange(3 * 4, dtype=torch.uint8).reshape(3, 2, 2)
    turned = turn(images, torch.tensor([2, 0, 5]))
    assert turned[1].tolist() == images[1].tolist()
    assert sorted(turned[2].flatten().tolist()) == [8, 9, 10, 11]


def test_no_normalisation_divides_by_255():
    images = torch.tensor([[[0, 51], [102, 255]]], dtype=torch.uint8)
    scaled = normalise(images, "none")
    assert scaled.shape == (1, 1, 2, 2)
    assert scaled.flatten().tolist() == pytest.approx([0, 0.2, 0.4, 1])


def test_normalisation_of_a_cell_against_numpy():
    image = np.random.default_rng(1).integers(20, 90, (2, 9, 9), np.uint8)
    scaled = normalise(torch.from_numpy(image), "cell").numpy()[:, 0]
    for one, got in zip(image, scaled, strict=True):
        low, high = np.percentile(one, [1, 99])
        assert got == pytest.approx(np.clip((one - low) / (high - low), 0, 1), abs=1e-5)


def test_gain_and_offset_do_not_matter_once_a_cell_is_normalised():
    image = torch.randint(0, 50, (1, 8, 8), dtype=torch.uint8)
    brighter = image * 3 + 40
    assert torch.allclose(normalise(image, "cell"), normalise(brighter, "cell"))


def test_a_flat_cell_stays_finite():
    flat = torch.full((1, 4, 4), 7, dtype=torch.uint8)
    assert normalise(flat, "cell").abs().sum() == 0
