import numpy as np
import pytest
import torch

from training.models.networks.epoch_plan import plan_epoch
from training.splits.samples import Samples

ROWS = np.array([5, 6, 7, 8, 9])


def settings_with(tiny_network, **changes):
    return tiny_network.model_copy(update={"batch_size": 2, **changes})


@pytest.mark.parametrize("how", ["none", "d4", "d4-intensity"])
def test_each_sample_is_met_once(tiny_network, how):
    settings = settings_with(tiny_network, augmentation=how)
    plan = plan_epoch(Samples.plain(ROWS), settings, seed=3)
    assert sorted(plan.rows.tolist()) == ROWS.tolist()
    batches = list(plan.batches(2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert torch.equal(torch.cat([batch.rows for batch in batches]), plan.rows)
    views = torch.cat([batch.changes.views for batch in batches])
    assert torch.equal(views, plan.changes.views)


def test_the_seed_decides_all(tiny_network):
    settings = settings_with(tiny_network, augmentation="d4-intensity")
    samples = Samples.plain(np.arange(100))
    first, second, other = (plan_epoch(samples, settings, seed) for seed in (1, 1, 2))
    for one, same, unlike in zip(
        (first.rows, *first.changes),
        (second.rows, *second.changes),
        (other.rows, *other.changes),
        strict=True,
    ):
        assert torch.equal(one, same)
        assert not torch.equal(one, unlike)


def test_the_order_is_that_of_the_seed_whatever_the_augmentation(tiny_network):
    plans = [
        plan_epoch(
            Samples.plain(ROWS), settings_with(tiny_network, augmentation=how), 4
        )
        for how in ("none", "d4", "d4-intensity")
    ]
    generator = torch.Generator().manual_seed(4)
    expected = ROWS[torch.randperm(5, generator=generator).numpy()].tolist()
    assert [plan.rows.tolist() for plan in plans] == [expected] * 3


def test_views_that_were_asked_for_are_kept(tiny_network):
    """Without augmentation they are met as they are, each with its own row."""
    samples = Samples(np.arange(8), np.arange(8)[::-1].copy())
    plan = plan_epoch(samples, settings_with(tiny_network), seed=0)
    assert (plan.rows + plan.changes.views == 7).all()
    assert (plan.changes.gains == 1).all()
    assert (plan.changes.gammas == 1).all()


def test_a_weighted_epoch_meets_samples_as_likely_as_their_weights(tiny_network):
    weights = np.array([0.7, 0.1, 0.1, 0.1, 0.0])
    samples = Samples(
        np.repeat(ROWS, 400), np.zeros(2000, int), np.repeat(weights / 400, 400)
    )
    met = plan_epoch(samples, tiny_network, seed=0).rows.numpy()
    shares = [(met == row).mean() for row in ROWS]
    assert len(met) == 2000
    assert shares == pytest.approx(weights, abs=0.04)
    assert shares[-1] == 0


def test_batches_carry_their_warps_and_partners(tiny_network):
    settings = settings_with(tiny_network, augmentation="all", mixup=0.2)
    plan = plan_epoch(Samples.plain(ROWS), settings, seed=3)
    batches = list(plan.batches(2))
    assert torch.equal(torch.cat([b.warps.angles for b in batches]), plan.warps.angles)
    assert torch.equal(
        torch.cat([b.mixing.shares for b in batches]), plan.mixing.shares
    )
    assert all(int(b.mixing.partners.max()) < len(b) for b in batches)
    again = plan_epoch(Samples.plain(ROWS), settings, seed=3)
    assert torch.equal(again.warps.seeds, plan.warps.seeds)


def test_what_the_paper_meets_does_not_change_with_what_it_does_not_need(tiny_network):
    plain = plan_epoch(Samples.plain(ROWS), settings_with(tiny_network), seed=3)
    mixed = plan_epoch(
        Samples.plain(ROWS), settings_with(tiny_network, mixup=1), seed=3
    )
    assert torch.equal(plain.rows, mixed.rows)
    assert plain.mixing is None
