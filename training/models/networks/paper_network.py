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
from torch.nn import functional

from training.config import PaperNetworkSettings

_CHANNELS = ((192, 160, 96), (192, 192, 192), (192, 192, 192))
_KERNELS = (5, 5, 3)


class BatchNorm(nn.Module):
    """Batch normalisation of maps (Ioffe and Szegedy 2015, arXiv:1502.03167).

    ``torch.nn.BatchNorm2d`` without its count of batches, an integer that nothing
    here reads: a network's state holds float32 alone, and loads from a plain dict.

    Parameters
    ----------
    channels
        Number of maps. Scales start at 1, offsets at 0, running means at 0 and
        running variances at 1.
    """

    momentum = 0.1
    eps = 1e-5
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps, (N, C, H, W) float32, by the batch's or running moments."""
        return functional.batch_norm(
            maps,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )


class PaperNetwork(nn.Module):
    """Ten convolutions: three blocks of one wide and two 1 x 1, then the classifier.

    Max pooling stands before the last ReLU of a block: the result is the same, bit for
    bit, and a quarter of the rectifications are left to do. Batch normalisation, where
    it is asked for, stands right after each of the nine hidden convolutions.

    Parameters
    ----------
    settings
        Width, input size, initialisation and batch normalisation.
    n_patterns
        Number of classes.
    generator
        Where the weights come from.
    """

    def __init__(
        self,
        settings: PaperNetworkSettings,
        n_patterns: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = 1, settings.input_size
        for outputs, kernel in zip(_CHANNELS, _KERNELS, strict=True):
            widths = [max(1, round(n * settings.width)) for n in outputs]
            layers += _block(channels, widths, kernel, settings.batch_norm)
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


def _block(
    channels: int, widths: list[int], kernel: int, batch_norm: bool
) -> list[nn.Module]:
    wide, middle, last = widths

    def norm(maps: int) -> list[nn.Module]:
        return [BatchNorm(maps)] if batch_norm else []

    return [
        nn.Conv2d(channels, wide, kernel, padding=kernel // 2),
        *norm(wide),
        nn.ReLU(inplace=True),
        nn.Conv2d(wide, middle, 1),
        *norm(middle),
        nn.ReLU(inplace=True),
        nn.Conv2d(middle, last, 1),
        *norm(last),
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
