"""Folds side by side against the same folds one after the other."""

import math

import numpy as np
import pytest
import torch

from training.config import ImageNetSettings, LeNetSettings
from training.errors import DivergedError, InterruptedRunError
from training.models.base import EpochRecord, Progress
from training.models.networks.devices import ResidentCells
from training.models.networks.loop import begin, fit
from training.models.networks.parallel_folds import (
    FoldGroup,
    Member,
    can_train_together,
)
from training.splits.samples import Samples

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
HELD = ([0, 1, 2, 3], [4, 5], list(range(8, 40)))
"""Held-out rows of three folds: 44, 46 and 16 cells are left, 3, 3 and 1 steps."""


@pytest.fixture
def settings(tiny_network):
    return tiny_network.model_copy(update={"batch_size": 16, "epochs": 4})


def placed(cells, device=CPU) -> ResidentCells:
    return ResidentCells.place(cells.images, cells.patterns, device)


def make_member(cells, settings, held, seed, dtype=torch.float32) -> Member:
    state = begin(settings, 6, seed)
    state.network.to(dtype)
    state.momenta = [momentum.to(dtype) for momentum in state.momenta]
    train = np.setdiff1d(np.arange(len(cells)), held)
    return Member(state, Samples.plain(train), np.array(held), seed)


def alone(cells, settings, member: Member, epochs: int):
    """Train a member by itself up to an epoch."""
    records = fit(
        member.state,
        placed(cells),
        member.train,
        settings,
        seed=member.seed,
        test=member.test,
    )
    while member.state.epoch < epochs:
        next(records)
    return member.state


def together(group: FoldGroup, members, epochs: int):
    steps = group.fit(members)
    while any(member.state.epoch < epochs for member in members):
        next(steps)


def weights(state) -> torch.Tensor:
    every = [*state.network.parameters(), *state.momenta]
    return torch.cat([tensor.detach().flatten() for tensor in every])


def same_numbers(one, other, dtype):
    """Compare two states as closely as a processor's rounding allows.

    In float64 every number agrees. In float32 momenta were seen to differ by 7e-4 on
    processors without AVX-512, probably where rounding turns a unit on or off; with
    small steps the weights hardly notice.
    """
    if dtype == torch.float64:
        torch.testing.assert_close(weights(one), weights(other), rtol=0, atol=1e-12)
        return
    for mine, its in zip(
        one.network.parameters(), other.network.parameters(), strict=True
    ):
        torch.testing.assert_close(mine.cpu(), its, rtol=0, atol=1e-6)
    moved, expected = (
        torch.cat([momentum.cpu().flatten() for momentum in state.momenta])
        for state in (one, other)
    )
    assert (moved - expected).norm() < 0.01 * expected.norm()


@pytest.fixture
def slow(settings):
    """Small steps: a rounding that turns a unit on or off stays a rounding."""
    return settings.model_copy(update={"learning_rate": 1e-4})


@pytest.mark.parametrize(
    ("dtype", "rate"), [(torch.float32, 1e-4), (torch.float64, 0.02)]
)
@pytest.mark.parametrize("augmentation", ["none", "d4", "d4-intensity"])
def test_the_same_numbers_as_one_at_a_time(cells, settings, dtype, rate, augmentation):
    """Six steps, two of them of a batch that is filled up, with unlike epochs."""
    recipe = {"augmentation": augmentation, "learning_rate": rate}
    settings = settings.model_copy(update=recipe)

    def members():
        return [
            make_member(cells, settings, held, 100 * k, dtype)
            for k, held in enumerate(HELD)
        ]

    group = FoldGroup(settings, placed(cells), 6, 3, dtype)
    trained = members()
    together(group, trained, epochs=2)
    for one, other in zip(trained, members(), strict=True):
        expected = alone(cells, settings, other, epochs=2)
        assert len(expected.history) == 2
        same_numbers(one.state, expected, dtype)
        for mine, its in zip(one.state.history, expected.history, strict=True):
            assert mine.loss == pytest.approx(its.loss, rel=1e-5)
            assert mine.accuracy == its.accuracy


def test_scores_and_votes_are_the_same_to_the_end(cells, slow):
    group = FoldGroup(slow, placed(cells), 6, 3)
    members = [make_member(cells, slow, held, k) for k, held in enumerate(HELD)]
    told = [
        (number, step.epoch)
        for number, step in group.fit(members)
        if isinstance(step, EpochRecord)
    ]
    assert told == [(number, epoch) for epoch in range(1, 5) for number in range(3)]
    for k, (member, held) in enumerate(zip(members, HELD, strict=True)):
        state = alone(cells, slow, make_member(cells, slow, held, k), 4)
        assert len(member.state.votes) == slow.vote_epochs
        np.testing.assert_allclose(
            np.stack(member.state.votes), np.stack(state.votes), rtol=0, atol=1e-5
        )


