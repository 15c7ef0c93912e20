"""The paper's ten-layer network (Li et al. 2016, arXiv:1604.05816).

The paper says: ten layers, inspired by Network-in-Network and GoogLeNet, 1 x 1
convolutions used heavily, ReLU, 60 x 60 grey input, MatConvNet. Its layer table could
not be found, so kernels and channels follow MatConvNet's own Network-in-Network example
(nine convolutions in three blocks, whose learning rate starts at the paper's 0.002),
with one classifier layer more. docs/methods.md lists what is known and what is not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.config import NetworkSettings

_CHANNELS = ((192, 160, 96), (192, 192, 192), (192, 192, 192))
_KERNELS = (5, 5, 3)


class PaperNetwork(nn.Module):
    """Ten convolutions: three blocks of one wide and two 1 x 1, then the classifier.

    Max pooling stands before the last ReLU of a block: the result is the same, bit for
    bit, and a quarter of the rectifications are left to do.

    Parameters
    ----------
    settings
        Width, input size and initialisation.
    n_patterns
        Number of classes.
    generator
        Where the weights come from.
    """

    def __init__(
        self, settings: NetworkSettings, n_patterns: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = 1, settings.input_size
        for outputs, kernel in zip(_CHANNELS, _KERNELS, strict=True):
            widths = [max(1, round(n * settings.width)) for n in outputs]
            layers += _block(channels, widths, kernel)
            channels, side = widths[-1], (side - 3) // 2 + 1
        layers.append(nn.Conv2d(channels, n_patterns, side))
        self.layers = nn.Sequential(*layers)
        _initialise(self, settings.initialisation, generator)

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
        return logits.flatten(1)


def _block(channels: int, widths: list[int], kernel: int) -> list[nn.Module]:
    wide, middle, last = widths
    return [
        nn.Conv2d(channels, wide, kernel, padding=kernel // 2),
        nn.ReLU(inplace=True),
        nn.Conv2d(wide, middle, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(middle, last, 1),
        nn.MaxPool2d(3, 2),
        nn.ReLU(inplace=True),
    ]


def _initialise(network: nn.Module, how: str, generator: torch.Generator) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            weight = torch.empty(module.weight.shape)
            if how == "he":
                nn.init.kaiming_normal_(
                    weight, nonlinearity="relu", generator=generator
                )
            else:
                weight.normal_(0, 0.001, generator=generator)
            with torch.no_grad():
                module.weight.copy_(weight)
                if module.bias is not None:
                    module.bias.zero_()
