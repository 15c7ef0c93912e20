import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, gaussian_filter
from skimage.feature import hessian_matrix
from skimage.feature import shape_index as reference_index

from training.config import ShapeIndexSettings
from training.models.augmentation import VIEWS, turn
from training.models.features.shape_index import ShapeIndexSystem
from training.models.features.shape_index.features import (
    derivatives,
    donut_weights,
    histograms,
    shape_index,
)

SMALL = ShapeIndexSettings(scales=(1.0, 2.0, 4.0), bins=6, rings=3)


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates (y, x) from the middle pixel of an odd side."""
    line = np.arange(side) - side // 2
    return np.meshgrid(line, line, indexing="ij")


def index_of(images: np.ndarray, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Shape index and curvedness of all pixels of some images, at one scale."""
    down, across = (derivatives(side, [sigma]) for side in images.shape[1:])
    found = [
        shape_index(torch.tensor(image - image.mean()).float(), down, across)
        for image in images
    ]
    index, curvedness = (torch.cat(part) for part in zip(*found, strict=True))
    return index, curvedness


def at_centre(image: np.ndarray, sigma: float) -> tuple[float, float]:
    index, curvedness = index_of(image[None], sigma)
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
    index, curvedness = index_of(images, sigma)
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
    index, curvedness = index_of(np.full((1, 12, 12), 0.5), 2.0)
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


@pytest.mark.parametrize("widths", [2, 16])
def test_a_pixel_counts_by_nearness_curvedness_and_weight(widths):
    """The centre of the other bin is so many widths away."""
    index = torch.tensor([[[np.pi / 4, -np.pi / 4]]], dtype=torch.float32)
    curvedness = torch.tensor([[[2.0, 3.0]]])
    weights = torch.tensor([[[0.5, 0.5]], [[1.0, 0.0]]])
    counts = histograms(index, curvedness, weights, 2, np.pi / 2 / widths)
    far = np.exp(-(widths**2) / 2)
    expected = [[1.5 + far, 2 * far], [1 + 1.5 * far, 2]]
    np.testing.assert_allclose(counts[:, 0], expected, rtol=1e-6, atol=1e-30)


@given(
    bins=st.integers(2, 64),
    tonal_scale=st.floats(1e-3, 2),
    index=st.floats(-np.pi / 2, np.pi / 2),
)
def test_counts_are_gaussians_whatever_the_bins_and_their_width(
    bins, tonal_scale, index
):
    pixel = torch.tensor([[[index]]], dtype=torch.float32)
    found = histograms(
        pixel, torch.ones(1, 1, 1), torch.ones(1, 1, 1), bins, tonal_scale
    )
    centres = -np.pi / 2 + (np.arange(bins) + 0.5) * np.pi / bins
    expected = np.exp(-((pixel.item() - centres) ** 2) / (2 * tonal_scale**2))
    # Of a narrow window, float32 does not hold the index well enough.
    tolerance = 2e-5 + 2e-7 / tonal_scale
    np.testing.assert_allclose(found.flatten(), expected, rtol=0, atol=tolerance)


def test_features_equal_those_written_out():
    images, masks = random_cells()
    found = ShapeIndexSystem(SMALL, 6).compute(images, masks)
    expected = [written_out(*cell, SMALL) for cell in zip(images, masks, strict=True)]
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert found.shape == (4, 6 * 3 * 3)
    assert found.dtype == np.float32


def test_features_of_narrow_and_of_wide_bins_equal_those_written_out():
    images, masks = random_cells()
    for tonal_scale in (0.02, 0.23, 0.25, 2.0):
        settings = SMALL.model_copy(update={"tonal_scale": tonal_scale})
        found = ShapeIndexSystem(settings, 6).compute(images, masks)
        cells = zip(images, masks, strict=True)
        expected = [written_out(*cell, settings) for cell in cells]
        np.testing.assert_allclose(found, expected, atol=2e-6)


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
