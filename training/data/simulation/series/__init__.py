"""Simulated series: plates of patients and controls under one lamp, gain and exposure.

``sera`` says what a serum stains and how strongly at its titre, ``parts`` draws what
the six patterns lack, ``plates`` deals sera to wells and writes them.
"""

from training.data.simulation.series.plates import SimulatedWell, simulate_plates
from training.data.simulation.series.sera import (
    CUT_OFF,
    OTHER_PATTERNS,
    TITRES,
    Camera,
    Serum,
    simulate_serum,
)

__all__ = [
    "CUT_OFF",
    "OTHER_PATTERNS",
    "TITRES",
    "Camera",
    "Serum",
    "SimulatedWell",
    "simulate_plates",
    "simulate_serum",
]
