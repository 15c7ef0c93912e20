"""Small simulated cells, the run that is trained on them, and what it leaves.

Cells show their pattern as a bright bar at its own height on noise: a tiny network
learns them in a moment, and a study of many folds takes seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from training.config import PaperNetworkSettings, ProtocolSettings, SimulationSettings
from training.data.simulation import simulate
from training.patterns import I3A
from training.runs.folder import RunConfig, RunFolder
from training.storage.writing import write_json, write_text

SIDE = 32

NETWORK = PaperNetworkSettings(
    input_size=SIDE,
    width=0.04,
    epochs=3,
    batch_size=16,
    learning_rate=0.02,
    vote_epochs=2,
)
"""A network that fits the cells in less than a second."""


def write_cells(
    folder: Path, specimens: int = 12, cells: int = 4, patterns: int = 6, seed: int = 0
) -> Path:
    """Write a cell folder of `cells` of each specimen; patterns are dealt in turn."""
    rng = np.random.default_rng(seed)
    images, rows = [], ["id,specimen,pattern,frame,label,y,x,area,flags,dropped"]
    for number in range(specimens):
        k = number % patterns
        for label in range(cells):
            image = rng.integers(0, 60, (SIDE, SIDE))
            image[2 + 5 * k : 5 + 5 * k, 4:-4] += 150
            images.append(image)
            name = f"s{number:03d}"
            rows.append(
                f"{name}-{label},{name},{I3A[k].name},f{number},{label},1.0,1.0,90,,"
            )
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "crops.npy", np.asarray(images, np.uint8))
    write_text(folder / "cells.csv", "\n".join(rows) + "\n")
    source = {"format": 1, "vocabulary": "i3a", "root": None, "files": []}
    write_json(folder / "source.json", source)
    return folder


def write_specimens(folder: Path) -> None:
    """Simulate one specimen of a small frame with nine cells."""
    small = {"specimens": "1", "cells_min": "9", "cells_max": "9"}
    small |= {"height": "256", "width": "256"}
    list(simulate(folder, SimulationSettings.parse(small)))


def study(data: Path, network: Any = NETWORK, **changes: Any) -> RunConfig:
    """Return the recipe of a run of two grouped folds in one process."""
    given: dict[str, Any] = {
        "experiment": "set-1",
        "data": str(data),
        "classifier": network,
        "protocol": ProtocolSettings(protocol="group-k", folds=2),
        "device": "cpu",
        "workers": 1,
    }
    return RunConfig(**{**given, **changes})


def command_of(data: Path, out: Path, folds: int = 2, **changes: Any) -> list[str]:
    """Return the words of the command that starts the run of `study`."""
    settings = {
        "input_size": SIDE,
        "width": NETWORK.width,
        "batch_size": NETWORK.batch_size,
        "learning_rate": NETWORK.learning_rate,
        "vote_epochs": NETWORK.vote_epochs,
        "epochs": NETWORK.epochs,
        **changes,
    }
    words = ["run", "set-1", "--data", str(data), "--out", str(out)]
    words += ["--protocol", "group-k", "--folds", str(folds), "--device", "cpu"]
    words += ["--workers", str(settings.pop("workers", 1))]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return words


def results_of(run: Path) -> dict[str, Any]:
    """Return all that a finished run holds, but times, process and folder names."""
    found: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_dir() or name in _OF_THIS_TIME or name.startswith("verdict"):
            continue
        if path.name == "history.json":
            history = json.loads(path.read_text(encoding="utf-8"))
            found[name] = [[row["epoch"], row["loss"]] for row in history]
        elif path.suffix == ".safetensors":
            # Its metadata hold the seconds that epochs took.
            found[name] = {k: v.numpy().tobytes() for k, v in load_file(path).items()}
        else:
            found[name] = path.read_bytes()
    return found


_OF_THIS_TIME = {"events.jsonl", "config.yaml", "data.json", "trainer.log"}


def curves_of(run: Path) -> dict[str, list[int]]:
    """Return the epochs of each fold as its events tell them, each once."""
    curves: dict[str, set[int]] = {}
    for event in RunFolder(run).events():
        if event["kind"] == "epoch":
            curves.setdefault(event["fold"], set()).add(event["epoch"])
    return {fold: sorted(epochs) for fold, epochs in curves.items()}
