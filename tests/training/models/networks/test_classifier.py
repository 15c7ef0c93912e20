"""Folds of a network side by side, as engines ask for them; here on the CPU."""

import numpy as np
import pytest
import torch

from training.config import ProtocolSettings
from training.errors import DivergedError, InterruptedRunError
from training.models.base import EpochRecord, FitRequest, HeldOutScores
from training.models.networks import classifier as network_classifier
from training.models.networks.checkpoints import CHECKPOINT
from training.models.networks.classifier import NetworkClassifier
from training.models.networks.devices import ResidentCells
from training.models.networks.parallel_folds import FoldGroup
from training.runs.engines import local
from training.runs.execution import execute, start_run
from training.runs.folder import RunConfig
from training.runs.results import pool_folds
from training.splits.protocols import make_folds
from training.splits.samples import Samples

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def classifier(cells, tiny_network) -> NetworkClassifier:
    resident = ResidentCells.place(cells.images, cells.patterns, torch.device("cpu"))
    # Small steps: a rounding that turns a unit on or off stays a rounding.
    slow = tiny_network.model_copy(update={"learning_rate": 1e-4})
    made = NetworkClassifier(slow, resident, 6)
    made._side_by_side = True
    return made


def requests(cells, folder=None) -> list[FitRequest]:
    made = []
    for seed, held in enumerate(([0, 1, 2, 3], [8, 9, 10], [20, 21])):
        rows = np.setdiff1d(np.arange(len(cells)), held)
        its = None if folder is None else folder / f"fold-{seed}"
        if its is not None:
            its.mkdir()
        made.append(FitRequest(Samples.plain(rows), np.array(held), seed, its))
    return made


def ends(steps) -> dict[int, HeldOutScores]:
    return {k: step for k, step in steps if isinstance(step, HeldOutScores)}


def test_side_by_side_gives_the_scores_of_one_at_a_time(cells, classifier):
    found = ends(classifier.fit_group(requests(cells)))
    classifier._side_by_side = False
    expected = ends(classifier.fit_group(requests(cells)))
    assert sorted(found) == [0, 1, 2]
    for number, one in found.items():
        np.testing.assert_allclose(one.scores, expected[number].scores, atol=1e-5)
        np.testing.assert_allclose(
            one.disagreement, expected[number].disagreement, atol=1e-5
        )


def test_the_scores_come_last(cells, classifier):
    steps = [
        (k, type(step).__name__) for k, step in classifier.fit_group(requests(cells))
    ]
    epoch = [(0, "EpochRecord"), (1, "EpochRecord"), (2, "EpochRecord")]
    last = [(k, name) for k in range(3) for name in ("EpochRecord", "HeldOutScores")]
    assert steps == [*epoch, *epoch, *last]


def test_a_later_group_takes_the_same_room(cells, classifier):
    list(classifier.fit_group(requests(cells)))
    group = classifier._group
    list(classifier.fit_group(requests(cells)[:2]))
    assert classifier._group is group


@pytest.mark.parametrize(("seconds", "written"), [(-1.0, True), (1e6, False)])
def test_checkpoints_are_written_as_often_as_is_due(
    cells, classifier, tmp_path, monkeypatch, seconds, written
):
    monkeypatch.setattr(network_classifier, "CHECKPOINT_SECONDS", seconds)
    asked = requests(cells, tmp_path)
    steps = classifier.fit_group(asked)
    for _ in range(4):
        next(steps)
    assert (asked[0].folder / CHECKPOINT).is_file() is written
    again = [
        step for _, step in classifier.fit_group(asked) if isinstance(step, EpochRecord)
    ]
    assert min(step.epoch for step in again) == (2 if written else 1)


