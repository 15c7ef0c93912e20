"""Outlines, bodies, grain, and the mark of each pattern."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from training.data.simulation import SimulatedFrame
from training.data.simulation.nuclei import HALF, Nucleus, polar_window
from training.data.simulation.staining import Grain, body, membrane
from training.data.simulation.styles import SIMULATED_PATTERNS

CIRCLE = Nucleus(100.0, 100.0, 20.0, 20.0, 0.0, (0j, 0j, 0j), 0.0, "good")


def test_outline_of_a_circle_is_its_radius():
    polar = polar_window(CIRCLE)
    assert polar.rho.shape == (2 * HALF + 1, 2 * HALF + 1)
    assert polar.rho[HALF, HALF + 20] == pytest.approx(1, abs=1e-5)
    assert polar.rho[HALF + 10, HALF] == pytest.approx(0.5, abs=1e-5)
    assert polar.distance[HALF + 3, HALF + 4] == pytest.approx(5, abs=1e-5)


def test_outline_of_an_ellipse_follows_its_angle():
    upright = replace(CIRCLE, long=30.0, short=15.0, angle=np.pi / 2)
    rho = polar_window(upright).rho
    assert rho[HALF + 30, HALF] == pytest.approx(1, abs=1e-5)
    assert rho[HALF, HALF + 15] == pytest.approx(1, abs=1e-5)


def test_body_fills_the_nucleus_and_the_membrane_its_outline(typical):
    polar = polar_window(CIRCLE)
    inside = body(polar, CIRCLE.radius)
    assert inside[HALF, HALF] == pytest.approx(1)
    assert inside[HALF, HALF + 30] == 0
    style = replace(typical("NuMem"), rim=2.0, punctate=0.0)
    ring = membrane(polar, CIRCLE, style, np.zeros_like(polar.rho))
    assert np.argmax(ring[HALF, HALF:]) == 20
    assert ring[HALF, HALF] < 1e-6


def test_grain_has_unit_variance_and_the_asked_size():
    fine = Grain(1.0, np.random.default_rng(0)).window(0.0, np.random.default_rng(1))
    large = Grain(2.0, np.random.default_rng(0)).window(0.0, np.random.default_rng(1))
    assert fine.std() == pytest.approx(1, abs=0.1)
    # neighbours of Gaussian-filtered noise correlate by exp(-1 / (4 size^2))
    for noise, size in ((fine, 1.0), (large, 2.0)):
        correlation = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
        assert correlation == pytest.approx(np.exp(-1 / (4 * size**2)), abs=0.05)


def measured(frame: SimulatedFrame) -> dict[str, float]:
    """Light at the edge, around the nucleus and in small spots, against its middle."""
    parts, _ = ndimage.label(frame.mask > 0)
    image = frame.image.astype(float) - np.percentile(frame.image, 2)
    spots = ndimage.gaussian_filter(image, 0.7) - ndimage.gaussian_filter(image, 3)
    found = []
    for nucleus in frame.nuclei:
        if nucleus.condition != "good":
            continue
        part = parts == parts[round(nucleus.y), round(nucleus.x)]
        deep = ndimage.distance_transform_edt(part)
        away = ndimage.distance_transform_edt(~part)
        middle = image[deep > 8].mean()
        edge = image[(deep > 0) & (deep < 2)].mean()
        around = image[(away > 3) & (away < 8)]
        found.append(
            (
                edge / middle,
                np.percentile(around, 95) / middle,
                spots[deep > 4].std() / middle,
                image[deep > 4].max() / middle,
            )
        )
    return dict(
        zip(("edge", "around", "spots", "peak"), np.median(found, axis=0), strict=True)
    )


@pytest.fixture(scope="module")
def looks(frame_of) -> dict[str, dict[str, float]]:
    return {name: measured(frame_of(name, seed=2)) for name in SIMULATED_PATTERNS}


def test_each_pattern_has_its_mark(looks):
    others = {
        mark: {n: look[mark] for n, look in looks.items()}
        for mark in ("edge", "around", "spots", "peak")
    }
    assert max(others["spots"], key=others["spots"].__getitem__) == "Centromere"
    assert min(others["peak"], key=others["peak"].__getitem__) in (
        "Homogeneous",
        "NuMem",
    )
    assert others["edge"]["NuMem"] > 1.5 * others["edge"]["Homogeneous"]
    assert max(others["around"], key=others["around"].__getitem__) == "Golgi"
    assert others["peak"]["Nucleolar"] > 1.5 * others["peak"]["Homogeneous"]
    assert others["spots"]["Speckled"] > 1.2 * others["spots"]["Homogeneous"]
