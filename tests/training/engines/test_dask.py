"""A scheduler and workers as processes of their own."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from training.checkpoints import CHECKPOINT, has_result
from training.config import PaperNetworkSettings
from training.engines import dask as engine_module
from training.engines import open_engine
from training.engines.dask import DaskEngine
from training.errors import EngineError, InterruptedRunError
from training.execution import execute, start_run
from training.runs import RunFolder

ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}

NETWORK = PaperNetworkSettings()


def start(module: str, *words: object) -> psutil.Popen:
    return psutil.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *map(str, words)],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def cluster(folder: Path, workers: int, *words: object):
    """Yield the engine's word and the workers' processes."""
    file = folder / "scheduler.json"
    scheduler = start(
        *("dask_scheduler", "--host", "127.0.0.1", "--port", 0),
        *("--no-dashboard", "--no-jupyter", "--scheduler-file", file),
    )
    processes = [scheduler]
    try:
        until = time.monotonic() + 60
        while not file.is_file() and time.monotonic() < until:
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        made = [
            start(
                *("dask_worker", address, "--nthreads", 1, "--no-nanny"),
                *("--no-dashboard", "--local-directory", folder / f"worker-{number}"),
                *words,
            )
            for number in range(workers)
        ]
        processes += made
        yield address.replace("tcp://", "dask://"), made
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("dask"), 2) as (word, _):
        yield word


def on(config, word: str):
    return config.model_copy(update={"engine": word, "workers": 0})


def wait_for_two(word: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with open_engine(word, "cpu", 0, NETWORK) as engine:
            if engine.workers == 2:
                return
        time.sleep(0.1)
    pytest.fail("the workers did not come")


def kill_in_the_middle(run: RunFolder, one, other) -> bool:
    """Kill a worker, unless a fold has ended since its last event was read."""
    for worker in (one, other):
        worker.suspend()
    folders = [run.fold_folder(f"part-{k}") for k in range(1, 5)]
    begun = [folder for folder in folders if (folder / CHECKPOINT).exists()]
    busy = sum(not has_result(folder) for folder in begun) == 2
    if busy:
        one.kill()
    for worker in (one, other):
        worker.resume()
    return busy


@pytest.mark.usefixtures("one_thread")
def test_a_worker_killed_in_the_middle_costs_nothing(
    tmp_path, config, scores_of, local_scores, watch
):
    """SIGKILL one of two workers: all folds are done, once, with the same scores."""
    with cluster(tmp_path, 2) as (word, workers):
        wait_for_two(word)
        run = start_run(tmp_path / "run", on(config, word))
        killed = False
        for event in execute(run):
            if not killed and watch.sees(event, folds=2):
                killed = kill_in_the_middle(run, *workers)
    events = run.events()
    assert killed
    done = Counter(event["fold"] for event in events if event["kind"] == "fold-done")
    assert done == Counter({f"part-{k}": 1 for k in range(1, 5)})
    starts = [event for event in events if event["kind"] == "fold-started"]
    assert len(starts) > 4, "a fold was tried again"
    assert max(event["epoch"] for event in starts) > 0, "it went on from its checkpoint"
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert (metrics["folds_done"], metrics["n"]) == (4, 48)
    assert events[-1]["kind"] == "run-done"
    assert events[-1]["folds_failed"] == 0
    assert np.array_equal(scores_of(run), local_scores)
    assert list((run.path / "spool").iterdir()) == []


@pytest.mark.usefixtures("one_thread")
def test_stopped_here_and_resumed_there(
    tmp_path, config, scores_of, local_scores, two_workers
):
    run = start_run(tmp_path / "run", on(config, two_workers))

    def stop_early():
        for event in execute(run):
            if event["kind"] == "epoch" and event["epoch"] == 3:
                run.request_stop()

    with pytest.raises(InterruptedRunError):
        stop_early()
    assert run.status().state == "stopped"
    assert run.status().folds_done < 4
    list(execute(run, "local"))
    assert run.status().state == "done"
    assert np.array_equal(scores_of(run), local_scores)


def test_a_fold_finished_while_nobody_listened_is_told(tmp_path, config, one_thread):
    run = start_run(tmp_path / "run", config)
    list(execute(run))
    path = run.path / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"fold-done", "fold": "part-2"' not in line]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept))
    told = [event for event in execute(run) if event["kind"] == "fold-done"]
    assert [event["fold"] for event in told] == ["part-2"]
    assert (
        json.loads(next(iter(set(lines) - set(kept))))["correct"]
        == (told[0]["correct"])
    )


def test_no_scheduler_is_one_sentence_before_anything_is_written(
    tmp_path, config, monkeypatch
):
    monkeypatch.setattr(engine_module, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(DaskEngine.__init__, "__defaults__", ("auto", 0, 0.5))
    with pytest.raises(EngineError, match="no scheduler answers there; start one"):
        start_run(tmp_path / "run", on(config, "dask://127.0.0.1:9"))
    assert not (tmp_path / "run").exists()


def test_a_scheduler_without_workers_is_told(tmp_path):
    told = pytest.raises(EngineError, match="the scheduler has no worker")
    with cluster(tmp_path, 0) as (word, _), told:
        DaskEngine(word, seconds=1)


def test_what_workers_do_not_see_is_told_before_the_first_fold(tmp_path, two_workers):
    with open_engine(two_workers, "cpu", 0, NETWORK) as engine:
        (tmp_path / "config.yaml").touch()
        with pytest.raises(EngineError, match="does not see the packed cells"):
            engine.check(tmp_path, tmp_path / "nothing")


def test_other_versions_are_refused(two_workers, monkeypatch):
    monkeypatch.setattr(engine_module, "own_versions", lambda: "torch 1.0")
    with pytest.raises(EngineError, match=r"has Python.* this process torch 1\.0"):
        DaskEngine(two_workers)


def test_a_gpu_is_one_that_a_worker_offers(tmp_path, two_workers):
    with pytest.raises(EngineError, match='--resources "GPU=1"'):
        DaskEngine(two_workers, "cuda")
    with cluster(tmp_path, 1, "--resources", "GPU=1") as (word, _):
        for device, chosen in (("auto", "cuda"), ("cuda", "cuda"), ("cpu", "cpu")):
            engine = DaskEngine(word, device)
            assert (engine._device, engine.workers) == (chosen, 1)
            engine.close()


def test_a_scheduler_that_goes_is_told(tmp_path, config):
    with cluster(tmp_path, 1) as (word, _):
        run = start_run(tmp_path / "run", on(config, word))
        events = execute(run)
        until = next(event for event in events if event["kind"] == "epoch")
        assert until["epoch"] == 1
        scheduler = next(
            child
            for child in psutil.Process().children()
            if "distributed.cli.dask_scheduler" in child.cmdline()
            and str(tmp_path / "scheduler.json") in child.cmdline()
        )
        scheduler.kill()
        with pytest.raises(EngineError, match="the scheduler has gone"):
            list(events)
    assert run.status().state == "failed"
