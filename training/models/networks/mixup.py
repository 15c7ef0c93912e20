"""Mixup: images that are part one cell and part another (Zhang et al. 2018).

arXiv:1710.09412. The partner is drawn from the batch: mostly a cell of another specimen
of any pattern.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


class Mixing(NamedTuple):
    """Mixup of the images of an epoch.

    Attributes
    ----------
    partners : (N,) int64
        Position of the other image, in the batch of the first.
    shares : (N,) float32 in 0.5..1
        Of the image itself.
    """

    partners: Tensor
    shares: Tensor


def draw_mixing(
    count: int, batch: int, strength: float, rng: np.random.Generator
) -> Mixing:
    """Draw partners within each batch, and shares.

    Parameters
    ----------
    count
        Of images.
    batch
        Images of a batch; the last may be smaller.
    strength
        Both parameters of the beta distribution that shares are drawn from.
    rng
        What decides.
    """
    sizes = [min(batch, count - start) for start in range(0, count, batch)]
    partners = [rng.permutation(size) for size in sizes]
    shares = rng.beta(strength, strength, count)
    return Mixing(
        torch.from_numpy(np.concatenate(partners)),
        torch.from_numpy(np.maximum(shares, 1 - shares).astype(np.float32)),
    )


def mix(images: Tensor, mixing: Mixing) -> Tensor:
    """Return each image of a batch, mixed with its partner.

    Parameters
    ----------
    images : (N, 1, S, S) float32
        As the network takes them.
    mixing
        Of the batch, on its device.
    """
    shares = mixing.shares[:, None, None, None].to(images.dtype)
    return images * shares + images[mixing.partners] * (1 - shares)


def mixed_loss(
    logits: Tensor, truth: Tensor, mixing: Mixing | None, smoothing: float
) -> Tensor:
    """Return the summed cross-entropy of a batch, in nats.

    Parameters
    ----------
    logits : (N, K) float32
    truth : (N,) int64
        Patterns of the images themselves.
    mixing
        Of the batch; None where images are not mixed.
    smoothing
        See `training.config.NetworkSettings.label_smoothing`.
    """
    if mixing is None:
        return functional.cross_entropy(
            logits, truth, reduction="sum", label_smoothing=smoothing
        )
    own, other = (
        functional.cross_entropy(
            logits, some, reduction="none", label_smoothing=smoothing
        )
        for some in (truth, truth[mixing.partners])
    )
    return (own * mixing.shares + other * (1 - mixing.shares)).sum()
