import numpy as np
import pytest
import torch

from training.errors import BadRunError
from training.models.base import EpochRecord
from training.models.networks.checkpoints import (
    CHECKPOINT,
    PREVIOUS,
    load_checkpoint,
    save_checkpoint,
)
from training.models.networks.devices import ResidentCells
from training.models.networks.loop import begin, fit, held_out_vote
from training.runs.fold_result import FoldResult, has_result, read_result, write_result
from training.splits.samples import Samples

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


def test_a_checkpoint_of_which_a_bit_has_turned_is_not_taken(
    tmp_path, cells, tiny_network
):
    """Nor does it take the place of the whole one, when the next is written."""
    run_epochs(begin(tiny_network, 6, 0), cells, tiny_network, tmp_path, 2)
    content = bytearray((tmp_path / CHECKPOINT).read_bytes())
    content[-5] ^= 1
    (tmp_path / CHECKPOINT).write_bytes(content)
    state = begin(tiny_network, 6, 0)
    assert load_checkpoint(tmp_path, state)
    assert state.epoch == 1
    assert not (tmp_path / CHECKPOINT).exists()
    assert (tmp_path / PREVIOUS).exists()


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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows", np.array([4.0, 7.0])),
        ("rows", np.array([[4], [7]])),
        ("rows", np.array([4, 7, 8])),
        ("rows", np.array([-1, 7])),
        ("rows", np.array([4, 48])),
        ("scores", np.zeros((2, 5), np.float32)),
        ("scores", np.zeros((2, 6), np.float64)),
        ("scores", np.full((2, 6), np.nan, np.float32)),
        ("scores", np.zeros(2, np.float32)),
        ("disagreement", np.zeros(3, np.float32)),
        ("disagreement", np.zeros(2, "<U1")),
    ],
)
def test_a_result_of_other_cells_or_patterns_is_told(tmp_path, name, content):
    write_result(tmp_path, result())
    assert read_result(tmp_path, 48, 6)
    np.save(tmp_path / f"{name}.npy", content)
    with pytest.raises(BadRunError, match="damaged; delete this folder"):
        read_result(tmp_path, 48, 6)


@pytest.mark.parametrize(
    "history",
    [
        "[" * 100_000,
        "[1]",
        "{}x",
        '[{"epoch": 1}]',
        '[{"epoch": 2, "loss": 1, "accuracy": 1, "seconds": 1}]',
        '[{"epoch": "1", "loss": 1, "accuracy": 1, "seconds": 1}]',
        '[{"epoch": 1, "loss": NaN, "accuracy": 1, "seconds": 1}]',
        '[{"epoch": 1, "loss": null, "accuracy": 1, "seconds": 1}]',
        '[{"epoch": 1, "loss": 1%s, "accuracy": 1, "seconds": 1}]' % ("0" * 400),
    ],
)
def test_a_result_without_its_curve_is_told(tmp_path, history):
    write_result(tmp_path, result())
    (tmp_path / "history.json").write_text(history)
    with pytest.raises(BadRunError, match="damaged; delete this folder"):
        read_result(tmp_path)


def test_a_checkpoint_with_the_momenta_of_another_network_is_left(
    tmp_path, tiny_network
):
    state = begin(tiny_network, 6, 0)
    state.momenta[0] = state.momenta[0][:1]
    save_checkpoint(tmp_path, state)
    assert not load_checkpoint(tmp_path, begin(tiny_network, 6, 0))
