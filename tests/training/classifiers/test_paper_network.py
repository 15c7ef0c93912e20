import pytest
import torch
from torch import nn
from torch.nn import functional

from training.classifiers.paper_network import PaperNetwork
from training.config import NetworkSettings


def network(**changes) -> PaperNetwork:
    generator = torch.Generator().manual_seed(0)
    return PaperNetwork(NetworkSettings(**changes), 6, generator)


@pytest.mark.parametrize(
    ("width", "parameters"), [(1.0, 1_033_990), (0.5, 270_470), (0.25, 73_606)]
)
def test_the_number_of_parameters(width, parameters):
    """Counted by hand from the table of docs/methods.md."""
    assert sum(p.numel() for p in network(width=width).parameters()) == parameters


def test_ten_layers_with_weights():
    convolutions = [m for m in network().modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 10
    kernels = [m.kernel_size[0] for m in convolutions]
    assert kernels == [5, 1, 1, 5, 1, 1, 3, 1, 1, 6]


def test_one_logit_a_pattern():
    assert network(width=0.1)(torch.zeros(3, 1, 60, 60)).shape == (3, 6)


def test_pooling_before_the_last_relu_changes_nothing():
    """The same weights in the order that the paper's family of networks prints."""
    ours = network(width=0.1)
    convolutions = [m for m in ours.modules() if isinstance(m, nn.Conv2d)]
    x = images = torch.rand(2, 1, 60, 60)
    for number, convolution in enumerate(convolutions, 1):
        x = convolution(x)
        if number < 10:
            x = functional.relu(x)
        if number in (3, 6, 9):
            x = functional.max_pool2d(x, 3, 2)
    assert torch.equal(ours(images), x.flatten(1))


def test_he_initialisation():
    weights = [m.weight for m in network().modules() if isinstance(m, nn.Conv2d)]
    for weight in weights[3:6]:
        fan_in = weight[0].numel()
        assert float(weight.std()) == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)


def test_the_literal_initialisation_has_nothing_to_learn_from():
    """The paper's 'around 0.001' gives gradients that vanish in ten layers."""
    literal = network(width=0.25, initialisation="literal-0.001")
    loss = functional.cross_entropy(
        literal(torch.rand(8, 1, 60, 60)), torch.arange(8) % 6
    )
    loss.backward()
    first = next(literal.parameters())
    assert float(loss) == pytest.approx(1.7918, abs=1e-3)
    assert float(first.grad.norm()) < 1e-8
