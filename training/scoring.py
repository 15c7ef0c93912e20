"""Images through a network that is fitted, in batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from training.augmentation import normalise
from training.classifiers.base import Scores

_BATCH_CPU = 25
_BATCH = 100


def score(
    network: nn.Module,
    images: Tensor,
    normalisation: str,
    rows: Tensor | None = None,
) -> Scores:
    """Return the softmax scores of images.

    Parameters
    ----------
    network
        On the device of `images`.
    images : (N, S, S) uint8
    normalisation
        See `training.augmentation.normalise`.
    rows : (m,) int64 or None
        Which images; None takes all.

    Returns
    -------
    scores : (m, K) float32
        Rows sum to 1.
    """
    with torch.inference_mode():
        parts = [network(some) for some in batches(images, normalisation, rows)]
        logits = torch.cat(parts) if parts else torch.zeros(0, 1)
        return logits.softmax(1).cpu().numpy().astype(np.float32)


def batches(
    images: Tensor, normalisation: str, rows: Tensor | None = None
) -> Iterator[Tensor]:
    """Yield images as networks take them, in batches that are quick to score.

    On a CPU the maps of a batch fit its caches.

    Parameters
    ----------
    images, normalisation, rows
        As in `score`.

    Yields
    ------
    batch : (n, 1, S, S) float32 in 0..1, channels last
    """
    size = _BATCH_CPU if images.device.type == "cpu" else _BATCH
    rows = torch.arange(len(images), device=images.device) if rows is None else rows
    for some in torch.split(rows, size):
        yield network_input(images.index_select(0, some), normalisation)


def network_input(
    images: Tensor, normalisation: str, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return images as networks take them, (n, 1, S, S) in 0..1, channels last."""
    scaled = normalise(images, normalisation).to(dtype)
    return scaled.contiguous(memory_format=torch.channels_last)
