"""How soon the gallery of 50,000 cells is there, and how soon it follows a key.

    python tests/benchmarks/gallery.py

The widget *Review cells* without a window of napari, on a cell folder that the
project's writer made of frames that repeat. Its job runs in its thread, its decisions
are stored at once, and a time ends when the window has drawn itself. Times are wall
time.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject, QSettings, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from side_by_side import Row, print_rows

from napari_hep2.review.widgets.widget import ReviewWidget
from training.config import (
    ExtractionSettings,
    SegmentationSettings,
    SimulationSettings,
)
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.layouts import read_collection
from training.data.simulation import simulate
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore

_CELLS = 50_000
_PRESSES = 60
_PATIENCE = 60.0
_KEYS = (Qt.Key.Key_A, Qt.Key.Key_R, Qt.Key.Key_6)


class Paints(QObject):
    """Counts how often a widget was drawn."""

    def __init__(self, watched: Any) -> None:
        super().__init__()
        self.n = 0
        watched.installEventFilter(self)

    def more_than(self, n: int) -> bool:
        """Tell whether it was drawn more often than `n` times."""
        return self.n > n

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Count; the event goes on."""
        self.n += event.type() == QEvent.Type.Paint
        return False


def make_cell_folder(folder: Path, cells: int) -> Path:
    """Write a cell folder of at least `cells` cells, of six frames that repeat."""
    # A frame of 200 cells has a few less that do not run into each other.
    count = cells // 190 + 1
    words = {"specimens": str(min(count, 6)), "cells_min": "200", "cells_max": "200"}
    list(simulate(folder / "simulated", SimulationSettings.parse(words)))
    made = read_collection(folder / "simulated").specimens
    train = folder / "specimens" / "train"
    train.mkdir(parents=True)
    lines = ["Specimen ID;Specimen class;Intensity"]
    for number in range(1, count + 1):
        one = made[number % len(made)]
        for end, file in (("", one.frames[0].image), ("_Mask", one.frames[0].mask)):
            assert file is not None
            (train / f"{number:05d}_p0{end}.tif").hardlink_to(file)
        lines.append(f"{number};{one.pattern};positive")
    (train.parent / "gt_train.csv").write_text("\n".join(lines) + "\n")
    settings = ExtractionSettings(), SegmentationSettings()
    list(write_cell_folder(read_collection(train.parent), folder / "cells", *settings))
    return folder / "cells"


def wait_until(is_so: Callable[[], bool]) -> None:
    """Let the window live until something is so.

    Raises
    ------
    AssertionError
        If it is not within a minute.
    """
    end = time.perf_counter() + _PATIENCE
    while not is_so():
        assert time.perf_counter() < end, "the window never came so far"
        QApplication.processEvents()


def use_own_settings(folder: Path) -> None:
    """Leave the keys that the user changed aside."""
    ini, user = QSettings.Format.IniFormat, QSettings.Scope.UserScope
    QSettings.setPath(ini, user, str(folder / "settings"))


