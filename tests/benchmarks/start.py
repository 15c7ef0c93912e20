"""How soon the command line and the plugin are there.

    python tests/benchmarks/start.py

Each is a process of its own, timed from its start to its end, and asked which of the
heavy modules it has loaded. Times are wall time, with files in memory.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from side_by_side import Row, print_rows

_ROUNDS = 5
_TORCH = ("torch",)
_QT = ("qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6")
_TELL = """
import atexit, json, sys
atexit.register(lambda: sys.stderr.write("\\n" + json.dumps(sorted(sys.modules))))
"""
_HELP = """
import runpy
sys.argv = ["training", "--help"]
runpy.run_module("training", run_name="__main__", alter_sys=True)
"""


def seconds_of(*words: str) -> float:
    """Return the median time of a Python process with these arguments.

    Raises
    ------
    AssertionError
        If it fails.
    """
    seconds = []
    for _ in range(_ROUNDS + 1):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0, done.stderr
    # The first round warms up.
    return statistics.median(seconds[1:])


def refuse(code: str, unwanted: tuple[str, ...]) -> None:
    """Run code in a process of its own.

    Raises
    ------
    AssertionError
        If it fails, or has loaded one of the unwanted modules at its end.
    """
    done = subprocess.run(
        [sys.executable, "-c", _TELL + code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert not loaded & set(unwanted), f"loaded: {sorted(loaded & set(unwanted))}"


def rows() -> list[Row]:
    """Return the figures as rows of the table."""
    refuse(_HELP, _TORCH)
    refuse("import napari_hep2", _TORCH + _QT)
    python = seconds_of("-c", "pass")
    shown = seconds_of("-m", "training", "--help")
    imported = seconds_of("-c", "import napari_hep2")
    note = f"without torch{{}}; Python alone {python:.3f} s"
    return [
        Row(
            "start: hep2 --help",
            shown,
            "under",
            1,
            "s",
            seconds=shown,
            note=note.format(""),
        ),
        Row(
            "start: import napari_hep2",
            imported,
            "under",
            0.3,
            "s",
            seconds=imported,
            note=note.format(" and Qt"),
        ),
    ]


if __name__ == "__main__":
    print_rows(rows())
