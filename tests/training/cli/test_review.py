"""The commands from review to experiment and back, in this process."""

import json

import pytest
from typer.testing import CliRunner

from training.cli import app
from training.config import ProtocolSettings
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.runs.execution import execute, start_run
from training.runs.folder import RunConfig

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(cell_folder, make_cells):
    return cell_folder(make_cells((8, 8, 0, 0, 0, 0)))


@pytest.fixture
def run(tmp_path, folder, tiny_network):
    config = RunConfig(
        experiment="set-1",
        data=str(folder),
        classifier=tiny_network.model_copy(update={"epochs": 2}),
        protocol=ProtocolSettings(protocol="group-k", folds=2),
        device="cpu",
        workers=1,
    )
    started = start_run(tmp_path / "run", config)
    list(execute(started))
    with DecisionStore(folder / STORE, "ann") as store:
        store.decide(["cell0"], "relabelled", "Golgi")
    return started


def call(*words):
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_stale_and_rescore(run):
    (one,) = json.loads(call("stale", run.path, "--json"))
    assert one["state"] == "stale"
    assert one["cells"] == [
        {"id": "cell0", "specimen": "00", "before": "Homogeneous", "now": "Golgi"}
    ]
    assert sorted(fold["stale"] for fold in one["folds"]) == [False, True]
    shown = call("stale", run.path)
    assert "1 cells have changed: 1 of 2 folds trained on some, 1 hold some out" in (
        " ".join(shown.split())
    )
    assert "only its metrics" in shown
    content = json.loads(call("rescore", run.path, "--json"))
    assert (content["relabelled"], content["n"]) == (1, 64)
    assert "1 cells have another label" in call("rescore", run.path)


def test_label_errors(run):
    content = json.loads(call("label-errors", run.path, "--top", "3", "--json"))
    assert content["cells"] == 64
    assert len(content["queue"]) == 3
    suspicion = [row["suspicion"] for row in content["queue"]]
    assert suspicion == sorted(suspicion, reverse=True)
    shown = call("label-errors", run.path, "--top", "2")
    assert content["queue"][0]["id"] in shown
    assert content["queue"][2]["id"] not in shown.split()


def test_label_errors_with_the_views_of_a_model(tmp_path, run, folder):
    model = tmp_path / "model.safetensors"
    small = ("width=0.04", "input_size=32", "batch_size=16", "vote_epochs=1")
    words = [word for pair in small for word in ("--set", pair)]
    call("fit", "set-1", "--data", folder, "--out", model, "--epochs", 1, *words)
    words = ("--top", "2", "--model", model, "--device", "cpu")
    content = json.loads(call("label-errors", run.path, *words, "--json"))
    for row in content["queue"]:
        assert 0 <= row["view_spread"] <= 1
        assert row["model_saw_specimen"]
    assert "orientations differ" in call("label-errors", run.path, *words)


def test_learning_curve_of_planned_runs_and_of_finished_ones(tmp_path, folder):
    settings = ("width=0.04", "input_size=32", "batch_size=16", "vote_epochs=1")
    words = [word for pair in settings for word in ("--set", pair)]
    words += ["--experiment", "set-1", "--seeds", "1", "--shares", "0.5,1"]
    words += ["--folds", "2", "--epochs", "1", "--workers", "1", "--device", "cpu"]
    out = tmp_path / "curve"
    first = call("learning-curve", "--data", folder, "--out", out, *words, "--json")
    content = json.loads(first)
    assert [point["cells"] for point in content["points"]] == [16, 32, 16, 32]
    again = call("learning-curve", *content["runs"], "--out", tmp_path / "again")
    assert content["sentence"] in " ".join(again.split())
    page = (tmp_path / "again" / "learning-curve.html").read_text()
    assert "simulated" not in page


def test_learning_curve_takes_runs_or_data(tmp_path):
    from training.errors import BadSettingError

    with pytest.raises(BadSettingError, match="takes runs or --data"):
        call("learning-curve", "--out", tmp_path)


def test_the_views_of_a_cell_folder(tmp_path, folder):
    model, out = tmp_path / "model.safetensors", tmp_path / "views.csv"
    small = ("width=0.04", "input_size=32", "batch_size=16", "vote_epochs=1")
    words = [word for pair in small for word in ("--set", pair)]
    call("fit", "set-1", "--data", folder, "--out", model, "--epochs", 1, *words)
    words = ("views", folder, "--model", model, "--device", "cpu", "--out", out)
    content = json.loads(call(*words, "--top", "3", "--json"))
    assert (content["cells"], content["seen"]) == (64, 64)
    spread = [row["view_spread"] for row in content["queue"]]
    assert spread == sorted(spread, reverse=True)
    assert len(spread) == 3
    assert len(out.read_text().splitlines()) == 65
    assert f"{content['queue'][0]['id']} (specimen " in call(*words)


def test_a_folder_of_runs_is_taken_for_its_runs(run):
    (one,) = json.loads(call("stale", run.path.parent, "--json"))
    assert one["run"] == str(run.path)


def test_runs_are_listed_with_their_accuracy(run):
    (one,) = json.loads(call("runs", run.path.parent, "--json"))
    assert (one["state"], one["experiment"]) == ("done", "set-1")
    assert f"{100 * one['mean_class_accuracy']:.1f}" in call("runs", run.path)
