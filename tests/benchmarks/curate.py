"""How soon a reviewer goes through 1,000 cells with keys, and what kill -9 costs.

    python tests/benchmarks/curate.py

The widget *Review cells* docked in napari's window, driven by key presses. A time ends
when the decision is on the disk and the window has drawn itself. After it the store is
read anew and compared with what was pressed. Then the window is killed while keys are
pressed, and what it had said was saved is looked for in the store. Needs a screen.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gallery import Paints, make_cell_folder, use_own_settings, wait_until
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from side_by_side import Row, print_rows

from napari_hep2.review_set import ReviewSet
from napari_hep2.widgets.review import ReviewWidget
from training.data.curation import DecisionStore
from training.data.reviewed import STORE

_CELLS = 1000
_KILLS = 3
_REDO_EVERY = 50
_SAVED = "saved"
_MINUTES = 20
_KEYS = {
    Qt.Key.Key_A: "accepted",
    Qt.Key.Key_R: "rejected",
    **{getattr(Qt.Key, f"Key_{k}"): "relabelled" for k in range(1, 7)},
}
_CHANCES = (0.6, 0.22, *[0.03] * 6)

Said = dict[str, tuple[str, str | None]]


@dataclass
class Session:
    """What was pressed.

    Attributes
    ----------
    seconds
        From each deciding key to the next cell drawn.
    said
        Verdict and pattern of each cell, as the keys pressed mean.
    """

    seconds: list[float] = field(default_factory=list)
    said: Said = field(default_factory=dict)


def open_window(folder: Path) -> tuple[Any, ReviewWidget]:
    """Open a cell folder in napari's window; return the viewer and the widget."""
    import napari

    use_own_settings(folder.parent)
    viewer = napari.Viewer(title="Curation")
    widget = ReviewWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Review cells", area="right")
    widget.session.start(widget.session.review.open_cell_folder(folder))
    wait_until(lambda: len(widget.tiles.cache) > 0 and not widget.state.busy)
    viewer.window._qt_window.activateWindow()
    widget.view.setFocus()
    wait_until(widget.view.hasFocus)
    return viewer, widget


def decide(widget: ReviewWidget, n: int, seed: int = 0) -> Iterator[Session]:
    """Decide on `n` cells with keys; yield what was pressed so far after each.

    Every 50th decision is undone, redone, undone again and made anew. After the half,
    only undecided cells are shown, grouped by specimen.

    Raises
    ------
    AssertionError
        If a key does not decide, or the widget does not say that it was saved.
    """
    rng, done, paints = np.random.default_rng(seed), Session(), _paints(widget)
    keys = list(_KEYS)
    for k in range(n):
        if k == n // 2:
            widget.session.review.set_group("specimen")
            widget.session.review.set_filter("undecided")
        key = keys[int(rng.choice(len(keys), p=_CHANCES))]
        if k % _REDO_EVERY == _REDO_EVERY - 1:
            _press(widget, done, key, paints)
            for modifier in (
                Qt.KeyboardModifier.NoModifier,
                Qt.KeyboardModifier.ShiftModifier,
                Qt.KeyboardModifier.NoModifier,
            ):
                QTest.keyClick(widget.view, Qt.Key.Key_Z, modifier)
                assert "saved" in widget.progress.saved.text(), widget.state.fault
            done.seconds.pop()
        _press(widget, done, key, paints)
        yield done


def _paints(widget: ReviewWidget) -> Paints:
    return Paints(widget.view.viewport())


def _press(widget: ReviewWidget, done: Session, key: Any, paints: Paints) -> None:
    """Press one deciding key and wait until the next cell is drawn."""
    state = widget.state
    review, row = state.review, state.current
    assert review is not None
    assert row is not None, "no cell is current"
    drawn, before = paints.n, state.decisions
    started = time.perf_counter()
    QTest.keyClick(widget.view, key)
    wait_until(lambda: paints.more_than(drawn))
    done.seconds.append(time.perf_counter() - started)
    assert state.decisions is not before, state.fault
    assert widget.progress.saved.text().endswith("saved"), state.fault
    done.said[str(review.ids[row])] = _KEYS[key], _pattern(review, key)


def _pattern(review: ReviewSet, key: Any) -> str | None:
    if _KEYS[key] != "relabelled":
        return None
    return str(review.vocabulary[int(key) - int(Qt.Key.Key_1)].name)


def stored(folder: Path) -> Said:
    """Return verdict and pattern of each decided cell, read from the disk anew."""
    with DecisionStore(folder / STORE, "reviewer") as store:
        return {cell: (d.verdict, d.pattern) for cell, d in store.current().items()}


