"""Near copies of pictures whose place, view and shift are known."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from training.config import NearCopySettings
from training.curation import copy_search as search
from training.curation import near_copies as module
from training.curation.near_copies import (
    COLUMNS,
    VIEWS,
    near_copies,
    near_copies_parts,
    view_of,
)


def nuclei(n, seed=0, side=77):
    """Return nuclei with a shape and a grain of their own, (n, side, side) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side // 2
    a, b = side * rng.uniform(0.24, 0.36, (2, n, 1, 1))
    angle = rng.uniform(0, np.pi, (n, 1, 1))
    along, across = (
        np.cos(angle) * y + np.sin(angle) * x,
        np.cos(angle) * x - np.sin(angle) * y,
    )
    disc = np.hypot(along / a, across / b) < 1
    grain = ndimage.gaussian_filter(rng.normal(size=(n, side, side)), (0, 2.5, 2.5))
    grain /= grain.std()
    noise = rng.normal(0, 2, (n, side, side))
    return np.clip(15 + disc * (90 + 25 * grain) + noise, 0, 255).astype(np.uint8)


def altered(image, rng, view, shift):
    """Return a view of an image, moved, with another gain, offset and noise."""
    moved = np.roll(view_of(image, view), shift, (0, 1)).astype(float)
    changed = rng.uniform(0.6, 1.4) * moved + rng.uniform(0, 10)
    return np.clip(changed + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def test_the_views_are_the_eight_of_a_square():
    image = np.arange(9).reshape(3, 3)
    views = {np.rot90(v, k).tobytes() for v in (image, image.T) for k in range(4)}
    assert {view_of(image, k).tobytes() for k in range(len(VIEWS))} == views
    assert np.array_equal(view_of(image, 1), np.rot90(image, 2))
    assert np.array_equal(view_of(image, 2), image[::-1])
    assert np.array_equal(view_of(image, 4), image.T)
    assert np.array_equal(view_of(image, 6), np.rot90(image))
    assert np.array_equal(view_of(image, 7), np.rot90(image, 3))


@pytest.mark.parametrize("view", range(8))
def test_a_copy_is_found_in_each_view_with_its_shift(view):
    rng = np.random.default_rng(view)
    images = nuclei(6, seed=1)
    turned = np.flatnonzero(
        [
            np.array_equal(view_of(view_of(images[0], view), k), images[0])
            for k in range(8)
        ]
    )
    copy = altered(images[0], rng, view, (0, 0))
    found = near_copies(np.concatenate([images, copy[None]]))
    assert found[["first", "second"]].to_numpy().tolist() == [[0, 6]]
    assert found["view"][0] == turned[0], "the view that turns it back"
    assert found["correlation"][0] > 0.9


@pytest.mark.parametrize("shift", [(2, -1), (-2, 3), (0, 2)])
def test_a_moved_copy_is_found_where_it_is(shift):
    images = nuclei(6, seed=2)
    copy = altered(images[2], np.random.default_rng(0), 0, shift)
    found = near_copies(np.concatenate([images, copy[None]]))
    assert found[["first", "second", "view", "dy", "dx"]].to_numpy().tolist() == [
        [2, 6, 0, *shift]
    ]


def test_an_equal_image_correlates_by_1():
    images = nuclei(4)[[0, 1, 2, 1]]
    found = near_copies(images)
    assert found[["first", "second"]].to_numpy().tolist() == [[1, 3]]
    assert found["correlation"][0] == pytest.approx(1, abs=1e-5)


def test_cells_of_one_specimen_are_no_pair():
    images = nuclei(4)[[0, 1, 2, 1]]
    assert near_copies(images, np.array(["a", "b", "c", "b"])).empty
    assert len(near_copies(images, np.array(["a", "b", "c", "d"]))) == 1


def test_planted_copies_are_found_and_others_are_not():
    rng = np.random.default_rng(3)
    images = nuclei(300, seed=3)
    sources = rng.choice(300, 60, replace=False)
    shifts = rng.integers(-2, 3, (60, 2))
    copies = [
        altered(images[row], rng, view, tuple(shift))
        for row, view, shift in zip(
            sources, rng.integers(0, 8, 60), shifts, strict=True
        )
    ]
    specimens = np.array([f"{k % 7}" for k in range(300)] + ["copies"] * 60)
    found = near_copies(np.concatenate([images, copies]), specimens)
    pairs = set(map(tuple, found[["first", "second"]].to_numpy().tolist()))
    planted = {(int(row), 300 + k) for k, row in enumerate(sources)}
    assert len(planted & pairs) >= 59
    assert not pairs - planted


def test_the_best_view_of_descriptors_is_that_of_eight_products():
    images = nuclei(7, seed=4, side=60)
    whole = search.band(images, 16, (1 / 24, 1 / 12))
    own, turned = (
        search.parts(some).reshape(4, 7, -1) for some in (whole, whole.swapaxes(1, 2))
    )
    best = np.maximum(search.best_view(own, own), search.best_view(own, turned))
    products = [
        np.einsum("iyx,jyx->ij", whole, view_of(whole, view)) for view in range(8)
    ]
    np.testing.assert_allclose(best, np.max(products, axis=0), atol=1e-5)
    pairs = np.array([(i, j) for i in range(7) for j in range(7)])
    views = search.views_of_pairs(own, turned, pairs).reshape(7, 7, 8)
    np.testing.assert_allclose(views, np.moveaxis(products, 0, 2), atol=1e-5)


@pytest.mark.parametrize("view", range(8))
def test_a_view_of_an_image_has_its_descriptor_in_that_view(view):
    images = nuclei(40, seed=8)
    own, turned = search.describe(np.concatenate([images, view_of(images, view)]))
    pairs = np.arange(40)[:, None] + [0, 40]
    levels = search.views_of_pairs(own, turned, pairs)
    back = next(
        k
        for k in range(8)
        if np.array_equal(view_of(view_of(images[0], view), k), images[0])
    )
    np.testing.assert_allclose(levels[:, back], 1, atol=1e-3)
    assert (levels.argmax(axis=1) == back).all()


def test_descriptors_have_a_norm_of_1_or_0():
    images = np.concatenate([nuclei(5), np.full((1, 77, 77), 9, np.uint8)])
    for found in search.describe(images):
        norms = np.sqrt((found**2).sum(axis=(0, 2)))
        np.testing.assert_allclose(norms, [1, 1, 1, 1, 1, 0], atol=1e-5)


def test_the_middle_is_that_of_the_bright_disc():
    y, x = np.mgrid[:77, :77] - 38
    places = [(0, 0), (4, -3), (-6, 2)]
    discs = [np.hypot(y - dy, x - dx) < 20 for dy, dx in places]
    images = (10 + 90 * np.stack(discs)).astype(np.uint8)
    np.testing.assert_allclose(search.middles_of(images), places, atol=0.05)
    blank = np.full((1, 77, 77), 7, np.uint16)
    assert search.middles_of(blank).tolist() == [[0, 0]]


def test_a_neighbour_in_the_corner_moves_the_middle_little():
    y, x = np.mgrid[:77, :77] - 38
    alone = np.hypot(y, x) < 18
    both = alone | (np.hypot(y - 36, x - 36) < 12)
    images = (10 + 90 * np.stack([alone, both])).astype(np.uint8)
    alone_at, both_at = search.middles_of(images)
    assert np.abs(both_at - alone_at).max() < 1.5


def test_what_all_nuclei_share_does_not_make_two_alike():
    images = nuclei(300, seed=9)
    own, turned = search.describe(images)
    levels = np.maximum(search.best_view(own, own), search.best_view(own, turned))
    np.fill_diagonal(levels, 0)
    assert np.median(levels.max(axis=1)) < 0.6, "0.87 without whitening"


def test_the_best_shift_is_that_of_pearson():
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(2, 3, 20, 20)).astype(np.float32)
    found = module._best_shift(first, second, 2)
    for k in range(3):
        middle = first[k, 2:18, 2:18].ravel()
        level = {
            (dy, dx): np.corrcoef(
                middle, second[k, 2 + dy :, 2 + dx :][:16, :16].ravel()
            )
            for dy in range(-2, 3)
            for dx in range(-2, 3)
        }
        best = max(level, key=lambda shift: level[shift][0, 1])
        assert found[k, 0] == pytest.approx(level[best][0, 1], abs=1e-4)
        assert tuple(found[k, 1:]) == best


