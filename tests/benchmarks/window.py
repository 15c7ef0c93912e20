"""How soon the window shows what a person opens, beside an earlier build of it.

    HEP2_BEFORE=CHECKOUT python tests/benchmarks/window.py

Two builds, this one and the checkout that HEP2_BEFORE names, take turns, each in a
process of its own: before, now, before, now. A window of 1920 x 1080 has the four
widgets in it. Opening starts with the verb and ends when the boxes were drawn; a row of
the worklist ends when the verdict is there as well. Times are wall time, medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[2]
SPECIMENS, CELLS, TURNS, COLOURS = 3, 200, 2, 9
_SIZE = 1920, 1080
_PATIENCE = 300.0
GOALS = {
    "open": ("opening a folder to the boxes of its first frame", 4),
    "next": ("opening the next specimen to its boxes", 4),
    "colour": ("colouring 200 boxes", 2),
    "row": ("from a row of the worklist to boxes and verdict", 10),
}


# --- in each build, on its own import path ------------------------------------------


class Window:
    """A napari window with the widgets of a build, and how long it takes."""

    def __init__(self) -> None:
        import napari

        from napari_hep2.demo import add_widgets

        self.viewer = napari.Viewer()
        self.viewer.window.resize(*_SIZE)
        self.docks = add_widgets(self.viewer)
        self.session = _session_of(self.viewer)
        self._canvas = self.viewer.window._qt_viewer.canvas._scene_canvas
        self._drawn = 0
        self._canvas.events.draw.connect(self._count, position="last")
        self.settle(3.0)  # as long as a person needs to choose a folder

    def _count(self, event: object) -> None:
        self._drawn += 1

    def settle(self, seconds: float) -> None:
        """Serve the window for some time."""
        end = time.perf_counter() + seconds
        self.serve(lambda: time.perf_counter() >= end)

    def serve(self, is_over: Callable[[], bool]) -> None:
        """Serve the window as napari does, idle between events, until it is over."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop, look = QEventLoop(), QTimer(interval=5)
        end = time.perf_counter() + _PATIENCE
        look.timeout.connect(
            lambda: loop.quit() if is_over() or time.perf_counter() > end else None
        )
        look.start()
        loop.exec_()
        assert time.perf_counter() < end, self.session.state.fault

    def seconds(self, act: Callable[[], object], is_there: Callable[[], bool]) -> float:
        """Return the time until what is awaited is there, and a drawing after it."""
        from vispy.gloo import gl

        drawn, started = self._drawn, time.perf_counter()
        act()
        self.serve(lambda: is_there() and self._drawn > drawn)
        self._canvas.native.makeCurrent()
        gl.glFinish()
        found = time.perf_counter() - started
        self.settle(0.5)
        return found


def _session_of(viewer: Any) -> Any:
    """Return the session of a viewer, wherever this build has it."""
    for name in ("napari_hep2.session", "napari_hep2.widgets.session"):
        try:
            return import_module(name).session_of(viewer)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError("session_of")


def measure(folder: Path, out: Path) -> dict[str, list[float]]:
    """Return the seconds of each step in the build that is imported."""
    window = Window()
    session = window.session
    state = session.state
    jobs = session.specimen

    def boxes_of(place: int) -> Callable[[], bool]:
        def are_there() -> bool:
            boxes = session.link.boxes
            here = state.cells is not None and state.position == (place, 0)
            idle = not state.busy and not getattr(state, "opening", "")
            return bool(here and boxes is not None and boxes.visible and idle)

        return are_there

    found: dict[str, list[float]] = {"open": [], "next": [], "colour": [], "row": []}
    found["open"] = [
        window.seconds(lambda: session.start(jobs.open_folder(folder)), boxes_of(0))
    ]
    for place in range(1, SPECIMENS):
        act = lambda place=place: session.start(jobs.open_frame(place))  # noqa: E731
        found["next"].append(window.seconds(act, boxes_of(place)))
    found["row"] = _rows(window, folder, out)
    found["colour"] = _colours(window)
    window.viewer.close()
    return found


