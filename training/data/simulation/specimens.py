"""Write simulated specimens in the official Task-2 layout."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from training.config import SimulationSettings
from training.data.simulation.frames import SimulatedFrame, simulate_frame
from training.data.simulation.styles import draw_style
from training.errors import BadSettingError, StorageError
from training.patterns import I3A
from training.storage.csv_tables import csv_text
from training.storage.reading import read_json
from training.storage.writing import write_bytes, write_json, write_text

PROPORTIONS = {
    "Homogeneous": 69,
    "Speckled": 68,
    "Nucleolar": 66,
    "Centromere": 67,
    "NuMem": 36,
    "Golgi": 14,
}
"""Specimens a pattern in Task-1 and Task-2 together (Li et al. 2016, Table 1: set-3
holds 41 cells of each)."""

NOTICE = "Simulated images: no cell in this folder is real."
_TRUTH = ("frame", "specimen", "pattern", "y", "x", "condition")
_CLASS_WIDTH = 15
_POSITIVE_ABOVE = 12.0
_PIXELS_A_CELL = 6000


@dataclass(frozen=True)
class SimulatedSpecimen:
    """One specimen, just written.

    Attributes
    ----------
    id
        As in ``gt_train.csv``; ids start at 1.
    intensity
        ``positive`` or ``intermediate``, by the strength of its staining.
    frames
        Names of its frames, e.g. ``00001_p0``.
    n_nuclei
        Nuclei in its masks, of any condition.
    done, total
        Specimens written so far, this one included, and asked for.
    """

    id: str
    pattern: str
    intensity: str
    frames: tuple[str, ...]
    n_nuclei: int
    done: int
    total: int


def simulate(out: Path, settings: SimulationSettings) -> Iterator[SimulatedSpecimen]:
    """Write simulated specimens, one at each step.

    ``OUT/gt_train.csv`` and ``OUT/train`` follow the official Task-2 release;
    ``OUT/truth.csv`` has one row a nucleus, and ``OUT/source.json`` says how it was
    made. The tables are written at the end, and also when the caller stops early.
    Specimen k depends on the seed and k alone, not on how many others there are.

    Raises
    ------
    BadSettingError
        If a pattern cannot be simulated or the frames cannot hold their cells.
    StorageError
        If `out` is not empty or cannot be written.
    """
    names = _check(settings)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StorageError(
            out, "it is not an empty folder", "name a new folder or empty this one"
        )
    return _write_all(out, settings, list(islice(names, settings.specimens)))


def deal_patterns(patterns: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield patterns for ever: the given ones in turn, or all by `PROPORTIONS`.

    Each is the pattern that lags furthest behind its share, so that any first part of
    the sequence has nearly the right proportions.
    """
    if patterns:
        yield from cycle(patterns)
    total = sum(PROPORTIONS.values())
    dealt = dict.fromkeys(PROPORTIONS, 0)
    for turn in count(1):
        name = max(dealt, key=lambda n: turn * PROPORTIONS[n] / total - dealt[n])
        dealt[name] += 1
        yield name


def _check(settings: SimulationSettings) -> Iterator[str]:
    names = tuple(I3A[I3A.index(p, "patterns")].name for p in settings.patterns)
    room = settings.height * settings.width // _PIXELS_A_CELL
    if settings.cells_min > settings.cells_max:
        raise BadSettingError(
            "cells_min",
            f"{settings.cells_min} is more than cells_max, {settings.cells_max}",
            "give a smaller cells_min",
        )
    if settings.cells_max > room:
        raise BadSettingError(
            "cells_max",
            f"{settings.cells_max} cells do not fit in a frame of "
            f"{settings.width} x {settings.height} pixels",
            f"give at most {room} or larger frames",
        )
    return deal_patterns(names)


def _write_all(
    out: Path, settings: SimulationSettings, patterns: list[str]
) -> Iterator[SimulatedSpecimen]:
    truth: list[tuple[object, ...]] = []
    written: list[SimulatedSpecimen] = []
    try:
        for index, pattern in enumerate(patterns):
            specimen, rows = _write_specimen(out, settings, index, pattern)
            truth.extend(rows)
            written.append(specimen)
            yield specimen
    finally:
        _write_tables(out, settings, written, truth)


def _write_specimen(
    out: Path, settings: SimulationSettings, index: int, pattern: str
) -> tuple[SimulatedSpecimen, list[tuple[object, ...]]]:
    style = draw_style(
        pattern, settings.specimen_effect, _generator(settings.seed, index)
    )
    number = index + 1
    rows: list[tuple[object, ...]] = []
    names = []
    for k in range(settings.frames):
        rng = _generator(settings.seed, index, k)
        n_cells = int(rng.integers(settings.cells_min, settings.cells_max + 1))
        shape = (settings.height, settings.width)
        frame = simulate_frame(style, n_cells, shape, settings.reject_share, rng)
        names.append(f"{number:05d}_p{k}")
        _write_frame(out / "train", names[-1], frame)
        rows += [
            (names[-1], number, pattern, f"{n.y:.2f}", f"{n.x:.2f}", n.condition)
            for n in frame.nuclei
        ]
    specimen = SimulatedSpecimen(
        id=str(number),
        pattern=pattern,
        intensity="positive" if style.strength > _POSITIVE_ABOVE else "intermediate",
        frames=tuple(names),
        n_nuclei=len(rows),
        done=number,
        total=settings.specimens,
    )
    return specimen, rows


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _write_frame(folder: Path, name: str, frame: SimulatedFrame) -> None:
    write_bytes(folder / f"{name}.tif", tiff_bytes(frame.image))
    write_bytes(folder / f"{name}_Mask.tif", tiff_bytes(frame.mask))


def tiff_bytes(pixels: npt.NDArray[Any]) -> bytes:
    """Return a grey image as a packed TIFF."""
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, pixels, photometric="minisblack", compression="zlib", metadata=None
    )
    return buffer.getvalue()


def _write_tables(
    out: Path,
    settings: SimulationSettings,
    specimens: list[SimulatedSpecimen],
    truth: list[tuple[object, ...]],
) -> None:
    rows: list[tuple[object, ...]] = [
        (s.id, s.pattern.ljust(_CLASS_WIDTH), s.intensity) for s in specimens
    ]
    header = ("Specimen ID", "Specimen class ", "Intensity")
    write_text(out / "gt_train.csv", csv_text([header, *rows], ";"))
    write_text(out / "truth.csv", csv_text([_TRUTH, *truth]))
    write_json(
        out / "source.json",
        {
            "notice": NOTICE,
            "simulated": True,
            "version": _version(),
            "seed": settings.seed,
            "specimens_written": len(specimens),
            "settings": settings.model_dump(mode="json"),
        },
    )


def simulated_specimens(path: Path) -> int | None:
    """Return how many specimens were simulated into a folder; None where none were."""
    try:
        source = read_json(path / "source.json")
        return int(source["specimens_written"]) if source["simulated"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def simulation_hash() -> str:
    """Hash the code that simulates: other code draws other cells."""
    digest = hashlib.blake2b(digest_size=12)
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


def _version() -> str:
    try:
        return version("napari-hep2")
    except PackageNotFoundError:
        return "not installed"
