"""Staining by the antibody: light of each cell, before any optics.

Each cell is drawn in its own small window; what is no larger than a point (dots, Golgi
granules) is dropped on the canvas with sub-pixel precision and is given its size by
the optics. All light goes to planes of growing distance from the focal plane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy

from training.data.simulation.nuclei import HALF, Floats, Nucleus, Polar, polar_window
from training.data.simulation.styles import SpecimenStyle

Points = npt.NDArray[np.float64]

N_PLANES = 5
"""Distances from the focal plane; `frames` blurs each in its own way."""

MARGIN = 96
"""Canvas around the frame, in pixels, so that no window is ever cut."""

_TILE = 512
_SIDE = 2 * HALF + 1
# A point of this much light, in focus, is about as bright as its amount says.
_POINT = 14.0
# Nuclei are thick: this share of their light comes from so many planes further away.
_BEHIND_SHARE = 0.4
_BEHIND = 1.2
_MITOTIC_RADIUS = 32.0
_VARIED = (
    "nucleoplasm", "grain", "pits", "nucleoli", "dots", "rim", "golgi", "cytoplasm",
    "nucleolus_size", "golgi_gap", "golgi_arc", "plate", "punctate", "coarse",
)  # fmt: skip


class Canvas:
    """Light in planes, around and under a frame.

    Attributes
    ----------
    planes : (N_PLANES, H + 2 * MARGIN, W + 2 * MARGIN) float32
        In shares of the specimen's strength; plane 0 is in focus.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        height, width = (side + 2 * MARGIN for side in shape)
        self.planes = np.zeros((N_PLANES, height, width), np.float32)

    def add_window(self, light: Floats, corner: tuple[int, int], depth: float) -> None:
        """Add a window whose first pixel is at `corner` of the frame."""
        top, left = corner[0] + MARGIN, corner[1] + MARGIN
        area = np.s_[top : top + light.shape[0], left : left + light.shape[1]]
        depth = min(depth, N_PLANES - 1.001)
        near = int(depth)
        self.planes[near][area] += np.float32(1 - depth + near) * light
        self.planes[near + 1][area] += np.float32(depth - near) * light

    def add_points(self, y: Points, x: Points, mass: Points, depth: Points) -> None:
        """Add points of light at frame coordinates, spread over eight neighbours.

        Points beyond the canvas are left out: none of their light reaches the frame.
        """
        height, width = self.planes.shape[1:]
        y, x, depth = y + MARGIN, x + MARGIN, np.clip(depth, 0, N_PLANES - 1.001)
        on = (y >= 0) & (y < height - 1) & (x >= 0) & (x < width - 1)
        position = (depth[on], y[on], x[on])
        start = [np.floor(p).astype(np.intp) for p in position]
        part = [p - s for p, s in zip(position, start, strict=True)]
        for corner in np.ndindex(2, 2, 2):
            weight = mass[on]
            for inside, side in zip(part, corner, strict=True):
                weight = weight * (inside if side else 1 - inside)
            index = tuple(s + side for s, side in zip(start, corner, strict=True))
            np.add.at(self.planes, index, weight.astype(np.float32))


class Grain:
    """A specimen's chromatin texture: fine and coarse noise of unit variance."""

    def __init__(self, size: float, rng: np.random.Generator) -> None:
        self._tiles = [_noise_tile(s, rng) for s in (size, 2.4 * size)]

    def window(self, coarse: float, rng: np.random.Generator) -> Floats:
        """Return (S, S) float32 noise, `coarse` of its variance in large grains."""
        parts = []
        for tile in self._tiles:
            top, left = rng.integers(0, _TILE, 2)
            parts.append(tile[top : top + _SIDE, left : left + _SIDE])
        fine, large = parts
        mixed = math.sqrt(1 - coarse) * fine + math.sqrt(coarse) * large
        return np.asarray(mixed, np.float32)


def _noise_tile(size: float, rng: np.random.Generator) -> Floats:
    white = rng.standard_normal((_TILE, _TILE), dtype=np.float32)
    fy = scipy.fft.fftfreq(_TILE)[:, None]
    fx = scipy.fft.rfftfreq(_TILE)[None, :]
    low = np.exp(-2 * (math.pi * size) ** 2 * (fy**2 + fx**2))
    tile = scipy.fft.irfft2(scipy.fft.rfft2(white) * low, s=white.shape)
    tile = np.asarray(tile / tile.std(), np.float32)
    return np.pad(tile, ((0, _SIDE), (0, _SIDE)), mode="wrap")


