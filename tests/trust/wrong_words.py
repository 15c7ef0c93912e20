"""Wrong input for every command of the command line.

`{bad}` stands for what is wrong: a file or folder of `bad_inputs`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import typer

from training.cli import app

TEMPLATES = (
    "extract {bad} --out {out}",
    "quality {bad}",
    "copies {bad}",
    "views {bad} --model {model}",
    "views {cells} --model {bad}",
    "fit set-1 --data {bad} --out {out}",
    "fit set-1 --data {cells} --out {out} --measured {bad} --device cpu",
    "fit-nuclei {bad} --out {out}.safetensors",
    "export {bad} --out {out}",
    "predict {bad} --model {model} --out {out}",
    "predict {frame} --model {bad} --out {out}",
    "reproduce --data {bad} --out {out}",
    "stale {bad}",
    "runs {bad}",
    "rescore {bad}",
    "label-errors {bad}",
    "learning-curve {bad} --out {out}",
    "learning-curve --data {bad} --out {out}",
    "sheet {bad} --out {out}.png",
    "specimens {bad} --model {model} --out {out}",
    "neighbours {bad} --data {cells}",
    "neighbours {model} --data {bad}",
    "run set-1 --data {bad} --out {out}",
    "run set-3 --data {cells} --extra {bad} --out {out}",
    "resume {bad}",
    "status {bad}",
    "report {bad}",
    "changes {bad}",
    "verdicts {bad}",
    "decisions export {bad} --out {out}.csv",
    "decisions import {bad} --into {out}",
    "decisions pending {bad}",
    "decisions history {bad} c1",
    "decisions at {bad} 1",
    "decisions agreement {bad}",
    "decisions answers {bad}",
    "decisions readers {bad}",
    "decisions confusion {bad} --reviewer a --known b",
)
"""Each is tried with every kind of bad input."""

TOLD = ("stale {bad}",)
"""These look at many runs, and tell of a broken one among their answers."""

ONCE = (
    ("bench nowhere", "nowhere: there is no such benchmark"),
    ("simulate {frame}", "is not an empty folder"),
    ("simulate {out} --set cells_min=0", "cells_min: "),
    ("simulate {frame}/below", "cannot be written"),
    ("simulate-plates {frame}", "is not an empty folder"),
    ("simulate-plates {out} --set wells=2", "wells: '2' does not fit"),
    ("list --jason", "No such option"),
    ("run set-9 --data x", "set-9: there is no such experiment"),
    ("run set-1 --data x --set widht=1", "widht: there is no such setting; use one of"),
    ("run set-1 --data x --set width=9", "width: '9' does not fit"),
    ("run set-1 --data x --set width", "it has no '='"),
    ("run set-1 --data {cells} --out {out} --engine moon", "moon"),
    ("extract {out} --out {out} --layout odd", "odd: there is no such layout"),
    ("sheet {cells} --out {out}.gif", ".gif"),
    ("sheet {cells} --out {out}.png --filter odd", "odd"),
    ("sheet {cells} --out {out}.png --like nobody --sort similarity", "nobody"),
    ("decisions at {cells} 99", "curation.sqlite: there are no decisions here"),
    ("decisions answer {out} S1 --reviewer a --result weak", "use negative"),
    ("decisions answer nowhere S1 --reviewer a --result negative", "no such folder"),
    ("decisions patterns --jason", "No such option"),
    ("extract {frame} --out {out}", "there is no such folder"),
    ("specimens {frame} --model {model} --out {out}", "there is no such folder"),
)
"""Other wrong words, and what the sentence must say."""


def commands() -> set[str]:
    """Return the words that name each command."""
    found = set()

    def walk(group: object, before: str) -> None:
        for name, command in group.commands.items():  # type: ignore[attr-defined]
            if hasattr(command, "commands"):
                walk(command, f"{before}{name} ")
            else:
                found.add(before + name)

    walk(typer.main.get_command(app), "")
    return found


def bad_inputs(folder: Path) -> Iterator[tuple[str, Path]]:
    """Make and give each kind of wrong input, with its name in words."""
    rng = random.Random(0)
    yield "missing", folder / "nowhere"
    empty = folder / "hollow"
    empty.mkdir()
    yield "an empty folder", empty
    noise = folder / "noise.bin"
    noise.write_bytes(rng.randbytes(3000))
    yield "noise in a file", noise
    words = folder / "words.csv"
    words.write_text("id,specimen\n=1+1,\n")
    yield "another table", words
    bytes_of = {"torn": b"to", "garbled": rng.randbytes(300)}
    for name, content in bytes_of.items():
        made = folder / name
        (made / "train").mkdir(parents=True)
        for one in _NAMES:
            (made / one).write_bytes(content)
        yield f"a folder of {name} files", made


_NAMES = (
    *("cells.csv", "crops.npy", "source.json", "curation.sqlite"),
    *("config.yaml", "events.jsonl", "metrics.json", "predictions.csv", "data.json"),
    *("verdict.json", "specimens.csv"),
)
