"""Symmetry and intensity, batched on the device.

A cell has no up or down: the eight rotations and mirrors of the square (the group D4)
are all as likely, and none needs interpolation.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

VIEWS = 8
"""Elements of D4: view v is rotated by v % 4 quarter turns, after a mirror if v > 3."""

GAINS = (0.7, 1.4)
"""Range of the factor on an image's grey values; its logarithm is uniform."""

GAMMAS = (0.7, 1.4)
"""Range of the exponent on grey / maximum of the image; its logarithm is uniform."""


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


def augment(
    images: Tensor,
    how: Literal["none", "d4", "d4-intensity"],
    generator: torch.Generator,
) -> Tensor:
    """Return each image as it is met this time.

    Parameters
    ----------
    images : (N, S, S) uint8
    how : {'none', 'd4', 'd4-intensity'}
        ``d4`` takes each image in one of its eight views, all as likely;
        ``d4-intensity`` then changes its intensity, see `change_intensity`.
    generator
        On the CPU: what it decides does not depend on the device of `images`. It is
        asked for all images at once, so a batch is to be augmented whole.

    Returns
    -------
    changed : (N, S, S) uint8 or float32 in 0..255
        float32 after a change of intensity: nothing is rounded to whole grey values.
    """
    if how == "none":
        return images
    views = torch.randint(VIEWS, (len(images),), generator=generator)
    turned = turn(images, views.to(images.device))
    if how == "d4":
        return turned
    gains = _log_uniform(GAINS, len(images), generator).to(images.device)
    gammas = _log_uniform(GAMMAS, len(images), generator).to(images.device)
    return change_intensity(turned, gains, gammas)


def change_intensity(images: Tensor, gains: Tensor, gammas: Tensor) -> Tensor:
    """Return ``gain * m * (grey / m) ** gamma``, clipped to 0..255.

    m is the image's own maximum, which gamma leaves in place. A gain above 1 may
    saturate, as it would in a camera.

    Parameters
    ----------
    images : (N, S, S) uint8 or float32 in 0..255
    gains, gammas : (N,) float32, above 0
        Of each image.

    Returns
    -------
    changed : (N, S, S) float32 in 0..255
    """
    grey = images.float()
    top = grey.amax((1, 2), keepdim=True).clamp(min=1.0)
    curved = (grey / top) ** gammas[:, None, None]
    return (gains[:, None, None] * top * curved).clamp(0, 255)


def _log_uniform(
    limits: tuple[float, float], count: int, generator: torch.Generator
) -> Tensor:
    low, high = (math.log(limit) for limit in limits)
    return torch.empty(count).uniform_(low, high, generator=generator).exp()


def normalise(images: Tensor, how: str) -> Tensor:
    """Scale grey values for a network.

    Parameters
    ----------
    images : (N, S, S) uint8 or float32 in 0..255
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
    low, high = _outer_percentiles(flat)
    span = (high - low).clamp(min=1.0)
    scaled = (flat - low[:, None]) / span[:, None]
    return scaled.clamp(0, 1).view_as(grey)[:, None]


def _outer_percentiles(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the 1st and 99th percentile of each row, (N,) each.

    Bit for bit those of ``torch.quantile``, of the few lowest and highest values
    instead of all of them in order.
    """
    last = int(values.shape[1]) - 1
    low_rank, high_rank = (
        np.array([0.01, 0.99], np.float32) * np.float32(last)
    ).tolist()
    below, above = math.floor(low_rank), math.ceil(low_rank)
    lowest = values.topk(above + 1, dim=1, largest=False).values
    low = torch.lerp(lowest[:, below], lowest[:, above], low_rank - below)
    below, above = math.floor(high_rank), math.ceil(high_rank)
    highest = values.topk(last - below + 1, dim=1).values
    ends = highest[:, last - below], highest[:, last - above]
    return low, torch.lerp(*ends, high_rank - below)
