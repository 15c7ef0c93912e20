"""The run's process against a cluster that does what a test tells it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from training.config import TrainingSetSettings
from training.errors import EngineError, InterruptedRunError
from training.runs.engines import ATTEMPTS, FoldTask, remote
from training.runs.engines.remote import RemoteRun
from training.runs.engines.spool import Attempt, Spool
from training.splits.protocols import Fold

DONE = {"kind": "fold-done", "fold": "", "n": 1, "correct": 1}
DIED = {"kind": "died", "message": "killed"}


@dataclass
class FakeJob:
    outcome_: dict[str, object] | None
    cancelled: bool = False

    def done(self):
        return self.outcome_ is not None

    def outcome(self):
        return self.outcome_

    def cancel(self):
        self.cancelled = True


@dataclass
class FakeCluster:
    """Gives each try of a fold the next of its outcomes; None goes on for ever."""

    outcomes: dict[str, list]
    size: int = 2
    jobs: list = field(default_factory=list)
    most: int = 0

    def room(self):
        return self.size

    def submit(self, jobs):
        made = []
        for job in jobs:
            outcome = self.outcomes[job.task.fold.name].pop(0)
            if outcome is DONE:
                job.task.folder.mkdir(parents=True)
                np.save(job.task.folder / "scores.npy", np.zeros(1))
                outcome = {**DONE, "fold": job.task.fold.name}
            attempt = Attempt(job.spool, job.task.folder.name)
            attempt.tell({"kind": "epoch", "fold": job.task.fold.name, "epoch": 1})
            made.append(FakeJob(outcome))
        self.jobs += made
        self.most = max(self.most, len(made))
        return made

    def fault(self, message):
        return EngineError("--engine fake", message, "mend it")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(remote, "POLL_SECONDS", 0.001)


@pytest.fixture
def follow(tmp_path):
    """Return a function that makes the run of some folds on a cluster."""
    rows = np.zeros(1, np.int64)

    def make(cluster, **given):
        tasks = [
            FoldTask(
                *(Fold(name, rows, rows, 2), tmp_path / "folds" / name, Path("cells")),
                *(None, TrainingSetSettings(), 0, 0, "cpu", tmp_path / "stop", "data"),
            )
            for name in cluster.outcomes
        ]
        return RemoteRun(cluster, Spool(tmp_path), tasks, **given)

    return make


def ends(events) -> list[tuple[str, str]]:
    return [(e["fold"], e["kind"]) for e in events if e["kind"].startswith("fold-")]


def test_each_fold_ends_once_and_no_more_are_under_way_than_there_is_room(follow):
    cluster = FakeCluster({"a": [DONE], "b": [DIED, DONE], "c": [DONE]})
    run = follow(cluster)
    events = list(run.run())
    assert sorted(ends(events)) == [(name, "fold-done") for name in "abc"]
    assert cluster.most == 2
    assert sum(event["kind"] == "epoch" for event in events) == 4
    assert not run.spool.path.exists()


def test_the_epochs_of_a_fold_come_before_its_end(follow):
    events = list(follow(FakeCluster({"a": [DONE]})).run())
    assert [event["kind"] for event in events] == ["epoch", "fold-done"]


def test_a_fold_whose_workers_die_is_given_up(follow):
    cluster = FakeCluster({"a": [DIED] * ATTEMPTS, "b": [DONE]})
    events = list(follow(cluster).run())
    assert sorted(ends(events)) == [("a", "fold-failed"), ("b", "fold-done")]
    failed = next(event for event in events if event["kind"] == "fold-failed")
    assert failed["message"] == "its worker died 3 times (killed)"


def test_a_result_that_is_not_seen_is_no_result(follow, monkeypatch):
    monkeypatch.setattr(remote, "SIGHT_SECONDS", 0.0)
    monkeypatch.setattr(remote, "_appears", lambda folder: False)
    events = list(follow(FakeCluster({"a": [DONE]})).run())
    assert ends(events) == [("a", "fold-failed")]
    assert "does not appear" in events[-1]["message"]


def test_a_machine_that_does_not_see_the_folders_ends_the_run(follow):
    unseen = {"kind": "unseen", "message": "it does not see the run folder RUN"}
    cluster = FakeCluster({"a": [unseen], "b": [None]})
    run = follow(cluster)
    with pytest.raises(EngineError, match="does not see the run folder RUN"):
        list(run.run())
    assert cluster.jobs[1].cancelled
    assert not run.spool.path.exists()


def test_stop_waits_for_what_trains_and_takes_the_rest_back(follow, tmp_path):
    cluster = FakeCluster({"a": [None], "b": [None], "c": [DONE]})
    run = follow(cluster, stop_seconds=0.1)
    events = run.run()
    assert next(events)["kind"] == "epoch"
    (tmp_path / "stop").touch()
    with pytest.raises(InterruptedRunError):
        list(events)
    assert [job.cancelled for job in cluster.jobs] == [True, True]
    assert len(cluster.outcomes["c"]) == 1, "it was never given to the cluster"


def test_a_run_that_is_left_takes_its_jobs_back(follow):
    cluster = FakeCluster({"a": [None]})
    run = follow(cluster)
    events = run.run()
    next(events)
    events.close()
    assert cluster.jobs[0].cancelled
    assert not run.spool.path.exists()
