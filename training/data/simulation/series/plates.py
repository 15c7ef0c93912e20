"""Plates of wells, with the table of their controls and the truth of each well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from training.config import PlateSettings
from training.data.simulation.series.sera import (
    CUT_OFF,
    OTHER_PATTERNS,
    TITRES,
    Camera,
    Serum,
    simulate_serum,
)
from training.data.simulation.specimens import NOTICE, tiff_bytes
from training.data.simulation.styles import SIMULATED_PATTERNS
from training.errors import StorageError
from training.storage.csv_tables import csv_text
from training.storage.writing import write_bytes, write_json, write_text

WELLS, TABLE, TRUTH = "wells", "series.csv", "truth.csv"
"""Folder of the frames, the table of the series in it, and the truth beside it."""

_CONTROLS = (
    ("negative control", Serum()),
    ("positive control", Serum(("Homogeneous",), 1280)),
    ("cut-off control", Serum(("Homogeneous",), CUT_OFF)),
)
CONTROL_EFFECT = 0.3
"""How much the controls of plates differ: all come from one stock."""

_COLUMNS = ("specimen", "series", "role", "exposure")
_EXPOSURE = 100.0


@dataclass(frozen=True)
class SimulatedWell:
    """One well, just written.

    Attributes
    ----------
    id
        The specimen, e.g. ``P1-A01``.
    series
        The plate, e.g. ``P1``.
    role
        ``patient``, or which control it is.
    serum
        In it.
    """

    id: str
    series: str
    role: str
    serum: Serum


def simulate_plates(out: Path, settings: PlateSettings) -> Iterator[SimulatedWell]:
    """Write simulated plates, a well at each step.

    ``OUT/wells`` holds a folder of frames for each well, without masks, and
    ``series.csv``; ``OUT/truth.csv`` gives patterns and titre of each well and
    ``OUT/source.json`` the settings. The tables are written also when the caller stops
    early. Well k of a plate depends on the seed, the plate and k alone, but for its
    serum.

    Raises
    ------
    StorageError
        If `out` is not empty or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StorageError(
            out, "it is not an empty folder", "name a new folder or empty this one"
        )
    return _write_all(out, settings)


def deal_sera(settings: PlateSettings, rng: np.random.Generator) -> list[Serum]:
    """Return the sera of the patients of a plate, in the order of their wells."""
    return [_patient(settings, rng) for _ in range(settings.wells - len(_CONTROLS))]


def _patient(settings: PlateSettings, rng: np.random.Generator) -> Serum:
    if rng.uniform() < settings.negatives:
        return Serum()
    titre, kind = float(rng.choice(TITRES)), rng.uniform()
    if kind < settings.unknowns:
        return Serum((str(rng.choice(OTHER_PATTERNS)),), titre)
    several = 2 if kind < settings.unknowns + settings.mixtures else 1
    chosen = rng.choice(SIMULATED_PATTERNS, several, replace=False)
    return Serum(tuple(map(str, chosen)), titre)


def _write_all(out: Path, settings: PlateSettings) -> Iterator[SimulatedWell]:
    written: list[SimulatedWell] = []
    try:
        for plate in range(settings.plates):
            rng = _generator(settings.seed, plate)
            camera = Camera(rng.lognormal(0, 0.25), rng.lognormal(0, 0.15))
            patients = (("patient", one) for one in deal_sera(settings, rng))
            wells = zip(_names(settings.wells), (*_CONTROLS, *patients), strict=False)
            for index, (name, (role, serum)) in enumerate(wells):
                series = f"P{plate + 1}"
                well = SimulatedWell(f"{series}-{name}", series, role, serum)
                _write_frames(out / WELLS, settings, well, camera, (plate, index))
                written.append(well)
                yield well
    finally:
        _write_tables(out, settings, written)


def _names(wells: int) -> Iterator[str]:
    rows, across = (8, 12) if wells <= 96 else (16, 24)
    letters = (chr(ord("A") + row) for row in range(rows))
    numbers = range(1, across + 1)
    return (f"{row}{column:02d}" for row, column in product(letters, numbers))


def _write_frames(
    folder: Path,
    settings: PlateSettings,
    well: SimulatedWell,
    camera: Camera,
    place: tuple[int, int],
) -> None:
    shape = (settings.height, settings.width)
    for k in range(settings.frames):
        rng = _generator(settings.seed, *place, k)
        effect = 1.0 if well.role == "patient" else CONTROL_EFFECT
        frame = simulate_serum(
            well.serum, camera, settings.cells, shape, rng, effect=effect
        )
        file = folder / well.id / f"{well.id}_p{k}.tif"
        write_bytes(file, tiff_bytes(frame.image))


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _write_tables(
    out: Path, settings: PlateSettings, wells: list[SimulatedWell]
) -> None:
    series = [(one.id, one.series, one.role, _EXPOSURE) for one in wells]
    write_text(out / WELLS / TABLE, csv_text([_COLUMNS, *series]))
    truth = [
        (one.id, one.role, "+".join(one.serum.patterns), f"{one.serum.titre:g}")
        for one in wells
    ]
    header = ("specimen", "role", "patterns", "titre")
    write_text(out / TRUTH, csv_text([header, *truth]))
    write_json(
        out / "source.json",
        {
            "notice": NOTICE,
            "simulated": True,
            "wells_written": len(wells),
            "settings": settings.model_dump(mode="json"),
        },
    )
