"""What the benchmarks share: rows of the table, a frame, and times taken in turn."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from training.config import SimulationSettings
from training.data.layouts import read_collection
from training.data.masks.files import read_mask
from training.data.simulation import simulate
from training.storage.images import read_frame

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One figure, and the goal it is held against.

    Attributes
    ----------
    name
        What was measured, on how much.
    value
        The figure; None where it could not be measured here, which `note` explains.
    sense, bound, unit
        The goal: ``at least 3 x``.
    peer_seconds, seconds
        Of the peer and of ours, where the figure is their ratio.
    note
        What a reader of the figure has to know.
    """

    name: str
    value: float | None
    sense: Literal["at least", "at most", "under"]
    bound: float
    unit: Literal["x", "s", "ms", "MB", "%", ""]
    peer_seconds: float | None = None
    seconds: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the figure reaches its goal; None where there is no figure."""
        if self.value is None:
            return None
        if self.sense == "at least":
            return self.value >= self.bound
        return self.value < self.bound or (
            self.sense == "at most" and self.value == self.bound
        )


def print_rows(rows: Iterable[Row]) -> None:
    """Print each row as a line of JSON, for ``hep2 bench`` to read."""
    for row in rows:
        print(json.dumps(asdict(row) | {"met": row.met}), flush=True)


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
