import numpy as np
import pytest
import torch

from training.config import KernelRidgeSettings
from training.models.augmentation import turn
from training.models.features.families import FAMILIES, FamilyFeatures
from training.models.features.kernel_ridge.fourier import FourierMap

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def cell():
    """A cell off the centre of its image, with some texture, and its mask."""
    y, x = np.mgrid[:60, :60]
    mask = np.hypot(y - 26, (x - 33) / 1.2) < 20
    rng = np.random.default_rng(0)
    image = np.where(mask, rng.integers(80, 255, mask.shape), 10)
    return torch.tensor(image[None].astype(np.uint8)), torch.tensor(mask[None])


@pytest.mark.parametrize("name", FAMILIES)
def test_all_eight_orientations_have_the_same_features(cell, name):
    image, mask = (one.expand(8, -1, -1) for one in cell)
    views = torch.arange(8)
    family = FAMILIES[name]
    found = family.compute(turn(image, views), turn(mask, views))
    assert found.shape == (8, family.length)
    np.testing.assert_allclose(found, found[:1].expand(8, -1), atol=1e-4)
    assert found.norm(dim=1).numpy() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_flat_cell_has_finite_features(name):
    flat = torch.full((1, 60, 60), 9, dtype=torch.uint8)
    found = FAMILIES[name].compute(flat, torch.zeros(1, 60, 60, dtype=torch.bool))
    assert torch.isfinite(found).all()


def test_families_stand_beside_each_other(cell):
    image, mask = (one.numpy() for one in cell)
    settings = KernelRidgeSettings(families=("intensities", "shape-index"))
    found = FamilyFeatures(settings).compute(image, mask)
    parts = [FAMILIES[name].compute(*cell) for name in settings.families]
    np.testing.assert_array_equal(found, torch.cat(parts, dim=1).numpy())


def test_bright_and_dark_donuts_by_hand():
    """Black within the middle, white outside: the first donuts hold the first bin."""
    y, x = np.mgrid[:60, :60]
    image = torch.tensor(np.where(np.hypot(y - 29.5, x - 29.5) < 15, 0, 255)[None])
    mask = torch.tensor((np.hypot(y - 29.5, x - 29.5) < 25)[None])
    found = FAMILIES["intensities"].compute(image.byte(), mask)[0].view(5, 12)
    assert found[0, 0] ** 2 * 5 == pytest.approx(1, abs=0.05)
    assert found[4, -1] ** 2 * 5 == pytest.approx(1, abs=0.05)


def test_inner_products_are_those_of_the_kernels():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(5, 3 + 4)).astype(np.float32) / 3
    fourier = FourierMap.draw((3, 4), (0.7, 0.3), 1.5, 20_000)
    lifted = fourier.lift(features)
    expected = np.ones((5, 5))
    for part, spread in ((features[:, :3], 0.7), (features[:, 3:], 0.3)):
        apart = ((part[:, None] - part) ** 2).sum(-1)
        expected += np.exp(-apart / (2 * 1.5**2 * spread))
    np.testing.assert_allclose(lifted @ lifted.T, expected, atol=0.05)


def test_the_first_fourier_features_are_those_of_a_smaller_map():
    whole = FourierMap.draw((3,), (1.0,), 1.0, 12)
    small = FourierMap.draw((3,), (1.0,), 1.0, 4)
    np.testing.assert_array_equal(whole.first(4).frequencies[0], small.frequencies[0])


def test_a_family_of_weight_0_has_no_columns():
    fourier = FourierMap.draw((3, 4), (1.0, 1.0), 1.0, 6)
    columns, shares = fourier.columns((1.0, 0.0))
    assert columns.tolist() == [0, 1, 2, 3, 4, 5, 12]
    assert shares.tolist() == [1] * 7
    assert fourier.columns((1.0, 0.25))[1].tolist() == [1] * 6 + [4] * 6 + [1]
