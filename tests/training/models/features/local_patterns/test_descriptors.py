import numpy as np
import pytest
import torch

from training.config.features import LocalPatternsSettings
from training.errors import BadSettingError
from training.models.features.local_patterns import descriptors, regions

SETTINGS = LocalPatternsSettings(step=6, projection_length=20)


@pytest.fixture
def noise() -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.random((2, 30, 30), dtype=np.float32))


def patch(image: torch.Tensor, y: int, x: int, size: int) -> np.ndarray:
    """The pixels of a patch, the image mirrored beyond its rim."""
    padded = np.pad(image.numpy(), 40, mode="symmetric")
    half = size // 2
    return padded[y + 40 - half : y + 40 + half, x + 40 - half : x + 40 + half]


def test_the_stretch_saturates_one_pixel_in_a_hundred_at_each_end():
    image = np.random.default_rng(0).permutation(np.arange(10_000) % 250)
    stretched = descriptors.stretch(image.reshape(1, 100, 100).astype(np.uint8) // 2)
    assert stretched.min() == 0
    assert stretched.max() == 1
    assert float((stretched == 0).float().mean()) == pytest.approx(0.012, abs=0.005)
    assert float((stretched == 1).float().mean()) == pytest.approx(0.012, abs=0.005)


def test_the_stretch_is_linear_and_leaves_a_flat_image_black():
    ramp = np.tile(np.arange(100, dtype=np.uint8), (1, 100, 1))
    stretched = descriptors.stretch(ramp)[0, 0]
    low, high = np.percentile(ramp, [1, 99])
    expected = np.clip((np.arange(100) - low) / (high - low), 0, 1)
    assert np.allclose(stretched, expected, atol=1e-6)
    assert not descriptors.stretch(np.full((1, 8, 8), 9, np.uint8)).any()


@pytest.mark.parametrize(
    ("side", "step", "points"),
    [(12, 4, [2, 6, 10]), (10, 2, [1, 3, 5, 7, 9]), (9, 4, [2, 6]), (8, 16, [4])],
)
def test_the_grid(side, step, points):
    assert descriptors.grid(side, step).tolist() == points


@pytest.mark.parametrize("name", ["mlp", "rootsift", "projections", "histogram"])
def test_all_sizes_have_one_length(name, noise):
    lengths = {"mlp": 32, "rootsift": 128, "projections": 20, "histogram": 64}
    sizes = descriptors.describe(name, noise, SETTINGS)
    assert [tuple(s.shape) for s in sizes] == [(2, 5, 5, lengths[name])] * 3
    assert all(torch.isfinite(s).all() for s in sizes)


@pytest.mark.parametrize("size", [12, 20])
def test_histograms_are_those_of_numpy(size, noise):
    """Points at the rim too: there the patch sees the image mirrored."""
    points = np.array([1, 15, 28])
    ours = descriptors.histogram(noise, points, size, 16)
    for i, y in enumerate(points):
        for j, x in enumerate(points):
            seen = patch(noise[1], y, x, size)
            counts, _ = np.histogram(seen, 16, (0, 1))
            assert np.allclose(ours[1, i, j] ** 2, counts / size**2, atol=1e-6)


def test_white_belongs_to_the_last_bin():
    ours = descriptors.histogram(torch.ones(1, 12, 12), np.array([6]), 4, 8)
    assert ours[0, 0, 0].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]


def test_mlp_is_zero_on_a_constant_patch():
    flat = torch.full((1, 30, 30), 0.7)
    assert descriptors.mlp(flat, np.array([4, 15]), 12).abs().max() < 1e-3


def test_mlp_does_not_change_with_an_added_constant_or_a_factor(noise):
    points = np.array([3, 15])
    ours = descriptors.mlp(noise, points, 16)
    assert torch.allclose(descriptors.mlp(noise + 0.4, points, 16), ours, atol=1e-5)
    assert torch.allclose(descriptors.mlp(noise * 0.5, points, 16), ours, atol=1e-5)
    assert torch.allclose(ours.norm(dim=-1), torch.ones(2, 2, 2), atol=1e-5)


def test_mlp_of_a_ramp_is_the_place_of_its_points():
    """On a plane a Gaussian's mean is the value in its middle."""
    ramp = torch.arange(40.0).expand(1, 40, 40) / 40
    ours = descriptors.mlp(ramp, np.array([20]), 16)[0, 0, 0]
    along_x = np.concatenate(
        [r * np.cos(np.arange(8) * np.pi / 4) for r in (2, 4, 6, 8)]
    )
    assert np.allclose(ours, along_x / np.linalg.norm(along_x), atol=0.01)


def test_mlp_turns_with_the_image(noise):
    """A quarter turn of the image moves each ring on by two of its eight points."""
    middle = np.array([15])
    ours = descriptors.mlp(noise, middle, 12)[0, 0, 0].reshape(4, 8)
    turned = descriptors.mlp(torch.rot90(noise, -1, (1, 2)), middle, 12)[0, 0, 0]
    assert torch.allclose(turned.reshape(4, 8), ours.roll(2, dims=1), atol=1e-5)