def test_members_go_on_from_where_they_were(cells, slow):
    """One from its second epoch, one from its first, as after a kill."""
    members = [make_member(cells, slow, held, k) for k, held in enumerate(HELD[:2])]
    alone(cells, slow, members[0], epochs=2)
    group = FoldGroup(slow, placed(cells), 6, 2)
    epochs = [(number, step.epoch) for number, step in group.fit(members)]
    assert epochs == [(0, 3), (1, 1), (0, 4), (1, 2), (1, 3), (1, 4)]
    for k, member in enumerate(members):
        expected = make_member(cells, slow, HELD[k], k)
        alone(cells, slow, expected, epochs=4)
        same_numbers(member.state, expected.state, torch.float32)


def test_one_group_after_the_other_on_the_same_seats(cells, slow):
    """What lies on the device does not grow with the folds."""
    group = FoldGroup(slow, placed(cells), 6, 2)
    networks = set()
    for start in range(3):
        held = HELD[start : start + 2]
        members = [
            make_member(cells, slow, some, start + k) for k, some in enumerate(held)
        ]
        list(group.fit(members))
        networks |= {id(member.state.network) for member in members}
        for k, member in enumerate(members):
            expected = make_member(cells, slow, held[k], start + k)
            alone(cells, slow, expected, epochs=4)
            np.testing.assert_allclose(
                member.state.votes[-1], expected.state.votes[-1], rtol=0, atol=1e-5
            )
    assert len(networks) == 2


def test_a_fold_that_diverges_leaves_the_others_alone(cells, slow):
    members = [make_member(cells, slow, held, k) for k, held in enumerate(HELD[:2])]
    with torch.no_grad():
        next(members[0].state.network.parameters()).fill_(math.inf)
    steps = list(FoldGroup(slow, placed(cells), 6, 2).fit(members))
    assert [number for number, step in steps if isinstance(step, DivergedError)] == [0]
    assert [step.epoch for number, step in steps if number == 1] == [1, 2, 3, 4]
    expected = make_member(cells, slow, HELD[1], 1)
    alone(cells, slow, expected, epochs=4)
    np.testing.assert_allclose(
        members[1].state.votes[-1], expected.state.votes[-1], rtol=0, atol=1e-5
    )


def test_it_stops_before_a_step(cells, settings):
    group = FoldGroup(settings, placed(cells), 6, 1)
    asked = iter([False, False, True])
    steps = group.fit([make_member(cells, settings, HELD[0], 0)], lambda: next(asked))
    with pytest.raises(InterruptedRunError):
        next(steps)


def test_a_long_epoch_gives_signs_of_life(cells, settings, monkeypatch):
    monkeypatch.setattr("training.models.networks.parallel_folds.PROGRESS_SECONDS", 0.0)
    group = FoldGroup(settings, placed(cells), 6, 1)
    steps = group.fit([make_member(cells, settings, HELD[0], 0)])
    found = [next(steps) for _ in range(4)]
    shares = [step.share for _, step in found if isinstance(step, Progress)]
    assert shares == pytest.approx([1 / 3, 2 / 3, 1])
    assert isinstance(found[3][1], EpochRecord)


def test_more_folds_than_seats_are_refused(cells, settings):
    group = FoldGroup(settings, placed(cells), 6, 1)
    members = [make_member(cells, settings, held, 0) for held in HELD]
    with pytest.raises(ValueError, match="3 folds for 1 seats"):
        next(group.fit(members))


def test_batch_normalisation_trains_alone(tiny_network):
    assert can_train_together(tiny_network)
    assert can_train_together(LeNetSettings())
    assert not can_train_together(tiny_network.model_copy(update={"batch_norm": True}))
    assert not can_train_together(ImageNetSettings())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("size", [1, 3])
def test_a_graph_takes_the_steps_of_the_loop(cells, slow, size):
    """On a GPU, without its short floats, against one fold at a time on the CPU."""
    torch.backends.cudnn.allow_tf32 = False
    gpu = torch.device("cuda")
    settings = slow.model_copy(update={"augmentation": "d4"})
    group = FoldGroup(settings, placed(cells, gpu), 6, size)
    members = [make_member(cells, settings, HELD[k], k) for k in range(size)]
    together(group, members, epochs=2)
    for k, member in enumerate(members):
        expected = make_member(cells, settings, HELD[k], k)
        alone(cells, settings, expected, epochs=2)
        same_numbers(member.state, expected.state, torch.float32)
