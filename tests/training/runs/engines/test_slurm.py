"""Slurm's jobs by submitit's local executor, which starts one process a job."""

import signal
import time
from collections import Counter

import numpy as np
import psutil
import pytest
from submitit.local.local import LocalJob

from training.config import PaperNetworkSettings
from training.errors import BadSettingError, EngineError, InterruptedRunError
from training.runs.engines import open_engine
from training.runs.engines.slurm import VARIABLE, parse_parameters
from training.runs.execution import execute, start_run
from training.runs.fold_result import has_result
from training.runs.folder import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORK = PaperNetworkSettings()


@pytest.fixture
def slurm(config, monkeypatch):
    """The run's configuration for Slurm: two folds, long enough to be caught in."""
    monkeypatch.setenv(VARIABLE, "cluster=local,timeout_min=10")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    protocol = config.protocol.model_copy(update={"folds": 2})
    classifier = config.classifier.model_copy(update={"epochs": 100})
    return config.model_copy(update={"protocol": protocol, "classifier": classifier})


def job_processes() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "submitit.core._submit" in words_of(process)
    ]


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []


def end_jobs(run: RunFolder, kinds: tuple[signal.Signals, ...]) -> set[str]:
    """Send each job a signal at one moment; return the folds that were not done."""
    processes = job_processes()
    for process in processes:
        process.suspend()
    folds = {"part-1", "part-2"}
    undone = {fold for fold in folds if not has_result(run.fold_folder(fold))}
    for process, kind in zip(processes, kinds, strict=True):
        process.send_signal(kind)
        process.resume()
    return undone


def test_jobs_that_lose_their_place_go_on_and_stop_ends_them(
    tmp_path, slurm, scores_of, watch, monkeypatch
):
    """Slurm sends SIGUSR2 before a time limit or a preemption; SIGKILL is worse.

    One job meets each. What they leave when the run is stopped is finished here.
    """
    # A dead job's result may still be on its way over a network; here it is not.
    monkeypatch.setattr(LocalJob, "_results_timeout_s", 1)
    local = start_run(tmp_path / "local", slurm)
    list(execute(local))
    run = start_run(
        tmp_path / "run", slurm.model_copy(update={"engine": "slurm", "workers": 0})
    )
    undone, again = set(), set()

    def until_both_go_on():
        for event in execute(run):
            if not undone and watch.sees(event, folds=2):
                undone.update(end_jobs(run, (signal.SIGUSR2, signal.SIGKILL)))
            if event["kind"] == "fold-started" and event["epoch"]:
                again.add(event["fold"])
            if undone and again == undone:
                run.request_stop()

    with pytest.raises(InterruptedRunError):
        until_both_go_on()
    assert undone
    wait_for(lambda: job_processes() == [])
    assert run.status().state == "stopped"
    list(execute(run, "local"))
    done = Counter(e["fold"] for e in run.events() if e["kind"] == "fold-done")
    assert done == Counter({"part-1": 1, "part-2": 1})
    assert run.status().state == "done"
    assert np.array_equal(scores_of(run), scores_of(local))
    assert list(run.path.glob("slurm/*/*.pkl")) == []
    assert list(run.path.glob("slurm/*/*.err")), "what the jobs printed stays"


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)
    assert condition()


def test_a_machine_without_slurm_is_told(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", "")
    told = pytest.raises(EngineError, match="sbatch is not found on this machine")
    with told, open_engine("slurm", "cpu", 0, NETWORK):
        pass


def test_parameters_are_submitits(tmp_path, monkeypatch):
    text = "cluster=local,slurm_partition=gpu,timeout_min=60,mem_gb=1.5"
    assert parse_parameters(text) == {
        "cluster": "local",
        "slurm_partition": "gpu",
        "timeout_min": 60,
        "mem_gb": 1.5,
    }
    with pytest.raises(BadSettingError, match="has no '='"):
        parse_parameters("partition")
    monkeypatch.setenv(VARIABLE, "cluster=local,nonsense=1")
    with open_engine("slurm", "cpu", 3, NETWORK) as engine:
        assert engine.workers == 3
        with pytest.raises(BadSettingError, match="nonsense"):
            engine.check(tmp_path, tmp_path)


def test_results_that_lie_there_before_the_jobs_are_not_taken(tmp_path, monkeypatch):
    """Results are pickles: their folder is new, and this user's alone."""
    monkeypatch.setenv(VARIABLE, "cluster=local")
    planted = tmp_path / "slurm" / ("0" * 16)
    planted.mkdir(parents=True)
    (planted / "1_0_result.pkl").write_bytes(b"of somebody")
    with open_engine("slurm", "cpu", 1, NETWORK) as engine:
        engine.check(tmp_path, tmp_path)
    (own,) = set((tmp_path / "slurm").iterdir()) - {planted}
    assert own.stat().st_mode & 0o777 == 0o700
    assert list(own.iterdir()) == []
