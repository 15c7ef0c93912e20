"""Names that would steer a terminal or forge a line, through the commands."""

import csv
import random
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
_PIECES = (
    *("[", "]", "[/", "/]", "[bold", "=", "{", "}", "%s", "${", "$(", ":", "<", ">"),
    *("\r", "\n", "\x1b", "\x1b[", *"\x07\x9b\x85\u2028\u202e\u2066"),
    *("<b>", "&lt;", "'", '"', ";", ",", "=1+", "@", "\\", " ", "\t", "é", "\u0301"),
)
_TO_STEER = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def _cells(folder, name):
    """A cell folder whose specimens, frames and cells bear a name."""
    write_cells(folder, specimens=6, patterns=3)
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


def _drawn(seed):
    """A name of pieces that mean something to some screen."""
    rng = random.Random(seed)
    pieces = rng.choices([*_PIECES, ALERT], k=rng.randint(2, 8))
    return "".join([*pieces, ALERT])


def _commands(data, frames, cell, out):
    """Yield the words of each command that shows such names."""
    cells, run, model = str(data), str(out / "run"), str(out / "m.safetensors")
    reader = f"carol{cell}"
    yield ["decisions", "history", cells, cell]
    yield ["decisions", "at", cells, "2"]
    yield ["decisions", "pending", cells]
    yield ["decisions", "agreement", cells, "--cells"]
    yield ["decisions", "export", cells, "--out", str(out / "steps.csv")]
    yield ["decisions", "import", str(out / "steps.csv"), "--into", cells]
    yield ["quality", cells]
    yield ["copies", cells]
    yield ["sheet", cells, "--out", str(out / "sheet.png")]
    yield command_of(data, out / "run", epochs=1)
    yield ["resume", run]
    yield ["status", run]
    yield ["runs", str(out)]
    yield ["report", run]
    yield ["stale", run]
    yield ["rescore", run]
    yield ["label-errors", run]
    yield ["changes", run]
    yield ["verdicts", run]
    yield ["fit", *_as_fit(command_of(data, model, epochs=1)), "--measured", run]
    yield ["export", model, "--out", str(out / "m.onnx")]
    yield ["views", cells, "--model", model]
    yield ["extract", str(frames), "--out", str(out / "cut")]
    yield ["predict", str(frames), "--model", model, "--out", str(out / "found")]
    yield ["specimens", str(frames), "--model", model, "--out", str(out / "reports")]
    answer = ["--reviewer", reader, "--result", "positive", "--comment", cell]
    yield ["decisions", "answer", str(frames), cell, *answer]
    yield ["decisions", "answers", str(frames)]
    yield ["decisions", "readers", str(frames)]
    known = ["--reviewer", reader, "--known", reader]
    yield ["decisions", "confusion", str(frames), *known]


def _as_fit(words):
    """Return the words of a run that `fit` takes, too."""
    of_runs = {"--protocol", "--folds", "--workers"}
    pairs = zip(words[2::2], words[3::2], strict=True)
    kept = (pair for pair in pairs if pair[0] not in of_runs)
    return ["set-1", *(word for pair in kept for word in pair)]


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
    tmp_path, monkeypatch, times, promise, write_plain
):
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "400")
    drawn = [_drawn(seed) for seed in range(times(1, 20))]
    names = [*NAMES[: times(1, len(NAMES))], *drawn]
    wrong, tried = [], 0
    for number, name in enumerate(names):
        word = name.replace("/", "")
        out = tmp_path / f"{number}{word}"
        cell = _cells(out / "data", name)
        frames = write_plain(out / "frames", [f"a{word}_p0", f"b{word}_p0"])
        for words in _commands(out / "data", frames, cell, out):
            done = CliRunner().invoke(app, words)
            wrong += _faults(done, words)
            if name == NAMES[0] and done.exit_code:
                wrong.append(f"{words[:2]}: {done.exception}")
            tried += 1
        for page in out.rglob("*.html"):
            if f"<script>{ALERT}" in page.read_text():
                wrong.append(f"{page.name}: HTML")
    promise.reached(
        f"{tried} commands with {len(names)} names, {len(drawn)} of them drawn; with "
        f"the first each does its work: {len(wrong)} ended by, steered or forged"
        + "; ".join(["", *sorted(set(wrong))]),
        not wrong,
    )
