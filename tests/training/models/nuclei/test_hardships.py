"""Each hardship does what it says, and none breaks the picture."""

import numpy as np
import pytest

from training.models.nuclei.hardships import (
    bordered,
    compressed,
    hazy,
    made_harder,
    uneven,
)

FLAT = np.full((60, 80), 90, np.float32)


def test_light_falls_by_the_ratio():
    dimmed = uneven(FLAT, 3.0, np.random.default_rng(0))
    assert dimmed.max() == pytest.approx(90)
    assert dimmed.min() == pytest.approx(30)


def test_haze_spreads_light_and_keeps_its_sum():
    point = np.zeros((61, 61), np.float32)
    point[30, 30] = 1000
    hazed = hazy(point, 0.4, 5)
    assert hazed[30, 30] == pytest.approx(600, rel=0.05)
    assert hazed.sum() == pytest.approx(1000, rel=0.01)


def test_borders_are_black_and_the_rest_is_as_it_was():
    straight = bordered(FLAT, 0.0, 0.25)
    assert (straight[:, :9] == 0).all()
    assert (straight[30, 20:60] == 90).all()
    assert set(np.unique(bordered(FLAT, 0.3, 0.1))) == {0, 90}


def test_compression_keeps_the_size():
    assert compressed(FLAT, 50).shape == FLAT.shape
    assert compressed(FLAT, 50).mean() == pytest.approx(90, abs=2)


def test_any_draw_gives_grey_values():
    light = np.random.default_rng(1).uniform(0, 200, (60, 80)).astype(np.float32)
    for seed in range(20):
        harder = made_harder(light, np.random.default_rng(seed))
        assert harder.shape == light.shape
        assert harder.min() >= 0
        assert harder.max() <= 255
        assert (harder == np.rint(harder)).all()