def _rows(window: Window, folder: Path, out: Path) -> list[float]:
    session = window.session
    state, worklist = session.state, session.worklist
    worklist.choose_folder(folder)
    worklist.choose_out(out)
    session.start(worklist.run())
    window.serve(lambda: len(worklist.found.rows) == SPECIMENS and not state.busy)
    asks_itself = hasattr(worklist, "wants_scores")
    seconds = []
    for row in worklist.found.rows[:-1]:
        name = row["specimen"]

        def is_open(name: str = name) -> bool:
            return state.cells is not None and state.specimen == name and not state.busy

        def has_verdict(is_open: Callable[[], bool] = is_open) -> bool:
            return is_open() and state.prediction is not None

        def act(name: str = name) -> None:
            session.start(worklist.open_specimen(name))

        if asks_itself:
            seconds.append(window.seconds(act, has_verdict))
            continue
        opened = window.seconds(act, is_open)
        scored = window.seconds(
            lambda: session.start(session.classify.classify()), has_verdict
        )
        seconds.append(opened + scored)
    return seconds


def _colours(window: Window) -> list[float]:
    """Return the seconds in which other scores of the open frame are seen."""
    import dataclasses

    import numpy as np

    state = window.session.state
    if state.prediction is None:
        window.session.start(window.session.classify.classify())
        window.serve(lambda: state.prediction is not None)
    first, rng = state.prediction, np.random.default_rng(0)
    seconds = []
    for _ in range(COLOURS + 1):
        shape = first.scores.shape
        scores = rng.dirichlet(np.full(shape[1], 0.3), shape[0]).astype(np.float32)
        new = dataclasses.replace(first, scores=scores)
        drawn = window.seconds(
            lambda new=new: setattr(state, "prediction", new), lambda: True
        )
        seconds.append(drawn)
    # The first prediction makes lines wider, which no later one does.
    return seconds[1:]


# --- both builds in turn ------------------------------------------------------------


def simulated(folder: Path) -> Path:
    """Write specimens of one frame each, of 1388 x 1040 pixels and 200 cells."""
    from training.config import SimulationSettings
    from training.data.simulation import simulate

    cells = {"cells_min": str(CELLS), "cells_max": str(CELLS)}
    words = {"specimens": str(SPECIMENS), **cells}
    list(simulate(folder, SimulationSettings.parse(words)))
    return folder


def in_a_process(tree: Path, folder: Path, out: Path) -> dict[str, list[float]]:
    """Return what a build takes, measured in a process of its own.

    Raises
    ------
    AssertionError
        If it fails.
    """
    command = [sys.executable, str(Path(__file__)), "--measure", str(folder), str(out)]
    done = subprocess.run(
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows() -> list[Any]:
    """Return the figures as rows of the table."""
    from overlay import has_screen
    from side_by_side import Row

    before = os.environ.get("HEP2_BEFORE", "")
    if not has_screen() or not before:
        lacks = "no screen" if before else "HEP2_BEFORE names no earlier checkout"
        note = f"not measured: {lacks}"
        return [
            Row(f"window: {name}", None, "at least", goal, "x", note=note)
            for name, goal in GOALS.values()
        ]
    found: dict[Path, list[dict[str, list[float]]]] = {Path(before): [], HERE: []}
    with tempfile.TemporaryDirectory() as place:
        folder = simulated(Path(place) / "specimens")
        for turn in range(TURNS):
            for tree, its in found.items():
                out = Path(place) / f"reports-{turn}-{len(its)}-{tree.name}"
                its.append(in_a_process(tree, folder, out))
    return [
        _row(
            Row, key, *([s for one in its for s in one[key]] for its in found.values())
        )
        for key in GOALS
    ]


def _row(kind: Any, key: str, before: list[float], now: list[float]) -> Any:
    peer, ours = statistics.median(before), statistics.median(now)
    name, goal = GOALS[key]
    note = f"slowest {max(now):.2f} s, before {max(before):.2f} s"
    return kind(
        f"window: {name}",
        peer / ours,
        "at least",
        goal,
        "x",
        peer_seconds=peer,
        seconds=ours,
        note=note,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", nargs=2, type=Path)
    wanted = parser.parse_args().measure
    if wanted:
        print(json.dumps(measure(*wanted)))
    else:
        from side_by_side import print_rows

        print_rows(rows())
