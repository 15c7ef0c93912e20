"""How soon the boxes in the viewer have the colours of a new prediction.

    python tests/benchmarks/overlay.py

A napari window of 1200 x 900 pixels with the four widgets in it, on a screen or under
Xvfb. A time starts where the state gets a prediction and ends where the canvas was
drawn and OpenGL has done its work. Times are wall time. Scores are drawn at random.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import napari
import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from side_by_side import Row, frame, print_rows
from vispy.gloo import gl

from napari_hep2.demo import add_widgets
from napari_hep2.jobs import drain
from napari_hep2.samples import sample_model
from napari_hep2.session import session_of
from training.config import ExtractionSettings
from training.data.cells.extraction import FrameCells
from training.evaluation.verdict import specimen_verdict
from training.inference.cards import read_card
from training.inference.frames import FramePrediction
from training.patterns import I3A

Array = npt.NDArray[Any]

_FEW = "overlay: 200 cells recoloured"
_MANY = "overlay: 50,000 cells recoloured"
_ROUNDS = 11
_QUARTER = ExtractionSettings(size=19, min_area=3)
"""Crops of a frame at a quarter of the magnification."""
_TILES = (17, 16)
"""So many frames beside each other hold 50,000 cells."""
_PATIENCE = 60.0


class Screen:
    """A napari window with our widgets in it, and when its canvas was drawn."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1200, 900)
        self.docks = add_widgets(self.viewer)
        self.session = session_of(self.viewer)
        self._canvas = self.viewer.window._qt_viewer.canvas._scene_canvas
        self._drawn = 0
        self._canvas.events.draw.connect(self._count, position="last")

    def _count(self, event: object) -> None:
        self._drawn += 1

    def seconds(self, change: Callable[[], object]) -> float:
        """Return the time from a change to the end of the drawing that follows."""
        drawn, started = self._drawn, time.perf_counter()
        change()
        while self._drawn == drawn:
            QApplication.processEvents()
            assert time.perf_counter() < started + _PATIENCE, "nothing was drawn"
        self._canvas.native.makeCurrent()
        gl.glFinish()
        return time.perf_counter() - started

    def redraw(self) -> float:
        """Return the time of a drawing in which nothing has changed."""
        return self.seconds(self._canvas.update)

    def settle(self) -> None:
        """Let the window do what it still has to."""
        for _ in range(20):
            QApplication.processEvents()

    def share_of(self, colour: str) -> float:
        """Return the share of coloured pixels that have about this colour."""
        picture = self.viewer.screenshot(canvas_only=True, flash=False)
        pixels = picture[..., :3].reshape(-1, 3).astype(int)
        coloured = pixels[np.ptp(pixels, axis=1) > 60]
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        return float((np.abs(coloured - wanted).max(axis=1) < 40).mean())


def predictions(cells: FrameCells) -> Iterator[FramePrediction]:
    """Yield predictions of random scores, the card that of the sample model."""
    model = sample_model()
    assert model is not None
    card = read_card(model.with_suffix(".json"))
    rows = np.flatnonzero((cells.cells.table["dropped"] == "").to_numpy())
    crops, rng = cells.cells.crops[rows], np.random.default_rng(0)
    while True:
        scores = rng.dirichlet(np.full(len(I3A), 0.3), len(rows)).astype(np.float32)
        verdict = specimen_verdict(scores, I3A)
        yield FramePrediction(cells, rows, scores, I3A, verdict, card, crops)


def show(
    screen: Screen, name: str, image: Array, mask: Array, settings: ExtractionSettings
) -> float:
    """Open a frame as the widget does; return the seconds to box and draw its cells."""
    screen.session.state.extraction = settings
    job = screen.session.specimen.use_arrays(name, image, mask)
    cells = drain(job.work())
    seconds = screen.seconds(lambda: job.done(cells))
    screen.settle()
    return seconds


