"""Image of the camera: light through the optics, then noise, then 8-bit grey."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from training.data.simulation.nuclei import (
    Floats,
    Nucleus,
    place_nuclei,
    polar_window,
)
from training.data.simulation.staining import MARGIN, Canvas, Grain, Stainer
from training.data.simulation.styles import SpecimenStyle

DISCS = (0.0, 1.8, 3.2, 5.0, 8.0)
"""Radius in pixels of the disc that a point becomes in each plane."""

_READ_NOISE = 0.2
_SPECKS_A_PIXEL = 60 / 1.44e6
_EIGHT_CONNECTED = np.ones((3, 3), int)


@dataclass(frozen=True)
class SimulatedNucleus:
    """One row of the truth.

    Attributes
    ----------
    label
        Its number in the labels of the frame.
    y, x
        Mean of the coordinates of its pixels in the mask.
    condition
        One of `CONDITIONS`.
    """

    label: int
    y: float
    x: float
    condition: str


@dataclass(frozen=True)
class SimulatedFrame:
    """A frame, its mask and what is in it.

    Attributes
    ----------
    image : (H, W) uint8
    labels : (H, W) int32
        0 is background; nuclei that touch differ.
    nuclei
        In the order in which they were placed.
    """

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    nuclei: tuple[SimulatedNucleus, ...]

    @property
    def mask(self) -> npt.NDArray[np.uint8]:
        """Mask as it is written, (H, W) uint8, 0 or 255."""
        return np.where(self.labels > 0, 255, 0).astype(np.uint8)


def simulate_frame(
    style: SpecimenStyle,
    n_cells: int,
    shape: tuple[int, int],
    reject_share: float,
    rng: np.random.Generator,
    stainer: Callable[..., Stainer] = Stainer,
) -> SimulatedFrame:
    """Simulate one frame of a specimen.

    Parameters
    ----------
    n_cells
        Nuclei to place; fewer are if the frame is too full.
    shape
        (height, width) in pixels.
    reject_share
        Share of nuclei that a reader would leave out, besides those at the border.
    stainer
        Makes what draws the cells; it takes the fields of `Stainer` in their order.
    """
    nuclei = place_nuclei(n_cells, shape, style, reject_share, rng)
    canvas = Canvas(shape)
    drawing = stainer(style, Grain(style.grain_size, rng), canvas, rng)
    for nucleus in nuclei:
        drawing.stain(nucleus)
    _strew_specks(canvas, shape, rng)
    image = _expose(_focus(canvas, style, shape), style, rng)
    labels = _paint(nuclei, shape)
    return SimulatedFrame(image, labels, _truth(nuclei, labels))


def _strew_specks(
    canvas: Canvas, shape: tuple[int, int], rng: np.random.Generator
) -> None:
    n = rng.poisson(_SPECKS_A_PIXEL * shape[0] * shape[1])
    canvas.add_points(
        rng.uniform(0, shape[0], n),
        rng.uniform(0, shape[1], n),
        rng.lognormal(1.5, 1.0, n),
        rng.uniform(0, 2.5, n),
    )


def _focus(canvas: Canvas, style: SpecimenStyle, shape: tuple[int, int]) -> Floats:
    """Return (H, W) light on the sensor: every plane through its own blur."""
    padded = canvas.planes.shape[1:]
    size = [scipy.fft.next_fast_len(side, real=True) for side in padded]
    fy = scipy.fft.fftfreq(size[0]).astype(np.float32)[:, None]
    fx = scipy.fft.rfftfreq(size[1]).astype(np.float32)[None, :]
    frequency = np.sqrt(fy * fy + fx * fx)
    total = np.zeros(frequency.shape, np.complex64)
    light = np.zeros_like(total)
    for plane, radius in zip(canvas.planes, DISCS, strict=True):
        spectrum = scipy.fft.rfft2(plane, s=size)
        total += spectrum
        light += spectrum * _disc(frequency, radius)
    light *= np.float32(1 - style.haze) * _gauss(frequency, style.blur)
    glow = 0.6 * _gauss(frequency, 5.0) + 0.4 * _gauss(frequency, 20.0)
    light += total * (np.float32(style.haze) * glow)
    seen = scipy.fft.irfft2(light, s=size)
    inside = np.s_[MARGIN : MARGIN + shape[0], MARGIN : MARGIN + shape[1]]
    return np.asarray(seen[inside], np.float32)


def _gauss(frequency: Floats, sigma: float) -> Floats:
    return np.exp(np.float32(-2 * (math.pi * sigma) ** 2) * frequency * frequency)


def _disc(frequency: Floats, radius: float) -> Floats:
    """Return the transfer of a defocused point: a disc with a brighter edge."""
    if radius == 0:
        return np.ones_like(frequency)
    phase = np.float32(2 * math.pi * radius) * np.maximum(frequency, np.float32(1e-6))
    flat = 2 * scipy.special.j1(phase) / phase
    return np.asarray(0.75 * flat + 0.25 * scipy.special.j0(phase), np.float32)


def _expose(
    light: Floats, style: SpecimenStyle, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return (H, W) uint8: uneven illumination, shot noise and read noise."""
    y = np.linspace(-1, 1, light.shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, light.shape[1], dtype=np.float32)[None, :]
    tilt_y, tilt_x, fall = rng.normal(0, 0.03, 3)
    uneven = 1 + tilt_y * y + tilt_x * x - abs(fall) * (y * y + x * x)
    grey = (np.maximum(light, 0) * style.strength + style.background) * uneven
    electrons = rng.poisson(np.maximum(grey, 0) * style.photons)
    noisy = electrons / style.photons
    noisy += _READ_NOISE * rng.standard_normal(light.shape, dtype=np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _paint(nuclei: list[Nucleus], shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Return (H, W) int32: nucleus k is k + 1; where two overlap the first stays."""
    labels = np.zeros([side + 2 * MARGIN for side in shape], np.int32)
    for value, nucleus in enumerate(nuclei, start=1):
        inside = polar_window(nucleus).rho < 0.98
        top, left = (c + MARGIN for c in nucleus.corner)
        window = labels[top : top + inside.shape[0], left : left + inside.shape[1]]
        window[inside & (window == 0)] = value
    return labels[MARGIN : MARGIN + shape[0], MARGIN : MARGIN + shape[1]].copy()


def _truth(
    nuclei: list[Nucleus], labels: npt.NDArray[np.int32]
) -> tuple[SimulatedNucleus, ...]:
    values = np.unique(labels)[1:]
    if not len(values):
        return ()
    centres = np.array(
        scipy.ndimage.center_of_mass(labels > 0, labels, values)
    ).tolist()
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    at_border = {int(v) for edge in edges for v in edge}
    touching = _touching(labels)
    return tuple(
        SimulatedNucleus(
            v, float(y), float(x), _condition(nuclei[v - 1], v, at_border, touching)
        )
        for v, (y, x) in zip(values.tolist(), centres, strict=True)
    )


def _condition(
    nucleus: Nucleus, value: int, at_border: set[int], touching: set[int]
) -> str:
    """Return what the mask shows first, then what the nucleus was meant to be."""
    if value in at_border:
        return "border"
    if nucleus.condition in ("debris", "mitotic"):
        return nucleus.condition
    if value in touching:
        return "touching"
    return "good" if nucleus.condition == "touching" else nucleus.condition


def _touching(labels: npt.NDArray[np.int32]) -> set[int]:
    """Return the labels that share a connected component with another label."""
    parts, _ = scipy.ndimage.label(labels > 0, structure=_EIGHT_CONNECTED)
    pairs = np.unique(np.stack([parts[labels > 0], labels[labels > 0]]), axis=1)
    part, count = np.unique(pairs[0], return_counts=True)
    shared = np.isin(pairs[0], part[count > 1])
    return {int(v) for v in pairs[1][shared]}
