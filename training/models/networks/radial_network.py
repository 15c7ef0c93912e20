"""A small residual network that keeps how far from the centre its maps respond.

Residual blocks as in He et al. (2016, arXiv:1512.03385) with few maps, for images of
one nucleus. A mean over the whole map forgets whether the rim or the middle is bright,
which tells nuclear membrane from homogeneous: the mean is taken over rings, as Larsen
et al. (2014, doi 10.1109/ISBI.2014.6868124) pool their shape index over donuts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config import RadialNetworkSettings
from training.models.networks.paper_network import BatchNorm
from training.models.networks.resnet import BasicBlock

_MAPS = (16, 32, 64, 128)
_STEM_KERNEL = 5


class RadialNetwork(nn.Module):
    """A stem of stride 2, three residual blocks, means over rings, a linear head.

    Parameters
    ----------
    settings
        Width, rings and input size.
    n_patterns
        Number of classes.
    generator
        Where the weights come from.
    """

    rings: Tensor

    def __init__(
        self,
        settings: RadialNetworkSettings,
        n_patterns: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        maps = [max(1, round(count * settings.width)) for count in _MAPS]
        self.stem = nn.Conv2d(
            1, maps[0], _STEM_KERNEL, 2, padding=_STEM_KERNEL // 2, bias=False
        )
        self.norm = BatchNorm(maps[0])
        self.blocks = nn.Sequential(
            BasicBlock(maps[0], maps[1], stride=1),
            BasicBlock(maps[1], maps[2], stride=2),
            BasicBlock(maps[2], maps[3], stride=2),
        )
        side = -(-settings.input_size // 8)
        rings = ring_weights(side, settings.rings)
        self.register_buffer("rings", rings, persistent=False)
        self.head = nn.Linear(maps[3] * (settings.rings + 1), n_patterns)
        _initialise(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        images : (N, 1, S, S) float32 in 0..1

        Returns
        -------
        logits : (N, K) float32
        """
        maps = self.blocks(functional.relu(self.norm(self.stem(images)))).flatten(2)
        means = (maps @ self.rings).flatten(1)
        logits: Tensor = self.head(torch.cat([means, maps.amax(2)], dim=1))
        return logits


def ring_weights(side: int, rings: int) -> Tensor:
    """Return the weights that turn a map into its means over rings.

    Parameters
    ----------
    side
        Of the map in pixels.
    rings
        How many, of equal width, around its centre; the corners belong to the last.

    Returns
    -------
    weights : (side * side, rings) float32
        Columns sum to 1.
    """
    places = torch.arange(side) - (side - 1) / 2
    radius = torch.hypot(places[:, None], places[None]).flatten() / (side / 2)
    ring = (radius * rings).long().clamp(max=rings - 1)
    weights = functional.one_hot(ring, rings).float()
    return weights / weights.sum(0).clamp(min=1)


def _initialise(network: RadialNetwork, generator: torch.Generator) -> None:
    """Draw convolutions from N(0, 2 / fan_in), the head from N(0, 1 / fan_in)."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(
                    module.weight, nonlinearity="relu", generator=generator
                )
        head = network.head
        head.weight.normal_(0, head.in_features**-0.5, generator=generator)
        head.bias.zero_()
