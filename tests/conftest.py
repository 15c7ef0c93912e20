"""Tiny simulated data sets in each layout: discs on a dim, noisy ground."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from PIL import Image

# How long an example may take says how busy the machine is.
settings.register_profile("quick", deadline=None, max_examples=40)
settings.register_profile("long", deadline=None, max_examples=400)
settings.load_profile("quick")

pytest_plugins = ("own_machine", "whole_run")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of `tests/trust`; they must be known before its own conftest is read."""
    parser.addoption(
        "--long", action="store_true", help="measure each promise at its full count"
    )
    parser.addoption(
        "--record", action="store_true", help="write what was reached to the docs"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give property tests that name no number of examples more of them on request."""
    if config.getoption("--long", False):
        settings.load_profile("long")


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the seal of tests, and of what they start, out of the user's state."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


def pytest_collection_finish() -> None:
    """Spare the collector what lives to the end: napari calls it twice a window."""
    gc.collect()
    gc.freeze()


Centres = Sequence[tuple[int, int]]
CENTRES = ((30, 30), (30, 90), (80, 50))
"""(y, x) of the nuclei of a frame unless others are given."""


def _frame_with_nuclei(
    centres: Centres = CENTRES,
    radius: int = 12,
    shape: tuple[int, int] = (120, 140),
    seed: int = 0,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return a frame (H, W) uint8 and its mask, 0 or 255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, bool)
    for cy, cx in centres:
        mask |= (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
    frame = rng.poisson(np.where(mask, 60, 12)).clip(0, 255).astype(np.uint8)
    return frame, (mask * 255).astype(np.uint8)


def _save(path: Path, pixels: npt.NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _write_task1(
    folder: Path,
    specimens: Mapping[str, str] | None = None,
    cells: int = 3,
    side_table: bool = True,
) -> Path:
    """Write Task-1: `specimens` gives each specimen's pattern, `cells` its cells."""
    specimens = specimens or {"1": "Homogeneous", "2": "Speckled", "3": "Golgi"}
    truth, groups, number = ["Image ID,Image class"], ["Image ID,Specimen"], 0
    for specimen, pattern in specimens.items():
        for _ in range(cells):
            number += 1
            side = 54 + number
            frame, mask = _frame_with_nuclei(
                ((side // 2, side // 2),), 20, (side, side + 2), seed=number
            )
            _save(folder / "train" / f"{number:05d}.png", frame)
            _save(folder / "train" / f"{number:05d}_Mask.png", mask)
            truth.append(f"{number:05d},{pattern}")
            groups.append(f"{number:05d},{specimen}")
    (folder / "gt_training.csv").write_text("\n".join(truth) + "\n")
    if side_table:
        (folder / "specimens.csv").write_text("\n".join(groups) + "\n")
    return folder


def _write_task2(
    folder: Path,
    specimens: Mapping[str, str] | None = None,
    frames: int = 2,
    centres: Centres = CENTRES,
) -> Path:
    """Write Task-2: `specimens` gives each specimen's pattern, `frames` its frames."""
    specimens = specimens or {"1": "homogeneous", "2": "numem"}
    truth = ["Specimen ID;Specimen class ;Intensity"]
    for seed, (specimen, pattern) in enumerate(specimens.items()):
        truth.append(f"{specimen};{pattern}   ;positive")
        for part in range(frames):
            frame, mask = _frame_with_nuclei(centres, seed=10 * seed + part)
            stem = f"{int(specimen):05d}_p{part}"
            _save(folder / "train" / f"{stem}.tif", frame)
            _save(folder / "train" / f"{stem}_Mask.tif", mask)
    (folder / "gt_train.csv").write_text("\n".join(truth) + "\n")
    return folder


def _write_plain(
    folder: Path,
    names: Sequence[str] = ("a_p0", "a_p1", "b_p0"),
    masks: bool = True,
    table: str | None = None,
) -> Path:
    """Write a plain folder; a name may hold a subfolder, `table` goes to a CSV."""
    for seed, name in enumerate(names):
        frame, mask = _frame_with_nuclei(seed=seed)
        _save(folder / f"{name}.png", frame)
        if masks:
            _save(folder / f"{name}_mask.png", mask)
    if table is not None:
        (folder / "patterns.csv").write_text(table)
    return folder


def _write_mivia(folder: Path, groups: bool = True) -> Path:
    """Write four cells of two images in the layout of the ICPR 2012 contest."""
    patterns = ("homogeneous", "homogeneous", "fine_speckled", "fine_speckled")
    truth, side = ["ID;pattern"], ["id;image"]
    for number, pattern in enumerate(patterns, start=1):
        frame, mask = _frame_with_nuclei(((30, 30),), 20, (60, 64), seed=number)
        green = np.zeros((*frame.shape, 3), np.uint8)
        green[:, :, 1] = frame
        _save(folder / f"{number:03d}.png", green)
        _save(folder / f"{number:03d}_mask.png", mask)
        truth.append(f"{number};{pattern}")
        side.append(f"{number};{(number + 1) // 2}")
    (folder / "gt_training.csv").write_text("\n".join(truth) + "\n")
    if groups:
        (folder / "cells.csv").write_text("\n".join(side) + "\n")
    return folder


@pytest.fixture
def frame_with_nuclei() -> Callable[..., Any]:
    return _frame_with_nuclei


@pytest.fixture
def write_task1() -> Callable[..., Path]:
    return _write_task1


@pytest.fixture
def write_task2() -> Callable[..., Path]:
    return _write_task2


@pytest.fixture
def write_plain() -> Callable[..., Path]:
    return _write_plain


@pytest.fixture
def write_mivia() -> Callable[..., Path]:
    return _write_mivia
