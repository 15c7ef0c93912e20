"""The plugin's side against the real command line, on simulated specimens."""

import json
import sys
import time

import pytest
from typer.testing import CliRunner

from napari_hep2.trainer import process as tp
from napari_hep2.trainer.controllers.controller import (
    CostProbe,
    RunPlan,
    TrainerController,
)
from training.cli import app
from training.config import SimulationSettings
from training.config.commands import PROGRAM
from training.data.simulation import simulate
from training.runs.experiments import EXPERIMENTS
from training.runs.folder import LOG, RunFolder

SETTINGS = {
    "protocol": "k-fold", "folds": 2, "epochs": 4, "width": 0.05, "workers": 1,
    "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def specimens(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "specimens"
    small = SimulationSettings(
        specimens=6, cells_min=6, cells_max=10, height=400, width=400
    )
    list(simulate(out, small))
    return out


@pytest.fixture
def plan(specimens, tmp_path, monkeypatch):
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return RunPlan(EXPERIMENTS["set-1"], specimens, tmp_path / "run", SETTINGS)


def wait_until(controller, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        controller.poll()
        assert time.monotonic() < end, (
            controller.state,
            tp.last_words(controller.run / LOG),
        )
        time.sleep(0.02)


def test_start_stop_resume_and_the_same_numbers_on_both_sides(plan):
    controller = TrainerController()
    controller.start(plan)
    try:
        wait_until(controller, lambda: any(f.curve for f in states(controller)))
        controller.stop()
        wait_until(controller, lambda: not controller.busy and controller.step is None)
        assert controller.state.status == "stopped"
        assert not RunFolder(plan.out).is_running()
        controller.resume()
        wait_until(controller, lambda: controller.state.status != "starting")
        wait_until(controller, lambda: not controller.busy)
    finally:
        tp.stop(plan.out, controller._shown.follower.handle, grace=0)
    state = controller.state
    assert state.status == "done", state.message
    assert state.leaky
    assert controller.unreadable == 0
    assert [len(fold.curve) for fold in state.folds.values()] == [4, 4]
    told = CliRunner().invoke(app, ["status", str(plan.out), "--json"])
    metrics = json.loads(told.stdout)["metrics"]
    assert metrics["n"] == state.metrics.n == sum(f.n for f in states(controller))
    assert metrics["mean_class_accuracy"] == state.metrics.mean_class_accuracy
    assert RunFolder(plan.out).state().metrics == state.metrics


def test_the_real_forecast_is_understood(plan):
    """What the command tells, told again by a script: torch is loaded here already."""
    program, *words = plan.forecast_command()
    assert program == PROGRAM
    told = CliRunner().invoke(app, words).stdout
    assert json.loads(told)["folds"] == SETTINGS["folds"]
    probe = CostProbe()
    probe.ask([sys.executable, "-c", f"print({told!r})"])
    end = time.monotonic() + 60
    while not probe.poll():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert probe.text.startswith("2 folds, "), probe.text
    assert "images a second" in probe.text


def states(controller):
    return list(controller.state.folds.values())
