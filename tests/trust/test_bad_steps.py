"""Steps that do not fit into memory, and steps whose loss is no number."""

import csv
import json
from collections import Counter

import numpy as np
import pytest
import torch
from small_study import NETWORK, study, write_cells

from training.config import ProtocolSettings
from training.data.cells.loading import load_packed
from training.models.networks import loop
from training.models.networks.scoring import network_input
from training.runs.engines import base, run_tasks
from training.runs.engines.base import FoldTask
from training.runs.execution import execute, fold_seed, start_run
from training.runs.folder import RunFolder
from training.splits.protocols import make_folds

FOLDS, EPOCHS = 3, 2
PROTOCOL = ProtocolSettings(protocol="group-k", folds=FOLDS)
SETTINGS = NETWORK.model_copy(update={"epochs": EPOCHS, "batch_size": 8})


@pytest.fixture(autouse=True)
def one_thread(tmp_path, monkeypatch):
    """Numbers are compared, and packed cells stay out of the user's cache."""
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def recipe(tmp_path):
    data = write_cells(tmp_path / "cells", specimens=6, patterns=2, cells=4)
    return study(data, SETTINGS, protocol=PROTOCOL)


class Steps:
    """Stands where a step meets its images; counts, and spoils what it is told to.

    Attributes
    ----------
    pieces : the sizes of what was met, in order
    """

    def __init__(self, spoil) -> None:
        self.pieces: list[int] = []
        self._spoil = spoil

    def __call__(self, images, *how):
        self.pieces.append(len(images))
        return self._spoil(len(self.pieces), network_input(images, *how))


def _watched(monkeypatch, spoil=lambda number, wide: wide) -> Steps:
    steps = Steps(spoil)
    monkeypatch.setattr(loop, "network_input", steps)
    return steps


def _finished(run: RunFolder) -> tuple[list[dict], dict]:
    """Drain a run; return its events and its metrics."""
    events = list(execute(run))
    return events, json.loads((run.path / "metrics.json").read_text())


def _scores(run: RunFolder) -> dict[str, np.ndarray]:
    """Return the held-out scores of each fold that is done."""
    return {
        path.parent.name: np.load(path) for path in run.path.glob("folds/*/scores.npy")
    }


def _failed(events) -> dict[str, str]:
    return {e["fold"]: e["message"] for e in events if e["kind"] == "fold-failed"}


def _full(when):
    """Return what raises, by hand, as torch does where a GPU is full."""

    def spoil(number, wide):
        if when(number, len(wide)):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return wide

    return spoil


@pytest.mark.promise("gpu-memory")
def test_a_step_that_does_not_fit_is_taken_in_smaller_pieces(
    promise, tmp_path, recipe, monkeypatch, times
):
    steps = _watched(monkeypatch)
    straight = start_run(tmp_path / "straight", recipe)
    _finished(straight)
    refused = range(1, len(steps.pieces) + 1, times(5, 1))
    count, expected, furthest, same = len(refused), _scores(straight), 0.0, 0
    for bad in refused:
        steps = _watched(monkeypatch, _full(lambda number, _, bad=bad: number == bad))
        run = start_run(tmp_path / f"run-{bad}", recipe)
        events, metrics = _finished(run)
        assert (metrics["folds_done"], _failed(events)) == (FOLDS, {})
        halves = steps.pieces[bad : bad + 2]
        met = sum(steps.pieces) - steps.pieces[bad - 1]
        whole = 24 * (FOLDS - 1) * EPOCHS
        same += met == whole and sum(halves) == steps.pieces[bad - 1]
        for name, scores in _scores(run).items():
            furthest = max(furthest, float(abs(scores - expected[name]).max()))
    promise.reached(
        f"{same} of {count} batches, each refused in turn, computed in halves that "
        f"add up to the whole batch; scores within {furthest:.0e} of those of whole "
        "batches",
        met=same == count and furthest < 1e-4,
    )


@pytest.mark.promise("gpu-memory")
def test_what_does_not_fit_in_any_piece_fails_its_fold_alone(
    promise, tmp_path, recipe, monkeypatch
):
    _watched(monkeypatch)
    straight = start_run(tmp_path / "straight", recipe)
    _finished(straight)
    expected, alone = _scores(straight), 0
    training: list[str] = []

    def one_by_one(tasks, *rest):
        training[:] = [task.fold.name for task in tasks]
        yield from base.train_folds(tasks, *rest)

    monkeypatch.setattr("training.runs.engines.local.train_folds", one_by_one)
    for name in expected:
        _watched(monkeypatch, _full(lambda *_, name=name: training == [name]))
        run = start_run(tmp_path / name, recipe)
        events, metrics = _finished(run)
        failed = _failed(events)
        assert list(failed) == [name]
        assert "no memory for a step" in failed[name]
        _watched(monkeypatch)
        kept = _scores(run)
        _finished(run)
        alone += all(np.array_equal(kept[one], expected[one]) for one in kept) and all(
            np.array_equal(scores, expected[one])
            for one, scores in _scores(run).items()
        )
        assert (metrics["folds_done"], len(kept)) == (FOLDS - 1, FOLDS - 1)
    promise.reached(
        f"{alone} of {FOLDS} folds that did not fit at any size failed alone, and were "
        "trained once memory was free",
        met=alone == FOLDS,
    )


