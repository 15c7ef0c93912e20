import numpy as np
import pytest
import torch

from training.models.networks.mixup import Mixing, draw_mixing, mix, mixed_loss


def test_an_image_and_its_partner_in_their_shares():
    images = torch.tensor([0.0, 1.0, 4.0]).view(3, 1, 1, 1)
    mixing = Mixing(torch.tensor([1, 2, 0]), torch.tensor([1.0, 0.5, 0.75]))
    assert mix(images, mixing).flatten().tolist() == [0.0, 2.5, 3.0]


def test_the_loss_is_that_of_both_patterns_in_their_shares():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    truth = torch.tensor([0, 1])
    mixing = Mixing(torch.tensor([1, 0]), torch.tensor([0.75, 1.0]))
    logs = logits.log_softmax(1)
    expected = -(0.75 * logs[0, 0] + 0.25 * logs[0, 1] + logs[1, 1])
    assert float(mixed_loss(logits, truth, mixing, 0.0)) == pytest.approx(
        float(expected)
    )
    plain = -(logs[0, 0] + logs[1, 1])
    assert float(mixed_loss(logits, truth, None, 0.0)) == pytest.approx(float(plain))


def test_smoothing_spreads_its_share_over_all_patterns():
    logits = torch.tensor([[2.0, 0.0]])
    logs = logits.log_softmax(1)[0]
    expected = -(0.9 * logs[0] + 0.1 * logs.mean())
    loss = mixed_loss(logits, torch.tensor([0]), None, 0.1)
    assert float(loss) == pytest.approx(float(expected))


def test_partners_stand_in_the_batch_and_the_image_itself_leads():
    mixing = draw_mixing(10, 4, 0.2, np.random.default_rng(0))
    for part in torch.split(mixing.partners, 4):
        assert sorted(part.tolist()) == list(range(len(part)))
    assert float(mixing.shares.min()) >= 0.5
    assert float(mixing.shares.max()) <= 1.0
