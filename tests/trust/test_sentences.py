"""Wrong input gets one sentence: which file, what is wrong, what to do."""

import ast
import re
import shlex
import signal
import subprocess
import sys

import numpy as np
import promises
import pytest
from PIL import Image
from small_study import NETWORK, study, write_cells
from wrong_words import ONCE, TEMPLATES, TOLD, bad_inputs, commands

from napari_hep2 import samples
from training.cli import bench, main
from training.config import PaperNetworkSettings, ProtocolSettings
from training.data.cells.cell_set import CellSet
from training.data.cells.folder import read_cell_folder
from training.data.layouts import read_collection
from training.data.masks.files import read_mask
from training.errors import Hep2Error
from training.inference.model_file import load_model
from training.patterns import I3A
from training.runs.execution import execute, start_run
from training.runs.final_fit import fit_model
from training.runs.folder import RunFolder
from training.splits.leaks import prove_no_leak
from training.splits.protocols import Fold, make_folds
from training.storage.images import read_frame
from training.storage.writing import write_text

SAMPLE = promises.ROOT / "sample_data" / "model" / "simulated.safetensors"


def a_file(folder, name, content=b"no such thing"):
    path = folder / name
    path.write_bytes(content)
    return path


def cells_of(specimens=("a", "b")):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (4, 32, 32), np.uint8)
    owners = np.asarray([*specimens] * 2)
    names, patterns = np.asarray(list("wxyz")), np.asarray([0, 1] * 2)
    return CellSet(images, patterns, owners, names, I3A, "given (drawn)")


# -- what people do wrong, one act a class of error


def an_image_that_is_none(folder, _):
    read_frame(a_file(folder, "00001_p0.tif"))


def a_mask_that_is_not_there(folder, _):
    read_mask(folder / "mask.png", (4, 4))


def a_folder_of_nothing(folder, _):
    read_collection(folder)


def a_pattern_that_nobody_knows(folder, _):
    Image.new("L", (40, 40)).save(folder / "a.png")
    a_file(folder, "patterns.csv", b"specimen,pattern\na,zebra\n")
    read_collection(folder)


def cells_that_are_cut_short(folder, _):
    read_cell_folder(write_cells(folder / "cells"))
    (folder / "cells" / "crops.npy").write_bytes(b"\x93NUMPY")
    read_cell_folder(folder / "cells")


def cells_of_no_specimen(folder, _):
    make_folds(cells_of(("", "")), ProtocolSettings(protocol="loso"))


def a_fold_that_tests_what_it_trains_on(folder, _):
    fold = Fold("of patient 7", np.asarray([2]), np.asarray([2]), 4)
    prove_no_leak(cells_of(), fold)


def a_setting_with_a_slip_of_the_pen(folder, _):
    PaperNetworkSettings.parse({"widht": "1"})


def a_model_of_noise(folder, _):
    a_file(folder, "model.json", SAMPLE.with_suffix(".json").read_bytes())
    load_model(a_file(folder, "model.safetensors"), "cpu")


def a_run_that_is_none(folder, _):
    RunFolder.open(folder / "run")


def an_engine_that_is_not_here(folder, patch):
    patch.setenv("PATH", str(folder))
    data = write_cells(folder / "cells")
    list(execute(start_run(folder / "run", study(data, engine="slurm"))))


def two_trainers_in_one_folder(folder, _):
    run = RunFolder(folder)
    with run.lock(), run.lock():
        pass


def a_step_far_too_long(folder, _):
    far = NETWORK.model_copy(update={"learning_rate": 1e12})
    list(fit_model("m", cells_of(), far, folder / "m.safetensors", device="cpu"))


def a_benchmark_that_breaks(folder, _):
    (folder / "tests" / "benchmarks").mkdir(parents=True)
    a_file(folder / "tests" / "benchmarks", "slow.py", b"raise SystemExit('no way')")
    list(bench._measure(folder / "tests" / "benchmarks", "slow"))


def a_file_where_a_folder_is_needed(folder, _):
    write_text(a_file(folder, "full") / "report.html", "")


def a_run_that_is_stopped(folder, _):
    run = start_run(folder / "run", study(write_cells(folder / "cells")))
    for _event in execute(run):
        run.request_stop()


def an_installation_without_samples(folder, patch):
    patch.setattr(samples, "_HERE", folder / "napari_hep2")
    samples.sample_specimens()


ACTS = {
    "BadImageError": (an_image_that_is_none, "00001_p0.tif"),
    "BadMaskError": (a_mask_that_is_not_there, "mask.png"),
    "BadLayoutError": (a_folder_of_nothing, "given"),
    "UnknownPatternError": (a_pattern_that_nobody_knows, "patterns.csv"),
    "BadCellsError": (cells_that_are_cut_short, "crops.npy"),
    "SpecimensError": (cells_of_no_specimen, "given"),
    "LeakError": (a_fold_that_tests_what_it_trains_on, "of patient 7"),
    "BadSettingError": (a_setting_with_a_slip_of_the_pen, "widht"),
    "BadModelError": (a_model_of_noise, "model.safetensors"),
    "BadRunError": (a_run_that_is_none, "run"),
    "EngineError": (an_engine_that_is_not_here, "slurm"),
    "RunLockedError": (two_trainers_in_one_folder, "given"),
    "DivergedError": (a_step_far_too_long, "loss"),
    "BenchmarkError": (a_benchmark_that_breaks, "slow"),
    "StorageError": (a_file_where_a_folder_is_needed, "report.html"),
    "InterruptedRunError": (a_run_that_is_stopped, "given"),
    "SampleDataError": (an_installation_without_samples, "sample data"),
}
"""By class of error: an act that meets it, and what its sentence must name."""


