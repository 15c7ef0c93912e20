"""What the network is given, and the shape of what it returns."""

import numpy as np
import pytest
import torch

from training.data.masks.nucleus_network import (
    MULTIPLE,
    NucleusNetwork,
    limits,
    normalised,
)


def test_three_maps_of_the_same_size():
    network = NucleusNetwork().eval()
    with torch.inference_mode():
        maps = network(torch.zeros(2, 2, 3 * MULTIPLE, 5 * MULTIPLE))
    assert maps.shape == (2, 3, 3 * MULTIPLE, 5 * MULTIPLE)
    assert sum(p.numel() for p in network.parameters()) < 500_000


def test_exposure_does_not_matter():
    signal = np.random.default_rng(0).uniform(3, 9, (64, 80)).astype(np.float32)
    once, twice = (
        normalised(values, limits(values)) for values in (signal, 2 * signal + 1)
    )
    assert once.shape == (2, 64, 80)
    assert once == pytest.approx(twice, abs=1e-4)


def test_a_flat_frame_is_level():
    flat = np.full((32, 32), 4, np.float32)
    assert normalised(flat, limits(flat)) == pytest.approx(0)
