"""Places of nuclei in a frame, and their outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.data.simulation.styles import SpecimenStyle

Floats = npt.NDArray[np.float32]

CONDITIONS = ("good", "touching", "border", "out of focus", "mitotic", "debris")
"""What a nucleus is; the last five are what a reader would leave out."""

HALF = 60
"""Half the side of the window in which a cell is drawn, in pixels."""

_ASIDE = {"touching": 0.2, "out of focus": 0.3, "mitotic": 0.3, "debris": 0.2}
_MARGIN = 26.0
_GAP = 5.0
_TRIES = 200
_PLATE_AREA = 0.42
_DEBRIS_AREA = 0.16


@dataclass(frozen=True)
class Nucleus:
    """One nucleus before it is stained.

    Attributes
    ----------
    y, x
        Centre in pixels of the frame.
    long, short, angle
        Half axes in pixels and direction of the long one in radians.
    bumps
        Amplitudes of the outline's 2nd, 3rd and 4th harmonics, as shares of its
        radius, complex for their phase.
    depth
        Distance from the focal plane, in planes.
    condition
        One of `CONDITIONS`, as meant; the mask decides on touching and border.
    """

    y: float
    x: float
    long: float
    short: float
    angle: float
    bumps: tuple[complex, complex, complex]
    depth: float
    condition: str

    @property
    def radius(self) -> float:
        """Radius of the disc of the same area, in pixels."""
        return math.sqrt(self.long * self.short)

    @property
    def corner(self) -> tuple[int, int]:
        """First row and column of its window, in pixels of the frame."""
        return round(self.y) - HALF, round(self.x) - HALF


@dataclass(frozen=True)
class Polar:
    """A window in the nucleus' own coordinates.

    Attributes
    ----------
    rho : (S, S) float32
        Distance from the centre; 1 on the outline.
    unit : (S, S) complex64
        Direction from the centre, as ``exp(i * angle)`` in the frame.
    distance : (S, S) float32
        Distance from the centre in pixels.
    """

    rho: Floats
    unit: npt.NDArray[np.complex64]
    distance: Floats


def polar_window(nucleus: Nucleus) -> Polar:
    """Return the window of ``2 * HALF + 1`` pixels a side around a nucleus."""
    top, left = nucleus.corner
    steps = np.arange(2 * HALF + 1, dtype=np.float32)
    dy = (steps + np.float32(top - nucleus.y))[:, None]
    dx = (steps + np.float32(left - nucleus.x))[None, :]
    vector = (dx + 1j * dy).astype(np.complex64)
    distance = np.abs(vector)
    unit = (vector / np.maximum(distance, 1e-6)).astype(np.complex64)
    unit[distance == 0] = 1
    own = unit * np.complex64(np.exp(-1j * nucleus.angle))
    outline = 1 / np.sqrt(
        (own.real / nucleus.long) ** 2 + (own.imag / nucleus.short) ** 2
    )
    power = own * own
    for bump in nucleus.bumps:
        outline = outline * (1 + (np.complex64(bump) * power).real)
        power = power * own
    return Polar((distance / outline).astype(np.float32), unit, distance)


def place_nuclei(
    n_cells: int,
    shape: tuple[int, int],
    style: SpecimenStyle,
    reject_share: float,
    rng: np.random.Generator,
) -> list[Nucleus]:
    """Strew nuclei over a frame, so that only those meant to touch do.

    Parameters
    ----------
    n_cells
        Nuclei to place; some lie partly outside the frame.
    reject_share
        Share of nuclei that touch, are out of focus, mitotic, or debris.
    """
    placed: list[Nucleus] = []
    centres = np.empty((0, 3))
    for condition in _deal_conditions(n_cells, reject_share, rng):
        partner = placed[-1] if condition == "touching" and placed else None
        nucleus = _find_place(condition, partner, centres, shape, style, rng)
        if nucleus is not None:
            placed.append(nucleus)
            row = (nucleus.y, nucleus.x, nucleus.long)
            centres = np.vstack([centres, row])
    return placed


def _deal_conditions(
    n_cells: int, reject_share: float, rng: np.random.Generator
) -> list[str]:
    names = ["good", *_ASIDE]
    shares = [1 - reject_share, *(reject_share * share for share in _ASIDE.values())]
    return [names[k] for k in rng.choice(len(names), size=n_cells, p=shares)]


def _find_place(
    condition: str,
    partner: Nucleus | None,
    centres: npt.NDArray[np.float64],
    shape: tuple[int, int],
    style: SpecimenStyle,
    rng: np.random.Generator,
) -> Nucleus | None:
    """Try places until one is free; a frame that is full gives None."""
    nucleus = _draw_nucleus(condition, style, rng)
    for _ in range(_TRIES):
        if partner is None:
            y = rng.uniform(-_MARGIN, shape[0] + _MARGIN)
            x = rng.uniform(-_MARGIN, shape[1] + _MARGIN)
            tried, others = _moved(nucleus, y, x), centres
        else:
            tried, others = _beside(nucleus, partner, rng), centres[:-1]
        if _is_free(tried, others, shape):
            return tried
    return None


def _is_free(
    nucleus: Nucleus, others: npt.NDArray[np.float64], shape: tuple[int, int]
) -> bool:
    beyond = max(-nucleus.y, nucleus.y - shape[0], -nucleus.x, nucleus.x - shape[1])
    far = np.hypot(others[:, 0] - nucleus.y, others[:, 1] - nucleus.x)
    apart = far > 0.93 * (others[:, 2] + nucleus.long) + _GAP
    return beyond <= _MARGIN and bool(apart.all())


def _beside(nucleus: Nucleus, partner: Nucleus, rng: np.random.Generator) -> Nucleus:
    side = rng.choice((-1, 1)) * math.pi / 2
    direction = partner.angle + side + rng.normal(0, 0.3)
    reach = partner.short + nucleus.short - rng.uniform(1, 5)
    moved = _moved(
        nucleus,
        partner.y + reach * math.sin(direction),
        partner.x + reach * math.cos(direction),
    )
    return replace(moved, angle=partner.angle + rng.normal(0, 0.25))


def _moved(nucleus: Nucleus, y: float, x: float) -> Nucleus:
    return replace(nucleus, y=y, x=x)


def _draw_nucleus(
    condition: str, style: SpecimenStyle, rng: np.random.Generator
) -> Nucleus:
    area = style.area * math.exp(float(np.clip(rng.normal(0, 0.16), -0.5, 0.5)))
    ratio = 1 + (style.elongation - 1) * math.exp(rng.normal(0, 0.5))
    depth = abs(rng.normal(0, style.depth))
    roughness = style.roughness
    if condition == "out of focus":
        depth = rng.uniform(3.2, 4.5)
    elif condition == "mitotic":
        area, ratio = area * _PLATE_AREA, rng.uniform(2.2, 3.2)
    elif condition == "debris":
        area, ratio = area * _DEBRIS_AREA * rng.uniform(0.5, 1.6), rng.uniform(1, 3)
        roughness = 0.12
    ratio = min(ratio, 3.2 if condition in ("mitotic", "debris") else 2.0)
    radius = math.sqrt(area / math.pi)
    waves = rng.normal(0, roughness, 3) * (1.4, 1.0, 0.6)
    phases = np.exp(1j * rng.uniform(0, 2 * math.pi, 3))
    b2, b3, b4 = (complex(b) for b in waves * phases)
    return Nucleus(
        y=0.0,
        x=0.0,
        long=radius * math.sqrt(ratio),
        short=radius / math.sqrt(ratio),
        angle=rng.uniform(0, math.pi),
        bumps=(b2, b3, b4),
        depth=depth,
        condition=condition,
    )