def recolour(screen: Screen) -> list[float]:
    """Return how long each of some predictions takes to be seen.

    Raises
    ------
    AssertionError
        If a prediction of one pattern alone is not seen in its colour.
    """
    state = screen.session.state
    assert state.cells is not None
    seconds, source = [], predictions(state.cells)
    for new in islice(source, _ROUNDS):
        seconds.append(screen.seconds(partial(setattr, state, "prediction", new)))
        screen.settle()
    for index, new in zip((5, 0), source, strict=False):
        new.scores[:] = np.eye(len(I3A), dtype=np.float32)[index]
        screen.seconds(partial(setattr, state, "prediction", new))
        shares = [screen.share_of(pattern.colour) for pattern in I3A]
        others = sum(shares) - shares[index]
        assert shares[index] > 0.3 > 0.03 > others, f"{I3A[index].name}: {shares}"
    # The first prediction makes lines wider, which no later one does.
    return seconds[1:]


def seconds_of_keys(screen: Screen, folder: Path) -> list[float]:
    """Accept cells of the frame by key in *Review*; return the time of each.

    Raises
    ------
    AssertionError
        If a key was no decision.
    """
    review, state = screen.docks["review"], screen.session.state
    screen.session.review.decision_session.use(folder)
    review.raise_()
    screen.viewer.window._qt_window.activateWindow()
    view = review.inner_widget().view
    view.setFocus()
    screen.settle()
    press = partial(QTest.keyClick, view, Qt.Key.Key_A)
    seconds = [screen.seconds(press) for _ in range(_ROUNDS)]
    assert len(state.decisions) == _ROUNDS, state.fault
    screen.session.review.decision_session.close()
    return seconds


def has_screen() -> bool:
    """Whether a window can be shown."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY"))


def measure() -> dict[str, Any]:
    """Return the seconds of few and of many boxes, of keys, and of first drawings."""
    screen = Screen()
    image, mask = frame()
    found: dict[str, Any] = {}
    found["first_few"] = show(screen, "few", image, mask, ExtractionSettings())
    found["few"] = recolour(screen)
    found["redraw"] = statistics.median(screen.redraw() for _ in range(_ROUNDS))
    with tempfile.TemporaryDirectory() as folder:
        found["keys"] = seconds_of_keys(screen, Path(folder))
    screen.docks["classify"].raise_()
    many = np.tile(image[::4, ::4], _TILES), np.tile(mask[::4, ::4], _TILES)
    found["first_many"] = show(screen, "many", *many, _QUARTER)
    cells = screen.session.state.cells
    assert cells is not None
    found["cells"] = len(cells.cells.table)
    found["many"] = recolour(screen)
    screen.viewer.close()
    return found


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    if not has_screen():
        note = "not measured: no screen"
        return [
            Row(_FEW, None, "under", 50, "ms", note=note),
            Row(_MANY, None, "under", 1, "s", note=note),
        ]
    # napari prints its warnings where only rows may be.
    with redirect_stdout(sys.stderr):
        found = measure()
    few, many, keys = (statistics.median(found[k]) for k in ("few", "many", "keys"))
    return [
        Row(
            _FEW,
            1e3 * few,
            "under",
            50,
            "ms",
            seconds=few,
            note=f"slowest {1e3 * max(found['few']):.0f} ms; a redraw without any "
            f"change {1e3 * found['redraw']:.0f} ms; first drawn after "
            f"{1e3 * found['first_few']:.0f} ms; a key of Review, saved and with "
            f"these boxes drawn, {1e3 * keys:.0f} ms",
        ),
        Row(
            _MANY,
            many,
            "under",
            1,
            "s",
            seconds=many,
            note=f"{found['cells']:,} boxes; slowest {max(found['many']):.2f} s; first "
            f"drawn after {found['first_many']:.2f} s",
        ),
    ]


if __name__ == "__main__":
    print_rows(rows())
