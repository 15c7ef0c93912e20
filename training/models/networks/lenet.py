"""The LeNet-5-like network of Gao et al. (IEEE JBHI 21(2), 416-428, 2017).

doi 10.1109/JBHI.2016.2526603, arXiv:1504.02531. Kernels, maps, the 150 units and the
activation are theirs; valid convolutions of stride 1 are what makes the sides of the
maps, 78, 72, 36, 33, 11, 9 and 3, come out whole. How weights start is our reading: as
LeCun et al. (1998, Efficient BackProp) advise for this activation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.config import LeNetSettings

_CONVOLUTIONS = ((6, 7, 2), (16, 4, 3), (32, 3, 3))
_HIDDEN = 150


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x / 3): 1 and -1 are nearly kept, and the gain is about 1."""

    def forward(self, values: Tensor) -> Tensor:
        """Return the activation of each value."""
        return 1.7159 * torch.tanh(values * (2 / 3))


class LeNet(nn.Module):
    """Three convolutions with max pooling, then two fully connected layers.

    Max pooling stands before the activation: as that rises everywhere, the result is
    the same, bit for bit, and fewer activations are left to do.

    Parameters
    ----------
    settings
        Of which the input size counts here.
    n_patterns
        Number of classes.
    generator
        Where the weights come from.
    """

    def __init__(
        self, settings: LeNetSettings, n_patterns: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = 1, settings.input_size
        for maps, kernel, pool in _CONVOLUTIONS:
            layers += [
                nn.Conv2d(channels, maps, kernel),
                nn.MaxPool2d(pool),
                ScaledTanh(),
            ]
            channels, side = maps, (side - kernel + 1) // pool
        layers += [
            nn.Flatten(),
            nn.Linear(channels * side**2, _HIDDEN),
            ScaledTanh(),
            nn.Linear(_HIDDEN, n_patterns),
        ]
        self.layers = nn.Sequential(*layers)
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
        logits: Tensor = self.layers(images)
        return logits


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw weights from N(0, 1 / fan_in); biases are 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = torch.empty(module.weight.shape)
            weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
            with torch.no_grad():
                module.weight.copy_(weight)
                if module.bias is not None:
                    module.bias.zero_()
