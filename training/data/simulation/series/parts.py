"""Parts of a cell that none of the six patterns stains: specks, rods, spindles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.data.simulation.nuclei import Nucleus
from training.data.simulation.staining import Points, Stainer

_SPECKS = 60
_POINT = 14.0
_STEP = 0.5
_POLES = 15.0


@dataclass(frozen=True)
class Parts:
    """How brightly a serum stains each further part, in shares of its `strength`.

    Attributes
    ----------
    specks
        Granules of the cytoplasm.
    rods
        Rods and rings beside the nucleus, in two of three cells.
    poles
        Both poles of the spindle, of cells in mitosis alone.
    fibres
        The spindle between the poles.
    """

    specks: float = 0.0
    rods: float = 0.0
    poles: float = 0.0
    fibres: float = 0.0


@dataclass(frozen=True)
class PartStainer(Stainer):
    """Draws cells with further parts.

    Attributes
    ----------
    parts
        Of the serum.
    """

    parts: Parts = Parts()

    def stain(self, nucleus: Nucleus) -> None:
        """Add the light of one cell."""
        super().stain(nucleus)
        parts, rng = self.parts, self.rng
        if nucleus.condition == "debris":
            return
        if nucleus.condition == "mitotic":
            self._spindle(nucleus)
            return
        if parts.specks > 0:
            self._specks(nucleus)
        if parts.rods > 0 and rng.uniform() < 2 / 3:
            self._rod(nucleus, is_ring=bool(rng.uniform() < 0.4))

    def _points(self, nucleus: Nucleus, y: Points, x: Points, light: float) -> None:
        mass = light * _POINT * self.rng.lognormal(0, 0.4, len(y))
        depth = np.full(len(y), nucleus.depth) + np.abs(self.rng.normal(0, 0.6, len(y)))
        self.canvas.add_points(y, x, mass, depth)

    def _specks(self, nucleus: Nucleus) -> None:
        """Granules between the outline of the nucleus and 1.8 times its radius."""
        n = self.rng.poisson(_SPECKS)
        angle = self.rng.uniform(0, 2 * math.pi, n)
        out = nucleus.radius * np.sqrt(self.rng.uniform(1.15, 1.8**2, n))
        y, x = nucleus.y + out * np.sin(angle), nucleus.x + out * np.cos(angle)
        self._points(nucleus, y, x, self.parts.specks)

    def _rod(self, nucleus: Nucleus, *, is_ring: bool) -> None:
        """Add a rod 3 to 10 pixels long, or a ring 3 to 5 pixels wide, dot by dot."""
        rng = self.rng
        angle = rng.uniform(0, 2 * math.pi)
        out = nucleus.radius * rng.uniform(1.15, 1.5)
        y0, x0 = nucleus.y + out * math.sin(angle), nucleus.x + out * math.cos(angle)
        if is_ring:
            turn = np.linspace(0, 2 * math.pi, 20)
            size = rng.uniform(1.5, 2.5)
            y, x = y0 + size * np.sin(turn), x0 + size * np.cos(turn)
        else:
            along = np.arange(0, rng.uniform(3, 10), _STEP)
            heading = rng.uniform(0, math.pi)
            y, x = y0 + along * math.sin(heading), x0 + along * math.cos(heading)
        self._points(nucleus, y, x, 0.5 * self.parts.rods)

    def _spindle(self, nucleus: Nucleus) -> None:
        """Poles on both sides of the plate, and fibres that meet in them."""
        rng, parts = self.rng, self.parts
        across = nucleus.angle + math.pi / 2
        for side in (-1, 1):
            reach = side * _POLES * rng.uniform(0.8, 1.1)
            pole_y = nucleus.y + reach * math.sin(across)
            pole_x = nucleus.x + reach * math.cos(across)
            around = rng.normal(0, 1.5, (2, 25))
            self._points(nucleus, pole_y + around[0], pole_x + around[1], parts.poles)
            n = 120
            share = rng.uniform(0, 1, n)
            spread = rng.normal(0, 0.35 * nucleus.long, n) * (1 - share)
            y = nucleus.y + share * (pole_y - nucleus.y)
            x = nucleus.x + share * (pole_x - nucleus.x)
            y += spread * math.sin(nucleus.angle)
            x += spread * math.cos(nucleus.angle)
            self._points(nucleus, y, x, 0.3 * parts.fibres)