@dataclass(frozen=True)
class Stainer:
    """Draws the cells of one frame on its canvas."""

    style: SpecimenStyle
    grain: Grain
    canvas: Canvas
    rng: np.random.Generator

    def stain(self, nucleus: Nucleus) -> None:
        """Add the light of one cell."""
        cell = vary(self.style, self.rng)
        polar = polar_window(nucleus)
        if nucleus.condition == "debris":
            self._debris(nucleus, cell, polar)
        elif nucleus.condition == "mitotic":
            self._mitosis(nucleus, cell, polar)
        else:
            self._interphase(nucleus, cell, polar)

    def _interphase(self, nucleus: Nucleus, cell: SpecimenStyle, polar: Polar) -> None:
        rng = self.rng
        noise = self.grain.window(cell.coarse, rng)
        holes = nucleolus_window(nucleus, cell, rng)
        light = body(polar, nucleus.radius) * texture(cell.grain, noise)
        light *= cell.nucleoplasm * (1 - cell.pits * np.minimum(holes, 1))
        if cell.nucleoli > 0:
            light += cell.nucleoli * holes * texture(0.3 * cell.clumping, noise)
        fine = self.grain.window(0.0, rng)
        light += membrane(polar, nucleus, cell, fine)
        if cell.folds > 0:
            light += folds(polar, nucleus, cell, fine, rng)
        light += cytoplasm(polar, nucleus, cell, self.grain.window(0.25, rng))
        self._add(light, nucleus)
        if cell.dots > 0:
            self._dots(nucleus, cell, holes, 0.84)
        if cell.golgi > 0:
            self._golgi(nucleus, cell, scattered=False)

    def _mitosis(self, nucleus: Nucleus, cell: SpecimenStyle, polar: Polar) -> None:
        noise = self.grain.window(cell.coarse, self.rng)
        light = cell.plate * body(polar, nucleus.radius) * texture(0.2, noise)
        released = 0.5 * cell.cytoplasm + 0.25 * cell.nucleoplasm + 0.3 * cell.rim
        round_cell = np.clip((_MITOTIC_RADIUS - polar.distance) / 6, 0, 1)
        light += released * round_cell * texture(cell.cytoplasm_grain, noise)
        self._add(light, nucleus)
        if cell.dots > 0:
            self._dots(nucleus, cell, np.zeros_like(light), 0.9)
        if cell.golgi > 0:
            self._golgi(nucleus, cell, scattered=True)

    def _debris(self, nucleus: Nucleus, cell: SpecimenStyle, polar: Polar) -> None:
        noise = self.grain.window(0.3, self.rng)
        level = self.rng.uniform(0.5, 2.5) * max(cell.nucleoplasm, 0.5)
        light = level * body(polar, nucleus.radius) * texture(0.5, noise)
        self._add(light, nucleus)

    def _add(self, light: Floats, nucleus: Nucleus) -> None:
        light = light.astype(np.float32, copy=False)
        behind = np.float32(_BEHIND_SHARE)
        self.canvas.add_window((1 - behind) * light, nucleus.corner, nucleus.depth)
        self.canvas.add_window(behind * light, nucleus.corner, nucleus.depth + _BEHIND)

    def _dots(
        self, nucleus: Nucleus, cell: SpecimenStyle, holes: Floats, reach: float
    ) -> None:
        """Dots in the nucleus but not in its pits; every third has a sister."""
        rng = self.rng
        n = rng.poisson(cell.dot_count)
        angle = rng.uniform(0, 2 * math.pi, n)
        radius = reach * np.sqrt(rng.uniform(0, 1, n))
        along = nucleus.long * radius * np.cos(angle)
        across = nucleus.short * radius * np.sin(angle)
        sister = rng.uniform(size=n) < 0.33
        along = np.concatenate(
            [along, along[sister] + rng.normal(0, 1.6, sister.sum())]
        )
        across = np.concatenate(
            [across, across[sister] + rng.normal(0, 1.6, sister.sum())]
        )
        y, x = _to_frame(nucleus, along, across)
        top, left = nucleus.corner
        here = holes[np.rint(y - top).astype(int), np.rint(x - left).astype(int)]
        mass = cell.dots * _POINT * rng.lognormal(0, cell.dot_spread, len(y))
        mass *= 1 - (cell.pits > 0.15) * np.minimum(here, 1)
        depth = np.abs(nucleus.depth + rng.normal(0, cell.dot_depth, len(y)))
        self.canvas.add_points(y, x, mass, depth)

    def _golgi(self, nucleus: Nucleus, cell: SpecimenStyle, *, scattered: bool) -> None:
        """Ribbons beside the nucleus, walked in steps of half a pixel."""
        rng = self.rng
        n, steps = 1 + rng.poisson(cell.golgi_count), 52
        arc = 2 * math.pi if scattered else cell.golgi_arc * rng.lognormal(0, 0.5)
        angle = rng.uniform(0, 2 * math.pi) + rng.uniform(-arc / 2, arc / 2, (n, 1))
        gap = 1 + cell.golgi_gap + rng.normal(0, 0.16, (n, 1))
        start_y, start_x = _to_frame(
            nucleus,
            nucleus.long * gap * np.cos(angle),
            nucleus.short * gap * np.sin(angle),
        )
        turn = np.cumsum(rng.normal(0, 0.14, (n, steps)), axis=1)
        heading = (
            angle + nucleus.angle + math.pi / 2 + rng.normal(0, 0.4, (n, 1)) + turn
        )
        y = start_y + 0.5 * np.cumsum(np.sin(heading), axis=1)
        x = start_x + 0.5 * np.cumsum(np.cos(heading), axis=1)
        width = 1.2 * rng.lognormal(0, 0.4, (n, 1))
        y = y + width * rng.normal(0, 1, turn.shape)
        x = x + width * rng.normal(0, 1, turn.shape)
        length = rng.uniform(4, 10 if scattered else steps, (n, 1))
        mass = rng.lognormal(0, cell.golgi_grain, (n, steps))
        mass *= (np.arange(steps) < length) * rng.lognormal(0, 0.5, (n, 1))
        depth = np.abs(nucleus.depth + rng.normal(0, 1.3, (n, 1)) + 0 * y)
        mass *= 0.2 * cell.golgi * _POINT * rng.lognormal(0, 0.3)
        self.canvas.add_points(y.ravel(), x.ravel(), mass.ravel(), depth.ravel())


