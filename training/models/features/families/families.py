"""The families by name, and several of them beside each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.config import KernelRidgeSettings, ShapeIndexSettings
from training.models.features import shape_index
from training.models.features.base import Features, Floats
from training.models.features.families import intensities, scattering
from training.models.features.shape_index.features import derivatives, describe

_AT_ONCE = 16
"""Cells; more of them leave the processor's cache."""


@dataclass(frozen=True)
class Family:
    """A family of features.

    Attributes
    ----------
    compute
        Returns features, (n, length) float32, of images, (n, S, S) uint8, and masks,
        (n, S, S) bool.
    length
        How many there are.
    spread
        Median squared distance of two cells; measured once on simulated cells.
    """

    compute: Callable[[Tensor, Tensor], Tensor]
    length: int
    spread: float


def _shape_index(images: Tensor, masks: Tensor) -> Tensor:
    settings = ShapeIndexSettings()
    operators = derivatives(images.shape[1], settings.scales)
    return describe(images, masks, settings, operators)


FAMILIES: dict[str, Family] = {
    "shape-index": Family(_shape_index, 280, 0.146),
    "intensities": Family(intensities.intensities, intensities.LENGTH, 0.54),
    "scattering": Family(scattering.scattering, scattering.LENGTH, 0.0406),
}


class FamilyFeatures(Features):
    """The families of the settings beside each other, for the feature store."""

    invariant = True
    rests_on = (shape_index,)

    def __init__(self, settings: KernelRidgeSettings) -> None:
        self.families = [FAMILIES[name] for name in settings.families]
        self.recipe = f"{settings.families} {settings.input_size}"

    @torch.inference_mode()
    def compute(
        self, images: npt.NDArray[np.uint8], masks: npt.NDArray[np.bool_]
    ) -> Floats:
        """Return the features of cells, (n, P) float32."""
        found = np.empty((len(images), sum(one.length for one in self.families)), "f4")
        for start in range(0, len(images), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            part = torch.tensor(images[rows]), torch.tensor(masks[rows])
            parts = [one.compute(*part) for one in self.families]
            found[rows] = torch.cat(parts, dim=1).numpy()
        return found
