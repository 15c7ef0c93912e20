"""The window closed in mid-work: nothing is raised, nothing half is left behind.

Nor does a process say a word that ends with its last window, in mid-work too.
"""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import closed_windows
import pytest

from training.cli import app
from training.data.cells.folder import read_cell_folder

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "sample_data"
MODEL = SAMPLES / "model" / "simulated.safetensors"
UNDER_WAY = sorted(closed_windows.works(Path()))
QUICK = ["write cells", "quality", "near copies"]


def _python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
        **options,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The sample specimens and the cells cut out of them."""
    path = tmp_path_factory.mktemp("window")
    shutil.copytree(SAMPLES / "specimens", path / "specimens")
    words = ["extract", str(path / "specimens"), "--out", str(path / "cells")]
    app(words, standalone_mode=False)
    return path


@pytest.fixture
def close(folder):
    """Close a window in each of some works, in another process."""

    def run(seed, names):
        child = HERE / "closed_windows.py"
        done = _python(child, folder, MODEL, seed, *names)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        *windows, last = map(json.loads, lines)
        return windows, last["faults"], done.stderr

    return run


def _is_whole(path):
    """Tell whether a file that was written can be read to its end."""
    if path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as stream:
            head, *rows = csv.reader(stream)
        assert {len(row) for row in rows} <= {len(head)}, path
    elif path.suffix == ".html":
        assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), path
    elif path.suffix == ".pdf":
        assert path.read_bytes().rstrip().endswith(b"%%EOF"), path


def _half_files(out):
    """Read what the closed windows wrote; return what is left of unfinished work."""
    files = [path for path in out.rglob("*") if path.is_file()]
    for path in files:
        _is_whole(path)
    if any(out.glob("cells/*")):
        read_cell_folder(out / "cells")
    return [path for path in files if path.name.startswith(".")]


@pytest.mark.promise("window")
@pytest.mark.timeout(1800)
def test_the_window_may_be_closed_in_the_middle_of_anything(
    close, folder, promise, times
):
    names = UNDER_WAY if times(0, 1) else QUICK
    windows, faults, half, words = [], [], [], ""
    for seed in range(times(1, 8)):
        seen, raised, printed = close(seed, names)
        words += printed
        windows += seen
        faults += raised
        half += _half_files(folder / "out")
    caught = sum(window["running"] for window in windows)
    talks = "Error" in words or "Traceback" in words
    promise.reached(
        f"{len(windows)} windows closed, {caught} of them during work, the last of "
        f"each process too: {len(faults)} faults, {len(half)} half-written files",
        met=not faults and not half and not talks and windows[-1]["running"],
    )