def test_blocks_do_not_change_the_pairs(monkeypatch):
    images = nuclei(40, seed=6)[np.r_[0:40, 0:20]]
    whole = near_copies(images)
    for part, name in (
        (module, "_ROWS"),
        (module, "_PAIRS"),
        (search, "_OTHERS"),
        (search, "_CROPS"),
    ):
        monkeypatch.setattr(part, name, 7)
    parts = near_copies(images)
    assert len(whole) == 20
    pd.testing.assert_frame_equal(parts[list(COLUMNS)], whole, atol=1e-4)


def test_the_share_ends_at_1():
    shares = [share for share, _ in near_copies_parts(nuclei(5))]
    assert shares == [1.0]


def test_only_the_best_candidates_are_looked_at():
    copies = nuclei(1)[[0] * 12]
    pairs = near_copies(copies, settings=NearCopySettings(candidates=2))
    assert pairs["first"].value_counts().max() == 2


@pytest.mark.parametrize("grey", [0, 255])
def test_blank_images_are_no_copies(grey):
    assert near_copies(np.full((3, 30, 30), grey, np.uint8)).empty


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_cells_have_no_pairs(n):
    found = near_copies(nuclei(3)[:n])
    assert found.empty
    assert tuple(found) == COLUMNS


@pytest.mark.real
@pytest.mark.skipif("HEP2_TASK1" not in os.environ, reason="needs real cells")
def test_real_specimens_hold_no_near_copies_of_each_other():
    from training.data.cells.loading import load_cell_set

    cells = load_cell_set(Path(os.environ["HEP2_TASK1"]))
    sure = NearCopySettings(correlation=0.95)
    images, specimens = cells.images[::4], cells.specimens[::4]
    assert near_copies(images, specimens, sure).empty
