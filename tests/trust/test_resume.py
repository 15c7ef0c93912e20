"""Training that is killed and started again, and checkpoints that are torn."""

import sys

import numpy as np
import pytest
import torch
from forking_trainer import MODEL, ForkingTrainer
from small_study import NETWORK, curves_of, results_of, study, write_cells

from training.models.networks.checkpoints import (
    CHECKPOINT,
    PREVIOUS,
    load_checkpoint,
    save_checkpoint,
)
from training.models.networks.devices import ResidentCells
from training.models.networks.loop import begin, fit
from training.runs.folder import RunFolder
from training.splits.samples import Samples

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and fork")

EPOCHS = 4


@pytest.fixture
def trainer(tmp_path):
    with ForkingTrainer(tmp_path / "cache") as made:
        yield made


def _lost_epochs(run) -> int:
    """Return how many epochs were told, and then trained again, at most at a time."""
    told: dict[str, int] = {}
    lost = 0
    for event in RunFolder(run).events():
        if event["kind"] == "fold-started":
            lost = max(lost, told.get(event["fold"], 0) - event["epoch"])
        if event["kind"] == "epoch":
            told[event["fold"]] = event["epoch"]
    return lost


def _killed_until_done(trainer, run, recipe, delays) -> int:
    """Kill a run once after each of some delays, then let it end; return the kills."""
    codes = [trainer.train(run, recipe, delay) for delay in (*delays, None)]
    assert set(codes) <= {0, -9}, codes
    return codes.count(-9)


@pytest.mark.promise("resume")
def test_killed_and_started_again_a_run_gives_the_same_model(
    promise, times, trainer, tmp_path
):
    data = write_cells(tmp_path / "cells", specimens=4, patterns=2)
    recipe = study(data, NETWORK.model_copy(update={"epochs": EPOCHS}))
    trainer.seconds(tmp_path / "first", recipe)
    whole = trainer.seconds(tmp_path / "straight", recipe)
    expected = results_of(tmp_path / "straight")
    assert sum(name.endswith(MODEL) for name in expected) == 2
    rng, wanted = np.random.default_rng(0), times(5, 100)
    done, same, kills, lost, gaps, others = 0, 0, 0, 0, 0, set()
    while done < wanted:
        run = tmp_path / f"run-{done}"
        delays = rng.uniform(0, whole, rng.integers(1, times(2, 4)))
        killed = _killed_until_done(trainer, run, recipe, delays)
        if not killed:
            continue
        done, kills = done + 1, kills + killed
        found = results_of(run)
        same += found == expected
        others |= {name for name in found if found[name] != expected.get(name)}
        lost = max(lost, _lost_epochs(run))
        gaps += any(
            epochs != list(range(1, EPOCHS + 1)) for epochs in curves_of(run).values()
        )
    promise.reached(
        f"{same} of {done} runs bit-identical after {kills} kills, at most {lost} "
        f"reported epochs trained again, {gaps} curves with a gap, {len(others)} other "
        "files",
        met=same == done and lost <= 1 and gaps == 0,
    )


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _fit_on(state, cells, folder=None):
    """Train to the last epoch; leave a checkpoint of each of the first two."""
    samples = Samples.plain(np.arange(len(cells.images)))
    for record in fit(state, cells, samples, NETWORK, seed=5, test=np.arange(3)):
        if folder is not None and record.epoch <= 2:
            save_checkpoint(folder, state)
    return state


def _content(state):
    """Return the epoch and all tensors of a state as bytes."""
    tensors = [*state.network.state_dict().values(), *state.momenta]
    parts = [tensor.numpy().tobytes() for tensor in tensors]
    return state.epoch, parts, [vote.tobytes() for vote in state.votes]


def _tear(whole: bytes, rng) -> bytes:
    """Cut a file somewhere, turn one of its bits, or fill one of its blocks."""
    place, how = int(rng.integers(len(whole))), rng.integers(3)
    if how == 0:
        return whole[:place]
    torn = bytearray(whole)
    if how == 1:
        torn[place] ^= 1 << int(rng.integers(8))
    else:
        torn[place : place + 4096] = bytes(len(torn[place : place + 4096]))
    return bytes(torn)


@pytest.mark.promise("torn-checkpoint")
def test_a_torn_checkpoint_falls_back_to_the_one_before(promise, tmp_path, one_thread):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (18, 32, 32), np.uint8)
    cells = ResidentCells.place(images, np.arange(18) % 6, torch.device("cpu"))
    straight = _fit_on(begin(NETWORK, 6, 0), cells, tmp_path)
    before = begin(NETWORK, 6, 0)
    whole, previous = (tmp_path / name for name in (CHECKPOINT, PREVIOUS))
    kept, good = previous.read_bytes(), whole.read_bytes()
    whole.write_bytes(kept)
    assert load_checkpoint(tmp_path, before)
    back, ends, tried = 0, 0, 200
    for number in range(tried):
        torn = _tear(good, rng)
        while torn == good:
            torn = _tear(good, rng)
        whole.write_bytes(torn)
        state = begin(NETWORK, 6, 99)
        loaded = load_checkpoint(tmp_path, state)
        back += loaded and _content(state) == _content(before)
        assert previous.read_bytes() == kept
        if number % 20 == 0:
            ends += _content(_fit_on(state, cells)) == _content(straight)
    promise.reached(
        f"{back} of {tried} truncated, altered or blanked files fell back to the "
        f"previous epoch; {ends} of 10 resumed to the same model",
        met=back == tried and ends == 10,
    )
