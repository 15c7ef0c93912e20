"""What the benchmarks share: a frame to work on, and times taken in turn."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from training.config import SimulationSettings
from training.data.images import read_frame, read_mask
from training.data.layouts import read_collection
from training.data.simulation import simulate

Array = npt.NDArray[Any]


def frame(cells: int = 200) -> tuple[Array, Array]:
    """Return a simulated frame of 1388 x 1040 pixels and its mask."""
    words = {"specimens": "1", "cells_min": str(cells), "cells_max": str(cells)}
    with tempfile.TemporaryDirectory() as folder:
        list(simulate(Path(folder), SimulationSettings.parse(words)))
        one = read_collection(Path(folder)).specimens[0].frames[0]
        image = read_frame(one.image).pixels
        height, width = image.shape
        assert one.mask is not None
        return image, read_mask(one.mask, (height, width))


def in_turn(*calls: Callable[[], object], rounds: int) -> list[float]:
    """Return the median CPU seconds of each call, of rounds in which all take turns."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 1):
        for call, its in zip(calls, seconds, strict=True):
            started = time.process_time()
            call()
            its.append(time.process_time() - started)
    # The first round warms up.
    return [statistics.median(its[1:]) for its in seconds]
