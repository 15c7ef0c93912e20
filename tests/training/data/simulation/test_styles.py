"""The specimen effect on styles."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.simulation import draw_style, simulate_frame
from training.data.simulation.styles import SIMULATED_PATTERNS


def test_without_effect_specimens_are_alike():
    first = draw_style("Golgi", 0.0, np.random.default_rng(1))
    assert first == draw_style("Golgi", 0.0, np.random.default_rng(2))


def test_effect_widens_the_spread_of_specimens():
    def spread(effect: float) -> float:
        rng = np.random.default_rng(0)
        grain = [draw_style("Homogeneous", effect, rng).grain for _ in range(200)]
        return float(np.std(np.log(grain)))

    assert spread(0.5) == pytest.approx(0.5 * spread(1.0), rel=0.1)
    assert spread(1.0) > 0.4


def test_a_pattern_that_is_not_simulated_has_no_style():
    with pytest.raises(KeyError):
        draw_style("MitSp", 1.0, np.random.default_rng(0))


@given(
    pattern=st.sampled_from(SIMULATED_PATTERNS),
    effect=st.floats(0, 2),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_every_style_is_finite_and_not_negative(pattern, effect, seed):
    style = draw_style(pattern, effect, np.random.default_rng(seed))
    assert all(np.isfinite(v) and v >= 0 for v in asdict(style).values())
    assert style.pits <= 0.8
    assert 0 < style.strength <= 110


@given(pattern=st.sampled_from(SIMULATED_PATTERNS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_strongest_effect_still_gives_a_frame(pattern, seed):
    rng = np.random.default_rng(seed)
    style = draw_style(pattern, 2.0, rng)
    frame = simulate_frame(style, 5, (160, 200), 0.5, rng)
    assert frame.image.shape == frame.mask.shape == (160, 200)
    assert (frame.mask > 0).any() == bool(frame.nuclei)
