"""Sentences about a run, word for word."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from napari_hep2.trainer.words import (
    LEAKY,
    accuracy_sentence,
    duration,
    run_columns,
    run_tip,
    status_sentence,
    warnings,
)
from training.runs.replay import FoldState, Metrics, RunState
from training.runs.summary import RunSummary


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (3580, "1 h"),
        (7500, "2 h 5 min"),
        (3 * 86400, "3.0 days"),
    ],
)
def test_a_time_is_said_as_a_person_says_it(seconds, text):
    assert duration(seconds) == text


def run_state(**changes):
    folds = {
        "a": FoldState("a", status="done"),
        "b": FoldState("b", status="running"),
    }
    return replace(RunState(folds=folds), **changes)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("starting", "is starting and reading"),
        ("running", "1 of 2 folds are done, 1 in training."),
        ("stopping", "ends within one batch"),
        ("stopped", "Resume continues from the last complete epoch"),
        ("done", "1 of 2 folds are done in 2 min."),
        ("failed", "disk full"),
        ("vanished", "killed or crashed; 1 of 2 folds are done"),
    ],
)
def test_every_state_has_a_sentence(status, words):
    state = run_state(status=status, seconds=100.0, message="disk full")
    assert words in status_sentence(state)


def test_a_trainer_that_is_being_killed_is_told_apart():
    state = run_state(status="stopping")
    assert "being terminated" in status_sentence(state, "killed")
    assert "being terminated" not in status_sentence(state, "asked")


def test_leaky_protocols_failed_folds_and_notes_are_told():
    folds = {"a": FoldState("a", status="failed")}
    state = RunState(leaky=True, folds=folds, notes=("3 specimens were merged",))
    first, second, third, fourth = warnings(state, unreadable=2)
    assert first == LEAKY
    assert "optimistic" in first
    assert second.startswith("1 fold failed")
    assert third.startswith("2 lines of the events")
    assert fourth == "3 specimens were merged."
    assert warnings(RunState()) == []


def test_a_number_never_travels_alone():
    metrics = Metrics(
        n=1234, mean_class_accuracy=0.784, interval=(0.721, 0.84),
        rates={"Golgi": 0.784}, specimens={"Golgi": 23},
    )  # fmt: skip
    assert accuracy_sentence(metrics) == (
        "95 % interval over specimens 72.1 to 84.0 %; "
        "1,234 held-out cells of 23 specimens."
    )
    part = replace(metrics, rates={"Golgi": 0.784, "NuMem": None})
    assert accuracy_sentence(part).endswith("of 23 specimens, over 1 of 2 patterns.")
    assert "too few specimens for an interval" in accuracy_sentence(
        replace(metrics, interval=None)
    )
    undefined = replace(metrics, mean_class_accuracy=None, rates={"Golgi": None})
    assert "Not defined yet: no held-out cell of Golgi" in accuracy_sentence(undefined)
    assert "there are no figures" in accuracy_sentence(Metrics())


def test_a_run_of_a_list_and_its_tip():
    started = datetime(2024, 3, 9, 12, tzinfo=UTC)
    run = RunSummary(
        Path("runs/a"), started, "set-1", "k-fold", "done", True, 5, 5, True,
        0.8125, (0.7, 0.9),
    )  # fmt: skip
    assert run_columns(run) == (
        "a", "9 Mar 2024", "set-1", "81.2 (70 to 90), optimistic",
    )  # fmt: skip
    assert "95 % over specimens: 70.0 to 90.0" in run_tip(run)
    assert run_tip(run).endswith(LEAKY)


def test_a_run_without_figures_says_how_far_it_is():
    begun = RunSummary(Path("a"), None, "set-1", "loso", "stopped", False, 3, 83)
    assert run_columns(begun) == ("a", "", "set-1", "stopped, 3 of 83 folds")
    damaged = RunSummary(Path("a"), fault="config.yaml: it is damaged; repair it.")
    assert run_columns(damaged)[3] == "damaged"
    assert run_tip(damaged) == damaged.fault
