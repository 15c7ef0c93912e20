"""Sera: what each stains, how strongly at its titre, and the camera that sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from training.data.simulation.frames import SimulatedFrame, simulate_frame
from training.data.simulation.series.parts import Parts, PartStainer
from training.data.simulation.styles import SpecimenStyle, draw_style

TITRES = (40, 80, 160, 320, 640, 1280, 2560, 5120)
"""Reciprocals of the dilution at which a serum no longer stains, two-fold steps."""

CUT_OFF = 80
"""Titre from which a serum is positive: that of the screening dilution."""

_HALF = 1280.0
_BRIGHTEST = 60.0
_SERA, _UNSPECIFICS = 0.35, 0.5
"""Spread of the logarithm of brightness over sera of one titre, which then reproduces
within one two-fold step, and of unspecific staining."""

_UNSPECIFIC = {"nucleoplasm": 1.4, "cytoplasm": 0.9, "plate": 1.4}
_BACKGROUND, _PHOTONS = 17.5, 70.0
_AMOUNTS = ("nucleoplasm", "nucleoli", "dots", "rim", "golgi", "cytoplasm", "plate")
_BODY = ("grain", "pits", "nucleolus_count", "nucleolus_size", "dot_count", "folds")

_OTHERS: dict[str, tuple[dict[str, float], Parts]] = {
    "Cytoplasmic reticular": (
        {"nucleoplasm": 0.1, "cytoplasm": 1.1, "cytoplasm_grain": 0.4, "reach": 22.0},
        Parts(),
    ),
    "Cytoplasmic speckled": (
        {"nucleoplasm": 0.1, "cytoplasm": 0.35, "reach": 18.0},
        Parts(specks=0.9),
    ),
    "Rods and rings": ({"nucleoplasm": 0.1, "cytoplasm": 0.1}, Parts(rods=2.5)),
    "Mitotic spindle": (
        {"nucleoplasm": 0.08, "cytoplasm": 0.08, "plate": 0.1},
        Parts(poles=0.8, fibres=1.2),
    ),
    "NuMA": (
        {"nucleoplasm": 0.8, "grain": 0.35, "cytoplasm": 0.05, "plate": 0.1},
        Parts(poles=2.0, fibres=0.3),
    ),
}

OTHER_PATTERNS = tuple(_OTHERS)
"""Simulated patterns beside the six; no model of theirs knows them."""


@dataclass(frozen=True)
class Serum:
    """A serum.

    Attributes
    ----------
    patterns
        What it stains: none in a negative serum; every cell shows all of several.
    titre
        The reciprocal of the dilution, or 0 of a negative serum.
    """

    patterns: tuple[str, ...] = ()
    titre: float = 0.0

    @property
    def is_positive(self) -> bool:
        """Return whether it still stains at the screening dilution."""
        return bool(self.patterns) and self.titre >= CUT_OFF

    @property
    def brightness(self) -> float:
        """Grey values of its plainly stained nucleus under a plain camera.

        Antibodies fill their sites as t / (t + 1280) (a Langmuir isotherm), so that
        staining doubles with a weak serum's titre and saturates with a strong one's.
        """
        return _BRIGHTEST * self.titre / (self.titre + _HALF)


@dataclass(frozen=True)
class Camera:
    """Light and camera of a series.

    Attributes
    ----------
    gain
        Grey values for a grey value of the plain camera; noise grows with it.
    light
        Lamp times exposure; 1 is that of the plain camera.
    """

    gain: float = 1.0
    light: float = 1.0

    def sees(self, style: SpecimenStyle) -> SpecimenStyle:
        """Return the style under this camera; `strength` is 1 in a serum's."""
        seen = self.gain * self.light
        return replace(
            style,
            strength=seen * style.strength,
            background=seen * style.background,
            photons=style.photons / self.gain,
        )


def simulate_serum(
    serum: Serum,
    camera: Camera,
    n_cells: int,
    shape: tuple[int, int],
    rng: np.random.Generator,
    reject_share: float = 0.12,
    effect: float = 1.0,
) -> SimulatedFrame:
    """Simulate one frame of a specimen of a series.

    Parameters
    ----------
    serum, camera
        What stains and what sees it.
    n_cells, shape, reject_share
        As `training.data.simulation.simulate_frame` takes them.
    rng
        The same state gives the same pixels.
    effect
        How much sera of one pattern and titre differ, 0 to 2.
    """
    style, parts = _draw(serum, effect, rng)
    return simulate_frame(
        camera.sees(style),
        n_cells,
        shape,
        reject_share,
        rng,
        partial(PartStainer, parts=parts),
    )


def _draw(
    serum: Serum, effect: float, rng: np.random.Generator
) -> tuple[SpecimenStyle, Parts]:
    """Return a serum's style, its amounts in grey values, and its further parts."""
    bright = serum.brightness * math.exp(_SERA * effect * rng.standard_normal())
    amounts = {
        name: level * math.exp(_UNSPECIFICS * effect * rng.standard_normal())
        for name, level in _UNSPECIFIC.items()
    }
    drawn = [_drawn(name, effect, rng) for name in serum.patterns or ("Homogeneous",)]
    first = drawn[0][0]
    if serum.patterns:
        for style, _ in drawn:
            for name in _AMOUNTS:
                amounts[name] = amounts.get(name, 0) + bright * getattr(style, name)
    own = {name: max(getattr(style, name) for style, _ in drawn) for name in _BODY}
    changes = {name: amounts.get(name, 0.0) for name in _AMOUNTS} | own
    ground = _BACKGROUND * math.exp(0.08 * effect * rng.standard_normal())
    style = replace(first, **changes, strength=1.0, background=ground, photons=_PHOTONS)
    return style, _sum_of([parts for _, parts in drawn], bright)


def _drawn(
    pattern: str, effect: float, rng: np.random.Generator
) -> tuple[SpecimenStyle, Parts]:
    changes, parts = _OTHERS.get(pattern, ({}, Parts()))
    known = "Homogeneous" if pattern in _OTHERS else pattern
    return replace(draw_style(known, effect, rng), **changes), parts


def _sum_of(parts: list[Parts], bright: float) -> Parts:
    total = np.sum([[p.specks, p.rods, p.poles, p.fibres] for p in parts], axis=0)
    return Parts(*(bright * total).tolist())
