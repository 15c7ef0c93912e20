"""The command that measures the product against its goals."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import training
from training.cli.app import app
from training.cli.options import Json
from training.cli.terminal import console, show_line, show_table, tell
from training.errors import BadSettingError, BenchmarkError

BENCHMARKS = {
    "start": "commands and imports",
    "crops": "cutting cells",
    "inference": "scoring cells",
    "training_step": "training a fold, and its input",
    "folds": "folds side by side, on a GPU where there is one",
    "shape_index": "the shape-index features",
    "closed_form": "leave-one-specimen-out solved from sums",
    "growth": "time and memory to 500,000 cells",
    "gallery": "the gallery of 50,000 cells",
    "curate": "1,000 decisions by keys, and kill -9",
    "overlay": "recolouring boxes",
    "window": "opening and colouring, beside an earlier build",
    "cell_quality": "quality and near copies",
}
"""Script in tests/benchmarks, and what it measures."""

_NEEDS_SCREEN = {"overlay", "curate", "window"}
_SIGNS = {"at least": ">=", "at most": "<=", "under": "<"}


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"Benchmarks: {', '.join(BENCHMARKS)}; all by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure speed and scaling against goals and against straightforward code.

    Each benchmark runs in its own process with one thread. Run nothing else meanwhile.
    """
    folder = _folder()
    for name in names or ():
        if name not in BENCHMARKS:
            raise BadSettingError(
                name, "there is no such benchmark", f"use {', '.join(BENCHMARKS)}"
            )
    rows: list[dict[str, Any]] = []
    for name in names or BENCHMARKS:
        console.print(f"{name}: {BENCHMARKS[name]}")
        rows += _measure(folder, name)
    if as_json:
        tell(rows, as_json)
        return
    _print(rows)


def _folder() -> Path:
    """Return where the scripts are: they belong to the source, not to a wheel."""
    folder = Path(training.__file__).parents[1] / "tests" / "benchmarks"
    if not folder.is_dir():
        raise BadSettingError(
            "bench",
            "the benchmarks are not part of the installed package",
            "run it in a checkout of the source",
        )
    return folder


def _measure(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Run one script and return its rows."""
    command = [sys.executable, str(folder / f"{name}.py")]
    screen = {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
    if name in _NEEDS_SCREEN and not screen and shutil.which("xvfb-run"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
    done = subprocess.run(
        command,
        cwd=folder.parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it ended without a message"]
        raise BenchmarkError(
            f"benchmark {name}",
            last[0],
            f"run {folder / name}.py by itself to see more",
        )
    return (json.loads(line) for line in done.stdout.splitlines())


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("what", "goal", "reached", "peer", "ours", "", show_lines=True)
    for row in rows:
        table.add_row(
            row["name"],
            f"{_SIGNS[row['sense']]} {row['bound']:g} {row['unit']}",
            _figure(row["value"], row["unit"]),
            _seconds(row["peer_seconds"]),
            _seconds(row["seconds"]),
            f"{_verdict(row)}{': ' if row['note'] else ''}{row['note']}",
        )
    show_table(table)
    met = sum(row["met"] is True for row in rows)
    missing = sum(row["value"] is None for row in rows)
    show_line(f"{met} of {len(rows)} goals met, {missing} not measured here")


def _verdict(row: dict[str, Any]) -> str:
    return {True: "met", False: "NOT MET", None: "not measured"}[row["met"]]


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.3g} {unit}"


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f} s" if value >= 1 else f"{1e3 * value:.3g} ms"
