"""Images through a network that is fitted, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from training.models.augmentation import normalise, turn
from training.models.base import Scores

_BATCH_CPU = 25
_BATCH = 100


def score(
    network: nn.Module,
    images: Tensor,
    normalisation: str,
    rows: Tensor | None = None,
    views: int = 1,
) -> Scores:
    """Return the softmax scores of images, or their mean over views.

    Parameters
    ----------
    network
        On the device of `images`.
    images : (N, S, S) uint8
    normalisation
        See `training.models.augmentation.normalise`.
    rows : (m,) int64 or None
        Which images; None takes all.
    views
        How many of the eight views of an image are averaged.

    Returns
    -------
    scores : (m, K) float32
        Rows sum to 1.
    """
    return score_with(
        lambda some: network(some).softmax(1), images, normalisation, rows, views
    )


def score_with(
    vote: Callable[[Tensor], Tensor],
    images: Tensor,
    normalisation: str,
    rows: Tensor | None = None,
    views: int = 1,
) -> Scores:
    """Return what `vote` says of images, or its mean over views; see `score`.

    Parameters
    ----------
    vote
        From images, (n, 1, S, S) float32, to scores, (n, K) float32.
    images, normalisation, rows, views
        As in `score`.
    """
    with torch.inference_mode():
        of_views = []
        for view in range(views):
            parts = [vote(some) for some in batches(images, normalisation, rows, view)]
            of_views.append(torch.cat(parts) if parts else torch.zeros(0, 1))
        return torch.stack(of_views).mean(0).cpu().numpy().astype(np.float32)


def batches(
    images: Tensor, normalisation: str, rows: Tensor | None = None, view: int = 0
) -> Iterator[Tensor]:
    """Yield images as networks take them, in batches that are quick to score.

    On a CPU the maps of a batch fit its caches.

    Parameters
    ----------
    images, normalisation, rows
        As in `score`.
    view
        In which images are taken; see `training.models.augmentation.turn`.

    Yields
    ------
    batch : (n, 1, S, S) float32 in 0..1, channels last
    """
    size = _BATCH_CPU if images.device.type == "cpu" else _BATCH
    rows = torch.arange(len(images), device=images.device) if rows is None else rows
    for some in torch.split(rows, size):
        taken = images.index_select(0, some)
        if view:
            taken = turn(taken, torch.full_like(some, view))
        yield network_input(taken, normalisation)


def network_input(
    images: Tensor, normalisation: str, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return images as networks take them, (n, 1, S, S) in 0..1, channels last."""
    scaled = normalise(images, normalisation).to(dtype)
    return scaled.contiguous(memory_format=torch.channels_last)
