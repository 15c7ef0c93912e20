import numpy as np
import pytest
import torch

from training.checkpoints import (
    CHECKPOINT,
    PREVIOUS,
    FoldResult,
    has_result,
    load_checkpoint,
    read_result,
    save_checkpoint,
    write_result,
)
from training.classifiers.base import EpochRecord, Samples
from training.devices import ResidentCells
from training.errors import BadRunError
from training.fitting import begin, fit, held_out_vote

pytestmark = pytest.mark.usefixtures("one_thread")
TRAIN, TEST = np.arange(8, 48), np.arange(8)


def run_epochs(state, cells, settings, folder=None, epochs=99):
    placed = ResidentCells.place(cells.images, cells.patterns, torch.device("cpu"))
    for record in fit(state, placed, Samples.plain(TRAIN), settings, seed=5, test=TEST):
        if folder is not None:
            save_checkpoint(folder, state)
        if record.epoch == epochs:
            break
    return state


MODERN = {
    "augmentation": "all",
    "mixup": 0.2,
    "weight_average": 0.9,
    "schedule": "cosine",
    "test_views": 8,
}


@pytest.mark.parametrize("changes", [{}, MODERN], ids=["paper", "modern"])
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_resumed_fold_ends_the_same_bit_for_bit(
    tmp_path, cells, tiny_network, epochs, changes
):
    tiny_network = tiny_network.model_copy(update=changes)
    straight = run_epochs(begin(tiny_network, 6, 0), cells, tiny_network)
    run_epochs(begin(tiny_network, 6, 0), cells, tiny_network, tmp_path, epochs)
    resumed = begin(tiny_network, 6, 77)
    assert load_checkpoint(tmp_path, resumed)
    assert resumed.epoch == epochs
    run_epochs(resumed, cells, tiny_network)
    for one, other in zip(
        straight.network.parameters(), resumed.network.parameters(), strict=True
    ):
        assert torch.equal(one, other)
    assert np.array_equal(held_out_vote(straight).scores, held_out_vote(resumed).scores)
    assert [r.loss for r in straight.history] == [r.loss for r in resumed.history]


def test_nothing_to_resume(tmp_path, tiny_network):
    assert not load_checkpoint(tmp_path, begin(tiny_network, 6, 0))


def test_a_torn_checkpoint_falls_back_to_the_one_before(tmp_path, cells, tiny_network):
    run_epochs(begin(tiny_network, 6, 0), cells, tiny_network, tmp_path, 2)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    rng = np.random.default_rng(0)
    for length in [0, 4, 8, *rng.integers(9, len(whole), 40)]:
        (tmp_path / CHECKPOINT).write_bytes(whole[:length])
        state = begin(tiny_network, 6, 0)
        assert load_checkpoint(tmp_path, state)
        assert state.epoch == 1


def test_both_torn_begins_again(tmp_path, tiny_network):
    for name in (CHECKPOINT, PREVIOUS):
        (tmp_path / name).write_bytes(b"not a checkpoint")
    state = begin(tiny_network, 6, 0)
    before = [p.clone() for p in state.network.parameters()]
    assert not load_checkpoint(tmp_path, state)
    assert state.epoch == 0
    for one, other in zip(before, state.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_another_width_is_not_taken(tmp_path, cells, tiny_network):
    run_epochs(begin(tiny_network, 6, 0), cells, tiny_network, tmp_path, 1)
    wider = tiny_network.model_copy(update={"width": 0.1})
    assert not load_checkpoint(tmp_path, begin(wider, 6, 0))


def result() -> FoldResult:
    scores = np.full((2, 6), 1 / 6, np.float32)
    history = (EpochRecord(1, 1.5, 0.25, 3.0),)
    return FoldResult(np.array([4, 7]), scores, np.zeros(2, np.float32), history)


def test_a_result_comes_back_and_ends_the_checkpoints(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"x")
    assert not has_result(tmp_path)
    write_result(tmp_path, result())
    assert has_result(tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()
    back = read_result(tmp_path)
    assert back.rows.tolist() == [4, 7]
    assert np.array_equal(back.scores, result().scores)
    assert back.history == result().history


def test_a_damaged_result_is_told(tmp_path):
    write_result(tmp_path, result())
    (tmp_path / "rows.npy").write_bytes(b"")
    with pytest.raises(BadRunError, match="delete this folder, resume"):
        read_result(tmp_path)
