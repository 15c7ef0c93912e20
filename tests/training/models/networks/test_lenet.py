import pytest
import torch
from torch import nn
from torch.nn import functional

from training.config import LeNetSettings
from training.errors import BadSettingError
from training.models.networks.lenet import LeNet, ScaledTanh


def network(seed: int = 0, n_patterns: int = 6, **changes) -> LeNet:
    generator = torch.Generator().manual_seed(seed)
    return LeNet(LeNetSettings(**changes), n_patterns, generator)


def weighted(some: LeNet) -> list[nn.Module]:
    return [m for m in some.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def test_parameters_of_each_layer_by_hand():
    """Weights and biases; 288 = 32 maps of 3 x 3."""
    by_hand = [
        6 * (7 * 7 * 1 + 1),
        16 * (4 * 4 * 6 + 1),
        32 * (3 * 3 * 16 + 1),
        150 * (288 + 1),
        6 * (150 + 1),
    ]
    assert by_hand == [300, 1_552, 4_640, 43_350, 906]
    counted = [sum(p.numel() for p in m.parameters()) for m in weighted(network())]
    assert counted == by_hand
    assert sum(p.numel() for p in network().parameters()) == 50_748


def test_sides_of_the_maps():
    sides, maps = [], torch.zeros(1, 1, 78, 78)
    for layer in network().layers:
        maps = layer(maps)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            sides.append(maps.shape[-1])
    assert sides == [72, 36, 33, 11, 9, 3]


def test_the_logits_are_those_of_the_table():
    """Activation before pooling, as the table prints it."""
    ours = network()
    conv1, conv2, conv3, full, head = [(m.weight, m.bias) for m in weighted(ours)]

    def active(values):
        return 1.7159 * torch.tanh(2 / 3 * values)

    x = images = torch.rand(3, 1, 78, 78, generator=torch.Generator().manual_seed(1))
    x = functional.max_pool2d(active(functional.conv2d(x, *conv1)), 2, 2)
    x = functional.max_pool2d(active(functional.conv2d(x, *conv2)), 3, 3)
    x = functional.max_pool2d(active(functional.conv2d(x, *conv3)), 3, 3)
    x = active(functional.linear(x.flatten(1), *full))
    expected = functional.linear(x, *head)
    assert torch.allclose(ours(images), expected, atol=1e-6)


def test_the_activation_by_hand():
    """1.7159 tanh(2/3) = 1.00002: made to keep 1 and -1."""
    values = ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0, 1e6]))
    assert values.tolist() == pytest.approx([-1, 0, 1, 1.7159], abs=1e-4)


def test_weights_start_as_lecun_advises():
    for module in weighted(network(n_patterns=200)):
        fan_in = module.weight[0].numel()
        deviation = float(module.weight.detach().std())
        assert deviation == pytest.approx(fan_in**-0.5, rel=0.1)
        assert not module.bias.any()


@pytest.mark.parametrize("side", [42, 60, 77, 100, 256])
def test_other_input_sizes(side):
    logits = network(input_size=side)(torch.rand(2, 1, side, side))
    assert logits.shape == (2, 6)
    assert bool(logits.isfinite().all())


def test_an_input_too_small_for_the_last_pool_is_refused():
    with pytest.raises(BadSettingError, match="input_size"):
        LeNetSettings.parse({"input_size": 41})


def test_the_generator_decides_the_weights():
    first = network(seed=3).state_dict()
    torch.manual_seed(9)
    assert all(
        torch.equal(first[k], v) for k, v in network(seed=3).state_dict().items()
    )
    other = network(seed=4).state_dict()
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_it_learns_bars_from_their_turns():
    """Two patterns, of horizontal and of vertical bars, at random phases."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.arange(40) % 2
    phase = torch.rand(40, 1, 1, generator=generator) * 6.28
    bars = 0.5 + 0.5 * torch.sin(torch.arange(42.0).view(1, 1, 42) + phase)
    bars = bars.expand(40, 42, 42).clone()
    bars[patterns == 1] = bars[patterns == 1].mT
    some = network(input_size=42, n_patterns=2)
    descent = torch.optim.SGD(some.parameters(), lr=0.01, momentum=0.9)
    for _ in range(30):
        descent.zero_grad()
        functional.cross_entropy(some(bars[:20, None]), patterns[:20]).backward()
        descent.step()
    found = some(bars[20:, None]).argmax(1)
    assert int((found == patterns[20:]).sum()) >= 19
