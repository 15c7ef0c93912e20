"""A scheduler and workers as processes of their own."""

import json
from unittest.mock import Mock

import numpy as np
import pytest
from dask_cluster import dask_cluster
from distributed import Client

from training.config import PaperNetworkSettings
from training.errors import EngineError, InterruptedRunError
from training.runs.engines import dask as engine_module
from training.runs.engines import open_engine
from training.runs.engines.dask import DaskEngine
from training.runs.execution import execute, start_run

NETWORK = PaperNetworkSettings()


@pytest.fixture(scope="module")
def a_worker(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask"), 1) as cluster:
        yield cluster.word


def on(config, word: str):
    return config.model_copy(update={"engine": word, "workers": 0})


@pytest.mark.usefixtures("one_thread")
def test_stopped_here_and_resumed_there(
    tmp_path, config, scores_of, local_scores, a_worker
):
    one_at_a_time = {"engine": a_worker, "workers": 1}
    run = start_run(tmp_path / "run", config.model_copy(update=one_at_a_time))

    def stop_early():
        for event in execute(run):
            if event["kind"] == "epoch" and event["epoch"] == 3:
                run.request_stop()

    with pytest.raises(InterruptedRunError):
        stop_early()
    assert run.status().state == "stopped"
    assert run.status().folds_done < 3
    list(execute(run, "local"))
    assert run.status().state == "done"
    assert np.array_equal(scores_of(run), local_scores)


def test_a_fold_finished_while_nobody_listened_is_told(tmp_path, config, one_thread):
    quick = config.model_copy(
        update={"classifier": config.classifier.model_copy(update={"epochs": 2})}
    )
    run = start_run(tmp_path / "run", quick)
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


def test_another_machine_must_prove_who_it_is(monkeypatch):
    """Nothing is sent to it before: the address is of no machine."""
    monkeypatch.setattr(engine_module, "Client", Mock(side_effect=AssertionError))
    with pytest.raises(EngineError, match="Dask is given no certificates; set them"):
        DaskEngine("dask://192.0.2.1:8786")


@pytest.mark.parametrize(
    ("place", "here"),
    [
        ("127.0.0.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("localhost.lab:1", False),
        ("10.0.0.1:1", False),
    ],
)
def test_which_addresses_are_of_this_machine_alone(place, here):
    assert engine_module._is_loopback(place) == here


def test_what_workers_do_not_see_is_told_before_the_first_fold(tmp_path, a_worker):
    with open_engine(a_worker, "cpu", 0, NETWORK) as engine:
        (tmp_path / "config.yaml").touch()
        with pytest.raises(EngineError, match="does not see the packed cells"):
            engine.check(tmp_path, tmp_path / "nothing")


def test_other_versions_are_refused(a_worker, monkeypatch):
    monkeypatch.setattr(engine_module, "own_versions", lambda: "torch 1.0")
    with pytest.raises(EngineError, match=r"has Python.* this process torch 1\.0"):
        DaskEngine(a_worker)


def test_no_gpu_is_offered_by_workers_without_one(a_worker):
    with pytest.raises(EngineError, match='--resources "GPU=1"'):
        DaskEngine(a_worker, "cuda")


def test_a_scheduler_without_workers_then_with_a_gpu_then_gone(
    tmp_path, config, monkeypatch
):
    """One scheduler of its own, since each takes seconds."""
    with dask_cluster(tmp_path, 0) as cluster:
        has_no_worker(cluster.word, monkeypatch)
        cluster.add_worker("--resources", "GPU=1")
        offers_its_gpu(cluster.word)
        run = start_run(tmp_path / "run", on(config, cluster.word))
        is_missed_when_it_goes(cluster, run)


def has_no_worker(word, monkeypatch):
    wait = Client.wait_for_workers
    with monkeypatch.context() as patch:
        patch.setattr(
            *(Client, "wait_for_workers"),
            lambda client, n, timeout: wait(client, n, timeout=0.1),
        )
        with pytest.raises(EngineError, match="the scheduler has no worker"):
            DaskEngine(word, seconds=100)


def offers_its_gpu(word):
    for device, chosen in (("auto", "cuda"), ("cuda", "cuda"), ("cpu", "cpu")):
        engine = DaskEngine(word, device, seconds=100)
        assert (engine._device, engine.workers) == (chosen, 1)
        engine.close()


def is_missed_when_it_goes(cluster, run):
    events = execute(run)
    until = next(event for event in events if event["kind"] == "epoch")
    assert until["epoch"] == 1
    cluster.scheduler.kill()
    with pytest.raises(EngineError, match="the scheduler has gone"):
        list(events)
    assert run.status().state == "failed"


@pytest.mark.parametrize("status", ["lost", "pending"])
def test_a_result_that_went_with_its_worker_is_no_lost_scheduler(status):
    """Asked for again: the fold is trained, and not trained again."""
    engine = Mock(alive=lambda: True)
    job = engine_module._DaskJob(Mock(status=status), engine)
    assert job.outcome()["kind"] == "died"
    engine.alive = lambda: False
    engine.lost = lambda: EngineError("dask", "the scheduler has gone", "start it")
    with pytest.raises(EngineError, match="the scheduler has gone"):
        job.outcome()
