"""The trainer without its window, and the events that a reader follows."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from small_study import NETWORK, SIDE, write_cells

from napari_hep2.trainer import process as trainer_process
from napari_hep2.trainer.controllers.controller import TrainerController
from training.runs.folder import RunFolder
from training.runs.tail import EventTail
from training.storage.locks import read_lock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9")

WINDOW = Path(__file__).with_name("window_process.py")

SETTINGS = {
    "protocol": "group-k",
    "folds": 2,
    "epochs": 1000,
    "workers": 2,
    "device": "cpu",
    "input_size": SIDE,
    "width": NETWORK.width,
    "batch_size": NETWORK.batch_size,
    "learning_rate": 0.002,
}
"""Two workers that train for minutes, unless they are stopped."""


def _wait_for(condition, seconds=60.0) -> float:
    """Wait; return how long."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - started


def _processes_in(group: int) -> list[int]:
    """Return the living processes of a session, dead ones that wait left out."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            dead = process.status() == psutil.STATUS_ZOMBIE
            if os.getsid(process.pid) == group and not dead:
                found.append(process.pid)
    return found


@pytest.fixture
def abandoned(tmp_path, monkeypatch):
    """A run whose window was killed with its whole session; nothing of it is left."""
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = tmp_path / "run"
    data = write_cells(tmp_path / "cells", specimens=4, patterns=2)
    window = subprocess.Popen(
        [sys.executable, WINDOW, data, run, json.dumps(SETTINGS)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert any(int(line) >= 4 for line in window.stdout)
        os.killpg(window.pid, signal.SIGKILL)
        window.communicate()
        yield run
    finally:
        trainer_process.stop(run, grace=0)


def _told(run) -> dict[str, list[tuple[int, float]]]:
    """Return the epochs and losses of each fold as the file has them."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in RunFolder(run).events():
        if event["kind"] == "epoch":
            point = (event["epoch"], event["loss"])
            curves.setdefault(event["fold"], []).append(point)
    return curves


def _drained(controller) -> float:
    """Poll until there is no more; return how long the longest poll held the window."""
    longest = 0.0
    more = True
    while more:
        started = time.perf_counter()
        more = controller.poll()
        longest = max(longest, time.perf_counter() - started)
    return longest


@pytest.mark.promise("detached")
def test_the_trainer_goes_on_without_its_window_and_stops_when_told(promise, abandoned):
    at_death = sum(map(len, _told(abandoned).values()))
    _wait_for(lambda: sum(map(len, _told(abandoned).values())) >= at_death + 4)
    before = _told(abandoned)
    started = time.monotonic()
    controller = TrainerController()
    controller.attach(abandoned)
    _drained(controller)
    attached = time.monotonic() - started
    curves = {
        name: [(point.epoch, point.loss) for point in fold.curve]
        for name, fold in controller.state.folds.items()
    }
    whole = all(
        curves[name][: len(points)] == points
        and [epoch for epoch, _ in points] == list(range(1, len(points) + 1))
        for name, points in before.items()
    )
    running = controller.state.status == "running"
    pid = read_lock(abandoned).pid
    group = len(_processes_in(pid))
    started = time.monotonic()
    controller.stop()
    while controller.busy or controller.step is not None:
        controller.poll()
        time.sleep(0.02)
        assert time.monotonic() - started < 30
    stopped, left = time.monotonic() - started, len(_processes_in(pid))
    promise.reached(
        f"window killed: {sum(map(len, before.values())) - at_death} epochs later "
        f"reattached in {attached:.2f} s with {len(curves)} complete curves; Stop left "
        f"{left} of {group} processes after {stopped:.1f} s",
        met=attached <= 2
        and whole
        and running
        and group >= 3
        and (left, stopped <= 5) == (0, True)
        and controller.state.status == "stopped",
    )


FOLDS, EPOCHS = 252, 50


def _event(k: int) -> dict:
    """Return the k-th event of a run that begins with its folds anew when it is done.

    Now and then a line is longer than the pages and buffers that it passes.
    """
    fold, epoch = f"fold-{k // (EPOCHS + 1) % FOLDS}", k % (EPOCHS + 1)
    if epoch == 0:
        return {"kind": "fold-started", "fold": fold, "epoch": 0, "k": k}
    event = {"kind": "epoch", "fold": fold, "epoch": epoch, "k": k}
    words = "x" * 10_000 if k % 20 == 0 else ""
    return {**event, "loss": 1 / epoch, "accuracy": 0.5, "seconds": 0.1, "w": words}


def _write(path, first, acknowledged) -> None:
    """Append events until killed; say after each that it was appended."""
    run, k = RunFolder(path), first
    while True:
        run.append(**_event(k))
        acknowledged.value = k
        k += 1


def _leave_half(path, first, rng) -> None:
    """Append the part of an event that a kill within a write would leave."""
    line = json.dumps(_event(first)).encode()
    with (path / "events.jsonl").open("ab") as stream:
        stream.write(line[: rng.integers(1, len(line))])


def _begin(path) -> RunFolder:
    run = RunFolder(path)
    path.mkdir()
    rows = [
        {
            "name": f"fold-{number}",
            "specimens": [str(number)],
            "patterns": ["Golgi"],
            "n_train": 1000,
            "n_test": 50,
            "done": False,
        }
        for number in range(FOLDS)
    ]
    facts = {"experiment": "set-1", "protocol": "loso", "leaky": False}
    facts |= {"epochs": EPOCHS, "patterns": ["Golgi"], "device": "cpu", "workers": 1}
    run.append("run-started", **facts, folds=rows)
    return run


@pytest.mark.promise("stream")
def test_a_reader_of_killed_writers_reads_every_event_once(promise, times, tmp_path):
    rng, writers = np.random.default_rng(0), times(15, 600)
    run = _begin(tmp_path / "run")
    context = multiprocessing.get_context("fork")
    acknowledged = context.RawValue("q", -1)
    controller, tail = TrainerController(), EventTail(run.path / "events.jsonl")
    controller.attach(run.path)
    found, lost, longest = [], 0, 0.0

    def look() -> bool:
        nonlocal longest
        found.extend(event["k"] for event in tail.read() if "k" in event)
        started = time.thread_time()
        more = controller.poll()
        longest = max(longest, time.thread_time() - started)
        return more

    for number in range(writers):
        first = len(found)
        writer = context.Process(
            target=_write, args=(run.path, first, acknowledged), daemon=True
        )
        writer.start()
        until = time.monotonic() + rng.uniform(0.01, 0.1)
        while time.monotonic() < until:
            look()
        writer.kill()
        writer.join()
        last = None
        while last != len(found):
            last = len(found)
            look()
        lost += acknowledged.value >= len(found)
        if number % 2:
            _leave_half(run.path, len(found), rng)
    while look():
        pass
    state = controller.state
    broken = sum(
        [point.epoch for point in fold.curve] != list(range(1, len(fold.curve) + 1))
        for fold in state.folds.values()
    )
    bad = tail.bad + controller.unreadable
    in_order = found == list(range(len(found)))
    promise.reached(
        f"{writers} writers killed in {len(found):,} events, half of them within a "
        f"line: {bad} parse errors, "
        f"{lost} acknowledged events missed, {broken} curves with a gap; reading "
        f"blocked the window for at most {1000 * longest:.0f} ms",
        met=(bad, lost, broken, in_order) == (0, 0, 0, True)
        and len(found) > 10 * writers
        and longest <= 0.05,
    )