def lost_by_a_kill(folder: Path, after: int, seed: int) -> tuple[int, int]:
    """Kill a window in the middle of its work.

    Parameters
    ----------
    after
        Decisions that the window has called saved when it is killed.

    Returns
    -------
    saved, lost
        Decisions that the window called saved, and those not in the store after it.

    Raises
    ------
    AssertionError
        If the window ended by itself.
    """
    command = [sys.executable, __file__, "--victim", str(folder), str(seed)]
    victim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines: list[str] = []
    assert victim.stdout is not None
    try:
        while len(lines) < after:
            line = victim.stdout.readline()
            assert line, "the window ended by itself"
            lines += [line] if line.startswith(_SAVED) else []
    finally:
        victim.kill()
    # What it had said and was not read yet counts too; a line cut off does not.
    lines += [line for line in victim.stdout if line[:5] == _SAVED and line[-1] == "\n"]
    victim.stdout.close()
    victim.wait()
    said = [line.rstrip("\n").split("\t")[1:] for line in lines]
    kept = stored(folder)
    lost = [c for c, verdict, p in said if kept.get(c) != (verdict, p or None)]
    return len(said), len(lost)


def _victim(folder: Path, seed: int) -> None:
    """Decide until killed; print each decision once the window says it is saved."""
    _viewer, widget = open_window(folder)
    for done in decide(widget, len(widget.state.shown), seed):
        cell, (verdict, pattern) = list(done.said.items())[-1]
        print(f"{_SAVED}\t{cell}\t{verdict}\t{pattern or ''}", flush=True)


def seconds_of_a_commit(folder: Path) -> float:
    """Return the median seconds that the disk takes for one row, whatever the window.

    It is measured in the same folder, with the journal and the care of the store.
    """
    seconds = []
    with closing(sqlite3.connect(folder / "commit.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("CREATE TABLE rows (value)")
        for value in range(50):
            started = time.perf_counter()
            db.execute("INSERT INTO rows VALUES (?)", (value,))
            seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def _measure(folder: Path) -> tuple[list[float], int, int]:
    """Return the seconds of each key, cells decided, and differences in the store."""
    viewer, widget = open_window(folder)
    done = list(decide(widget, _CELLS))[-1]
    widget.session.review.close()
    viewer.close()
    kept = stored(folder)
    cells = done.said.keys() | kept.keys()
    return done.seconds, len(kept), sum(done.said.get(c) != kept.get(c) for c in cells)


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    with tempfile.TemporaryDirectory() as place:
        folder = make_cell_folder(Path(place), _CELLS)
        seconds, decided, wrong = _measure(folder)
        commit = seconds_of_a_commit(Path(place))
        (folder / STORE).unlink()
        rng = np.random.default_rng(0)
        kills = []
        for seed in range(_KILLS):
            kills.append(lost_by_a_kill(folder, int(rng.integers(20, 90)), seed))
            (folder / STORE).unlink()
    late, whole = float(np.percentile(seconds, 95)), sum(seconds)
    said, lost = (sum(numbers) for numbers in zip(*kills, strict=True))
    return [
        Row(
            "curation: key press to the next cell, 95th percentile",
            1e3 * late,
            "under",
            50,
            "ms",
            seconds=late,
            note=f"{len(seconds):,} decisions by keys in napari's window, median "
            f"{1e3 * float(np.median(seconds)):.0f} ms, slowest "
            f"{1e3 * max(seconds):.0f} ms; a commit alone takes this disk "
            f"{1e3 * commit:.0f} ms",
        ),
        Row(
            "curation: 1,000 cells as fast as the window goes",
            whole,
            "under",
            60 * _MINUTES,
            "s",
            seconds=whole,
            note=f"leaves a person {(60 * _MINUTES - whole) / _CELLS:.2f} s a cell of "
            f"{_MINUTES} minutes",
        ),
        Row(
            "curation: cells whose stored decision is not the one pressed",
            wrong,
            "at most",
            0,
            "",
            note=f"{decided:,} cells, read from the file after it",
        ),
        Row(
            "curation: saved decisions lost by kill -9",
            lost,
            "at most",
            0,
            "",
            note=f"{said} decisions called saved, {_KILLS} windows killed",
        ),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--victim"]:
        _victim(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        # napari prints notices, and only rows may stand on the output.
        with redirect_stdout(sys.stderr):
            found = rows()
        print_rows(found)
