"""Symmetry and intensity, batched on the device.

A cell has no up or down: the eight rotations and mirrors of the square (the group D4)
are all as likely, and none needs interpolation.
"""

from __future__ import annotations

import functools
import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.data.cells.orientations import VIEWS

Augmentation = Literal["none", "d4", "d4-intensity", "all"]

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
    places = places_of_views(images.shape[1], images.device).index_select(0, views)
    return images.flatten(1).gather(1, places).view_as(images)


@functools.cache
def places_of_views(side: int, device: torch.device) -> Tensor:
    """Return where the pixels of each view stand in the image, (8, S * S) int64."""
    image = torch.arange(side**2).view(side, side)
    views = [
        torch.rot90(image.flip(1) if view > 3 else image, view % 4)
        for view in range(VIEWS)
    ]
    return torch.stack(views).flatten(1).to(device)


def compose(first: Tensor, second: Tensor) -> Tensor:
    """Return the views that show images turned to `first`, then to `second`.

    Parameters
    ----------
    first, second : (N,) int64 in 0..7
    """
    # A mirror undoes the rotations that it passes.
    rotations = (second + torch.where(second > 3, -first, first)) % 4
    return rotations + 4 * ((first > 3) ^ (second > 3))


class Changes(NamedTuple):
    """Random changes of the images for one use.

    Attributes
    ----------
    views : (N,) int64 in 0..7
    gains, gammas : (N,) float32
        See `change_intensity`; all 1 where the intensity is left as it is.
    """

    views: Tensor
    gains: Tensor
    gammas: Tensor


def draw_changes(count: int, how: Augmentation, generator: torch.Generator) -> Changes:
    """Draw how images are met.

    Parameters
    ----------
    count
        Of images.
    how : {'none', 'd4', 'd4-intensity', 'all'}
        ``d4`` takes each image in one of its eight views, all as likely;
        ``d4-intensity`` and ``all`` then change its intensity, see `change_intensity`;
        what else ``all`` does stands in `training.models.networks.warps`.
    generator
        On the CPU: what it decides does not depend on the device of the images.

    Returns
    -------
    changes
        On the CPU.
    """
    views, ones = torch.zeros(count, dtype=torch.int64), torch.ones(count)
    if how == "none":
        return Changes(views, ones, ones)
    views = torch.randint(VIEWS, (count,), generator=generator)
    if how == "d4":
        return Changes(views, ones, ones)
    gains = _log_uniform(GAINS, count, generator)
    return Changes(views, gains, _log_uniform(GAMMAS, count, generator))


def change(images: Tensor, changes: Changes, how: Augmentation) -> Tensor:
    """Return images as they are met.

    Parameters
    ----------
    images : (N, S, S) uint8
    changes
        On the device of `images`; their views are taken whatever `how` says, as the
        training set may ask for them too.
    how : {'none', 'd4', 'd4-intensity', 'all'}

    Returns
    -------
    changed : (N, S, S) uint8 or float32 in 0..255
        float32 after a change of intensity: nothing is rounded to whole grey values.
    """
    turned = turn(images, changes.views)
    if how not in ("d4-intensity", "all"):
        return turned
    return change_intensity(turned, changes.gains, changes.gammas)


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
