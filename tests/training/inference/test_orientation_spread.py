"""Scores that hang on one corner of a crop, which two of its eight views keep."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.errors import BadModelError
from training.inference.cards import ModelCard, read_card
from training.inference.model_file import Model
from training.inference.orientation_spread import scores_in_views, spread_in_views
from training.patterns import I3A

CARD = Path(__file__).parents[3] / "sample_data" / "model" / "simulated.json"


def card(views: int, side: int = 4) -> ModelCard:
    made = read_card(CARD)
    changes = {"input_size": side, "normalisation": "none", "test_views": views}
    settings = made.classifier.model_copy(update=changes)
    return made.model_copy(update={"classifier": settings, "specimens": ("a",)})


@dataclass
class CornerScorer:
    """Scores a crop by its upper left pixel alone, and has no networks to show."""

    card: ModelCard

    def scores(self, crops):
        share = crops[:, 0, 0] / np.float32(255)
        return np.stack([share, 1 - share], axis=1).astype(np.float32)


class CornerNetwork(nn.Module):
    """Says pattern 0 where the upper left pixel is bright."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))  # tells the device

    def forward(self, images):
        corner = images[:, 0, 0, 0]
        return torch.stack([corner, *[torch.zeros_like(corner)] * 5], dim=1)


@pytest.fixture
def crops():
    made = np.zeros((2, 4, 4), np.uint8)
    made[0, 0, 0] = 255
    return made


def test_scores_over_the_views_by_hand(crops):
    found = scores_in_views(CornerScorer(card(1)), crops)
    assert found.mean == pytest.approx(np.array([[0.25, 0.75], [0, 1]]))
    assert found.spread == pytest.approx([np.std([1, 1, 0, 0, 0, 0, 0, 0]), 0])


@pytest.mark.parametrize("views", [1, 8])
def test_a_model_that_averages_views_differs_over_them_all_the_same(crops, views):
    model = Model(card(views), I3A, (CornerNetwork(),))
    found = scores_in_views(model, crops)
    high, low = np.exp(1) / (np.exp(1) + 5), 1 / 6
    expected = np.std([high] * 2 + [low] * 6)
    assert found.spread == pytest.approx([expected, 0], abs=1e-6)
    assert found.mean == pytest.approx(replace(model, card=card(8)).scores(crops))


def test_a_file_that_averages_views_itself_is_refused(crops):
    with pytest.raises(BadModelError, match="averages the eight orientations itself"):
        scores_in_views(CornerScorer(card(8)), crops)


def test_piece_by_piece_and_who_was_seen(crops, monkeypatch):
    monkeypatch.setattr("training.inference.orientation_spread._CHUNK", 1)
    steps, shares = (
        spread_in_views(CornerScorer(card(1)), crops, np.array(["a", "b"])),
        [],
    )
    try:
        while True:
            shares.append(next(steps))
    except StopIteration as end:
        found = end.value
    assert shares == [0.5, 1.0]
    assert found.spread == pytest.approx([np.std([1, 1, 0, 0, 0, 0, 0, 0]), 0])
    assert found.seen.tolist() == [True, False]
