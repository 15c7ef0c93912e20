"""How soon a reviewer goes through 1,000 cells with keys, and what kill -9 costs.

    python tests/benchmarks/curate.py [--kills 50]

The widget *Review cells* docked in napari's window, driven by key presses. A time ends
when the decision is on the disk and the window has drawn itself. After it the store is
read anew and compared with what was pressed. Then windows are killed while keys are
pressed, one after the other on one file, and what each had said was saved is looked for
in it. Needs a screen, and a system that can fork.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from gallery import Paints, make_cell_folder, use_own_settings, wait_until
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from side_by_side import Row, print_rows

from napari_hep2.review.widgets.widget import ReviewWidget
from training.curation.review_set import ReviewSet
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore

_CELLS = 1000
_KILLS = 3
_EACH = 90
_REDO_EVERY = 50
_MINUTES = 20
_KEYS = {
    Qt.Key.Key_A: "accepted",
    Qt.Key.Key_R: "rejected",
    **{getattr(Qt.Key, f"Key_{k}"): "relabelled" for k in range(1, 7)},
}
_CHANCES = (0.6, 0.22, *[0.03] * 6)

Said = dict[str, tuple[str, str | None]]


REVIEWER = "bench"
"""A window asks nobody whose name is known."""


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
    widget.state.reviewer = REVIEWER
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
            widget.session.review.order.set_group("specimen")
            widget.session.review.order.set_filter("undecided")
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
    assert ", saved" in widget.progress.saved.text(), state.fault
    done.said[str(review.ids[row])] = _KEYS[key], _pattern(review, key)


def _pattern(review: ReviewSet, key: Any) -> str | None:
    if _KEYS[key] != "relabelled":
        return None
    return str(review.vocabulary[int(key) - int(Qt.Key.Key_1)].name)


def stored(folder: Path) -> Said:
    """Return verdict and pattern of each decided cell, read from the disk anew."""
    with DecisionStore(folder / STORE, REVIEWER) as store:
        return {cell: (d.verdict, d.pattern) for cell, d in store.current().items()}


@dataclass
class Killed:
    """What killed windows had called saved, and what is left of it.

    Attributes
    ----------
    windows, said, lost
        Windows killed, decisions that they called saved, those not in the store.
    checks
        What `integrity_check` said after each, where it was not ``ok``.
    """

    windows: int = 0
    said: int = 0
    lost: int = 0
    checks: list[str] = field(default_factory=list)


def kill_windows(folder: Path, kills: int) -> Killed:
    """Kill one window after the other in the middle of its work, by SIGKILL.

    A window is a fork of this process, which has imported all that it needs and has no
    window itself: so it is there in a second or two.

    Raises
    ------
    AssertionError
        If a window ended by itself.
    """
    import napari  # noqa: F401  # each window would import it

    rng, found = np.random.default_rng(0), Killed()
    known: Said = {}
    for seed in range(kills):
        said = _said_until_killed(folder, int(rng.integers(5, 60)), seed, rng)
        known.update(said)
        kept = stored(folder)
        found.windows += 1
        found.said += len(said)
        found.lost += sum(kept.get(cell) != words for cell, words in known.items())
        found.checks += _faults_of(folder / STORE)
    return found


def _said_until_killed(
    folder: Path, after: int, seed: int, rng: np.random.Generator
) -> Said:
    """Return what a window called saved before it was killed.

    Parameters
    ----------
    after
        Decisions that it has called saved when its end is decided on; it comes some
        milliseconds later, wherever the window is then.
    """
    read, write = os.pipe()
    process = get_context("fork").Process(target=_victim, args=(folder, seed, write))
    process.start()
    os.close(write)
    said: Said = {}
    with os.fdopen(read, encoding="utf-8") as lines:
        try:
            for _ in range(after):
                line = lines.readline()
                assert line, "the window ended by itself"
                said.update(_words(line))
            time.sleep(float(rng.uniform(0, 0.08)))
        finally:
            process.kill()
            process.join()
        # What it had said and was not read yet counts too; a line cut off does not.
        for line in lines:
            said.update(_words(line) if line.endswith("\n") else {})
    assert process.exitcode == -signal.SIGKILL, "the window ended by itself"
    return said


def _words(line: str) -> Said:
    cell, verdict, pattern = line.rstrip("\n").split("\t")
    return {cell: (verdict, pattern or None)}


def _faults_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        found = [row[0] for row in db.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else found


def _victim(folder: Path, seed: int, write: int) -> None:
    """Decide until killed; write each decision once the window says it is saved."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _viewer, widget = open_window(folder)
    # What was decided and not yet called saved would stand on a cell of those before.
    widget.session.review.order.set_filter("undecided")
    for done in decide(widget, len(widget.session.review.state.shown), seed):
        cell, (verdict, pattern) = list(done.said.items())[-1]
        os.write(write, f"{cell}\t{verdict}\t{pattern or ''}\n".encode())


def killed_elsewhere(folder: Path, kills: int) -> Killed:
    """Do `kill_windows` in a process of its own, which has no window."""
    command = [sys.executable, __file__, "--kill-in", str(folder), str(kills)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Killed(**json.loads(done.stdout.splitlines()[-1]))


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
    widget.session.review.decision_session.close()
    viewer.close()
    kept = stored(folder)
    cells = done.said.keys() | kept.keys()
    return done.seconds, len(kept), sum(done.said.get(c) != kept.get(c) for c in cells)


def rows(kills: int = _KILLS) -> list[Row]:
    """Return the figures as rows of the table."""
    with tempfile.TemporaryDirectory() as place:
        folder = make_cell_folder(Path(place), _CELLS)
        seconds, decided, wrong = _measure(folder)
        commit = seconds_of_a_commit(Path(place))
        more = Path(place) / "killed"
        more.mkdir()
        killed = killed_elsewhere(make_cell_folder(more, _EACH * kills), kills)
    late, whole = float(np.percentile(seconds, 95)), sum(seconds)
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
            killed.lost,
            "at most",
            0,
            "",
            note=f"{killed.said:,} decisions called saved, {killed.windows} windows "
            "killed one after the other on one file",
        ),
        Row(
            "curation: kills after which the store is not sound",
            len(killed.checks),
            "at most",
            0,
            "",
            note=f"integrity_check after each of {killed.windows} kills",
        ),
    ]


if __name__ == "__main__":
    words = ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=_KILLS, help="windows to kill")
    words.add_argument("--kill-in", nargs=2, help=SUPPRESS)
    chosen = words.parse_args()
    # napari prints notices, and only rows may stand on the output.
    with redirect_stdout(sys.stderr):
        if chosen.kill_in:
            at, number = chosen.kill_in
            answer = asdict(kill_windows(Path(at), int(number)))
        else:
            found = rows(chosen.kills)
    if chosen.kill_in:
        print(json.dumps(answer))
    else:
        print_rows(found)
