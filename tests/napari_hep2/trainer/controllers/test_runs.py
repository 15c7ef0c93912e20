"""The verbs on the runs of a folder, without a window."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from napari_hep2.jobs import run_here
from napari_hep2.trainer.controllers.runs import RunsController
from napari_hep2.trainer.state import RunsState
from training.errors import BadRunError
from training.runs.figures import compare_runs
from training.runs.folder import EVENTS, RunFolder


@pytest.fixture
def verbs(study):
    controller = RunsController(RunsState())
    run_here(controller.list_job(study[1]))
    return controller


def paths(state):
    return [run.path for run in state.runs]


def test_runs_are_listed_with_the_newest_first(verbs, study):
    dates = [run.started for run in verbs.state.runs]
    assert len(dates) == 3
    assert dates == sorted(dates, reverse=True)
    assert all(run.is_finished and run.interval for run in verbs.state.runs)
    assert verbs.command() == f"hep2 runs {study[1]}"


def test_of_a_run_its_folder_is_listed_and_an_empty_folder_is_empty(verbs, tmp_path):
    run = paths(verbs.state)[0]
    folder = verbs.state.folder
    run_here(verbs.list_job(tmp_path))
    assert (verbs.state.folder, verbs.state.runs) == (tmp_path, ())
    run_here(verbs.list_job(run))
    assert verbs.state.folder == folder
    assert run in paths(verbs.state)


def test_two_finished_runs_are_compared_the_older_first(verbs):
    newest, _, oldest = paths(verbs.state)
    run_here(verbs.choose([newest, oldest]))
    pair = verbs.state.pair
    assert (pair.first, pair.second) == (oldest.name, newest.name)
    assert pair.difference == compare_runs(RunFolder(oldest), RunFolder(newest))
    one, other = pair.metrics
    gained = other.mean_class_accuracy - one.mean_class_accuracy
    assert pair.difference.difference == pytest.approx(gained)
    assert verbs.command() == f"hep2 report {oldest} {newest}"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_other_choices_compare_nothing(verbs, count):
    run_here(verbs.choose(paths(verbs.state)[:2]))
    assert verbs.state.pair is not None
    assert verbs.choose(paths(verbs.state)[:count]) is None
    assert verbs.state.pair is None


def test_a_comparison_that_comes_late_is_left_aside(verbs):
    job = verbs.choose(paths(verbs.state)[:2])
    verbs.choose(paths(verbs.state)[:1])
    run_here(job)
    assert verbs.state.pair is None


def test_runs_of_other_cells_are_refused(verbs):
    path = paths(verbs.state)[0] / "predictions.csv"
    text = path.read_text()
    path.write_text("\n".join(text.splitlines()[:-1]))
    try:
        with pytest.raises(BadRunError, match="held out in only one"):
            run_here(verbs.choose(paths(verbs.state)[:2]))
    finally:
        path.write_text(text)


def test_a_report_is_written_for_each_and_shown(verbs):
    chosen = paths(verbs.state)[:2]
    run_here(verbs.choose(chosen))
    shown = []
    run_here(verbs.report_job(shown.append))
    assert shown == [run / "report.html" for run in reversed(chosen)]
    assert all("<html" in page.read_text()[:200] for page in shown)


def test_of_an_unfinished_run_there_is_no_report(verbs, tmp_path):
    run = tmp_path / "begun"
    run.mkdir()
    (run / "config.yaml").touch()
    event = {
        "time": datetime.now(UTC).isoformat(), "kind": "run-started",
        "experiment": "set-1", "protocol": "loso", "leaky": False, "epochs": 1,
        "patterns": ["Golgi"], "device": "cpu", "workers": 1, "folds": [],
    }  # fmt: skip
    (run / EVENTS).write_text(json.dumps(event) + "\n")
    run_here(verbs.list_job(tmp_path))
    assert verbs.choose([run]) is None
    assert verbs.report_job(Path.exists) is None


def test_the_run_that_is_followed_is_chosen_once_it_is_there(verbs, tmp_path):
    wanted, folder = paths(verbs.state)[1], verbs.state.folder
    run_here(verbs.list_job(tmp_path))
    verbs.follow(wanted)
    assert verbs.state.chosen == ()
    run_here(verbs.list_job(folder))
    assert [run.path for run in verbs.state.chosen] == [wanted]


def test_a_run_that_went_on_is_read_again(verbs):
    first = verbs.state.runs
    run_here(verbs.list_job(verbs.state.folder))
    assert all(a is b for a, b in zip(first, verbs.state.runs, strict=True))
    events = first[0].path / EVENTS
    text = events.read_text()
    events.write_text(text + "\n")
    try:
        run_here(verbs.list_job(verbs.state.folder))
        assert verbs.state.runs[0] is not first[0]
    finally:
        events.write_text(text)