def vary(style: SpecimenStyle, rng: np.random.Generator) -> SpecimenStyle:
    """Return the style of one cell of the specimen."""
    factors = np.exp(rng.normal(0, style.cell_spread, len(_VARIED)))
    common = math.exp(rng.normal(0, 0.6 * style.cell_spread))
    changed = {
        name: getattr(style, name) * float(factor)
        for name, factor in zip(_VARIED, factors, strict=True)
    }
    for name in ("nucleoplasm", "nucleoli", "dots", "rim", "golgi"):
        changed[name] *= common
    for name in ("pits", "coarse"):
        changed[name] = min(changed[name], 0.92)
    return replace(style, **changed)


def texture(sd: float, noise: Floats) -> Floats:
    """Return log-normal unevenness of mean 1 from noise of unit variance."""
    return np.exp(np.float32(sd) * noise - np.float32(sd * sd / 2))


def body(polar: Polar, radius: float) -> Floats:
    """Return the projected thickness of a flat nucleus: about 1, less at its edge."""
    inside = np.clip(1 - polar.rho**2, 0, 1)
    edge = np.clip((1 - polar.rho) * np.float32(radius / 1.5) + 0.5, 0, 1)
    return np.asarray(edge * (0.5 + 0.5 * np.sqrt(inside)), np.float32)


def membrane(
    polar: Polar, nucleus: Nucleus, cell: SpecimenStyle, noise: Floats
) -> Floats:
    """Return the light of the nuclear membrane, seen edge-on at the outline."""
    away = (polar.rho - 1.01) * np.float32(nucleus.radius / cell.rim_width)
    uneven = 1 + 0.15 * (polar.unit * np.complex64(np.exp(1j * nucleus.angle * 7))).real
    ring = np.exp(-0.5 * away * away) * uneven * texture(cell.punctate, noise)
    return np.asarray(cell.rim * ring, np.float32)


