"""Plan of an epoch: its cells, their order, orientations and intensities.

All of it is drawn on the CPU from (seed, epoch), before the first step. It is the same
on every device, whether a fold trains alone or beside others, and nothing of it has to
be kept in a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.config import NetworkSettings
from training.models.augmentation import Changes, compose, draw_changes
from training.models.networks.mixup import Mixing, draw_mixing
from training.models.networks.warps import Warps, draw_warps
from training.splits.samples import Samples

_MORE = 1
"""Tells the random numbers of an epoch that the paper's recipe does not need."""


@dataclass(frozen=True)
class EpochPlan:
    """The training images of an epoch, in the order in which they are met.

    Attributes
    ----------
    rows : (n,) int64
        Of the cell set.
    changes
        How each is met, (n,).
    warps
        What is done to each after that, (n,), or None.
    mixing
        What each is mixed with, (n,), or None. Partners are positions in the batch.
    """

    rows: Tensor
    changes: Changes
    warps: Warps | None = None
    mixing: Mixing | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, device: torch.device) -> EpochPlan:
        """Return the plan on a device."""
        return self._with([values.to(device) for values in self._values()])

    def batches(self, size: int) -> Iterator[EpochPlan]:
        """Yield parts of `size` images; the last may be smaller."""
        parts = [torch.split(values, size) for values in self._values()]
        for some in zip(*parts, strict=True):
            yield self._with(list(some))

    def _values(self) -> list[Tensor]:
        return [self.rows, *self.changes, *(self.warps or ()), *(self.mixing or ())]

    def _with(self, values: list[Tensor]) -> EpochPlan:
        """Return a plan of the same kind, of tensors in the order of `_values`."""
        rows, *rest = values
        found = iter(rest)
        changes = Changes(*(next(found) for _ in Changes._fields))
        warps = self.warps and Warps(*(next(found) for _ in Warps._fields))
        mixing = self.mixing and Mixing(*(next(found) for _ in Mixing._fields))
        return EpochPlan(rows, changes, warps, mixing)


def plan_epoch(samples: Samples, settings: NetworkSettings, seed: int) -> EpochPlan:
    """Draw an epoch.

    Parameters
    ----------
    samples
        What is trained on; each is met once, or as likely as its weight says.
    settings
        Batch size and augmentation.
    seed
        Of this epoch of this fold.

    Returns
    -------
    plan
        On the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng([seed, _MORE])
    order = torch.randperm(len(samples), generator=generator)
    if samples.weights is not None:
        drawn_rows = rng.choice(len(samples), len(samples), p=samples.weights)
        order = torch.from_numpy(drawn_rows)
    drawn = [
        draw_changes(len(batch), settings.augmentation, generator)
        for batch in torch.split(order, settings.batch_size)
    ]
    views, gains, gammas = (torch.cat(values) for values in zip(*drawn, strict=True))
    asked = torch.from_numpy(samples.views)[order]
    changes = Changes(compose(asked, views), gains, gammas)
    warps, mixing = None, None
    if settings.augmentation == "all":
        warps = draw_warps(len(order), rng)
    if settings.mixup:
        mixing = draw_mixing(len(order), settings.batch_size, settings.mixup, rng)
    rows = torch.from_numpy(samples.rows)[order]
    return EpochPlan(rows, changes, warps, mixing)
