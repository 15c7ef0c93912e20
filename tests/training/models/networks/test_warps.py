import numpy as np
import pytest
import torch

from training.models.networks.warps import BLURS, NOISES, ZOOMS, Warps, draw_warps, warp

pytestmark = pytest.mark.usefixtures("one_thread")


def warps(count=1, angle=0.0, zoom=1.0, blur=0.0, noise=0.0, seed=1) -> Warps:
    values = [torch.full((count,), value) for value in (angle, zoom, blur, noise)]
    return Warps(*values, torch.full((count,), seed))


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8, generator=generator)


def test_nothing_asked_for_is_the_image(images):
    assert torch.allclose(warp(images, warps(3)), images.float(), atol=1e-3)


def test_a_quarter_turn_is_the_quarter_turn(images):
    turned = warp(images, warps(3, angle=np.pi / 2))
    assert torch.allclose(turned, torch.rot90(images.float(), 1, (1, 2)), atol=1e-2)


def test_zoomed_by_two_the_middle_fills_the_image():
    image = torch.zeros(1, 16, 16)
    image[0, 4:12, 4:12] = 200
    assert float(warp(image, warps(zoom=2.0)).mean()) > 170
    assert float(warp(image, warps(zoom=0.5)).mean()) < 90


def test_a_blur_keeps_the_light_and_spreads_it():
    image = torch.zeros(1, 17, 17)
    image[0, 8, 8] = 100
    spread = warp(image, warps(blur=1.0))[0]
    assert float(spread.sum()) == pytest.approx(100, rel=1e-4)
    # The middle of a Gaussian of deviation 1 pixel, cut at three.
    assert float(spread[8, 8]) == pytest.approx(100 / (2 * np.pi), rel=0.01)
    assert float(spread[8, 10]) == pytest.approx(float(spread[6, 8]), rel=1e-4)


def test_each_image_has_its_own_blur():
    image = torch.zeros(2, 17, 17)
    image[:, 8, 8] = 100
    asked = warps(2)._replace(blurs=torch.tensor([0.0, 1.0]))
    sharp, soft = warp(image, asked)[:, 8, 8].tolist()
    assert sharp == pytest.approx(100, rel=1e-3)
    assert soft < 20


def test_noise_is_a_share_of_the_maximum_and_the_seed_decides_it():
    image = torch.full((1, 64, 64), 100.0)
    noisy = warp(image, warps(noise=0.05, seed=7))
    assert float((noisy - image).std()) == pytest.approx(5, rel=0.05)
    assert torch.equal(noisy, warp(image, warps(noise=0.05, seed=7)))
    assert not torch.equal(noisy, warp(image, warps(noise=0.05, seed=8)))


def test_what_is_drawn_lies_in_its_range():
    drawn = draw_warps(1000, np.random.default_rng(0))
    for values, (low, high) in (
        (drawn.angles, (-np.pi, np.pi)),
        (drawn.zooms, ZOOMS),
        (drawn.blurs, BLURS),
        (drawn.noises, NOISES),
    ):
        assert low <= float(values.min()) <= low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) <= float(values.max()) <= high