def forget_pages(folder: Path) -> bool:
    """Have files read from the disk again, where the system can be told to."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for file in folder.iterdir():
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def memory() -> float:
    """Return the megabytes that this process holds."""
    return float(psutil.Process().memory_info().rss) / 1e6


def is_drawn(widget: ReviewWidget) -> bool:
    """Tell from the pixels whether the gallery shows pictures, not one colour."""
    image = widget.view.viewport().grab().toImage()
    across, down = range(0, image.width(), 7), range(0, image.height(), 7)
    return len({image.pixel(x, y) for x in across for y in down}) > 50


def seconds_to_open(widget: ReviewWidget, folder: Path) -> float:
    """Open a cell folder as the button does; return the time to its thumbnails.

    Raises
    ------
    AssertionError
        If the gallery shows no pictures.
    """
    widget.session.review.decision_session.use(None)
    started = time.perf_counter()
    widget.session.start(widget.session.review.open_cell_folder(folder))
    wait_until(lambda: len(widget.tiles.cache) > 0 and not widget.state.busy)
    seconds = time.perf_counter() - started
    assert is_drawn(widget), widget.state.fault
    return seconds


def seconds_of_keys(widget: ReviewWidget) -> list[float]:
    """Decide with keys, one after the other; return the time to each next cell.

    Raises
    ------
    AssertionError
        If a key was no decision, or the gallery is not at another cell.
    """
    paints, state, seconds = Paints(widget.view.viewport()), widget.state, []
    for key in islice(cycle(_KEYS), _PRESSES):
        assert state.review is not None
        cell, drawn = state.current, paints.n
        before = state.decisions
        started = time.perf_counter()
        QTest.keyClick(widget.view, key)
        wait_until(partial(paints.more_than, drawn))
        seconds.append(time.perf_counter() - started)
        assert state.decisions is not before, state.fault
        assert widget.session.review.state.saved.endswith("saved"), state.fault
        assert state.current not in (None, cell)
    return seconds


def decide_on_half(widget: ReviewWidget) -> None:
    """Accept every other cell in one step, as if half of the review was done."""
    review = widget.session.review
    rows = list(range(0, len(widget.session.review.state.shown), 2))
    review.navigation.select(rows[0], rows)
    review.decisions.accept()
    wait_until(lambda: not widget.state.busy)
    review.navigation.select(rows[len(rows) // 2])
    QApplication.processEvents()


def look_at_all(widget: ReviewWidget) -> None:
    """Page until the pictures kept are at their most, then read every crop."""
    kept = -1
    while len(widget.tiles.cache) > kept:
        kept = len(widget.tiles.cache)
        QTest.keyClick(widget.view, Qt.Key.Key_PageDown)
        QApplication.processEvents()
    review = widget.state.review
    assert review is not None
    for start in range(0, len(review), 500):
        review.crops[start : start + 500].max()


def decide_on_all(folder: Path) -> int:
    """Have two reviewers decide on every cell, a few hundred a step; return how many.

    They say the same of most cells.
    """
    rng, n = np.random.default_rng(0), 0
    ids = read_cell_folder(folder).table["id"].tolist()
    said = [("accepted", None), ("rejected", None), ("relabelled", "Golgi")]
    for reviewer in ("reviewer", "another"):
        with DecisionStore(folder / STORE, reviewer) as store:
            for start in range(0, len(ids), 400):
                cells = ids[start : start + 400]
                words = [said[k] for k in rng.choice(3, len(cells), p=(0.8, 0.1, 0.1))]
                made = zip(cells, words, strict=True)
                store.decide_each((cell, *word, None) for cell, word in made)
                n += len(cells)
    return n


def longest_blocks(widget: ReviewWidget, folder: Path) -> dict[str, float]:
    """Return the longest time that the window stood still for each verb.

    Each is done on all cells of a folder on which two reviewers have decided.
    """
    review, start = widget.session.review, widget.session.start
    found = {"opening": _block(widget, lambda: start(review.open_cell_folder(folder)))}
    assert widget.state.review is not None
    n = len(widget.state.review)
    assert len(widget.state.decisions) == n, widget.state.fault
    verbs: dict[str, Callable[[], object]] = {
        "accepting all": review.decisions.accept,
        "undo of a step on all": review.decisions.undo,
        "redo of it": review.decisions.redo,
        "flags on all": review.decisions.flag,
        "a note on all": partial(review.decisions.note, "a word"),
        "another reviewer": partial(review.decision_session.set_reviewer, "another"),
        "the first reviewer again": partial(
            review.decision_session.set_reviewer, "reviewer"
        ),
        "how it stood": lambda: start(review.decision_session.past_job(100)),
        "how it stands": review.decision_session.come_back,
        "what another wrote": review.decision_session.refresh,
        "comparing reviewers": lambda: start(review.others.compare(lambda _: None)),
        "disagreed": partial(review.order.set_filter, "disagreed"),
        "undecided": partial(review.order.set_filter, "undecided"),
        "all": partial(review.order.set_filter, "all"),
        "by pattern": partial(review.order.set_group, "pattern"),
        "without groups": partial(review.order.set_group, "none"),
        "smallest first": lambda: start(review.order.set_sort("size")),
        "in order": lambda: start(review.order.set_sort("order")),
        "blind": partial(review.decision_session.set_blind, True),
        "not blind": partial(review.decision_session.set_blind, False),
        "accepting one": lambda: (
            review.navigation.select(0),
            review.decisions.accept(),
        ),
    }
    for name, verb in verbs.items():
        if name == "what another wrote":
            with DecisionStore(folder / STORE, "another") as other:
                other.decide(widget.state.decisions, "rejected")
        if name.endswith(" all"):
            review.navigation.select_all()
            QApplication.processEvents()
        found[name] = _block(widget, verb)
        assert not widget.state.fault, widget.state.fault
    return found


def _block(widget: ReviewWidget, verb: Callable[[], object]) -> float:
    """Return the longest time without an answer until a verb is through."""
    started = time.perf_counter()
    verb()
    longest, end = time.perf_counter() - started, time.perf_counter() + 0.2
    # What the verb set off is drawn, and its timers run, in the next fifth of a second.
    while widget.state.busy or time.perf_counter() < end:
        started = time.perf_counter()
        QApplication.processEvents()
        longest = max(longest, time.perf_counter() - started)
        end = time.perf_counter() + 0.2 if widget.state.busy else end
    return longest


def measure(folder: Path) -> dict[str, Any]:
    """Return seconds of opening and of keys, and megabytes.

    ``keys`` has the seconds of each press for each state of the review.
    """
    # The main window of napari is not needed, and neither is a screen.
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication.instance() or QApplication(sys.argv[:1])
    use_own_settings(folder.parent)
    widget = ReviewWidget(ViewerModel())
    widget.resize(1000, 900)
    widget.show()
    app.processEvents()
    found: dict[str, Any] = {"cold": forget_pages(folder)}
    start = memory()
    found["open"] = seconds_to_open(widget, folder)
    found["cells"], found["added"] = (
        len(widget.session.review.state.shown),
        memory() - start,
    )
    widget.view.setFocus()
    keys = found["keys"] = {"nothing decided": seconds_of_keys(widget)}
    decide_on_half(widget)
    keys["half decided"] = seconds_of_keys(widget)
    widget.session.review.order.set_filter("undecided")
    keys["the undecided alone"] = seconds_of_keys(widget)
    widget.session.review.order.set_filter("all")
    found["again"] = seconds_to_open(widget, folder)
    look_at_all(widget)
    found["grown"], found["total"] = memory() - start, memory()
    widget.session.review.decision_session.use(None)
    (folder / STORE).unlink()
    found["decisions"] = decide_on_all(folder)
    found["blocks"] = longest_blocks(widget, folder)
    widget.session.review.decision_session.close()
    return found


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    with tempfile.TemporaryDirectory() as place:
        found = measure(make_cell_folder(Path(place), _CELLS))
    medians = {name: statistics.median(s) for name, s in found["keys"].items()}
    slowest = max(medians, key=lambda name: medians[name])
    late = float(np.percentile(found["keys"][slowest], 95))
    read = "from the disk" if found["cold"] else "from memory"
    blocks = found["blocks"]
    longest = max(blocks, key=lambda name: blocks[name])
    return [
        Row(
            "gallery: 50,000 cells, open to first paint",
            found["open"],
            "under",
            1,
            "s",
            seconds=found["open"],
            note=f"{found['cells']:,} cells, read {read}; with half of them decided "
            f"{found['again']:.2f} s",
        ),
        Row(
            "gallery: key press to the next cell",
            1e3 * medians[slowest],
            "under",
            50,
            "ms",
            seconds=medians[slowest],
            note=f"the decision is on the disk and the gallery drawn; with {slowest}, "
            f"the slowest of {len(medians)}; 95th percentile {1e3 * late:.0f} ms",
        ),
        Row(
            "gallery: memory that opening adds",
            found["grown"],
            "under",
            500,
            "MB",
            note=f"{found['added']:.0f} MB until the first paint; the figure is after "
            "paging and reading every crop, which stay mapped; "
            f"the process {found['total']:.0f} MB",
        ),
        Row(
            "gallery: longest time that a verb on all cells holds the window up",
            1e3 * blocks[longest],
            "under",
            100,
            "ms",
            seconds=blocks[longest],
            note=f"{found['cells']:,} cells, {found['decisions']:,} decisions of two "
            f"reviewers; the longest of {len(blocks)} verbs is {longest}",
        ),
    ]


if __name__ == "__main__":
    print_rows(rows())
