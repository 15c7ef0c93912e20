"""The command line as a user meets it: its words, its exit codes, its interrupts."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from training.cli import app, main
from training.data.cells.loading import load_cell_set
from training.data.layouts import read_collection
from training.data.masks.changes import settle_labels
from training.data.masks.files import read_mask
from training.data.masks.history import read_mends
from training.data.masks.history_writer import MendWriter
from training.inference.cards import read_card
from training.runs.execution import execute, start_run
from training.runs.experiments import configure

TINY = ["width=0.04", "input_size=32", "batch_size=16", "learning_rate=0.02"]
SETTINGS = [word for pair in TINY for word in ("--set", pair)]


@pytest.fixture
def run(monkeypatch, one_thread):
    """Call main() as its process does, without the seconds that a process takes."""
    monkeypatch.setenv("COLUMNS", "200")
    kinds = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(kind) for kind in kinds]

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["training", *map(str, words)])
        streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with streams[0], streams[1], pytest.raises(SystemExit) as end:
            main()
        code = int(end.value.code or 0)
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    yield call
    for kind, handler in zip(kinds, handlers, strict=True):
        signal.signal(kind, handler)


@pytest.fixture
def data(cells, task1):
    return task1(cells)


def test_help_imports_no_torch():
    script = (
        "import sys; from typer.testing import CliRunner; from training.cli import app;"
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0;"
        "print([m for m in ('torch', 'napari', 'qtpy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_commands_of_the_design():
    shown = CliRunner().invoke(app, ["--help"]).output
    commands = "simulate extract list run resume status report fit export predict bench"
    for command in (*commands.split(), "reproduce"):
        assert command in shown


def test_list_as_json(run):
    rows = json.loads(run("list", "--json").stdout)
    costs = {row["experiment"]: row["image_steps"] for row in rows}
    assert costs["set-1"] == 13596 * 82 * 50
    assert costs["set-2"] == 8 * costs["set-1"]
    paper = "set-1 set-2 set-3 pooled pooled-augmented set-1-k-fold"
    systems = "lenet shape-index local-patterns scale-space imagenet"
    assert set(costs) > {*paper.split(), *systems.split()}
    trained = [row for row in rows if row["experiment"] != "stack"]
    assert all(row["core_hours"] > 0 and row["needs"] for row in trained)


def test_reproduce_runs_what_the_data_allow_and_goes_on(run, tmp_path, data):
    out = tmp_path / "study"
    words = (
        *("reproduce", "--data", data, "--out", out, "--protocol", "group-k"),
        *("--folds", "2", "--epochs", "1", "--workers", "1", *SETTINGS),
        *("--only", "set-1", "--only", "set-1-k-fold", "--only", "set-3"),
        *("--set", "set-1-k-fold.vote-epochs=1"),
    )
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert "set-3: needs the cells of Task-2 (--extra); it was left out" in done.stderr
    assert "70.52" not in done.stdout, "it is not the recipe of the paper"
    page = (out / "reproduction.html").read_text()
    assert "needs the cells of Task-2" in page
    again = run(*words, "--json")
    assert again.returncode == 0, again.stderr
    answer = json.loads(again.stdout)
    names = [row["experiment"] for row in answer["results"]]
    assert names == ["set-1", "set-1-k-fold"]
    assert len((out / "runs/set-1/events.jsonl").read_text().splitlines()) == 10
    other = run(*words, "--set", "momentum=0.5")
    assert other.returncode == 2
    assert "it was started with other settings" in other.stderr


def test_later_runs_are_compared_with_the_first(run, tmp_path, data):
    base = {"protocol": "group-k", "folds": "2", "epochs": "1"}
    changes = base | dict(pair.split("=") for pair in TINY)
    paths = tmp_path / "set-1", tmp_path / "set-1-turned"
    for path in paths:
        config = configure(path.name, str(data), workers=1, changes=changes)
        list(execute(start_run(path, config)))
    told = run("report", *paths)
    assert " points (95 % over specimens: " in told.stdout
    (row,) = json.loads(run("report", *paths, "--json").stdout)["compared"]
    assert row["specimens"] == 12
    assert row["first_better"] + row["second_better"] + row["equal"] == 12


def test_a_model_of_a_baseline_is_refused(run, tmp_path, data):
    done = run(
        "fit", "shape-index", "--data", data, "--out", tmp_path / "m.safetensors"
    )
    assert done.returncode == 2
    assert "a model file holds networks and kernel ridge" in done.stderr


def test_run_report_status_and_fit(run, tmp_path, data):
    out = tmp_path / "run"
    grouped = ["--protocol", "group-k", "--folds", "2", "--epochs", "2"]
    done = run(
        *("run", "set-1", "--data", data, "--out", out, "--json"),
        *(*grouped, *SETTINGS, "--workers", "1"),
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)
    assert metrics["n"] == 48
    assert (out / "report.html").is_file()
    status = json.loads(run("status", out, "--json").stdout)
    assert status["state"] == "done"
    assert (status["epochs_done"], status["epochs"]) == (4, 4)
    assert json.loads(run("report", out, "--json").stdout)["reports"]
    model = tmp_path / "m.safetensors"
    words = ["fit", "set-1", "--data", data, "--out", model, "--measured", out]
    other = run(*words, "--epochs", "1", *SETTINGS, "--set", "vote_epochs=1")
    assert other.returncode == 2
    assert "another recipe: epochs is 2 there and 1 here" in other.stderr
    assert not model.exists()
    fitted = run(*words, "--epochs", "2", *SETTINGS)
    assert fitted.returncode == 0, fitted.stderr
    card = read_card(tmp_path / "m.json")
    assert "grouped k-fold, 48 held-out cells" in card.measured


def test_extract_uses_mended_masks_unless_told_not_to(run, tmp_path, write_task2):
    data = write_task2(tmp_path / "data").resolve()
    frame = read_collection(data).specimens[0].frames[0]
    labels = read_mask(frame.mask, (120, 140))
    labels[90:110, 100:120] = 2
    history = read_mends(data, frame.name)
    change = settle_labels(np.zeros_like(labels), labels, 0)
    MendWriter(data, frame, "ann").save(history, change, "painted")
    both = []
    for option in ([], ["--original-masks"]):
        done = run("extract", data, "--out", tmp_path / "cells", *option, "--json")
        assert done.returncode == 0, done.stderr
        both.append(json.loads(done.stdout))
    assert [one["mended_masks"] for one in both] == [1, 0]
    assert [one["kept"] for one in both] == [13, 12]
    frame.mask.write_bytes(frame.mask.read_bytes() + b"0")
    done = run("extract", data, "--out", tmp_path / "cells")
    assert "has changed since its mask was edited" in " ".join(done.stderr.split())


def test_extract_goes_on_after_a_bad_frame_and_its_exit_code_says_so(
    run, tmp_path, write_plain
):
    data = write_plain(tmp_path / "data", ["a", "b"])
    (data / "a_labels.png").write_bytes((data / "a_mask.png").read_bytes())
    (data / "b_overlay.png").write_bytes((data / "b.png").read_bytes())
    done = run("extract", data, "--out", tmp_path / "cells", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["frames"] == 1
    assert "a_labels.png and a_mask.png are masks of it" in done.stderr
    assert "b_overlay.png: not read, as neither frame nor mask." in done.stderr
    assert "2 specimens by the names of the files" in done.stderr
    assert (tmp_path / "cells" / "cells.csv").is_file()


def test_extract_says_of_how_many_frames_it_made_the_mask(run, tmp_path, write_plain):
    data = write_plain(tmp_path / "data", masks=False)
    done = run("extract", data, "--out", tmp_path / "cells")
    assert done.returncode == 0
    assert "the mask was made from the image, 9 nuclei in 3 frames" in done.stderr


def discs(shape=(120, 150)):
    """Return a frame of four discs, uint8, and its labels."""
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for number, (y, x) in enumerate([(30, 35), (30, 110), (90, 35), (90, 110)], 1):
        labels[(yy - y) ** 2 + (xx - x) ** 2 <= 15**2] = number
    grain = np.random.default_rng(0).normal(0, 12, shape)
    return np.where(labels, 120 + grain, 12).astype(np.uint8), labels


def test_extract_says_what_masks_were_taken_for(run, tmp_path):
    image, labels = discs()
    (tmp_path / "data").mkdir()
    for number, mask in enumerate([labels, labels * 60, (labels > 0) * 255], 1):
        name = tmp_path / "data" / f"{number}_p0"
        tifffile.imwrite(f"{name}.tif", image + np.uint8(number))
        tifffile.imwrite(f"{name}_mask.tif", mask.astype(np.uint8))
    done = run("extract", tmp_path / "data", "--out", tmp_path / "cells")
    assert done.returncode == 0, done.stderr
    told = done.stdout + done.stderr
    assert "label image, 8 nuclei in 2 frames" in told
    assert "binary mask, 4 nuclei\n" in told


def test_extract_counts_the_specimens_before_it_cuts(run, tmp_path, write_plain):
    data = write_plain(tmp_path / "data", ["S1", "S2", "S1_mip"], masks=False)
    done = run("extract", data, "--out", tmp_path / "cells", "--set", "size=21")
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    assert lines[0] == "2 specimens by the names of the files: 2 without a pattern."
    assert lines[1] == "S1_mip.png: not read, as neither frame nor mask."


def test_extract_says_why_no_nucleus_of_a_frame_is_kept(run, tmp_path):
    image, _ = discs()
    (tmp_path / "data").mkdir()
    tifffile.imwrite(tmp_path / "data" / "S1.tif", image)
    squares = np.kron([[1, 2], [3, 4]], np.ones((30, 40), int))
    mask = np.pad(squares, [(20, image.shape[0] - 80), (20, image.shape[1] - 100)])
    tifffile.imwrite(tmp_path / "data" / "S1_mask.tif", mask.astype(np.uint8))
    done = run("extract", tmp_path / "data", "--out", tmp_path / "cells")
    assert done.returncode == 0, done.stderr
    assert "S1: 4 nuclei, none kept: 4 touching\n" in done.stdout + done.stderr


def test_a_plane_and_a_channel_are_chosen_by_settings(run, tmp_path):
    image, labels = discs()
    stack = np.stack(
        [np.stack([image // 9, image // 2]), np.stack([image // 9, image])]
    )
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "S1_p0.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZCYX"})
    tifffile.imwrite(tmp_path / "data" / "S1_p0_mask.tif", labels.astype(np.uint16))
    extract = "extract", tmp_path / "data", "--out", tmp_path / "cells"
    done = run(*extract)
    assert done.returncode == 2
    assert "--set channel=1 (to 2)" in " ".join(done.stderr.split())
    done = run(*extract, "--set", "channel=2")
    assert done.returncode == 2
    assert "--set plane=1 (to 2)" in " ".join(done.stderr.split())
    done = run(*extract, "--set", "channel=2", "--set", "plane=2")
    assert done.returncode == 0, done.stderr
    told = "label image, 4 nuclei; 2 channels, channel 2 was taken; plane 2 of 2 was"
    assert told in " ".join((done.stdout + done.stderr).split())
    crops = np.load(tmp_path / "cells" / "crops.npy")
    np.testing.assert_array_equal(crops[0, 38, 38], image[30, 35])
    done = run(*extract, "--set", "plane=best")
    assert done.returncode == 2


def test_simulate_extract_and_predict(run, tmp_path, cells, task1):
    made = run(
        *("simulate", tmp_path / "s", "--specimens", 2, "--json"),
        *("--set", "cells_min=60", "--set", "cells_max=60"),
    )
    assert made.returncode == 0, made.stderr
    cut = run("extract", tmp_path / "s", "--out", tmp_path / "cells", "--json")
    assert cut.returncode == 0, cut.stderr
    answer = json.loads(cut.stdout)
    assert answer["frames"] == 2
    assert answer["kept"] > 60
    assert answer["mended_masks"] == 0
    assert len(load_cell_set(tmp_path / "cells")) == answer["kept"]
    model = tmp_path / "m.safetensors"
    fitted = run(
        *("fit", "set-1", "--data", task1(cells), "--out", model, "--epochs", "1"),
        *(*SETTINGS, "--set", "vote_epochs=1"),
    )
    assert fitted.returncode == 0, fitted.stderr
    frame = tmp_path / "s" / "train" / "00001_p0.tif"
    told = run(
        *("predict", frame, "--mask", frame.with_name("00001_p0_Mask.tif")),
        *("--model", model, "--out", tmp_path / "found", "--json"),
    )
    assert told.returncode == 0, told.stderr
    verdict = json.loads(told.stdout)[0]
    assert verdict["mask"] == "given"
    assert verdict["cells"] > 20
    assert (tmp_path / "found" / "00001_p0_overlay.png").is_file()
    check_a_folder_with_onnx(run, tmp_path, model)


def check_a_folder_with_onnx(run, tmp_path, model):
    pytest.importorskip("onnxruntime")
    written = run("export", model, "--out", tmp_path / "m.onnx", "--json")
    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout)["bytes"] > 1000
    folder = tmp_path / "s"
    (folder / "train" / "00002_p0.tif").write_bytes(b"no image")
    words = ("predict", folder, "--out", tmp_path / "found", "--json", "--model")
    answers = []
    for name, backend in ((model, "torch"), (tmp_path / "m.onnx", "auto")):
        told = run(*words, name, "--backend", backend)
        assert told.returncode == 2
        assert "00002_p0.tif: this is not a TIFF, PNG, JPEG or BMP image" in told.stderr
        assert "Traceback" not in told.stderr
        answers.append(json.loads(told.stdout))
    first, second = answers
    assert [entry["frame"] for entry in first] == ["00001_p0", "00002_p0"]
    assert first[0]["shares"] == second[0]["shares"]
    assert first[1] == second[1]
    assert set(first[1]) == {"frame", "fault"}


def test_data_without_specimens(run, tmp_path, cells, task1):
    folder = task1(cells, specimens=False)
    done = run("run", "set-1", "--data", folder, "--out", tmp_path / "r", *SETTINGS)
    assert done.returncode == 2
    assert "specimens.csv" in done.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(("how", "workers"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)])
def test_interrupted_is_exit_code_3_and_resumes(run, tmp_path, data, how, workers):
    out = tmp_path / "run"
    words = ["run", "set-1", "--data", data, "--out", out, "--folds", "2"]
    words += ["--protocol", "group-k", "--epochs", "12", *SETTINGS]
    words += ["--workers", workers]
    process = subprocess.Popen(
        [sys.executable, "-m", "training", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    events = out / "events.jsonl"
    while time.monotonic() < deadline:
        if events.is_file() and '"epoch", ' in events.read_text():
            break
        time.sleep(0.02)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 3, errors
    assert "Traceback" not in errors
    assert events.read_text().splitlines()[-1].count('"stopped"') == 1
    resumed = run("resume", out, "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["n"] == 48
    starts = [
        event["epoch"]
        for line in events.read_text().splitlines()
        if (event := json.loads(line))["kind"] == "fold-started"
    ]
    assert np.max(starts) > 0
