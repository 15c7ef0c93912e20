"""Workers that are killed while folds are trained, and two trainers of one run."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import psutil
import pytest
import torch
from small_study import NETWORK, study, write_cells

from training.config import ProtocolSettings
from training.errors import RunLockedError
from training.runs.execution import execute, start_run
from training.runs.folder import RunFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9")

LOSO = ProtocolSettings(protocol="loso")
SMALL = NETWORK.model_copy(update={"epochs": 2, "batch_size": 64})


@pytest.fixture(autouse=True)
def one_thread(tmp_path, monkeypatch):
    """Scores are compared, and packed cells stay out of the user's cache."""
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _recipe(tmp_path, folds, **changes):
    data = tmp_path / "cells"
    if not data.exists():
        write_cells(data, specimens=folds, patterns=2, cells=2)
    return study(data, SMALL, protocol=LOSO, **changes)


def _scores(run):
    return {
        path.parent.name: np.load(path).tobytes()
        for path in run.path.glob("folds/*/scores.npy")
    }


class Killer:
    """Kills a worker now and then: never again before some folds have ended.

    So no fold loses the three workers after which it is given up.
    """

    def __init__(self, victims, spacing) -> None:
        self._victims = victims
        self._rng = np.random.default_rng(0)
        self._spacing = self._ended = spacing
        self.kills = 0

    def meet(self, event) -> None:
        """Take an event of the run."""
        self._ended += event["kind"] == "fold-done"
        within = event["kind"] in ("fold-started", "epoch")
        if within and self._ended >= self._spacing and self._rng.random() < 0.5:
            time.sleep(self._rng.uniform(0, 0.05))
            if victims := self._victims():
                victims[self._rng.integers(len(victims))].kill()
                self._ended, self.kills = 0, self.kills + 1


def _spawned() -> list[psutil.Process]:
    """Return the workers of this process."""
    return [
        child
        for child in psutil.Process().children()
        if "spawn_main" in " ".join(child.cmdline())
    ]


def _trained_again(events) -> int:
    """Count the folds that were started after they were done."""
    done: set[str] = set()
    again = 0
    for event in events:
        again += event["kind"] == "fold-started" and event["fold"] in done
        if event["kind"] == "fold-done":
            done.add(event["fold"])
    return again


def _judge(promise, run, killer, straight, folds, where) -> None:
    """Go on with a run that is finished, and say what all of its events tell."""
    list(execute(run, "local"))
    events = run.events()
    done = Counter(e["fold"] for e in events if e["kind"] == "fold-done")
    metrics = json.loads((run.path / "metrics.json").read_text())
    again = _trained_again(events)
    same = sum(_scores(run).get(fold) == one for fold, one in straight.items())
    promise.reached(
        f"{where}: {len(done)} of {folds} folds done and counted once after "
        f"{killer.kills} workers were killed, {same} with the scores of an "
        f"undisturbed run, {again} finished folds trained again",
        met=set(done.values()) == {1}
        and (len(done), same, again) == (folds, folds, 0)
        and (metrics["folds_done"], metrics["n"]) == (folds, 2 * folds)
        and killer.kills >= max(1, folds // 8),
    )


@pytest.mark.promise("worker-death")
def test_local_workers_that_are_killed_cost_no_fold(promise, times, tmp_path):
    folds = times(4, 83)
    quiet = start_run(tmp_path / "quiet", _recipe(tmp_path, folds))
    list(execute(quiet))
    run = start_run(tmp_path / "run", _recipe(tmp_path, folds, workers=2))
    killer = Killer(_spawned, spacing=times(2, 4))
    for event in execute(run):
        killer.meet(event)
    _judge(promise, run, killer, _scores(quiet), folds, "two processes")


@pytest.mark.promise("worker-death")
def test_dask_workers_that_are_killed_cost_no_fold(promise, times, tmp_path):
    pytest.importorskip("distributed")
    from dask_cluster import dask_cluster

    folds = times(8, 83)
    quiet = start_run(tmp_path / "quiet", _recipe(tmp_path, folds))
    list(execute(quiet))
    with dask_cluster(tmp_path, times(2, 3)) as cluster:

        def living():
            return [one for one in cluster.workers if one.poll() is None][:-1]

        recipe = _recipe(tmp_path, folds, engine=cluster.word, workers=0)
        run = start_run(tmp_path / "run", recipe)
        killer, started = Killer(living, spacing=times(6, 4)), 0
        for event in execute(run):
            killer.meet(event)
            if killer.kills > started:
                cluster.add_worker()
                started += 1
        _judge(promise, run, killer, _scores(quiet), folds, "Dask")


def _hold(path, moment, answers, over) -> None:
    """Take the folder at a moment, with others; answer what came of it."""
    while time.monotonic() < moment:
        pass
    try:
        with RunFolder.open(path).lock():
            answers.put("held")
            over.wait(30)
    except RunLockedError as fault:
        answers.put(str(fault))


def _start(run, trainers):
    """Let trainers start at once in one folder.

    Returns
    -------
    started, found, over : processes, what they answered, what lets the holder go
    """
    context = multiprocessing.get_context("fork")
    answers, over = context.Queue(), context.Event()
    moment = time.monotonic() + 0.05
    started = [
        context.Process(target=_hold, args=(run.path, moment, answers, over))
        for _ in range(trainers)
    ]
    for one in started:
        one.start()
    return started, [answers.get(timeout=30) for _ in started], over


def _leave_the_lock_of_a_killed_one(run) -> None:
    (holder,), found, _ = _start(run, 1)
    holder.kill()
    holder.join()
    assert (found, (run.path / "lock").is_file()) == (["held"], True)


@pytest.mark.promise("two-trainers")
def test_of_trainers_that_start_at_once_one_holds_the_folder(promise, times, tmp_path):
    """Half of the races find the lock of a trainer that was killed."""
    run = start_run(tmp_path / "run", _recipe(tmp_path, 4))
    races, killed, alone, clear = times(10, 100), 0, 0, 0
    for number in range(races):
        if number % 2:
            _leave_the_lock_of_a_killed_one(run)
            killed += 1
        racing, found, over = _start(run, 4)
        over.set()
        for one in racing:
            one.join()
        alone += found.count("held") == 1
        clear += sum("works in this folder; wait for it" in one for one in found)
    promise.reached(
        f"{races} times 4 trainers at once, {killed} of them on the lock of a killed "
        f"one: exactly one held the folder {alone} times, {clear} of {3 * races} "
        "others ended with the message",
        met=alone == races and clear == 3 * races,
    )


@pytest.mark.promise("two-trainers")
def test_the_command_that_comes_second_ends_with_a_sentence(promise, tmp_path):
    run = start_run(tmp_path / "run", _recipe(tmp_path, 4))
    events = execute(run)
    next(events)
    before = run.events()
    second = subprocess.run(
        [sys.executable, "-m", "training", "resume", str(run.path)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "300"},
    )
    last = second.stderr.strip().splitlines()[-1]
    expected = (
        f"{run.path}: another process ({os.getpid()}) works in this folder; "
        "wait for it, or stop it first."
    )
    untouched = run.events() == before
    list(events)
    promise.reached(
        f"the second command ended with code {second.returncode} and the message, "
        "the first continued",
        met=(second.returncode, last, untouched) == (2, expected, True)
        and "Traceback" not in second.stderr
        and run.status().state == "done",
    )
