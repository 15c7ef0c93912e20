"""What an epoch meets: which cells, in which order, views and intensities.

All of it is drawn on the CPU from (seed, epoch), before the first step. It is the same
on every device, whether a fold trains alone or beside others, and nothing of it has to
be kept in a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from training.augmentation import Changes, compose, draw_changes
from training.classifiers.base import Samples
from training.config import NetworkSettings


@dataclass(frozen=True)
class EpochPlan:
    """The training images of an epoch, in the order in which they are met.

    Attributes
    ----------
    rows : (n,) int64
        Of the cell set.
    changes
        How each is met, (n,).
    """

    rows: Tensor
    changes: Changes

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, device: torch.device) -> EpochPlan:
        """Return the plan on a device."""
        changes = Changes(*(values.to(device) for values in self.changes))
        return EpochPlan(self.rows.to(device), changes)

    def batches(self, size: int) -> Iterator[EpochPlan]:
        """Yield parts of `size` images; the last may be smaller."""
        parts = [torch.split(values, size) for values in (self.rows, *self.changes)]
        for rows, *changes in zip(*parts, strict=True):
            yield EpochPlan(rows, Changes(*changes))


def plan_epoch(samples: Samples, settings: NetworkSettings, seed: int) -> EpochPlan:
    """Draw an epoch.

    Parameters
    ----------
    samples
        What is trained on; each is met once.
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
    order = torch.randperm(len(samples), generator=generator)
    drawn = [
        draw_changes(len(batch), settings.augmentation, generator)
        for batch in torch.split(order, settings.batch_size)
    ]
    views, gains, gammas = (torch.cat(values) for values in zip(*drawn, strict=True))
    asked = torch.from_numpy(samples.views)[order]
    changes = Changes(compose(asked, views), gains, gammas)
    return EpochPlan(torch.from_numpy(samples.rows)[order], changes)