def test_a_fault_is_told_of_its_fold_alone(cells, classifier, monkeypatch):
    def diverge(state, *rest, **more):
        if state.network is classifier._group._seats[1].network:
            raise DivergedError("epoch 1", "the loss became infinite", "lower it")
        return ended(state, *rest, **more)

    ended = network_classifier.FoldGroup._end_epoch.__globals__["end_epoch"]
    monkeypatch.setattr("training.models.networks.parallel_folds.end_epoch", diverge)
    steps = list(classifier.fit_group(requests(cells)))
    assert [k for k, step in steps if isinstance(step, DivergedError)] == [1]
    assert sorted(ends(steps)) == [0, 2]


def test_a_stop_reaches_all(cells, classifier):
    with pytest.raises(InterruptedRunError):
        list(classifier.fit_group(requests(cells), lambda: True))


def test_a_run_in_groups_gives_the_scores_of_a_run_by_turns(
    tmp_path, cells, task1, tiny_network, monkeypatch
):
    """Three folds in groups of two, as the local engine makes them on a GPU."""
    config = RunConfig(
        experiment="set-1",
        data=str(task1(cells)),
        classifier=tiny_network,
        protocol=ProtocolSettings(protocol="k-fold", folds=3),
        device="cpu",
        workers=1,
    )
    plan = make_folds(cells, config.protocol)
    by_turns = start_run(tmp_path / "turns", config)
    list(execute(by_turns))

    made = NetworkClassifier.__init__

    def grouped(self, *rest):
        made(self, *rest)
        self._side_by_side = True

    monkeypatch.setattr(NetworkClassifier, "__init__", grouped)
    monkeypatch.setattr(local, "trains_on_gpu", lambda *_: True)
    monkeypatch.setattr(local, "trains_side_by_side", lambda *_: True)
    run = start_run(tmp_path / "groups", config.model_copy(update={"workers": 2}))
    kinds = [(e["kind"], e.get("fold")) for e in execute(run)]
    started = [fold for kind, fold in kinds if kind == "fold-started"]
    assert started == ["part-1", "part-2", "part-3"]
    first_done = kinds.index(("fold-done", "part-1"))
    assert kinds.index(("fold-started", "part-2")) < first_done
    assert kinds.index(("fold-started", "part-3")) > first_done
    found = pool_folds(run, plan, 6).scores
    np.testing.assert_allclose(found, pool_folds(by_turns, plan, 6).scores, atol=1e-5)


def test_folds_that_do_not_fit_side_by_side_go_on_one_by_one(
    cells, classifier, tmp_path, monkeypatch
):
    """From their checkpoints, with their whole history and the same scores."""
    monkeypatch.setattr("training.models.networks.classifier.CHECKPOINT_SECONDS", -1.0)
    real, steps = FoldGroup._step, []

    def full_at_the_fifth(group):
        steps.append(1)
        if len(steps) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        real(group)

    monkeypatch.setattr(FoldGroup, "_step", full_at_the_fifth)
    told = list(classifier.fit_group(requests(cells, tmp_path)))
    found, expected = ends(told), ends(classifier.fit_group(requests(cells)))
    assert not classifier._side_by_side
    epochs = [(k, s.epoch) for k, s in told if isinstance(s, EpochRecord)]
    assert epochs == [(k, 1) for k in range(3)] + [
        (k, epoch) for k in range(3) for epoch in (2, 3)
    ]
    for number, one in found.items():
        np.testing.assert_allclose(one.scores, expected[number].scores, atol=1e-3)


def test_cells_that_do_not_fit_on_the_gpu_are_one_sentence(
    tmp_path, cells, task1, tiny_network, monkeypatch
):
    config = RunConfig(
        experiment="set-1",
        data=str(task1(cells)),
        classifier=tiny_network,
        protocol=ProtocolSettings(protocol="k-fold", folds=3),
        device="cpu",
        workers=2,
    )

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(local, "trains_on_gpu", lambda *_: True)
    monkeypatch.setattr(local, "bind", full)
    run = start_run(tmp_path / "run", config)
    with pytest.raises(local.EngineError, match="the GPU: it has no memory for the c"):
        list(execute(run))
    assert run.events()[-1]["kind"] == "run-failed"
