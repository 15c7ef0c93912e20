import numpy as np
import pytest
import torch

from training.config import ImageNetSettings
from training.errors import DivergedError, InterruptedRunError
from training.models.augmentation import change
from training.models.base import EpochRecord, Progress
from training.models.networks.devices import ResidentCells
from training.models.networks.epoch_plan import plan_epoch
from training.models.networks.loop import _accumulate, begin, fit, held_out_vote
from training.models.networks.scoring import score
from training.splits.samples import Samples

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


def placed(cells) -> ResidentCells:
    return ResidentCells.place(cells.images, cells.patterns, CPU)


def fitted(cells, settings, rows=None, **options):
    state = begin(settings, 6, seed=0)
    rows = np.arange(len(cells)) if rows is None else rows
    samples = rows if isinstance(rows, Samples) else Samples.plain(rows)
    list(fit(state, placed(cells), samples, settings, seed=0, **options))
    return state


def weights(state) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in state.network.parameters()])


def test_it_learns(make_cells, tiny_network):
    cells = make_cells(cells=8)
    settings = tiny_network.model_copy(update={"epochs": 25, "width": 0.08})
    state = fitted(cells, settings)
    assert state.history[0].loss > 1.5
    assert state.history[-1].loss < 0.5
    assert state.history[-1].accuracy > 0.8
    assert [record.epoch for record in state.history] == list(range(1, 26))


def test_a_batch_in_pieces_has_the_gradient_of_the_whole(make_cells, tiny_network):
    cells = placed(make_cells(cells=5))
    state = begin(tiny_network, 6, seed=0)
    plan = plan_epoch(Samples.plain(np.arange(60)), tiny_network, seed=0)
    summed = _accumulate(state, cells, plan, tiny_network)
    pieces = [p.grad.clone() for p in state.network.parameters()]
    state.network.zero_grad()
    logits = state.network(cells.images.float()[:, None] / 255)
    loss = torch.nn.functional.cross_entropy(logits, cells.patterns)
    loss.backward()
    assert float(summed[0]) / 60 == pytest.approx(loss.item(), rel=1e-6)
    for piece, whole in zip(pieces, state.network.parameters(), strict=True):
        assert torch.allclose(piece, whole.grad, atol=1e-6)


