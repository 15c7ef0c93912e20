"""Sera at their titres, and plates; the default simulation is not touched."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from training.config import PlateSettings
from training.data.simulation.series import (
    OTHER_PATTERNS,
    TITRES,
    Camera,
    Serum,
    simulate_serum,
)
from training.data.simulation.series.plates import deal_sera
from training.data.simulation.styles import SIMULATED_PATTERNS


def field(serum, camera=None, seed=0, reject_share=0.0):
    rng = np.random.default_rng(seed)
    return simulate_serum(
        serum, camera or Camera(), 14, (256, 320), rng, reject_share, effect=0.0
    )


def level(serum, **changes) -> float:
    one = field(serum, **changes)
    return float(one.image[one.mask > 0].mean() - np.percentile(one.image, 5))


def test_staining_doubles_with_a_weak_titre_and_saturates():
    bright = {titre: Serum(("Golgi",), titre).brightness for titre in TITRES}
    assert bright[80] == pytest.approx(1.94 * bright[40], rel=0.01)
    assert bright[5120] == pytest.approx(1.2 * bright[2560], rel=0.01)


def test_a_negative_serum_stains_less_than_the_weakest():
    levels = [level(Serum())]
    levels += [level(Serum(("Homogeneous",), titre)) for titre in TITRES]
    assert levels == sorted(levels)


@pytest.mark.parametrize(
    ("titre", "positive"), [(0, False), (40, False), (80, True), (5120, True)]
)
def test_a_serum_is_positive_from_the_screening_dilution(titre, positive):
    assert Serum(("Golgi",), titre).is_positive is positive


def test_every_pattern_is_drawn():
    for pattern in (*SIMULATED_PATTERNS, *OTHER_PATTERNS):
        one = field(Serum((pattern,), 1280), reject_share=0.5)
        assert one.image.std() > 2


def test_reticular_cytoplasm_outshines_the_nucleus():
    one = field(Serum(("Cytoplasmic reticular",), 1280))
    inside = one.mask > 0
    around = ndimage.binary_dilation(inside, iterations=6) & ~inside
    assert one.image[around].mean() > 0.9 * one.image[inside].mean()


@pytest.mark.parametrize("pattern", ["Mitotic spindle", "NuMA"])
def test_poles_light_up_only_in_mitosis(pattern):
    one = field(Serum((pattern,), 2560), reject_share=0.9)
    windows = {
        condition: [
            one.image[round(n.y) - 18 : round(n.y) + 19, round(n.x) - 18 :][:, :37]
            for n in one.nuclei
            if n.condition == condition and 18 < n.y < 237 and 18 < n.x < 300
        ]
        for condition in ("mitotic", "good")
    }
    brightest = {
        condition: np.median([np.percentile(one, 99) for one in found])
        for condition, found in windows.items()
        if found
    }
    assert brightest["mitotic"] > 1.2 * brightest.get("good", 0)


def test_both_patterns_of_a_mixture_are_in_every_cell():
    both = field(Serum(("Centromere", "NuMem"), 640))
    one = field(Serum(("Centromere",), 640))
    assert both.image.sum() > one.image.sum()


def test_gain_scales_grey_values_and_noise():
    plain, doubled = (
        field(Serum(), camera).image.astype(float)
        for camera in (Camera(), Camera(gain=2.0))
    )
    assert doubled.mean() == pytest.approx(2 * plain.mean(), rel=0.02)
    steps = [np.abs(np.diff(one)).mean() for one in (plain, doubled)]
    assert steps[1] > 1.3 * steps[0]


def test_the_same_state_gives_the_same_pixels():
    first, second = (field(Serum(("NuMA",), 320)).image for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_sera_are_dealt_by_the_shares():
    rng = np.random.default_rng(0)
    sera = deal_sera(PlateSettings(wells=384, unknowns=0.2, mixtures=0.2), rng)
    assert len(sera) == 381
    negative = sum(not one.patterns for one in sera)
    several = sum(len(one.patterns) == 2 for one in sera)
    unknown = sum(bool(set(one.patterns) & set(OTHER_PATTERNS)) for one in sera)
    assert 120 < negative < 185
    assert 28 < several < 65
    assert 28 < unknown < 65
