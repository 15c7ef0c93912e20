import pytest
import torch

from training.config import RadialNetworkSettings
from training.models.networks.radial_network import RadialNetwork, ring_weights


def make(**settings) -> RadialNetwork:
    generator = torch.Generator().manual_seed(0)
    return RadialNetwork(RadialNetworkSettings(**settings), 6, generator)


def test_rings_of_a_map_of_four():
    """The four in the middle, then the twelve around them."""
    weights = ring_weights(4, 2)
    assert weights.sum(0).tolist() == [1.0, 1.0]
    assert weights[:, 0].view(4, 4).count_nonzero() == 4
    assert weights[:, 0].view(4, 4)[1, 1] == 0.25
    assert float(weights[0, 1]) == pytest.approx(1 / 12)


def test_every_pixel_belongs_to_one_ring():
    for side in (4, 7, 8, 12):
        for rings in (1, 2, 3):
            assert torch.equal(
                (ring_weights(side, rings) > 0).sum(1), torch.ones(side * side).long()
            )


def test_logits_of_any_input_size():
    for size in (32, 60, 64, 77):
        network = make(input_size=size, width=0.25).eval()
        assert network(torch.rand(2, 1, size, size)).shape == (2, 6)


def test_the_generator_decides_the_weights():
    one, same = make(), make()
    for first, second in zip(one.parameters(), same.parameters(), strict=True):
        assert torch.equal(first, second)


def test_it_tells_the_rim_from_the_middle():
    """With its rings; a mean over the whole map and a maximum could not."""
    network = make(rings=3)
    maps = torch.zeros(2, 1, 64)
    maps.view(2, 8, 8)[0, 0, 0] = 1
    maps.view(2, 8, 8)[1, 4, 4] = 1
    rim, middle = (maps @ network.rings)[:, 0]
    assert rim[2] > 0
    assert rim[0] == 0
    assert middle[0] > 0
    assert middle[2] == 0