def test_the_step_is_that_of_torchs_own_descent(cells, tiny_network):
    """Two epochs of one batch against torch.optim.SGD with the same settings."""
    settings = tiny_network.model_copy(update={"epochs": 2, "batch_size": 48})
    ours = fitted(cells, settings)
    reference = begin(settings, 6, seed=0).network
    optimiser = torch.optim.SGD(
        reference.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    images = torch.from_numpy(cells.images).float()[:, None] / 255
    for _ in range(2):
        optimiser.zero_grad()
        logits = reference(images)
        torch.nn.functional.cross_entropy(
            logits, torch.from_numpy(cells.patterns)
        ).backward()
        optimiser.step()
    expected = torch.cat([p.detach().flatten() for p in reference.parameters()])
    assert torch.allclose(weights(ours), expected, atol=1e-6)


def test_held_out_pixels_do_not_matter(cells, tiny_network):
    """Whatever stands in the held-out cells, the model is the same, bit for bit."""
    train, test = np.arange(8, 48), np.arange(8)
    images = cells.images.copy()
    images[test] = 255 - images[test]
    one = fitted(cells, tiny_network, train, test=test)
    changed = ResidentCells.place(images, 5 - cells.patterns * 0, CPU)
    changed.patterns[8:] = torch.from_numpy(cells.patterns[8:])
    other = begin(tiny_network, 6, seed=0)
    list(fit(other, changed, Samples.plain(train), tiny_network, seed=0, test=test))
    assert torch.equal(weights(one), weights(other))
    assert not np.array_equal(held_out_vote(one).scores, held_out_vote(other).scores)


def test_the_vote_is_the_mean_of_the_last_epochs(cells, tiny_network):
    test = np.arange(8)
    state = fitted(cells, tiny_network, np.arange(8, 48), test=test, keep_voters=True)
    assert len(state.votes) == len(state.voters) == tiny_network.vote_epochs
    expected = []
    for voter in state.voters:
        network = begin(tiny_network, 6, seed=9).network
        network.load_state_dict(voter)
        images = torch.from_numpy(cells.images[test])
        expected.append(score(network, images, "none"))
    vote = held_out_vote(state)
    assert vote.scores == pytest.approx(np.mean(expected, axis=0), abs=1e-6)
    assert vote.scores.sum(axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    spread = np.std(expected, axis=0).max(axis=1)
    assert vote.disagreement == pytest.approx(spread, abs=1e-6)


def test_eight_views_take_each_cell_eight_times(cells, tiny_network, monkeypatch):
    met = []

    def note(images, changes, how):
        changed = change(images, changes, how)
        met.extend(changed.numpy().copy())
        return changed

    monkeypatch.setattr("training.models.networks.loop.change", note)
    settings = tiny_network.model_copy(update={"epochs": 1})
    rows = np.array([3, 5, 11])
    fitted(cells, settings, Samples(np.tile(rows, 8), np.repeat(np.arange(8), 3)))
    views = [
        np.rot90(image[:, ::-1] if mirrored else image, turns)
        for image in cells.images[rows]
        for mirrored in (False, True)
        for turns in range(4)
    ]
    assert sorted(v.tobytes() for v in met) == sorted(v.tobytes() for v in views)


def test_augmentation_is_drawn_anew_and_the_same_for_the_same_seed(cells, tiny_network):
    settings = tiny_network.model_copy(update={"augmentation": "d4-intensity"})
    once, again = fitted(cells, settings), fitted(cells, settings)
    assert torch.equal(weights(once), weights(again))
    assert not torch.equal(weights(once), weights(fitted(cells, tiny_network)))


def test_batch_normalisation_takes_batches_whole(cells, tiny_network):
    """In pieces, each would be normalised by its own moments."""
    settings = tiny_network.model_copy(
        update={"batch_norm": True, "epochs": 1, "batch_size": 48}
    )
    ours = fitted(cells, settings)
    reference = begin(settings, 6, seed=0).network.train()
    images = torch.from_numpy(cells.images).float()[:, None] / 255
    loss = torch.nn.functional.cross_entropy(
        reference(images), torch.from_numpy(cells.patterns)
    )
    assert ours.history[0].loss == pytest.approx(float(loss), rel=1e-5)


def test_frozen_layers_stay_as_they_are(make_cells):
    cells = make_cells(side=64)
    settings = ImageNetSettings(
        weights="random", tune="head", input_size=64, epochs=1, batch_size=16
    )
    before = begin(settings, 6, seed=0).network.state_dict()
    after = fitted(cells, settings).network.state_dict()
    changed = {k for k, v in after.items() if not torch.equal(v, before[k])}
    assert changed == {"fc.weight", "fc.bias"}


def test_a_stop_leaves_before_the_next_step(cells, tiny_network):
    asked = []

    def stop_at_the_fifth() -> bool:
        asked.append(1)
        return len(asked) == 5

    state = begin(tiny_network, 6, seed=0)
    records = fit(
        state,
        placed(cells),
        Samples.plain(np.arange(48)),
        tiny_network,
        seed=0,
        should_stop=stop_at_the_fifth,
    )
    with pytest.raises(InterruptedRunError, match="it was stopped; continue with"):
        list(records)
    assert state.epoch == 1
    assert len(asked) == 5


def test_an_epoch_whose_loss_is_infinite_does_not_count(cells, tiny_network):
    settings = tiny_network.model_copy(update={"learning_rate": 1e6})
    state = begin(settings, 6, seed=0)
    samples = Samples.plain(np.arange(48))
    with pytest.raises(DivergedError, match=r"lower learning_rate"):
        list(fit(state, placed(cells), samples, settings, seed=0))
    assert len(state.history) == state.epoch < settings.epochs


def test_the_same_seed_gives_the_same_model(cells, tiny_network):
    assert torch.equal(
        weights(fitted(cells, tiny_network)), weights(fitted(cells, tiny_network))
    )
    other = begin(tiny_network, 6, seed=1)
    assert not torch.equal(weights(begin(tiny_network, 6, seed=0)), weights(other))


def test_a_long_epoch_gives_signs_of_life(cells, tiny_network, monkeypatch):
    monkeypatch.setattr("training.models.networks.loop.PROGRESS_SECONDS", 0.0)
    state = begin(tiny_network, 6, seed=0)
    samples = Samples.plain(np.arange(40))
    steps = fit(state, placed(cells), samples, tiny_network, seed=0)
    found = [next(steps) for _ in range(4)]
    assert [step.share for step in found[:3]] == pytest.approx([0.4, 0.8, 1])
    assert {type(step) for step in found[:3]} == {Progress}
    assert isinstance(found[3], EpochRecord)
    assert state.history == found[3:]


def test_short_floats_train_to_nearly_the_same(make_cells, tiny_network):
    """Weights and scores stay float32; only the steps are computed in 16 bits."""
    cells = make_cells(cells=8)
    settings = tiny_network.model_copy(update={"epochs": 8})
    short = settings.model_copy(update={"precision": "bf16"})
    long_state, state = fitted(cells, settings), fitted(cells, short)
    assert weights(state).dtype == torch.float32
    assert not torch.equal(weights(state), weights(long_state))
    first, second = long_state.history[0], state.history[0]
    assert second.loss == pytest.approx(first.loss, rel=0.02)
    assert state.history[-1].loss < 0.8 * state.history[0].loss


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_scores(cells, tiny_network):
    state = begin(tiny_network, 6, seed=0)
    images = torch.from_numpy(cells.images)
    here = score(state.network, images, "cell")
    there = score(state.network.cuda(), images.cuda(), "cell")
    assert there == pytest.approx(here, abs=1e-4)


def test_the_mean_of_the_weights_follows_them_and_votes(cells, tiny_network):
    changes = {"weight_average": 0.5, "epochs": 2}
    state = fitted(cells, tiny_network.model_copy(update=changes), test=np.arange(4))
    plain = fitted(cells, tiny_network.model_copy(update={"epochs": 2}))
    assert torch.equal(weights(state), weights(plain))
    assert state.voter is state.average
    images = torch.from_numpy(cells.images[:4])
    votes = score(state.average, images, "none")
    assert np.array_equal(state.votes[-1], votes)
    assert not np.array_equal(votes, score(state.network, images, "none"))


def test_the_mean_of_weights_by_hand(cells, tiny_network):
    """Of one step: the first weights count 0.1, those after the step 0.9."""
    changes = {"weight_average": 0.999, "epochs": 1, "batch_size": 48}
    settings = tiny_network.model_copy(update=changes)
    before = begin(settings, 6, seed=0)
    state = fitted(cells, settings)
    first, last, mean = (
        next(network.parameters()).detach()
        for network in (before.network, state.network, state.average)
    )
    assert torch.allclose(mean, 0.1 * first + 0.9 * last, atol=1e-7)
