"""How often the metrics of a run are told while its folds are trained."""

import json

import numpy as np
import pytest

from training.config import ProtocolSettings
from training.runs import running_metrics as module
from training.runs.execution import execute, start_run
from training.runs.fold_result import FoldResult
from training.runs.folder import RunFolder
from training.runs.running_metrics import HeldOutCounts, RunningMetrics

pytestmark = pytest.mark.usefixtures("one_thread")


class Clock:
    """Seconds that pass only where a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def running_metrics(
    tmp_path, cells, config, folds, clock, monkeypatch, cost, awaited=()
):
    """Metrics of a run whose folds are read from memory and cost `cost` to measure."""
    run = RunFolder.create(tmp_path / "run", config, "fingerprint")
    rows = np.arange(len(cells)).reshape(-1, 4)

    def read(folder, *_shape):
        its = rows[int(folder.name)]
        scores = np.eye(6, dtype=np.float32)[cells.patterns[its]]
        return FoldResult(its, scores, np.zeros(4, np.float32), ())

    class Slow(HeldOutCounts):
        def measure(self):
            clock.now += cost
            return super().measure()

    monkeypatch.setattr(module, "read_result", read)
    monkeypatch.setattr(module, "HeldOutCounts", Slow)
    return RunningMetrics(run, cells, folds, awaited, clock)


def test_few_folds_are_measured_after_each(tmp_path, cells, config, monkeypatch):
    clock = Clock()
    given = tmp_path, cells, config, 99, clock, monkeypatch, 1e9
    metrics = running_metrics(*given)
    for name in "012":
        metrics.add(name)
        assert metrics.due()
        assert [event["kind"] for event in metrics.tell()] == ["metrics"]


def test_no_headline_before_each_pattern_has_a_fold(
    tmp_path, cells, config, monkeypatch
):
    """Two specimens of each of six patterns; the first ten folds know no Golgi."""
    given = tmp_path, cells, config, 12, Clock(), monkeypatch, 0.0
    metrics = running_metrics(*given, awaited=range(6))
    told = []
    for fold in range(12):
        metrics.add(str(fold))
        told += [(e["mean_class_accuracy"], e["interval"]) for e in metrics.tell()]
    assert told[:10] == [(None, None)] * 10
    assert [mean for mean, _ in told[10:]] == [1.0, 1.0]
    assert told[11][1] is not None


def test_many_folds_are_measured_in_a_hundredth_of_the_time(
    tmp_path, cells, config, monkeypatch
):
    clock = Clock()
    given = tmp_path, cells, config, 100, clock, monkeypatch, 1.0
    metrics = running_metrics(*given)
    told = []
    for fold in range(12):
        clock.now += 40
        metrics.add(str(fold))
        if metrics.due():
            told += [event["folds_done"] for event in metrics.tell()]
    # At 40 s nothing was spent; a second was, so that the next is due from 100 s on.
    assert told == [1, 3, 5, 8, 10]
    assert [event["folds_done"] for event in metrics.tell()] == [12]
    assert not list(metrics.tell()), "there is nothing new to tell"


def test_the_last_fold_is_measured_however_many_there_are(
    tmp_path, config, monkeypatch
):
    monkeypatch.setattr(module, "FEW_FOLDS", 0)
    monkeypatch.setattr(module, "METRICS_SHARE", 0.0)
    protocol = ProtocolSettings(protocol="loso")
    run = start_run(tmp_path / "run", config.model_copy(update={"protocol": protocol}))
    list(execute(run))
    told = [e["folds_done"] for e in run.events() if e["kind"] == "metrics"]
    assert told == [1, 12]
    kinds = [event["kind"] for event in run.events()]
    assert kinds[-3:] == ["fold-done", "metrics", "run-done"]
    last = run.status().metrics
    written = json.loads((run.path / "metrics.json").read_text())
    assert {key: last[key] for key in ("n", "interval", "confusion")} == {
        key: written[key] for key in ("n", "interval", "confusion")
    }
