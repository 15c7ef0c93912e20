"""A fit of a model that was cut off goes on, to the same model."""

import json
import math
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from training.cli import app
from training.errors import InterruptedRunError, RunLockedError
from training.inference.model_file import load_model
from training.models.networks.checkpoints import CHECKPOINT
from training.runs.final_fit import fit_model, kept_fit
from training.storage.locks import locked

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models" / "tiny.safetensors"


@pytest.fixture
def network(tiny_network):
    """Four epochs with a running mean of the weights; the last two vote."""
    changed = {"epochs": 4, "weight_average": 0.9, "augmentation": "d4"}
    return tiny_network.model_copy(update=changed)


def begin_fit(path, cells, network, epochs):
    """Fit and be interrupted after some epochs."""
    records = fit_model("tiny", cells, network, path, device="cpu")
    for _ in range(epochs):
        next(records)
    with pytest.raises(InterruptedRunError):
        records.throw(InterruptedRunError("it", "it was interrupted", "resume"))


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_it_goes_on_to_the_same_model(path, tmp_path, cells, network, epochs):
    begin_fit(path, cells, network, epochs)
    assert not path.exists()
    records = list(fit_model("tiny", cells, network, path, device="cpu"))
    assert [record.epoch for record in records] == [1, 2, 3, 4]
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "tiny.json",
        "tiny.safetensors",
    ]
    whole = tmp_path / "whole.safetensors"
    straight = list(fit_model("tiny", cells, network, whole, device="cpu"))
    assert [r.loss for r in straight] == [r.loss for r in records]
    assert path.read_bytes() == whole.read_bytes()
    assert len(load_model(path, "cpu").voters) == network.vote_epochs


def test_after_its_last_epoch_only_the_model_is_to_be_written(path, cells, network):
    begin_fit(path, cells, network, 4)
    records = list(fit_model("tiny", cells, network, path, device="cpu"))
    assert len(records) == 4
    assert load_file(path)


def test_another_fit_in_its_place_begins_anew(path, cells, network, make_cells):
    begin_fit(path, cells, network, 3)
    other = network.model_copy(update={"learning_rate": 0.01})
    next(fit_model("tiny", cells, other, path, device="cpu"))
    assert not (path.with_suffix(".fit") / "checkpoint.previous.safetensors").exists()
    begin_fit(path, cells, other, 2)
    changed = make_cells(seed=1)
    first = next(fit_model("tiny", changed, other, path, device="cpu"))
    assert first.epoch == 1
    assert (path.with_suffix(".fit") / CHECKPOINT).exists()


def test_a_damaged_description_begins_anew(path, cells, network):
    begin_fit(path, cells, network, 2)
    (path.with_suffix(".fit") / "fit.json").write_text("{")
    begin_fit(path, cells, network, 1)
    assert not (path.with_suffix(".fit") / "checkpoint.previous.safetensors").exists()


def test_one_fits_a_model_at_a_time(path, cells, network):
    folder = path.with_suffix(".fit")
    folder.mkdir(parents=True)
    with locked(folder), pytest.raises(RunLockedError, match="another process"):
        next(fit_model("tiny", cells, network, path, device="cpu"))


def test_what_is_kept_goes_only_with_the_model_written(path):
    fault = RuntimeError("in mid-fit")
    held = kept_fit(path, {"a": 1})
    (held.__enter__() / CHECKPOINT).write_bytes(b"x")
    assert held.__exit__(type(fault), fault, None) is False
    with kept_fit(path, {"a": 1}) as folder:
        assert (folder / CHECKPOINT).read_bytes() == b"x"
    assert not folder.exists()


def written(path):
    """Return when a file was written; 0 where it is being replaced or never was."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def end(words, kept, how):
    """Start a command, end it when it has kept another epoch; return words and code."""
    before = written(kept)
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while written(kept) <= before:
        assert started.poll() is None, started.communicate()
        time.sleep(0.01)
    started.send_signal(how)
    return started.communicate()[1].decode(), started.returncode


def test_a_command_that_is_ended_goes_on(tmp_path, cells, task1):
    data, out = task1(cells), tmp_path / "m.safetensors"
    kept = out.with_suffix(".fit") / CHECKPOINT
    words = [
        *(sys.executable, "-m", "training", "fit", "modern", "--data", str(data)),
        *("--out", str(out), "--epochs", "6", "--device", "cpu", "--json"),
        *("--set", "batch_size=8", "--set", "width=0.2"),
    ]
    said, code = end(words, kept, signal.SIGINT)
    assert "repeat the command to continue from its last epoch" in said
    assert code == 3
    assert end(words, kept, signal.SIGKILL)[1] == -signal.SIGKILL
    assert not out.exists()
    done = CliRunner().invoke(app, words[3:])
    assert json.loads(done.stdout)["name"] == "m"
    card = load_model(out, "cpu").card
    assert card.classifier.epochs == 6
    # The masks are all nucleus: as large as a circle of the area of the image.
    assert card.nucleus_share == pytest.approx(2 / math.sqrt(math.pi))
    assert not kept.parent.exists()
