"""Random warps of the cells that a network trains on: turn, zoom, blur, noise.

A cell has no up or down, nuclei differ in size, microscopes in focus and cameras in
noise. None of this tells patterns apart, and a specimen shows one set of it: a network
that learned it by heart knows the specimen and not the pattern.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

ZOOMS = (0.85, 1.2)
"""Range of the factor on the size of a cell; its logarithm is uniform."""

BLURS = (0.0, 1.2)
"""Range of the deviation of the Gaussian, in pixels of the network's input."""

NOISES = (0.0, 0.05)
"""Range of the deviation of the noise, as a share of the image's maximum."""

_REACH = 3
"""Pixels to each side that the Gaussian takes in: 2.5 deviations of the widest."""


class Warps(NamedTuple):
    """Random turns, zooms, blurs and noise of the images for one use.

    Attributes
    ----------
    angles : (N,) float32
        Radians, counter-clockwise as displayed.
    zooms, blurs, noises : (N,) float32
        See `ZOOMS`, `BLURS` and `NOISES`.
    seeds : (N,) int64
        Of the noise; that of the first image of a batch is the batch's.
    """

    angles: Tensor
    zooms: Tensor
    blurs: Tensor
    noises: Tensor
    seeds: Tensor


def draw_warps(count: int, rng: np.random.Generator) -> Warps:
    """Draw how `count` images are warped, on the CPU."""
    angles = rng.uniform(-np.pi, np.pi, count)
    zooms = np.exp(rng.uniform(np.log(ZOOMS[0]), np.log(ZOOMS[1]), count))
    blurs = rng.uniform(BLURS[0], BLURS[1], count)
    noises = rng.uniform(NOISES[0], NOISES[1], count)
    turned, zoomed, blurred, noisy = (
        torch.from_numpy(some.astype(np.float32))
        for some in (angles, zooms, blurs, noises)
    )
    seeds = torch.from_numpy(rng.integers(2**62, size=count))
    return Warps(turned, zoomed, blurred, noisy, seeds)


def warp(images: Tensor, warps: Warps) -> Tensor:
    """Return images turned and zoomed, then blurred, then made noisy.

    Parameters
    ----------
    images : (N, S, S) uint8 or float32 in 0..255
    warps
        On the device of `images`.

    Returns
    -------
    warped : (N, S, S) float32 in 0..255
        What lies outside the image is taken from its mirror at the edge.
    """
    grey = images.float()
    moved = _move(grey, warps.angles, warps.zooms)
    return _add_noise(_blur(moved, warps.blurs), warps)


def _move(images: Tensor, angles: Tensor, zooms: Tensor) -> Tensor:
    cosines, sines = torch.cos(angles) / zooms, torch.sin(angles) / zooms
    nothing = torch.zeros_like(cosines)
    first = torch.stack([cosines, -sines, nothing], dim=1)
    second = torch.stack([sines, cosines, nothing], dim=1)
    places = functional.affine_grid(
        torch.stack([first, second], dim=1),
        [len(images), 1, *images.shape[1:]],
        align_corners=False,
    )
    moved = functional.grid_sample(
        images[:, None], places, padding_mode="reflection", align_corners=False
    )
    return moved[:, 0]


def _blur(images: Tensor, deviations: Tensor) -> Tensor:
    """Convolve each image with its own Gaussian, along rows and then columns."""
    steps = torch.arange(-_REACH, _REACH + 1, device=images.device)
    widths = deviations.clamp(min=0.05)[:, None]
    kernels = torch.exp(-0.5 * (steps / widths) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True))[:, None, None, :]
    count = len(images)
    wide = functional.pad(images[None], [_REACH] * 4, mode="reflect")
    rows = functional.conv2d(wide, kernels, groups=count)
    return functional.conv2d(rows, kernels.mT, groups=count)[0]


def _add_noise(images: Tensor, warps: Warps) -> Tensor:
    generator = torch.Generator(images.device).manual_seed(int(warps.seeds[0]))
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    scale = warps.noises * images.amax((1, 2))
    return (images + noise * scale[:, None, None]).clamp(0, 255)
