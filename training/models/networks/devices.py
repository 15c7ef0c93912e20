"""The device that trains, and what lies on it once for all folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.splits.samples import Rows


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; ``auto`` takes CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def place(network: nn.Module, device: torch.device) -> None:
    """Move a network to a device, with channels last, which is faster everywhere."""
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@dataclass(frozen=True)
class ResidentCells:
    """A cell set on the device, once for all folds.

    Attributes
    ----------
    images : (N, S, S) uint8
    patterns : (N,) int64
    """

    images: Tensor
    patterns: Tensor

    @classmethod
    def place(
        cls, images: npt.NDArray[np.uint8], patterns: Rows, device: torch.device
    ) -> ResidentCells:
        """Bring images and patterns to the device.

        On a CPU images stay where they are: what workers have mapped from one file
        lies in memory once.
        """
        pixels = images if images.flags.writeable else np.array(images, copy=True)
        truth = torch.from_numpy(patterns.copy())
        return cls(torch.from_numpy(pixels).to(device), truth.to(device))

    @property
    def device(self) -> torch.device:
        """Device that holds the cells."""
        return self.images.device
