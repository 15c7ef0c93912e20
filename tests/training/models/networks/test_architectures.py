import pytest
import torch

from training.config import (
    ImageNetSettings,
    LeNetSettings,
    NetworkSettings,
    PaperNetworkSettings,
)
from training.errors import BadSettingError
from training.models.networks.architectures import (
    blank_network,
    build_network,
    needs_whole_batches,
)
from training.models.networks.lenet import LeNet
from training.models.networks.paper_network import PaperNetwork
from training.models.networks.resnet import ResNet18


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (PaperNetworkSettings(width=0.1), PaperNetwork),
        (PaperNetworkSettings(width=0.1, batch_norm=True), PaperNetwork),
        (LeNetSettings(), LeNet),
        (ImageNetSettings(weights="random", input_size=64), ResNet18),
    ],
)
def test_each_settings_have_their_network(settings, kind):
    network = build_network(settings, 5, generator())
    assert type(network) is kind
    side = settings.input_size
    with torch.no_grad():
        assert network(torch.rand(2, 1, side, side)).shape == (2, 5)


def test_settings_without_a_network():
    with pytest.raises(TypeError, match="no network goes with NetworkSettings"):
        build_network(NetworkSettings(), 6, generator())


@pytest.mark.parametrize(
    ("settings", "whole"),
    [
        (PaperNetworkSettings(), False),
        (PaperNetworkSettings(batch_norm=True), True),
        (LeNetSettings(), False),
        (ImageNetSettings(), True),
    ],
)
def test_which_need_whole_batches(settings, whole):
    assert needs_whole_batches(settings) is whole


@pytest.mark.parametrize("batch_norm", [False, True])
def test_pieces_add_up_to_the_batch_without_batch_normalisation_alone(batch_norm):
    settings = PaperNetworkSettings(width=0.05, input_size=32, batch_norm=batch_norm)
    network = build_network(settings, 3, generator())
    images = torch.rand(6, 1, 32, 32, generator=generator())

    def gradient(pieces):
        network.zero_grad()
        for piece in images.split(6 // pieces):
            network(piece)[:, 0].sum().backward()
        return next(network.parameters()).grad.clone()

    same = torch.allclose(gradient(1), gradient(3), rtol=1e-3, atol=1e-5)
    assert same is not needs_whole_batches(settings)


@pytest.mark.parametrize(
    "settings",
    [
        PaperNetworkSettings(width=0.05, batch_norm=True),
        LeNetSettings(),
        ImageNetSettings(weights="/no/such/file.safetensors"),
        ImageNetSettings(),
    ],
)
def test_a_blank_network_takes_a_plain_state_and_needs_no_file(settings):
    state = {k: v + 1 for k, v in blank_network(settings, 4).state_dict().items()}
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    other = blank_network(settings, 4)
    other.load_state_dict(state)
    assert all(torch.equal(state[k], v) for k, v in other.state_dict().items())


def test_no_network_is_built_from_weights_that_are_not_given():
    with pytest.raises(BadSettingError, match="weights"):
        build_network(ImageNetSettings(), 6, generator())
