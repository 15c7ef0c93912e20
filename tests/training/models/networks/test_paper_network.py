from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from training.config import PaperNetworkSettings
from training.models.networks.paper_network import BatchNorm, PaperNetwork

RECORDED = [
    6.4716,
    0.0770,
    0.4191,
    -7.4724,
    -8.8707,
    4.9898,
    -0.0703,
    -2.4683,
    -0.5679,
    0.1215,
]


def network(**changes) -> PaperNetwork:
    generator = torch.Generator().manual_seed(0)
    return PaperNetwork(PaperNetworkSettings(**changes), 6, generator)


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


def test_the_weights_of_a_seed_are_those_of_older_runs():
    """Recorded before batch normalisation came: position-weighted sums of weights."""
    state = network(width=0.125).state_dict()
    places = (0, 2, 4, 7, 9, 11, 14, 16, 18, 21)
    assert list(state) == [
        f"layers.{n}.{p}" for n in places for p in ("weight", "bias")
    ]
    sums = []
    for name, weight in state.items():
        if name.endswith("weight"):
            ramp = torch.linspace(0, 1, weight.numel(), dtype=torch.float64)
            sums.append(float((weight.flatten().double() * ramp).sum()))
        else:
            assert not weight.any()
    assert sums == pytest.approx(RECORDED, abs=1e-3)


def test_batch_normalisation_follows_each_hidden_convolution():
    layers = list(network(width=0.125, batch_norm=True).layers)
    kinds = [type(layer).__name__ for layer in layers]
    hidden = ["Conv2d", "BatchNorm", "ReLU"] * 2
    block = [*hidden, "Conv2d", "BatchNorm", "MaxPool2d", "ReLU"]
    assert kinds == [*block, *block, *block, "Conv2d"]
    for convolution, norm in pairwise(layers):
        if isinstance(norm, BatchNorm):
            assert len(norm.weight) == convolution.out_channels


def test_batch_normalisation_changes_no_draw():
    def drawn(batch_norm):
        some = network(width=0.125, batch_norm=batch_norm)
        return [m.weight for m in some.modules() if isinstance(m, nn.Conv2d)]

    for ours, plain in zip(drawn(True), drawn(False), strict=True):
        assert torch.equal(ours, plain)


def test_a_batch_is_normalised_by_its_moments_and_remembers_them():
    norm = BatchNorm(2)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([2.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.5, -1.0]))
    maps = torch.tensor([[1.0, 10.0], [3.0, 30.0]]).view(2, 2, 1, 1)
    found = norm(maps).detach().flatten(1)
    assert found.tolist() == [
        pytest.approx([-1.5, -4.0], abs=1e-4),
        pytest.approx([2.5, 2.0], abs=1e-4),
    ]
    # A tenth of the way to means 2 and 20, and to unbiased variances 2 and 200.
    assert norm.running_mean.tolist() == pytest.approx([0.2, 2.0])
    assert norm.running_var.tolist() == pytest.approx([1.1, 20.9])


def test_a_running_moment_is_used_in_evaluation_alone():
    norm = BatchNorm(1).eval()
    norm.running_mean.fill_(4.0)
    norm.running_var.fill_(4.0)
    assert float(norm(torch.full((1, 1, 1, 1), 8.0)).detach()) == pytest.approx(
        2.0, abs=1e-4
    )
    assert float(norm.running_mean) == 4.0


def test_batch_normalisation_is_that_of_torch():
    ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    for _ in range(3):
        maps = torch.rand(4, 3, 5, 5)
        assert torch.equal(ours(maps), theirs(maps))
    assert torch.equal(ours.eval()(maps), theirs.eval()(maps))


def test_a_network_with_batch_normalisation_keeps_floats_alone_and_loads_them():
    first, second = (network(width=0.125, batch_norm=True) for _ in range(2))
    first(torch.rand(4, 1, 60, 60))
    state = dict(first.state_dict())
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    second.load_state_dict(state)
    images = torch.rand(2, 1, 60, 60)
    assert torch.equal(first.eval()(images), second.eval()(images))