def _nan_pixel(bad):
    """Return what puts one NaN into the images of the bad batch."""

    def spoil(number, wide):
        if number == bad:
            wide[0, 0, 3, 5] = float("nan")
        return wide

    return spoil


def _measured_without(run: RunFolder, metrics: dict, name: str, rows: int) -> bool:
    """Whether the metrics are those of the other folds' cells, and say so."""
    table = list(csv.DictReader((run.path / "predictions.csv").open()))
    pairs = [(row["pattern"], row["predicted"]) for row in table]
    right = Counter(truth for truth, said in pairs if truth == said)
    truth = Counter(truth for truth, _ in pairs)
    rates = [right[pattern] / truth[pattern] for pattern in truth]
    known = [rate for rate in metrics["rates"].values() if rate is not None]
    return (
        (metrics["n"], len(table)) == (rows, rows)
        and (metrics["folds_done"], metrics["folds"]) == (FOLDS - 1, FOLDS)
        and np.allclose(sorted(rates), sorted(known))
        and name not in _scores(run)
        and RunFolder(run.path).events()[-1]["folds_failed"] == 1
    )


@pytest.mark.promise("divergence")
def test_a_nan_pixel_is_caught_in_its_step_and_stays_out_of_every_mean(
    promise, tmp_path, recipe, monkeypatch, times
):
    steps = _watched(monkeypatch)
    straight = start_run(tmp_path / "straight", recipe)
    _finished(straight)
    count, expected = len(steps.pieces), _scores(straight)
    of_fold, spoilt = count // FOLDS, range(1, count + 1, times(5, 1))
    caught, hidden = 0, 0
    for bad in spoilt:
        steps = _watched(monkeypatch, _nan_pixel(bad))
        run = start_run(tmp_path / f"run-{bad}", recipe)
        events, metrics = _finished(run)
        ((name, message),) = _failed(events).items()
        assert "loss became infinite or not a number" in message
        not_taken = of_fold - 1 - (bad - 1) % of_fold
        caught += len(steps.pieces) == count - not_taken
        assert not np.isnan(np.concatenate(list(_scores(run).values()))).any()
        hidden += not _measured_without(run, metrics, name, rows=16)
        assert all(np.array_equal(s, expected[n]) for n, s in _scores(run).items())
    promise.reached(
        f"NaN pixel in each of {len(spoilt)} batches: {caught} detected before the "
        f"next step, {hidden} hidden in a mean",
        met=caught == len(spoilt) and hidden == 0,
    )


@pytest.mark.promise("divergence")
@pytest.mark.parametrize("batch_size", [4, 16, 64], ids=["4", "16", "whole"])
def test_a_learning_rate_of_a_million_marks_every_fold_as_diverged(
    promise, tmp_path, recipe, monkeypatch, batch_size
):
    """No setting allows it: the folds are given to the engine as they are."""
    cells, packed = load_packed(tmp_path / "cells", SETTINGS.input_size)
    changed = {"learning_rate": 1e6, "batch_size": batch_size}
    diverged, wrong = 0, 0
    for seed in range(8):
        plan = make_folds(cells, PROTOCOL.model_copy(update={"seed": seed}))
        tasks = [
            FoldTask(
                fold,
                tmp_path / f"{seed}-{fold.name}",
                packed,
                SETTINGS.model_copy(update=changed),
                recipe.training_set,
                fold_seed(seed, number),
                seed,
                "cpu",
                tmp_path / "stop",
                "data",
            )
            for number, fold in enumerate(plan.folds)
        ]
        ends = [e for e in run_tasks(tasks, 1) if e["kind"].startswith("fold-")]
        failed = _failed(ends)
        diverged += sum("infinite or not a number" in m for m in failed.values())
        wrong += any((task.folder / "scores.npy").exists() for task in tasks)
    promise.reached(
        f"learning rate 1e6, {batch_size} cells a step: {diverged} of {8 * FOLDS} "
        f"folds marked as diverged, {wrong} wrote scores",
        met=diverged == 8 * FOLDS and not wrong,
    )
