"""Style of one specimen: one set of numbers that all patterns share.

Every pattern stains the same parts of a cell, only more or less of each: a centromere
specimen has strong dots and a dim nucleoplasm, a coarse speckled one both. So the
patterns lie in one space without gaps, and a specimen far from the centre of its own
pattern comes to look like one of another, as specimens do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True)
class SpecimenStyle:
    """Properties that all cells of a specimen have in common.

    Staining is in shares of `strength`, lengths are in pixels.

    Attributes
    ----------
    strength, background
        Grey values of a plainly stained nucleus, and of the empty slide under it.
    photons
        Photo-electrons a grey value: the higher, the less shot noise.
    blur
        Standard deviation of the point spread function in focus.
    depth
        Spread of the cells' distance from the focal plane, in planes of `frames`.
    haze
        Share of the light that is scattered around its source.
    area, elongation, roughness
        Of the nuclei: mean area in square pixels, mean ratio of the axes, and
        deviation from an ellipse.
    cell_spread
        How much cells of this specimen differ from each other (standard deviation of
        the logarithm of an amount).
    nucleoplasm, grain, grain_size, coarse
        Level; standard deviation of its logarithm; size of its grains; share of the
        grain that is three times as large.
    pits
        Depth of the unstained nucleoli, 0 to 1.
    nucleoli, nucleolus_count, nucleolus_size, clumping
        Brightness, mean number and radius of nucleoli, of the pits as well; 0 gives
        smooth nucleoli, 1 clumps.
    dots, dot_count, dot_spread, dot_depth
        Brightness and mean number of dots, spread of the logarithm of their
        brightness, and how far in planes they leave the cell's plane.
    rim, rim_width, punctate, folds
        Brightness and width of the nuclear membrane, its unevenness, and the mean
        number of folds across the nucleus.
    golgi, golgi_count, golgi_arc, golgi_gap, golgi_grain
        Brightness and number of ribbons, the arc in radians that they span, their
        distance from the nucleus in radii, and their granularity.
    cytoplasm, reach, cytoplasm_grain
        Level next to the nucleus, distance over which it falls, unevenness.
    plate
        Staining of condensed chromosomes in mitosis.
    """

    strength: float
    background: float
    photons: float
    blur: float
    depth: float
    haze: float
    area: float
    elongation: float
    roughness: float
    cell_spread: float
    nucleoplasm: float
    grain: float
    grain_size: float
    coarse: float
    pits: float
    nucleoli: float
    nucleolus_count: float
    nucleolus_size: float
    clumping: float
    dots: float
    dot_count: float
    dot_spread: float
    dot_depth: float
    rim: float
    rim_width: float
    punctate: float
    folds: float
    golgi: float
    golgi_count: float
    golgi_arc: float
    golgi_gap: float
    golgi_grain: float
    cytoplasm: float
    reach: float
    cytoplasm_grain: float
    plate: float


Spread = tuple[float, float]
"""Median over specimens, and standard deviation of the logarithm."""

_COMMON: dict[str, Spread] = {
    "strength": (16.0, 0.75),
    "background": (17.5, 0.2),
    "photons": (70.0, 0.25),
    "blur": (0.88, 0.22),
    "depth": (0.65, 0.45),
    "haze": (0.3, 0.35),
    "area": (1830.0, 0.075),
    "elongation": (1.24, 0.05),
    "roughness": (0.02, 0.3),
    "cell_spread": (0.1, 0.3),
    "nucleoplasm": (1.0, 0.15),
    "grain": (0.2, 0.5),
    "grain_size": (1.7, 0.25),
    "coarse": (0.2, 0.5),
    "pits": (0.2, 0.7),
    "nucleoli": (0.0, 0.0),
    "nucleolus_count": (3.0, 0.25),
    "nucleolus_size": (4.0, 0.2),
    "clumping": (0.3, 0.8),
    "dots": (0.0, 0.0),
    "dot_count": (30.0, 0.25),
    "dot_spread": (0.45, 0.3),
    "dot_depth": (1.0, 0.3),
    "rim": (0.03, 0.8),
    "rim_width": (1.2, 0.25),
    "punctate": (0.4, 0.5),
    "folds": (0.0, 0.0),
    "golgi": (0.0, 0.0),
    "golgi_count": (8.0, 0.3),
    "golgi_arc": (2.0, 0.5),
    "golgi_gap": (0.06, 0.6),
    "golgi_grain": (0.6, 0.3),
    "cytoplasm": (0.08, 0.6),
    "reach": (16.0, 0.25),
    "cytoplasm_grain": (0.25, 0.5),
    "plate": (1.0, 0.3),
}

_OWN: dict[str, dict[str, Spread]] = {
    "Homogeneous": {
        "strength": (18.0, 0.75),
        "grain": (0.21, 0.55),
        "clumping": (0.12, 0.8),
        "grain_size": (1.3, 0.2),
        "pits": (0.28, 0.5),
        "nucleolus_size": (4.4, 0.2),
        "plate": (2.2, 0.25),
    },
    "Speckled": {
        "strength": (15.0, 0.85),
        "grain": (0.34, 0.5),
        "grain_size": (1.15, 0.2),
        "pits": (0.5, 0.45),
        "nucleolus_size": (4.1, 0.2),
        "clumping": (0.12, 0.8),
        "dots": (0.2, 1.35),
        "dot_count": (46.0, 0.35),
        "dot_spread": (0.8, 0.3),
        "dot_depth": (0.9, 0.3),
        "plate": (0.3, 0.7),
    },
    "Nucleolar": {
        "strength": (9.0, 0.8),
        "nucleoplasm": (0.7, 0.5),
        "grain": (0.25, 0.5),
        "pits": (0.05, 0.5),
        "nucleoli": (2.3, 0.9),
        "nucleolus_count": (3.0, 0.4),
        "nucleolus_size": (3.3, 0.25),
        "clumping": (0.28, 0.8),
        "dots": (0.5, 0.9),
        "dot_count": (7.0, 0.5),
        "cytoplasm": (0.2, 0.6),
        "plate": (0.6, 0.7),
    },
    "Centromere": {
        "haze": (0.4, 0.3),
        "strength": (13.0, 0.7),
        "nucleoplasm": (0.65, 0.6),
        "grain": (0.2, 0.5),
        "pits": (0.1, 0.8),
        "dots": (2.3, 0.85),
        "dot_count": (48.0, 0.2),
        "dot_depth": (1.6, 0.25),
        "cytoplasm": (0.12, 0.6),
        "plate": (0.5, 0.5),
    },
    "NuMem": {
        "strength": (9.0, 0.6),
        "nucleoplasm": (0.75, 0.45),
        "grain": (0.15, 0.5),
        "grain_size": (1.15, 0.2),
        "pits": (0.08, 0.8),
        "rim": (0.65, 0.85),
        "punctate": (0.32, 0.6),
        "folds": (0.4, 0.8),
        "cytoplasm": (0.65, 0.5),
        "cytoplasm_grain": (0.35, 0.4),
        "plate": (0.3, 0.6),
    },
    "Golgi": {
        "strength": (11.0, 0.7),
        "nucleoplasm": (0.55, 0.7),
        "pits": (0.06, 0.6),
        "golgi": (0.6, 0.95),
        "cytoplasm": (0.3, 0.6),
        "plate": (0.4, 0.5),
    },
}

_BOUNDS: dict[str, tuple[float, float]] = {
    "strength": (4.5, 110.0),
    "background": (11.0, 32.0),
    "photons": (20.0, 250.0),
    "blur": (0.7, 2.4),
    "depth": (0.1, 2.5),
    "haze": (0.03, 0.6),
    "area": (1400.0, 2300.0),
    "elongation": (1.08, 1.6),
    "pits": (0.0, 0.8),
    "clumping": (0.0, 1.0),
    "coarse": (0.0, 0.9),
    "grain": (0.02, 1.0),
    "grain_size": (0.8, 2.2),
    "punctate": (0.0, 0.65),
    "cytoplasm": (0.0, 1.5),
    "cytoplasm_grain": (0.0, 0.5),
    "golgi_arc": (0.4, 6.0),
}

_BRIGHTEST = 230.0

SIMULATED_PATTERNS = tuple(_OWN)


def draw_style(pattern: str, effect: float, rng: np.random.Generator) -> SpecimenStyle:
    """Draw the style of one specimen.

    Parameters
    ----------
    pattern
        One of `SIMULATED_PATTERNS`.
    effect
        Strength of the specimen effect; at 0 all specimens of a pattern are alike.

    Raises
    ------
    KeyError
        If the pattern is not simulated.
    """
    spreads = {**_COMMON, **_OWN[pattern]}
    values = {
        field.name: _draw(field.name, spreads[field.name], effect, rng)
        for field in fields(SpecimenStyle)
    }
    return _exposed(SpecimenStyle(**values))


def _exposed(style: SpecimenStyle) -> SpecimenStyle:
    """Return the style as a careful operator takes it: few grey values saturate."""
    brightest = (
        style.nucleoplasm
        + 1.5 * style.nucleoli
        + 2.5 * style.dots
        + style.rim
        + 3.0 * style.golgi
    )
    room = _BRIGHTEST - style.background
    return replace(style, strength=min(style.strength, room / brightest))


def _draw(name: str, spread: Spread, effect: float, rng: np.random.Generator) -> float:
    median, sd = spread
    value = median * math.exp(effect * sd * float(rng.standard_normal()))
    low, high = _BOUNDS.get(name, (0.0, math.inf))
    return min(max(value, low), high)
