import numpy as np
import pytest
import torch

from training.models.augmentation import (
    GAINS,
    GAMMAS,
    VIEWS,
    Changes,
    change,
    change_intensity,
    compose,
    draw_changes,
    normalise,
    turn,
)


def augment(images: torch.Tensor, how: str, generator: torch.Generator):
    changes = draw_changes(len(images), how, generator)
    changes = Changes(*(values.to(images.device) for values in changes))
    return change(images, changes, how)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cells(count: int, seed: int = 0) -> torch.Tensor:
    shape = (count, 6, 6)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(seed))


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


@pytest.mark.parametrize("side", [32, 60, 78, 111])
def test_percentiles_are_bit_for_bit_those_of_all_values(side):
    shape = (5, side, side)
    whole = torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(side))
    for images in (whole, whole // 40, whole.float() * 0.37):
        flat = images.float().flatten(1)
        low, high = torch.quantile(flat, torch.tensor([0.01, 0.99]), dim=1)
        span = (high - low).clamp(min=1.0)
        expected = ((flat - low[:, None]) / span[:, None]).clamp(0, 1)
        assert torch.equal(normalise(images, "cell").flatten(1), expected)


def test_gain_and_offset_do_not_matter_once_a_cell_is_normalised():
    image = torch.randint(0, 50, (1, 8, 8), dtype=torch.uint8)
    brighter = image * 3 + 40
    assert torch.allclose(normalise(image, "cell"), normalise(brighter, "cell"))


def test_a_flat_cell_stays_finite():
    flat = torch.full((1, 4, 4), 7, dtype=torch.uint8)
    assert normalise(flat, "cell").abs().sum() == 0


def test_float_greys_are_normalised_as_whole_ones():
    images = cells(3)
    for how in ("none", "cell"):
        assert torch.equal(normalise(images.float(), how), normalise(images, how))


def test_no_augmentation_leaves_image_and_generator_alone():
    images, generator = cells(3), seeded()
    before = generator.get_state()
    assert torch.equal(augment(images, "none", generator), images)
    assert torch.equal(generator.get_state(), before)


def test_views_follow_each_other_as_one():
    """All 64 pairs, on an image that shows each of its views apart."""
    image = torch.arange(9, dtype=torch.uint8).reshape(1, 3, 3).repeat(64, 1, 1)
    first = torch.arange(8).repeat_interleave(8)
    second = torch.arange(8).repeat(8)
    expected = turn(turn(image, first), second)
    assert torch.equal(turn(image, compose(first, second)), expected)


def test_views_of_the_samples_are_taken_without_augmentation_too():
    images = cells(8)
    changes = Changes(torch.arange(8), torch.ones(8), torch.ones(8))
    assert torch.equal(change(images, changes, "none"), turn(images, torch.arange(8)))


def test_all_eight_views_are_met_about_as_often():
    """4,000 copies: 500 a view, whose standard deviation is 21."""
    image = torch.arange(9, dtype=torch.uint8).reshape(1, 3, 3)
    met = augment(image.repeat(4000, 1, 1), "d4", seeded())
    assert met.dtype == torch.uint8
    _, counts = met.flatten(1).unique(dim=0, return_counts=True)
    assert len(counts) == 8
    assert all(400 < count < 600 for count in counts.tolist())


def test_a_view_is_one_of_the_image_itself():
    for image, met in zip(cells(20), augment(cells(20), "d4", seeded()), strict=True):
        views = turn(image.repeat(8, 1, 1), torch.arange(8))
        assert any(torch.equal(met, view) for view in views)


def test_intensity_by_hand():
    """Gamma 2 about the maximum 100 takes 50 to 25; then the gain; then the clip."""
    image = torch.tensor([[[0, 50], [100, 10]]], dtype=torch.uint8)
    changed = change_intensity(image, torch.tensor([1.2]), torch.tensor([2.0]))
    assert changed.flatten().tolist() == pytest.approx([0, 30, 120, 1.2], abs=1e-4)
    bright = torch.tensor([[[250, 125]]], dtype=torch.uint8)
    changed = change_intensity(bright, torch.tensor([1.4]), torch.tensor([1.0]))
    assert changed.flatten().tolist() == pytest.approx([255, 175])


def test_each_image_has_its_own_gain_and_gamma():
    images = torch.tensor([[[100, 50]], [[100, 50]]], dtype=torch.uint8)
    changed = change_intensity(images, torch.tensor([1.0, 0.5]), torch.tensor([1.0, 2]))
    assert changed.flatten(1).tolist() == [
        pytest.approx([100, 50]),
        pytest.approx([50, 12.5]),
    ]


def test_a_black_image_stays_black():
    black = torch.zeros(2, 4, 4, dtype=torch.uint8)
    assert not augment(black, "d4-intensity", seeded()).any()


def test_gains_and_gammas_fill_their_ranges_evenly_in_the_logarithm():
    """The maximum tells the gain; a pixel of half the maximum then tells the gamma."""
    image = torch.tensor([[[100, 50], [50, 50]]], dtype=torch.uint8)
    met = augment(image.repeat(4000, 1, 1), "d4-intensity", seeded()).flatten(1)
    gains = met.max(dim=1).values / 100
    gammas = torch.log2(gains * 100 / met.min(dim=1).values)
    for values, (low, high) in ((gains, GAINS), (gammas, GAMMAS)):
        shares = (values.log() - np.log(low)) / np.log(high / low)
        assert -1e-3 < float(shares.min()) < 0.01
        assert 0.99 < float(shares.max()) < 1.001
        assert float(shares.mean()) == pytest.approx(0.5, abs=0.03)
        assert float(shares.std()) == pytest.approx(12**-0.5, abs=0.02)
    assert abs(float(torch.corrcoef(torch.stack([gains, gammas]))[0, 1])) < 0.06


def test_intensity_comes_on_top_of_the_same_views():
    images = cells(30)
    turned = augment(images, "d4", seeded())
    met = augment(images, "d4-intensity", seeded())
    assert met.dtype == torch.float32
    assert float(met.min()) >= 0
    assert float(met.max()) <= 255
    for before, after in zip(turned.flatten(1), met.flatten(1), strict=True):
        rising = after[before.argsort()]
        assert bool((rising.diff() >= 0).all())


@pytest.mark.parametrize("how", ["d4", "d4-intensity"])
def test_the_generator_decides_everything(how):
    images = cells(16)
    first = augment(images, how, seeded(1))
    torch.manual_seed(5)
    assert torch.equal(augment(images, how, seeded(1)), first)
    assert not torch.equal(augment(images, how, seeded(2)), first)


def test_an_augmented_image_is_what_a_network_takes():
    met = augment(cells(8), "d4-intensity", seeded())
    for how in ("none", "cell"):
        scaled = normalise(met, how)
        assert scaled.shape == (8, 1, 6, 6)
        assert 0 <= float(scaled.min()) <= float(scaled.max()) <= 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_device_does_not_matter():
    images = cells(16)
    there = augment(images.cuda(), "d4-intensity", seeded()).cpu()
    assert torch.allclose(there, augment(images, "d4-intensity", seeded()), atol=1e-2)