def folds(
    polar: Polar,
    nucleus: Nucleus,
    cell: SpecimenStyle,
    noise: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Return bent lines across the nucleus, where its membrane is folded."""
    light = np.zeros_like(polar.rho)
    vector = polar.rho * polar.unit
    for _ in range(min(int(rng.poisson(cell.folds)), 3)):
        turned = vector * np.complex64(np.exp(1j * rng.uniform(0, 2 * math.pi)))
        line = turned.imag - rng.normal(0, 0.3) - rng.normal(0, 0.4) * turned.real**2
        away = line * np.float32(nucleus.radius / (1.2 * cell.rim_width))
        ends = np.clip(1.5 - 2.5 * np.abs(turned.real - rng.normal(0, 0.3)), 0, 1)
        light += np.exp(-0.5 * away * away) * ends * rng.uniform(0.2, 0.9)
    inside = np.clip((1 - polar.rho) * 8 + 0.5, 0, 1)
    return np.asarray(cell.rim * light * inside * texture(0.3, noise), np.float32)


def cytoplasm(
    polar: Polar, nucleus: Nucleus, cell: SpecimenStyle, noise: Floats
) -> Floats:
    """Return the light around (and over) the nucleus, fading with distance."""
    away = np.maximum(polar.rho - 1, 0) * np.float32(nucleus.radius / cell.reach)
    steps = np.abs(np.arange(_SIDE, dtype=np.float32) - HALF)
    taper = np.clip((HALF - steps) / 20, 0, 1)
    light = np.exp(-away) * texture(cell.cytoplasm_grain, noise)
    light *= np.where(polar.rho < 1, np.float32(0.55), np.float32(1))
    return np.asarray(cell.cytoplasm * light * taper[:, None] * taper, np.float32)


def nucleolus_window(
    nucleus: Nucleus, cell: SpecimenStyle, rng: np.random.Generator
) -> Floats:
    """Return how much of each pixel is nucleolus.

    From 0 to about 1; in cells that stain nucleoli each has its own level, so that a
    bright one exceeds 1.
    """
    n = min(1 + int(rng.poisson(max(cell.nucleolus_count - 1, 0))), 8)
    angle = rng.uniform(0, 2 * math.pi, n)
    out = 0.68 * np.sqrt(rng.uniform(0, 1, n))
    y, x = _to_frame(
        nucleus,
        nucleus.long * out * np.cos(angle),
        nucleus.short * out * np.sin(angle),
    )
    size = cell.nucleolus_size * rng.lognormal(0, 0.3, n)
    level = rng.lognormal(0, 0.4 if cell.nucleoli > 0 else 0.1, n)
    parts = 1 + rng.binomial(4, min(cell.clumping, 1.0), n)
    which = np.repeat(np.arange(n), parts)
    apart = 0.6 * size[which] * (parts[which] > 1)
    y = y[which] + apart * rng.normal(0, 1, len(which))
    x = x[which] + apart * rng.normal(0, 1, len(which))
    size = size[which] / np.sqrt(parts[which])
    level = level[which]
    return _discs(nucleus, y, x, size, level)


def _discs(
    nucleus: Nucleus, y: Points, x: Points, size: Points, level: Points
) -> Floats:
    top, left = nucleus.corner
    steps = np.arange(_SIDE, dtype=np.float32)
    dy = steps[None, :, None] - (y - top).astype(np.float32)[:, None, None]
    dx = steps[None, None, :] - (x - left).astype(np.float32)[:, None, None]
    near = size.astype(np.float32)[:, None, None] - np.sqrt(dy * dy + dx * dx)
    discs = np.clip(near / 2.2 + 0.5, 0, 1) * level[:, None, None]
    return np.asarray(discs.max(axis=0), np.float32)


def _to_frame(nucleus: Nucleus, along: Points, across: Points) -> tuple[Points, Points]:
    cos, sin = math.cos(nucleus.angle), math.sin(nucleus.angle)
    y = nucleus.y + along * sin + across * cos
    x = nucleus.x + along * cos - across * sin
    return y, x
