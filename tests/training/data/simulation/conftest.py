"""A frame of one pattern, of the typical specimen."""

import numpy as np
import pytest

from training.data.simulation import (
    SimulatedFrame,
    SpecimenStyle,
    draw_style,
    simulate_frame,
)


def typical_style(pattern: str) -> SpecimenStyle:
    return draw_style(pattern, 0.0, np.random.default_rng(0))


@pytest.fixture(scope="session")
def typical():
    """Return a function that gives the style of a pattern without specimen effect."""
    return typical_style


@pytest.fixture(scope="session")
def frame_of():
    """Return a function that simulates a frame (420, 480) of 25 cells of a pattern."""

    def make(pattern: str, seed: int = 0, reject_share: float = 0.0) -> SimulatedFrame:
        rng = np.random.default_rng(seed)
        return simulate_frame(typical_style(pattern), 25, (420, 480), reject_share, rng)

    return make