def classes_of_error():
    """Return the names of all classes of `Hep2Error`, wherever they are written."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for package in ("training", "napari_hep2")
        for path in (promises.ROOT / package).rglob("*.py")
    ]
    classes = [
        (node.name, {ast.unparse(base).split(".")[-1] for base in node.bases})
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    known, before = {"Hep2Error"}, 0
    while len(known) > before:
        before = len(known)
        known |= {name for name, bases in classes if bases & known}
    return known - {"Hep2Error"}


def is_sentence(text):
    """Whether a text is one line of: what, colon, fault, semicolon, remedy, stop."""
    parts = re.fullmatch(r"(.+?): (.+?); (.+)\.", text.strip())
    foreign = ("Traceback", "Errno", "Error(", "object at 0x", "<class")
    return (
        parts is not None
        and all(len(part.split()) > 1 for part in parts.groups()[1:])
        and not any(word in text for word in foreign)
    )


@pytest.fixture(autouse=True)
def our_own(tmp_path, monkeypatch):
    """Keep packed cells out of the user's cache."""
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))


@pytest.mark.promise("sentences")
def test_each_class_of_error_is_met_by_an_act_and_told_in_a_sentence(promise, tmp_path):
    missing, wrong = classes_of_error() ^ set(ACTS), []
    for name, (act, named) in ACTS.items():
        folder = tmp_path / name / "given"
        folder.mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Hep2Error) as told:
            act(folder, patch)
        said = str(told.value)
        right = type(told.value).__name__ == name and named in said
        if not (right and is_sentence(said)):
            wrong.append(f"{name}: {type(told.value).__name__}: {said}")
    promise.reached(
        f"{len(ACTS)} classes of error, {len(missing)} without a test"
        f"{sorted(missing) or ''}, {len(wrong)} not reported in a sentence"
        f"{wrong or ''}",
        met=not missing and not wrong,
    )


# -- the command line


@pytest.fixture
def call(capfd, monkeypatch):
    """Return a function that calls the command line as a process would."""
    before = {how: signal.getsignal(how) for how in (signal.SIGINT, signal.SIGTERM)}

    def call(words):
        monkeypatch.setattr(sys, "argv", ["hep2", *words])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capfd.readouterr()
        return end.value.code, printed.err, printed.out

    yield call
    for how, handler in before.items():
        signal.signal(how, handler)


@pytest.fixture
def places(tmp_path):
    model = SAMPLE
    frame = sorted(SAMPLE.parents[1].glob("specimens/**/00001_p0.*"))[0]
    cells = write_cells(tmp_path / "cells")
    return {"model": model, "frame": frame, "cells": cells, "out": tmp_path / "out"}


def words_of(template, places):
    return [word.format(**places) for word in shlex.split(template)]


@pytest.mark.promise("sentences")
def test_every_command_answers_wrong_input_with_a_sentence(
    promise, tmp_path, call, places
):
    (tmp_path / "bad").mkdir()
    inputs = list(bad_inputs(tmp_path / "bad"))
    n, wrong = 0, []
    for template in TEMPLATES:
        for kind, bad in inputs:
            n += 1
            try:
                code, said, told = call(words_of(template, {**places, "bad": bad}))
            except Exception as fault:  # noqa: BLE001 - the user would see a traceback
                wrong.append(f"{template} with {kind}: {fault!r}")
                continue
            last = (said.strip().splitlines() or [""])[-1]
            if template in TOLD and code == 0:
                code, last = 2, told.strip().partition("unknown; ")[2]
            if code != 2 or not is_sentence(last) or bad.stem not in last:
                wrong.append(f"{template} with {kind}: {code}: {last}")
    promise.reached(
        f"{len(TEMPLATES)} command lines with {len(inputs)} kinds of invalid input: "
        f"{n} calls, {len(wrong)} without a message and exit code 2{wrong or ''}",
        met=not wrong,
    )


@pytest.mark.parametrize(("template", "sentence"), ONCE)
def test_wrong_words_are_told(call, places, template, sentence):
    code, said, _ = call(words_of(template, places))
    assert code == 2
    assert sentence in said
    assert "Traceback" not in said


def test_every_command_is_tried():
    tried = set(TEMPLATES) | {words for words, _ in ONCE}
    for name in commands():
        assert any(f"{one} ".startswith(f"{name} ") for one in tried), name


def test_a_process_of_its_own_ends_with_one_line():
    words = [sys.executable, "-m", "training", "status", "nowhere"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "nowhere: this is not a run folder; give the --out folder of a run.\n"
    )
