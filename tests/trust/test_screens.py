"""Names that would steer a terminal or forge a line, through the commands."""

import csv
import re

import pytest
from small_study import command_of, write_cells
from typer.testing import CliRunner

from training.cli import app
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import Hep2Error
from training.storage.csv_tables import csv_text

pytestmark = pytest.mark.promise("screens")

ALERT = "ALERT"
NAMES = (
    f"[/{ALERT}]",
    f"[link=x]{ALERT}[/link",
    f"{ALERT}\x1b[2J\x1b]0;{ALERT}\x07",
    f"{ALERT}\r{ALERT}",
    f"{ALERT}\n{ALERT}: forged",
    f"{ALERT}\x9b31m",
    f"\u202e{ALERT}\u2066",
    f"{ALERT}\u2028{ALERT}\x85{ALERT}",
    f"<script>{ALERT}</script>",
    f"${ALERT}_{{$ :smile: %s {{}}",
)
_TO_STEER = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def _cells(folder, name):
    """A cell folder whose specimens, frames and cells bear a name."""
    write_cells(folder, specimens=6)
    path = folder / "cells.csv"
    with path.open(newline="") as stream:
        head, *rows = csv.reader(stream)
    for row in rows:
        row[0], row[1], row[3] = (f"{row[k]}{name}" for k in (0, 1, 3))
    path.write_text(csv_text([head, *rows]), newline="")
    with DecisionStore(folder / STORE, f"bob{name}") as store:
        store.decide([rows[0][0]], "rejected", reason=f"r{name}")
        store.note([rows[0][0]], f"n{name}")
        store.decide([rows[1][0]], "relabelled", "Golgi", f"r{name}")
    return rows[0][0]


def _commands(data, cell, out):
    """Yield the words of each command that shows such names."""
    words = str(data)
    yield ["decisions", "history", words, cell]
    yield ["decisions", "at", words, "2"]
    yield ["decisions", "pending", words]
    yield ["decisions", "agreement", words, "--show"]
    yield ["quality", words]
    yield ["copies", words]
    yield ["sheet", words, "--out", str(out / "sheet.png")]
    yield command_of(data, out / "run", epochs=1)
    yield ["resume", str(out / "run")]
    yield ["status", str(out / "run")]
    yield ["report", str(out / "run")]
    yield ["stale", str(out / "run")]
    yield ["label-errors", str(out / "run")]
    yield ["changes", str(out / "run")]
    yield ["verdicts", str(out / "run")]


def _faults(done, words):
    """Yield what is wrong with what a command showed."""
    if done.exception and not isinstance(done.exception, (SystemExit, Hep2Error)):
        yield f"{words[0]}: {type(done.exception).__name__} {done.exception}"
    shown = done.output + str(done.exception or "")
    if _TO_STEER.search(shown.replace("\r\n", "\n")):
        yield f"{words[0]}: steered"
    if any(
        line.startswith((f"{ALERT}: forged", f"{ALERT} ")) for line in shown.split("\n")
    ):
        yield f"{words[0]}: forged"


def test_no_command_is_steered_or_ended_by_a_name(
    tmp_path, monkeypatch, times, promise
):
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "400")
    names = NAMES if times(0, 1) else NAMES[:5:2]
    wrong, tried = [], 0
    for number, name in enumerate(names):
        out = tmp_path / f"{number}{name.replace('/', '')}"
        cell = _cells(out / "data", name)
        for words in _commands(out / "data", cell, out):
            done = CliRunner().invoke(app, words)
            wrong += _faults(done, words)
            tried += 1
        for page in out.rglob("*.html"):
            if f"<script>{ALERT}" in page.read_text():
                wrong.append(f"{page.name}: HTML")
    promise.reached(
        f"{tried} commands with {len(names)} kinds of name: {len(wrong)} ended by, "
        "steered or forged" + "; ".join(["", *sorted(set(wrong))]),
        not wrong,
    )
