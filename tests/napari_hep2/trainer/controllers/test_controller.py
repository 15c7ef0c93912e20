"""The verbs of the trainer, without a window."""

import os
import sys
import time
from pathlib import Path

import pytest

from napari_hep2.trainer import process as trainer_process
from napari_hep2.trainer.controllers.controller import (
    CostProbe,
    RunPlan,
    TrainerController,
    cost_sentence,
    free_run_folder,
)
from training.errors import BadRunError
from training.runs.experiments import EXPERIMENTS

FAKE = Path(__file__).parents[1] / "fake_trainer.py"


def wait_for(controller, status, seconds=10.0):
    end = time.monotonic() + seconds
    while controller.state is None or controller.state.status != status:
        controller.poll()
        assert time.monotonic() < end, f"still {controller.state}"
        time.sleep(0.01)


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "cells").mkdir()
    return RunPlan(EXPERIMENTS["set-1"], tmp_path / "cells", tmp_path / "run", {})


@pytest.fixture
def fake_commands(monkeypatch):
    """Let Start and Resume start the fake trainer with these options."""
    options = ["--pause", "0.02"]

    def command(*args):
        run = args[2] if len(args) > 1 else args[0]
        return [sys.executable, str(FAKE), str(run), *options]

    monkeypatch.setattr(trainer_process, "build_command", command)
    monkeypatch.setattr(trainer_process, "resume_command", command)
    return options


def test_only_what_differs_from_the_experiment_is_in_the_command(plan):
    own = EXPERIMENTS["set-1"]
    settings = {
        **own.classifier.model_dump(exclude={"name"}),
        **own.training_set.model_dump(),
        **own.protocol.model_dump(),
        "device": "auto",
        "workers": 0,
    }
    same = RunPlan(own, plan.data, plan.out, settings)
    assert same.options == {}
    changed = RunPlan(own, plan.data, plan.out, {**settings, "width": 0.5, "folds": 3})
    assert changed.options == {"width": 0.5}, "loso has one fold a specimen"
    grouped = RunPlan(own, plan.data, plan.out,
                      {**settings, "protocol": "group-k", "folds": 3})  # fmt: skip
    assert grouped.options == {"protocol": "group-k", "folds": 3}
    assert not grouped.leaky
    assert RunPlan(own, None, None, {"protocol": "k-fold"}).leaky


def test_the_forecast_asks_about_the_same_run_without_its_folder(plan):
    command = plan.forecast_command()
    assert command[-2:] == ["--forecast", "--json"]
    assert "--out" not in command
    assert str(plan.out) not in command
    assert str(plan.data) in command


@pytest.mark.parametrize(
    ("data", "out", "words"),
    [
        (None, "new", "Choose the folder of the cells"),
        ("missing", "new", "there is no such folder"),
        ("data", None, "Choose a new folder"),
        ("data", "file", "this is a file"),
        ("data", "run", "holds a run already"),
        ("data", "full", "not empty"),
        ("data", "log", ""),
        ("data", "new", ""),
    ],
)
def test_each_obstacle_has_its_sentence(tmp_path, data, out, words):
    for name in ("data", "run", "full", "log"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "run" / "config.yaml").touch()
    (tmp_path / "full" / "thesis.txt").touch()
    (tmp_path / "log" / "trainer.log").touch()
    folders = [tmp_path / name if name else None for name in (data, out)]
    found = RunPlan(EXPERIMENTS["set-1"], *folders, {}).obstacle()
    assert (words in found) if words else not found


def test_a_free_run_folder_is_the_first_that_does_not_exist(tmp_path):
    (tmp_path / "set-1-001").mkdir()
    assert free_run_folder(tmp_path, "set-1") == tmp_path / "set-1-002"
    assert free_run_folder(tmp_path / "none", "set-1").name == "set-1-001"


def test_start_stop_resume(plan, fake_commands):
    fake_commands += ["--epochs", "40"]
    controller = TrainerController()
    assert controller.state is None
    controller.start(plan)
    (plan.out / "config.yaml").touch()
    assert controller.state.status == "starting"
    wait_for(controller, "running")
    assert controller.busy
    assert not controller.can_resume
    controller.stop()
    wait_for(controller, "stopped")
    while controller.step is not None:
        controller.poll()
    assert controller.can_resume
    fake_commands[:] = ["--pause", "0", "--fail-first"]
    controller.resume()
    wait_for(controller, "done")
    assert controller.can_resume, "a fold failed and can be tried again"


def test_an_obstacle_keeps_it_from_starting(plan):
    with pytest.raises(BadRunError, match="no such folder"):
        TrainerController().start(
            RunPlan(plan.experiment, plan.data / "none", plan.out, {})
        )
    assert not plan.out.exists()


def test_attach_follows_a_run_that_another_window_started(plan, fake_commands):
    fake_commands += ["--epochs", "40"]
    first, second = TrainerController(), TrainerController()
    first.start(plan)
    wait_for(first, "running")
    second.attach(plan.out)
    wait_for(second, "running")
    second.stop()
    wait_for(second, "stopped")
    wait_for(first, "stopped")


def python(code):
    return [sys.executable, "-c", code]


def heard(probe, command):
    probe.ask(command)
    end = time.monotonic() + 10
    while not probe.poll():
        assert time.monotonic() < end
        time.sleep(0.01)
    return probe.text


COST = '{"folds": 83, "image_steps": 55744000, "images_per_second": 800.0, "hours": 1}'


def test_the_cost_is_told_in_a_sentence():
    text = heard(CostProbe(), python(f"print('''{COST}''')"))
    assert text == (
        "83 folds, 55.7 million training images; about 19 h 21 min on this machine at "
        "800 images a second, measured just now."
    )
    few = {"folds": 3, "image_steps": 9000, "images_per_second": 900}
    assert "9,000 training images; about 10 s" in cost_sentence(few)
    guessed = cost_sentence({**few, "measured": False})
    assert "about 10 s at the speed of another machine" in guessed
    named = cost_sentence(
        {**few, "specimens": "2 specimens by column 'Serum': 2 Golgi"}
    )
    assert named.endswith("measured just now. 2 specimens by column 'Serum': 2 Golgi.")
    offered = cost_sentence({**few, "pilot": "--pilot 12 takes 3 s"})
    assert offered.endswith("measured just now. --pilot 12 takes 3 s.")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('data: it is empty; choose another.')", "it is empty"),
        ("print('not json')", "could not be read: not json"),
        ("import sys; sys.exit(2)", "could not be estimated"),
    ],
)
def test_a_fault_of_the_forecast_is_a_sentence(code, words):
    assert words in heard(CostProbe(), python(code))


def test_a_new_question_ends_the_one_before(tmp_path):
    probe = CostProbe()
    mark = tmp_path / "pid"
    code = f"import os,time; open({str(mark)!r},'w').write(str(os.getpid()))"
    probe.ask(python(code + "; time.sleep(60)"))
    end = time.monotonic() + 10
    while not (mark.exists() and mark.read_text()) and time.monotonic() < end:
        time.sleep(0.01)
    probe.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
    assert not probe.asking
    assert not probe.poll()
