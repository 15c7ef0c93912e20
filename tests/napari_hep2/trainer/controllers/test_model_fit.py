"""The fit of a model from a finished run, in a process of its own."""

import sys
import time

import pytest

from napari_hep2.trainer import process as trainer_process
from napari_hep2.trainer.controllers.model_fit import ModelFit
from training.inference.cards import read_card
from training.runs.figures import measured_sentence
from training.runs.folder import RunFolder


def wait(fit, seconds=60.0):
    end = time.monotonic() + seconds
    while not fit.poll():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_model_has_the_recipe_and_the_figures_of_its_run(study, tmp_path):
    run = min(study[1].iterdir())
    fit = ModelFit()
    fit.start(run, tmp_path / "mine.safetensors")
    assert fit.running
    wait(fit)
    assert (fit.fault, fit.running) == ("", False)
    card = read_card(tmp_path / "mine.json")
    assert card.classifier == RunFolder(run).config().classifier
    assert card.measured.startswith(measured_sentence(RunFolder(run)))
    assert not fit.log.exists()


@pytest.fixture
def stand_in(monkeypatch):
    """Fit with a script in place of the command."""

    def use(code):
        words = [sys.executable, "-c", code]
        monkeypatch.setattr(trainer_process, "fit_command", lambda run, out: words)

    return use


def test_a_fit_that_fails_says_why(stand_in, tmp_path):
    stand_in("import sys; sys.exit('cells.csv: it is empty; choose another.')")
    fit = ModelFit()
    fit.start(tmp_path, tmp_path / "mine.safetensors")
    wait(fit)
    assert fit.fault == "cells.csv: it is empty; choose another."


def test_a_fit_can_be_stopped(stand_in, tmp_path):
    stand_in("import time; time.sleep(60)")
    fit = ModelFit()
    fit.start(tmp_path, tmp_path / "mine.safetensors")
    fit.stop()
    wait(fit)
    assert "was stopped" in fit.fault
