"""Small U-Net that sees nuclei: its architecture, and what it is given to see.

It looks at a frame that was brought to one scale, so that a nucleus is `NOMINAL` pixels
wide whatever the magnification was.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
import torch
from torch import Tensor, nn

Grey = npt.NDArray[np.float32]

NOMINAL = 32.0
"""Diameter of a nucleus as the network sees it, in pixels."""

MULTIPLE = 16
"""What height and width of its input are multiples of."""

CHANNELS = (24, 48, 64, 64)
"""Of the four levels, from fine to coarse."""

_INPUTS, _OUTPUTS = 2, 3
_AROUND = 97
"""Side of the square whose contrast a pixel is compared with: three nuclei."""

_LEAST_CONTRAST = 0.1


class NucleusNetwork(nn.Module):
    """U-Net of four levels whose finest has half the resolution of its input.

    Squares of 2 x 2 pixels come in as channels and go out as channels, which costs a
    quarter of the time and keeps the outlines' resolution.
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = (4 * _INPUTS, *CHANNELS[:-1])
        self.down = nn.ModuleList(map(_block, inputs, CHANNELS))
        joined = [a + b for a, b in pairwise(CHANNELS)]
        self.up = nn.ModuleList(map(_block, joined, CHANNELS[:-1]))
        self.head = nn.Conv2d(CHANNELS[0], 4 * _OUTPUTS, 1)

    def forward(self, seen: Tensor) -> Tensor:
        """Return three maps of logits: nucleus, distance, mitosis.

        Parameters
        ----------
        seen : (N, 2, H, W) float32
            As `normalised` makes it; height and width are multiples of `MULTIPLE`.

        Returns
        -------
        logits : (N, 3, H, W) float32
            The sigmoid of the second is the distance to the outline as a share of that
            of the nucleus's centre: 0 between nuclei that touch.
        """
        maps = nn.functional.pixel_unshuffle(seen, 2)
        kept = []
        for level, block in enumerate(self.down):
            maps = block(nn.functional.max_pool2d(maps, 2) if level else maps)
            kept.append(maps)
        for level in reversed(range(len(self.up))):
            large = nn.functional.interpolate(maps, scale_factor=2.0)
            maps = self.up[level](torch.cat([large, kept[level]], 1))
        return nn.functional.pixel_shuffle(self.head(maps), 2)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def limits(signal: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the level of the ground and of the bright nuclei of a frame.

    Parameters
    ----------
    signal : (H, W) float
        Square root of the intensity.
    """
    low, high = np.percentile(signal, (10, 99.5))
    return float(low), float(max(high, low + 0.1))


def normalised(signal: Grey, levels: tuple[float, float]) -> Grey:
    """Return what the network sees: the signal, and its contrast to what is around.

    Parameters
    ----------
    signal : (H, W) float32
        Square root of the intensity, at the scale of the network.
    levels
        As `limits` measures them on the whole frame.

    Returns
    -------
    seen : (2, H, W) float32
    """
    low, high = levels
    level = np.clip((signal - low) / (high - low), -0.5, 2.0)
    mean = scipy.ndimage.uniform_filter(level, _AROUND, mode="nearest")
    square = scipy.ndimage.uniform_filter(level * level, _AROUND, mode="nearest")
    spread = np.sqrt(np.maximum(square - mean * mean, 0)) + _LEAST_CONTRAST
    return np.stack([level, (level - mean) / spread]).astype(np.float32)
