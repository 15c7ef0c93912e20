"""One folder, two containers: a process id says nothing, and one at a time writes."""

import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import torch
from namespaces import can_separate, together, wait_for
from small_study import study, write_cells, write_specimens

from training.cli import app
from training.data.cells.folder import read_cell_folder
from training.errors import Hep2Error
from training.inference.cards import read_card
from training.runs.execution import start_run
from training.runs.folder import RunFolder
from training.storage import locks
from training.storage.locks import this_machine
from training.storage.writing import write_json

pytestmark = [
    pytest.mark.promise("machines"),
    pytest.mark.skipif(not can_separate(), reason="needs process namespaces"),
]

SAMPLE = Path(__file__).parents[2] / "sample_data" / "model" / "simulated.safetensors"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    write_specimens(place / "specimens")
    write_cells(place / "data")
    return place


@pytest.fixture(scope="module")
def models(made):
    """Two models, alike but for their names."""
    paths = [made / name / "m.safetensors" for name in ("first", "second")]
    for path in paths:
        path.parent.mkdir()
        shutil.copy(SAMPLE, path)
        card = json.loads(SAMPLE.with_suffix(".json").read_text())
        write_json(path.with_suffix(".json"), {**card, "name": path.parent.name})
    return paths


@pytest.fixture(autouse=True)
def _soon(monkeypatch, tmp_path):
    monkeypatch.setattr(locks, "REFRESH", 0.05)
    monkeypatch.setattr(locks, "STALE", 20.0)
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def _words(kind, place, out, model):
    """Return the words of a command that writes the folder or file `out`."""
    if kind == "run":
        return ["resume", str(out)]
    if kind == "extract":
        return ["extract", str(place / "specimens"), "--out", str(out)]
    if kind == "specimens":
        words = ["specimens", str(place / "specimens"), "--out", str(out)]
        return [*words, "--model", str(model), "--device", "cpu"]
    given = {"input_size": 32, "width": 0.04, "batch_size": 16, "vote_epochs": 1}
    words = ["fit", "set-1", "--data", str(place / "data"), "--device", "cpu"]
    words += ["--out", str(out / "m.safetensors"), "--epochs", "2"]
    return words + [w for k, v in given.items() for w in ("--set", f"{k}={v}")]


def _command(words):
    """Return an act: a command, which ends with 0, or with 2 if it is told to wait."""

    def act():
        torch.set_num_threads(1)
        with redirect_stderr(StringIO()), redirect_stdout(StringIO()):
            try:
                app(words, standalone_mode=False)
            except Hep2Error as fault:
                return 2 if "works in this folder" in str(fault) else 1
        return 0

    return act


def _prepare(kind, place, folder):
    if kind == "run":
        start_run(folder, study(place / "data"))
    folder.mkdir(exist_ok=True)


def _mixed(kind, out, names):
    """Whether what stands in a folder is of two writers."""
    if kind == "run":
        kinds = [event["kind"] for event in RunFolder(out).events()]
        ends = [one for one in kinds if one in ("run-started", "run-done")]
        return ends != ["run-started", "run-done"] * (len(ends) // 2)
    if kind == "extract":
        return len(read_cell_folder(out).table) == 0
    if kind == "fit":
        return read_card(out / "m.json").weights_sha256 is None
    found = [json.loads(path.read_text()) for path in out.glob("*/verdict.json")]
    found.append(json.loads((out / "worklist.json").read_text()))
    return len({one["model"]["name"] for one in found}) != 1


@pytest.mark.parametrize("kind", ["run", "extract", "specimens", "fit"])
def test_two_containers_write_one_folder_one_after_the_other(
    made, models, tmp_path, kind, times, promise
):
    mixed = waited = faults = 0
    count = times(1, 50)
    for number in range(count):
        out = tmp_path / str(number)
        _prepare(kind, made, out)
        codes = together([_command(_words(kind, made, out, m)) for m in models])
        waited += codes.count(2)
        faults += sum(code not in (0, 2) for code in codes) + (0 not in codes)
        mixed += _mixed(kind, out, models)
    promise.reached(
        f"{kind}: {count} times two process namespaces on one folder: {mixed} mixed, "
        f"{waited} told to wait, {faults} otherwise",
        not mixed + faults,
    )


def test_of_containers_that_lock_at_once_one_holds_the_folder(tmp_path, times, promise):
    """The lock of a killed one is taken over once nobody refreshes it."""
    count, held = times(10, 100), 0

    def hold(folder):
        def act():
            with locks.locked(folder):
                (folder / f"held-{this_machine()}").touch()
                wait_for(folder / "end")
            return 0

        def refused():
            try:
                return act()
            except Hep2Error:
                (folder / "end").touch()
                return 2

        return refused

    for number in range(count):
        folder = tmp_path / str(number)
        folder.mkdir()
        codes = together([hold(folder)] * 2)
        held += sorted(codes) == [0, 2] and len(list(folder.glob("held-*"))) == 1
    promise.reached(
        f"{count} times two process namespaces lock at once: exactly one held the "
        f"folder {held} times",
        held == count,
    )
