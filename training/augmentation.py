"""Symmetry and intensity, batched on the device.

A cell has no up or down: the eight rotations and mirrors of the square (the group D4)
are all as likely, and none needs interpolation.
"""

from __future__ import annotations

import torch
from torch import Tensor

VIEWS = 8
"""Elements of D4: view v is rotated by v % 4 quarter turns, after a mirror if v > 3."""


def turn(images: Tensor, views: Tensor) -> Tensor:
    """Return each image in its own view.

    Parameters
    ----------
    images : (N, S, S) any dtype
    views : (N,) int64 in 0..7

    Returns
    -------
    turned : (N, S, S)
        Bit for bit the pixels of `images`, moved.
    """
    turned = torch.empty_like(images)
    for view in range(VIEWS):
        rows = torch.nonzero(views == view)[:, 0]
        if len(rows):
            chosen = images[rows]
            mirrored = chosen.flip(2) if view > 3 else chosen
            turned[rows] = torch.rot90(mirrored, view % 4, (1, 2))
    return turned


def normalise(images: Tensor, how: str) -> Tensor:
    """Scale grey values for a network.

    Parameters
    ----------
    images : (N, S, S) uint8
    how : {'none', 'cell'}
        ``none`` divides by 255, a fixed scale for all; ``cell`` maps each image's 1st
        and 99th percentile to 0 and 1 and clips.

    Returns
    -------
    scaled : (N, 1, S, S) float32 in 0..1
    """
    grey = images.float()
    if how == "none":
        return grey[:, None] / 255
    flat = grey.flatten(1)
    marks = torch.tensor([0.01, 0.99], device=grey.device)
    low, high = torch.quantile(flat, marks, dim=1)
    span = (high - low).clamp(min=1.0)
    scaled = (flat - low[:, None]) / span[:, None]
    return scaled.clamp(0, 1).view_as(grey)[:, None]
