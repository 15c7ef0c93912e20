"""Does the main commands of the product, one after another, in one process.

`python main_jobs.py FOLDER MADE` takes the specimens in FOLDER and writes all that the
commands make to MADE, and what they print to MADE/printed.txt.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

FOLDS = ("--protocol", "group-k", "--folds", "2", "--workers", "1", "--device", "cpu")
TINY = ("width=0.04", "input_size=32", "batch_size=16", "vote_epochs=1")
SIMULATED = ("cells_min=14", "cells_max=16", "height=300", "width=420")
REVIEWER = "reader-1"
BROKEN_TOO = ("extract", "predict", "specimens")
"""These say by their exit code that a frame was broken, and go on."""


def changes(pairs: tuple[str, ...]) -> list[str]:
    """Return the options that change these settings."""
    return [word for pair in pairs for word in ("--set", pair)]


def jobs(data: Path, made: Path) -> Iterator[list[object]]:
    """Give the words of each command, in an order in which they can be done."""
    cells, model = made / "cells", made / "model.safetensors"
    recipe = ["set-1-normalised", "--data", cells, "--epochs", 1, *changes(TINY)]
    run = made / "run"
    yield ["extract", data, "--out", cells]
    yield ["quality", cells, "--out", made / "quality.csv"]
    yield ["copies", cells, "--out", made / "copies.csv"]
    table = made / "decisions.csv"
    yield ["decisions", "import", table, "--into", cells]
    yield ["decisions", "export", cells, "--out", made / "exported.csv"]
    yield ["decisions", "agreement", cells]
    yield ["sheet", cells, "--out", made / "sheet.png"]
    yield ["sheet", cells, "--out", made / "sheet.pdf"]
    yield ["run", *recipe, "--out", run, *FOLDS]
    yield ["status", run]
    yield ["verdicts", run, "--out", made / "fitted.json"]
    yield ["report", run]
    yield ["label-errors", run]
    yield ["stale", run]
    yield ["rescore", run]
    yield ["changes", run]
    yield ["fit", *recipe, "--out", model, "--measured", run]
    yield ["export", model, "--out", made / "model.onnx"]
    yield ["neighbours", model, "--data", cells]
    yield ["views", cells, "--model", model, "--out", made / "views.csv"]
    yield ["predict", data, "--model", model, "--out", made / "predicted"]
    yield ["specimens", data, "--model", model, "--out", made / "reports"]


def decide_on(data: Path, made: Path) -> None:
    """Write a table of decisions on the cells that will be cut."""
    from training.decisions.exchange import export_decisions
    from training.decisions.store import DecisionStore

    made.mkdir(parents=True, exist_ok=True)
    with DecisionStore(made / "first.sqlite", REVIEWER) as store:
        store.decide(["00001_p0_0001"], "accepted")
        store.decide(["00001_p0_0002"], "relabelled", "Golgi", "surely")
        store.note(["00001_p0_0002"], "look again")
        export_decisions(store, made / "decisions.csv")


def do(words: list[object]) -> str:
    """Do one command; return what went wrong."""
    from training.cli import app

    try:
        code = app([str(word) for word in words], standalone_mode=False)
    except Exception:  # noqa: BLE001 - told to the test, whatever it is
        return traceback.format_exc()
    return f"exit code {code}" if code and words[0] not in BROKEN_TOO else ""


def main(data: Path, made: Path) -> int:
    """Do all; return 0, or 1 where one failed."""
    decide_on(data, made)
    n = 0
    with (
        (made / "printed.txt").open("w", encoding="utf-8") as printed,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        for words in jobs(data, made):
            fault = do(words)
            n += 1
            if fault:
                os.write(2, f"{words}\n{fault}\n".encode())
                return 1
    sys.stdout.write(f"{n}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
