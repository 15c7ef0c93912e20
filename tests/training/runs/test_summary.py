"""A run in one line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from training.runs.figures import load_metrics
from training.runs.folder import EVENTS, RunFolder
from training.runs.summary import (
    RunSummary,
    newest_first,
    summarise_run,
    summary_content,
)


def test_a_finished_run_has_its_date_and_accuracy(run, config):
    found = summarise_run(run)
    metrics, _ = load_metrics(run)
    assert found.is_finished
    assert found.mean_class_accuracy == metrics.mean_class_accuracy
    assert found.interval == metrics.interval
    assert (found.experiment, found.protocol) == (
        config.experiment,
        config.protocol.protocol,
    )
    assert found.folds_done == found.folds > 0
    first = json.loads((run.path / EVENTS).read_text().splitlines()[0])
    assert found.started == datetime.fromisoformat(first["time"])
    assert json.loads(json.dumps(summary_content(found)))["path"] == str(run.path)


def test_of_an_unfinished_run_no_accuracy_is_told(run):
    events = run.path / EVENTS
    lines = events.read_text().splitlines(keepends=True)
    events.write_text("".join(lines[:-1]))
    found = summarise_run(run)
    assert (found.state, found.is_finished) == ("vanished", False)
    assert found.mean_class_accuracy is None


@pytest.mark.parametrize("name", ["metrics.json", "config.yaml"])
def test_a_damaged_run_says_what_is_wrong(run, name):
    (run.path / name).write_text("{")
    if name == "config.yaml":
        (run.path / EVENTS).unlink()
    found = summarise_run(RunFolder(run.path))
    assert found.state == "damaged"
    assert name in found.fault


def test_the_newest_is_first_and_the_undated_last():
    old, new = (
        RunSummary(Path(name), datetime(year, 1, 1, tzinfo=UTC))
        for name, year in (("old", 2025), ("new", 2026))
    )
    undated = RunSummary(Path("undated"))
    assert newest_first([undated, old, new]) == [new, old, undated]
