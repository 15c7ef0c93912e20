"""Simulated specimens, so that everything can be tried without a patient's cells.

``styles`` says how a specimen looks, ``nuclei`` where nuclei lie and their shapes,
``staining`` what is stained, ``frames`` what the camera sees, ``specimens`` writes.
"""

from training.data.simulation.frames import SimulatedFrame, simulate_frame
from training.data.simulation.nuclei import CONDITIONS
from training.data.simulation.specimens import (
    PROPORTIONS,
    SimulatedSpecimen,
    deal_patterns,
    simulate,
    simulated_specimens,
    simulation_hash,
)
from training.data.simulation.styles import SpecimenStyle, draw_style

__all__ = [
    "CONDITIONS",
    "PROPORTIONS",
    "SimulatedFrame",
    "SimulatedSpecimen",
    "SpecimenStyle",
    "deal_patterns",
    "draw_style",
    "simulate",
    "simulate_frame",
    "simulated_specimens",
    "simulation_hash",
]