@pytest.mark.parametrize(
    ("angle", "orientation"), [(0, 0), (45, 1), (90, 2), (180, 4), (270, 6)]
)
def test_rootsift_of_a_ramp_points_up_the_ramp(angle, orientation):
    y, x = np.mgrid[:40, :40] / 100
    ramp = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    cell = torch.from_numpy(ramp[None].astype(np.float32))
    ours = descriptors.rootsift(cell, np.array([20]), 16)[0, 0, 0]
    places = (ours**2).reshape(16, 8)
    assert float(places.sum()) == pytest.approx(1, abs=1e-5)
    assert float(places[:, orientation].sum()) == pytest.approx(1, abs=1e-3)
    gauss = np.exp(-(np.array([-6.0, -2, 2, 6]) ** 2) / (2 * 8**2))
    expected = np.outer(gauss, gauss) / gauss.sum() ** 2
    assert np.allclose(places[:, orientation].reshape(4, 4), expected, atol=1e-4)


def test_rootsift_shares_a_gradient_between_two_orientations():
    y, x = np.mgrid[:40, :40] / 100
    ramp = x * np.cos(np.pi / 8) + y * np.sin(np.pi / 8)
    maps = descriptors.orientation_maps(torch.from_numpy(ramp[None].astype(np.float32)))
    assert np.allclose(maps[0, :, 20, 20], [0.005, 0.005, 0, 0, 0, 0, 0, 0], atol=1e-5)


def test_rootsift_finds_the_place_of_an_edge():
    """By hand: gradients at 5.5 and 6.5 from the point, places at 2 and 6, 4 wide."""
    cell = torch.zeros(1, 40, 40)
    cell[:, :, 26:] = 1
    places = descriptors.rootsift(cell, np.array([20]), 16)[0, 0, 0].reshape(4, 4, 8)
    mass = (places**2).sum(dim=(0, 2))
    third, last = 0.125 * np.exp(-4 / 128), 1.75 * np.exp(-36 / 128)
    expected = np.array([0, 0, third, last]) / (third + last)
    assert np.allclose(mass, expected, atol=1e-5)


def test_projections_of_the_smallest_size_are_a_matrix_product(noise):
    points = np.array([2, 15])
    ours = descriptors.projections(noise, points, 12, 12, 20)
    matrix = descriptors.projection_matrix(12, 20).numpy()
    seen = patch(noise[0], 2, 15, 12)
    direct = (seen - seen.mean()).ravel() @ matrix
    assert np.allclose(ours[0, 0, 1], direct, atol=1e-5)


def test_projections_of_a_larger_patch_are_those_of_its_means(noise):
    points = np.array([15])
    ours = descriptors.projections(noise, points, 24, 12, 20)
    seen = patch(noise[0], 15, 15, 24).reshape(12, 2, 12, 2).mean(axis=(1, 3))
    direct = (seen - seen.mean()).ravel() @ descriptors.projection_matrix(
        12, 20
    ).numpy()
    assert np.allclose(ours[0, 0, 0], direct, atol=1e-5)


def test_the_projection_is_always_the_same_and_keeps_lengths():
    matrix = descriptors.projection_matrix(12, 100)
    assert torch.equal(matrix, descriptors.projection_matrix(12, 100))
    assert not torch.equal(matrix[:64], descriptors.projection_matrix(8, 100))
    assert float((matrix**2).sum(dim=1).mean()) == pytest.approx(1, rel=0.05)


def test_depths_of_a_square():
    mask = np.zeros((7, 7), bool)
    mask[1:6, 1:6] = True
    row = regions.signed_depths(mask)[3]
    assert row.tolist() == [-1, 1, 2, 3, 2, 1, -1]


def test_parts_of_a_disc():
    y, x = np.mgrid[:61, :61] - 30
    radius = np.hypot(y, x)
    points = np.arange(1, 61)
    parts = regions.parts_of((radius <= 18)[None], points)[0]
    at = np.hypot(*np.meshgrid(points - 30.5, points - 30.5, indexing="ij"))
    assert (parts[at < 11] == regions.INNER).all()
    assert (parts[(at > 13) & (at < 20)] == regions.RIM).all()
    assert (parts[at > 22.5] == regions.OUTSIDE).all()


def test_an_empty_mask_is_the_whole_crop():
    masks = np.stack([np.zeros((20, 20), bool), np.ones((20, 20), bool)])
    empty, full = regions.parts_of(masks, descriptors.grid(20, 2))
    assert np.array_equal(empty, full)
    assert (empty != regions.OUTSIDE).all()


def test_a_nucleus_between_the_points_still_has_one():
    mask = np.zeros((64, 64), bool)
    mask[0, 0] = True
    parts = regions.parts_of(mask[None], descriptors.grid(64, 16))
    assert (parts != regions.OUTSIDE).sum() == 1
    assert parts[0, 0, 0] != regions.OUTSIDE


def test_an_odd_patch_is_refused():
    with pytest.raises(BadSettingError, match="even"):
        LocalPatternsSettings.parse({"patch_sizes": (12, 15)})
