"""A frame against its mask, its optics and its camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from training.data.simulation import CONDITIONS, SimulatedFrame, frames, simulate_frame
from training.data.simulation.staining import MARGIN, N_PLANES, Canvas

# --- truth against the mask ------------------------------------------------------


@pytest.fixture(scope="module")
def crowded(typical) -> SimulatedFrame:
    rng = np.random.default_rng(3)
    return simulate_frame(typical("Homogeneous"), 90, (760, 900), 0.4, rng)


def test_good_nuclei_are_single_components_at_their_centroid(crowded):
    parts, _ = ndimage.label(crowded.mask > 0, structure=np.ones((3, 3)))
    good = [n for n in crowded.nuclei if n.condition == "good"]
    assert len(good) >= 20
    for nucleus in good:
        part = parts == parts[round(nucleus.y), round(nucleus.x)]
        centre = ndimage.center_of_mass(part)
        assert centre == pytest.approx((nucleus.y, nucleus.x), abs=1e-6)
        assert 900 < part.sum() < 3200


def test_border_nuclei_are_those_at_the_border(crowded):
    parts, _ = ndimage.label(crowded.mask > 0, structure=np.ones((3, 3)))
    edges = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    border = [n for n in crowded.nuclei if n.condition == "border"]
    assert len(border) >= 5
    assert all(parts[round(n.y), round(n.x)] in edges for n in border)
    free = [n for n in crowded.nuclei if n.condition in ("good", "out of focus")]
    assert not any(parts[round(n.y), round(n.x)] in edges for n in free)


def test_touching_nuclei_share_a_component(crowded):
    parts, n_parts = ndimage.label(crowded.mask > 0, structure=np.ones((3, 3)))
    owner = [parts[round(n.y), round(n.x)] for n in crowded.nuclei]
    touching = [
        p
        for p, n in zip(owner, crowded.nuclei, strict=True)
        if n.condition == "touching"
    ]
    assert touching
    assert all(owner.count(part) >= 2 for part in touching)
    assert len(set(owner)) == n_parts


def test_every_condition_occurs(crowded):
    assert {n.condition for n in crowded.nuclei} == set(CONDITIONS)


def test_no_rejects_when_none_are_asked_for(frame_of):
    conditions = {n.condition for n in frame_of("Speckled").nuclei}
    assert conditions <= {"good", "border", "touching"}


def test_mitotic_plate_is_brightest_in_homogeneous_cells(crowded):
    level = {
        c: np.median(
            [
                crowded.image[round(n.y), round(n.x)]
                for n in crowded.nuclei
                if n.condition == c
            ]
        )
        for c in ("mitotic", "good")
    }
    assert level["mitotic"] > 1.4 * level["good"]


# --- optics and camera: hand-made truth -------------------------------------------


def test_a_point_is_shared_among_its_neighbours():
    canvas = Canvas((10, 10))
    one = np.array([1.0])
    canvas.add_points(2.25 * one, 3.5 * one, 8 * one, 1.5 * one)
    y, x = 2 + MARGIN, 3 + MARGIN
    patch = canvas.planes[1:3, y : y + 2, x : x + 2]
    np.testing.assert_allclose(patch[0], [[1.5, 1.5], [0.5, 0.5]])
    np.testing.assert_allclose(patch[1], patch[0])
    assert canvas.planes.sum() == pytest.approx(8)


def test_a_point_beyond_the_canvas_is_left_out():
    canvas = Canvas((10, 10))
    far = np.array([1000.0, -1000.0])
    canvas.add_points(far, far, np.ones(2), np.zeros(2))
    assert canvas.planes.sum() == 0


def test_a_window_is_shared_between_its_planes():
    canvas = Canvas((10, 10))
    canvas.add_window(np.full((2, 3), 4, np.float32), (1, 2), 2.25)
    assert canvas.planes.sum(axis=(1, 2)) == pytest.approx([0, 0, 18, 6, 0])
    assert canvas.planes[2, MARGIN + 1, MARGIN + 2] == 3


def test_deep_light_lands_in_the_last_planes():
    canvas = Canvas((10, 10))
    canvas.add_window(np.ones((2, 2), np.float32), (0, 0), 99.0)
    assert canvas.planes[-1].sum() == pytest.approx(4, rel=0.01)


@pytest.fixture
def focused_point(typical):
    """Return a function that takes a point of light in the middle of a canvas."""

    def take(depth: float, **style: float) -> np.ndarray:
        canvas = Canvas((101, 101))
        fifty = np.array([50.0])
        canvas.add_points(fifty, fifty, np.array([100.0]), np.array([depth]))
        plain = replace(typical("Centromere"), haze=0.0, **style)
        return frames._focus(canvas, plain, (101, 101))

    return take


def test_a_point_in_focus_becomes_the_gaussian_of_the_optics(focused_point):
    seen = focused_point(0.0, blur=1.5)
    y, x = np.mgrid[-50:51, -50:51]
    expected = 100 / (2 * np.pi * 1.5**2) * np.exp(-(y**2 + x**2) / (2 * 1.5**2))
    np.testing.assert_allclose(seen, expected, atol=2e-3)


def test_defocus_spreads_a_point_and_keeps_its_light(focused_point):
    peaks = []
    for depth in range(N_PLANES - 1):
        seen = focused_point(float(depth))
        assert seen.sum() == pytest.approx(100, rel=0.01)
        peaks.append(seen.max())
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[-1] < peaks[0] / 8


def test_camera_has_the_background_the_gain_and_shot_noise(typical):
    style = replace(typical("Homogeneous"), strength=50.0, background=20.0, photons=40)
    grey = frames._expose(
        np.ones((300, 300), np.float32), style, np.random.default_rng(1)
    )
    middle = grey[130:170, 130:170].astype(float)
    assert middle.mean() == pytest.approx(70, abs=1.5)
    # shot noise 70 / 40, read noise 0.2 squared, rounding 1 / 12
    assert middle.var() == pytest.approx(70 / 40 + 0.04 + 1 / 12, rel=0.15)


def test_camera_saturates_at_255(typical):
    light = np.full((20, 20), 1e4, np.float32)
    grey = frames._expose(light, typical("Golgi"), np.random.default_rng(0))
    assert grey.min() == 255
