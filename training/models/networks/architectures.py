"""Network of each kind of settings."""

from __future__ import annotations

import torch
from torch import nn

from training.config import (
    ImageNetSettings,
    LeNetSettings,
    NetworkSettings,
    PaperNetworkSettings,
    RadialNetworkSettings,
)
from training.models.networks.lenet import LeNet
from training.models.networks.paper_network import PaperNetwork
from training.models.networks.radial_network import RadialNetwork
from training.models.networks.resnet import ResNet18


def build_network(
    settings: NetworkSettings, n_patterns: int, generator: torch.Generator
) -> nn.Module:
    """Return a network as it is before its first step.

    Parameters
    ----------
    settings
        Their type decides which network.
    n_patterns
        Number of classes.
    generator
        On the CPU; where random weights come from.

    Returns
    -------
    network
        Maps (N, 1, S, S) float32 in 0..1 to logits, (N, n_patterns) float32.

    Raises
    ------
    BadSettingError
        If weights are needed and none are given.
    BadModelError
        If the file of weights cannot be read or does not fit.
    TypeError
        If no network goes with the settings.
    """
    match settings:
        case PaperNetworkSettings():
            return PaperNetwork(settings, n_patterns, generator)
        case LeNetSettings():
            return LeNet(settings, n_patterns, generator)
        case ImageNetSettings():
            return ResNet18(settings, n_patterns, generator)
        case RadialNetworkSettings():
            return RadialNetwork(settings, n_patterns, generator)
    raise TypeError(f"no network goes with {type(settings).__name__}")


def blank_network(settings: NetworkSettings, n_patterns: int) -> nn.Module:
    """Return a network whose weights are about to be loaded, from a model or a run.

    It needs no ImageNet weights, nor reads the file of them that a card may name.

    Parameters
    ----------
    settings, n_patterns
        As in `build_network`.
    """
    if isinstance(settings, ImageNetSettings):
        settings = settings.model_copy(update={"weights": "random"})
    return build_network(settings, n_patterns, torch.Generator().manual_seed(0))


def needs_whole_batches(settings: NetworkSettings) -> bool:
    """Return whether a batch must not be taken in pieces.

    Without batch normalisation the gradients of the pieces add up to that of the
    batch; with it, each piece would be normalised by its own moments.
    """
    if isinstance(settings, PaperNetworkSettings):
        return settings.batch_norm
    return isinstance(settings, ImageNetSettings | RadialNetworkSettings)
