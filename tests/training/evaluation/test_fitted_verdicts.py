"""From a run by commands alone to a model whose verdicts are probabilities."""

import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from training.cli import app
from training.patterns import I3A

SIMULATED = ("cells_min=14", "cells_max=16", "height=300", "width=420")
FOLDS = ("--protocol", "group-k", "--folds", "2", "--workers", "1")
TINY = ("width=0.04", "input_size=32", "batch_size=16", "vote_epochs=1")


def call(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


def changes(*pairs):
    return [word for pair in pairs for word in ("--set", pair)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with `data`, a finished `run` on it, and `model` measured by it."""
    folder = tmp_path_factory.mktemp("fitted")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEP2_CACHE", str(folder / "cache"))
        patterns = f"patterns={','.join(I3A.names)}"
        kind = changes(*SIMULATED, patterns)
        call("simulate", folder / "data", "--specimens", 12, "--seed", 3, *kind)
        recipe = ["set-1-normalised", "--data", folder / "data", "--device", "cpu"]
        recipe += ["--epochs", 1, *changes(*TINY)]
        call("run", *recipe, "--out", folder / "run", *FOLDS)
        model = folder / "model.safetensors"
        call("fit", *recipe, "--out", model, "--measured", folder / "run")
    torch.set_num_threads(threads)
    return folder


def by_hand(scores, constants):
    """What docs/methods.md says of a specimen's probability, written out."""
    n = len(scores)
    effective = n / (1 + (n - 1) * constants["correlation"])
    logs = [
        effective / constants["temperature"] * sum(map(math.log, column)) / n
        for column in scores.T.tolist()
    ]
    weights = [math.exp(one - max(logs)) for one in logs]
    return [one / sum(weights) for one in weights]


def scores_of(table):
    columns = [f"score_{name}" for name in I3A.names]
    return table.loc[table["dropped"].isna(), columns].to_numpy(np.float64)


def test_fit_puts_the_verdict_of_the_run_on_the_card(made):
    fitted = json.loads((made / "run" / "verdict.json").read_text())
    card = json.loads((made / "model.json").read_text())
    assert card["verdict"] == fitted
    assert fitted["specimens"] == 12
    assert fitted["figures"]["specimens"] == 12
    assert fitted["data_fingerprint"] == card["data_fingerprint"]


def test_predict_tells_the_probability_of_the_fitted_verdict(made, tmp_path):
    constants = json.loads((made / "run" / "verdict.json").read_text())
    frame = made / "data" / "train" / "00003_p0.tif"
    model, out = made / "model.safetensors", tmp_path / "found"
    mask = frame.with_name("00003_p0_Mask.tif")
    words = ["predict", frame, "--mask", mask, "--model", model, "--out", out]
    (said,) = json.loads(call(*words, "--device", "cpu", "--json"))
    table = pd.read_csv(out / "00003_p0_cells.csv")
    expected = by_hand(scores_of(table), constants)
    told = [said["probabilities"][name] for name in I3A.names]
    assert told == pytest.approx(expected, abs=2e-3)
    assert said["scores"] != said["probabilities"]


def test_a_report_tells_the_probability_of_the_fitted_verdict(made, tmp_path):
    constants = json.loads((made / "run" / "verdict.json").read_text())
    model, out = made / "model.safetensors", tmp_path / "reports"
    words = ["specimens", made / "data", "--model", model, "--out", out]
    worklist = json.loads(call(*words, "--only", "5", "--device", "cpu", "--json"))
    (row,) = worklist["specimens"]
    table = pd.read_csv(out / "5" / "cells.csv")
    expected = by_hand(scores_of(table), constants)
    told = [row["probabilities"][name] for name in I3A.names]
    assert told == pytest.approx(expected, abs=2e-3)
    assert row["doubt"] == pytest.approx(1 - max(expected), abs=2e-3)
    page = (out / "5" / "report.html").read_text()
    assert "calibrated on 12 held-out specimens" in page
    assert "no probability" not in page
    assert worklist["model"]["verdict_figures"] == constants["figures"]


def test_an_onnx_model_makes_the_same_report_without_maps(made, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    alone = tmp_path / "alone" / "model.onnx"
    alone.parent.mkdir()
    call("export", made / "model.safetensors", "--out", alone)
    contents = []
    for model in (made / "model.safetensors", alone):
        out = tmp_path / model.suffix[1:]
        words = ["specimens", made / "data", "--model", model, "--out", out]
        call(*words, "--only", "2", "--device", "cpu")
        contents.append(json.loads((out / "2" / "verdict.json").read_text()))
    as_torch, as_onnx = contents
    for told in ("probabilities", "shares"):
        assert as_onnx[told] == pytest.approx(as_torch[told], abs=1e-3)
    assert as_onnx["withheld"] == as_torch["withheld"]
    assert "Only a network in a safetensors file" in " ".join(as_onnx["notes"])
    assert all(one["views"] is not None for one in as_onnx["doubtful"])
    pages = [
        (tmp_path / kind / "2" / "report.html").read_text()
        for kind in ("safetensors", "onnx")
    ]
    assert ["where the network looked" in page for page in pages] == [True, False]
    assert pages[1].count("data:image/jpeg") == 2


def test_an_onnx_report_does_not_load_torch(made, tmp_path):
    pytest.importorskip("onnxruntime")
    call("export", made / "model.safetensors", "--out", tmp_path / "model.onnx")
    words = ["specimens", str(made / "data"), "--model", str(tmp_path / "model.onnx")]
    words += ["--out", str(tmp_path / "out"), "--only", "2"]
    code = (
        "import sys; from training.cli import main\n"
        f"sys.argv = ['hep2', *{words!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("False"), done.stdout + done.stderr
    assert (tmp_path / "out" / "2" / "report.html").is_file()
