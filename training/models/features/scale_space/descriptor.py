"""A binary descriptor of a point in the frame of its own orientation.

After LOAD (Qi et al. 2015, arXiv:1504.05809), whose abstract names an adaptive
coordinate system, a binary sequence of the relations between a point and its
neighbours, and several scales. Which relations, and the gradient as the orientation,
are our reading; so is that a point, not a region, is described.

All is done so that a quarter turn of a cell moves the points and changes nothing else:
the grid is centred, borders are mirrored or held, and no direction is preferred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from training.models.augmentation import normalise

NEIGHBOURS = 8
COMPARISONS = 20
"""Of each ring: 8 with the centre, 4 of opposite and 8 of adjacent neighbours."""

_TIE = 1e-4
"""Grey values of 0..1 that differ by less are equal: rounding must decide nothing."""


@dataclass(frozen=True)
class Points:
    """Points of several cells, ordered by cell.

    Attributes
    ----------
    cells : (P,) int64
        Row of the cell that each lies in.
    y, x : (P,) float32
        In pixels; pixel centres are whole numbers.
    counts : (n,) int64
        Points of each cell.
    """

    cells: Tensor
    y: Tensor
    x: Tensor
    counts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.cells)

    def only(self, chosen: npt.NDArray[np.bool_]) -> Points:
        """Return the points where `chosen`, (P,) bool, is true."""
        kept = torch.from_numpy(chosen)
        cells = self.cells[kept]
        counts = torch.bincount(cells, minlength=len(self.counts)).numpy()
        return Points(cells, self.y[kept], self.x[kept], counts)


def stretch(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Map each image's 1st and 99th percentile to 0 and 1, and clip."""
    return normalise(torch.from_numpy(images), "cell")[:, 0].numpy()


def blur(images: npt.NDArray[np.float32], sigma: float) -> Tensor:
    """Blur each image with a Gaussian whose border mirrors the image.

    Parameters
    ----------
    images : (n, S, S) float32
    sigma
        Standard deviation in pixels; 0 leaves the image as it is. The kernel ends at
        4 standard deviations.

    Returns
    -------
    blurred : (n, S, S) float32
    """
    if sigma > 0:
        images = ndimage.gaussian_filter(images, (0, sigma, sigma), mode="reflect")
    return torch.from_numpy(images)


def grid_points(masks: npt.NDArray[np.bool_], step: int, margin: int) -> Points:
    """Return the points of a centred grid in each nucleus and a margin around it.

    Parameters
    ----------
    masks : (n, S, S) bool
        Grown by a square of 2 `margin` + 1 pixels. Where no point lies inside, as in
        an empty mask, all points are taken.
    step
        Distance of the points in pixels. With an even side and step, points lie
        between pixels; they are inside if the mask, interpolated, is at least 1/2.
    margin
        In pixels.
    """
    n, side, _ = masks.shape
    grown = functional.max_pool2d(
        torch.from_numpy(masks)[:, None].float(), 2 * margin + 1, 1, margin
    )[:, 0]
    marks = torch.arange((side - 1) % step / 2, side, step, dtype=torch.float32)
    y, x = (axis.flatten() for axis in torch.meshgrid(marks, marks, indexing="ij"))
    every = torch.arange(n).repeat_interleave(len(y))
    inside = (sample(grown, every, y.repeat(n), x.repeat(n)) >= 0.5).view(n, -1)
    inside |= ~inside.any(dim=1, keepdim=True)
    cells, places = torch.nonzero(inside, as_tuple=True)
    return Points(cells, y[places], x[places], inside.sum(dim=1).numpy())


def sample(images: Tensor, cells: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Interpolate images between pixels, bilinearly.

    Parameters
    ----------
    images : (n, S, S) float32
    cells : (P,) int64
    y, x : (P, ...) float32
        Positions outside are moved to the border.

    Returns
    -------
    values : (P, ...) float32
        Exactly the pixel's value where its surroundings are flat.
    """
    side = images.shape[-1]
    y, x = y.clamp(0, side - 1), x.clamp(0, side - 1)
    top, left = y.floor().clamp(max=side - 2), x.floor().clamp(max=side - 2)
    start = cells.view(-1, *[1] * (y.ndim - 1)) * (side * side)
    corner = (start + top.long() * side + left.long()).flatten()
    flat, across, down = images.flatten(), (x - left).flatten(), (y - top).flatten()
    upper = torch.lerp(flat[corner], flat[corner + 1], across)
    lower = torch.lerp(flat[corner + side], flat[corner + side + 1], across)
    return torch.lerp(upper, lower, down).view(y.shape)


def orientations(images: Tensor, points: Points) -> tuple[Tensor, Tensor]:
    """Return the direction in which each point grows brighter.

    Central differences, interpolated at the point. Where the image is flat, the
    direction is that from the middle of the image.

    Returns
    -------
    down, across : (P,) float32
        A unit vector; (0, 0) in the very middle of a flat image.
    """
    slopes = torch.gradient(images, dim=(1, 2))
    dy, dx = (sample(slope, points.cells, points.y, points.x) for slope in slopes)
    flat = torch.hypot(dy, dx) <= _TIE
    middle = (images.shape[-1] - 1) / 2
    dy = torch.where(flat, points.y - middle, dy)
    dx = torch.where(flat, points.x - middle, dx)
    length = torch.hypot(dy, dx).clamp(min=1e-12)
    return dy / length, dx / length


def compare(centres: Tensor, rings: Tensor) -> Tensor:
    """Return signs of differences: 1, -1, or 0 for a tie.

    Parameters
    ----------
    centres : (P,) float32
    rings : (P, R, 8) float32
        Neighbours of each point on each ring, in order around it.

    Returns
    -------
    signs : (P, 20 R) float32
        A ring after the other: each neighbour less the centre, each of the first four
        less the one opposite, each neighbour's successor less itself.
    """
    half = NEIGHBOURS // 2
    differences = torch.cat(
        [
            rings - centres[:, None, None],
            rings[..., :half] - rings[..., half:],
            rings.roll(-1, dims=-1) - rings,
        ],
        dim=-1,
    )
    return functional.hardshrink(differences, _TIE).sign_().flatten(1)


def describe(images: Tensor, points: Points, radii: tuple[float, ...]) -> Tensor:
    """Describe points by comparisons in their own frames.

    Parameters
    ----------
    images : (n, S, S) float32
        Blurred, of range 0..1.
    points
    radii
        Of the rings, in pixels. Neighbour 0 lies in the direction of the gradient, the
        others follow every 45 degrees.

    Returns
    -------
    descriptors : (P, 20 R) float32
        See `compare`.
    """
    down, across = orientations(images, points)
    angles = torch.arange(NEIGHBOURS) * (2 * math.pi / NEIGHBOURS)
    cos, sin, lengths = angles.cos(), angles.sin(), torch.tensor(radii)[:, None]
    dy = down[:, None] * cos + across[:, None] * sin
    dx = across[:, None] * cos - down[:, None] * sin
    rings = sample(
        images,
        points.cells,
        points.y[:, None, None] + lengths * dy[:, None],
        points.x[:, None, None] + lengths * dx[:, None],
    )
    return compare(sample(images, points.cells, points.y, points.x), rings)
