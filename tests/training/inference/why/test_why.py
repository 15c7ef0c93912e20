"""Why a cell was given its pattern: maps, views and neighbours of known truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from training.config import ImageNetSettings, LeNetSettings, RadialNetworkSettings
from training.data.cells.cell_set import CellSet
from training.errors import BadModelError, BadSettingError
from training.inference.cards import read_card
from training.inference.model_file import Model, load_model
from training.inference.why.embeddings import embed
from training.inference.why.maps import class_maps, find_head, find_maps
from training.inference.why.neighbours import (
    NeighbourIndex,
    build_index,
    file_hash,
    index_path,
    read_index,
    write_index,
)
from training.inference.why.orientations import measure_stability
from training.inference.why.reasons import explain_cells
from training.models.networks.architectures import blank_network
from training.patterns import I3A

SAMPLE = Path(__file__).parents[4] / "sample_data" / "model" / "simulated.safetensors"


class Seen(nn.Module):
    """Pattern 0 speaks where the image is bright, pattern 1 where it is dark."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv2d(1, 2, 1)
        self.head = nn.Linear(2, 6)
        with torch.no_grad():
            self.maps.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.maps.bias.copy_(torch.tensor([0.0, 1.0]))
            self.head.weight.zero_()
            self.head.bias.zero_()
            self.head.weight[0, 0] = self.head.weight[1, 1] = 1

    def forward(self, images):
        return self.head(self.maps(images).mean((2, 3)))


def model_of(network, side, views=1):
    card = read_card(SAMPLE.with_suffix(".json"))
    changes = {"input_size": side, "normalisation": "none", "test_views": views}
    settings = card.classifier.model_copy(update=changes)
    return Model(card.model_copy(update={"classifier": settings}), I3A, (network,))


@pytest.mark.parametrize("views", [1, 8])
def test_a_map_lies_where_the_pattern_speaks(views):
    crop = np.zeros((1, 5, 5), np.uint8)
    crop[0, 1, 3] = 255
    crops = np.repeat(crop, 3, axis=0)
    maps = class_maps(model_of(Seen().eval(), 5, views), crops, np.array([0, 1, 2]))
    assert maps.shape == (3, 5, 5)
    assert maps.dtype == np.float32
    assert maps[0] == pytest.approx(crop[0] / 255)
    assert maps[1] == pytest.approx(1 - crop[0] / 255)
    assert (maps[2] == 0).all()


def test_maps_leave_the_network_as_it_was():
    network = Seen().eval()
    class_maps(model_of(network, 5), np.full((2, 5, 5), 9, np.uint8), np.array([0, 1]))
    assert not any(part._forward_hooks for part in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    empty = class_maps(model_of(network, 5), np.zeros((0, 5, 5), np.uint8), np.zeros(0))
    assert empty.shape == (0, 5, 5)


@pytest.mark.parametrize(
    ("settings", "side", "width"),
    [
        (LeNetSettings(), 3, 150),
        (ImageNetSettings(weights="random"), None, 512),
        (RadialNetworkSettings(), None, None),
        (read_card(SAMPLE.with_suffix(".json")).classifier, 8, None),
    ],
)
def test_every_architecture_has_maps_and_a_head(settings, side, width):
    network = blank_network(settings, 6).eval()
    images = torch.rand(1, 1, settings.input_size, settings.input_size)
    found = []
    part = find_maps(network, images, "m")
    handle = part.register_forward_hook(lambda _p, _g, made: found.append(made.shape))
    network(images)
    handle.remove()
    assert min(found[-1][2:]) >= 3
    assert side is None or found[-1][2] == side
    head = find_head(network, images)
    assert isinstance(head, nn.Linear | nn.Conv2d)
    assert (head.weight.shape[0]) == 6
    assert width is None or head.weight.shape[1] == width


def test_a_network_without_maps_is_told():
    network = nn.Sequential(nn.Flatten(), nn.Linear(25, 6))
    model = model_of(network, 5)
    crops = np.zeros((1, 5, 5), np.uint8)
    with pytest.raises(BadModelError, match="no maps"):
        class_maps(model, crops, np.array([0]))
    reasons = explain_cells(model, crops, np.array([0]))
    assert reasons.maps is None
    assert "no maps" in reasons.notes[0]
    assert reasons.stability is not None


class Corner(nn.Module):
    """Pattern 0 if the upper left corner is bright, else pattern 1."""

    def forward(self, images):
        corner = images[:, 0, 0, 0]
        rest = torch.full((len(images), 4), -9.0)
        return torch.cat([corner[:, None], 0.5 + 0 * corner[:, None], rest], 1)


class Cornered(Corner):
    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))


@pytest.mark.parametrize("views", [1, 8])
def test_two_of_eight_views_have_a_corner_in_its_place(views):
    crop = np.zeros((1, 4, 4), np.uint8)
    crop[0, 0, 0] = 255
    model = model_of(Cornered(), 4, views)
    found = measure_stability(model, crop, np.array([0]))
    high, low = np.exp(1.0), 1.0
    other, rest = np.exp(0.5), 4 * np.exp(-9.0)
    assert found.agreeing == pytest.approx([2 / 8])
    assert found.high == pytest.approx([high / (high + other + rest)], abs=1e-5)
    assert found.low == pytest.approx([low / (low + other + rest)], abs=1e-5)
    assert found.spread == pytest.approx(found.high - found.low)


class Elsewhere:
    card = model_of(Corner(), 4, views=8).card
    vocabulary = I3A

    def scores(self, crops):
        raise AssertionError("one view cannot be scored alone")


def test_views_that_the_model_averages_itself_are_not_told():
    reasons = explain_cells(Elsewhere(), np.zeros((1, 4, 4), np.uint8), np.array([0]))
    assert reasons.stability is None
    assert len(reasons.notes) == 2
    with pytest.raises(BadModelError, match="scores alone"):
        embed(Elsewhere(), np.zeros((1, 4, 4), np.uint8))


def small_index(**changes):
    angles = np.radians([0, 10, 60, 90])
    index = NeighbourIndex(
        np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32),
        np.zeros(2, np.float32),
        np.array([0, 0, 0, 1]),
        np.array(["a", "a", "b", "c"]),
        np.array(["a1", "a2", "b1", "c1"]),
        np.arange(4 * 48 * 48, dtype=np.uint8).reshape(4, 48, 48),
        file_hash(SAMPLE),
        "data",
    )
    return replace(index, **changes)


def test_the_nearest_of_each_pattern_each_of_its_own_specimen():
    angle = np.radians(8)
    asked = np.array([np.cos(angle), np.sin(angle)], np.float32) * 5
    found = small_index().nearest(asked, count=2)
    assert [one.cell for one in found] == ["a2", "b1", "c1"]
    assert [one.pattern for one in found] == [0, 0, 1]
    expected = np.cos(np.radians([2, 52, 82]))
    assert [one.likeness for one in found] == pytest.approx(expected, abs=1e-5)


def test_an_index_comes_back_as_it_was_and_only_for_its_model(tmp_path):
    path = tmp_path / "x.neighbours.safetensors"
    write_index(path, small_index())
    back = read_index(path, SAMPLE, I3A)
    for name in ("embeddings", "patterns", "pictures", "specimens", "cells"):
        assert (getattr(back, name) == getattr(small_index(), name)).all()
    write_index(path, small_index(model="other"))
    with pytest.raises(BadModelError, match="for another model"):
        read_index(path, SAMPLE, I3A)


def test_a_missing_torn_or_foreign_index_is_refused(tmp_path):
    path = tmp_path / "x.neighbours.safetensors"
    with pytest.raises(BadModelError, match="no index of training cells; make it"):
        read_index(path, SAMPLE, I3A)
    with pytest.raises(BadModelError, match="not an index"):
        read_index(SAMPLE, SAMPLE, I3A)
    write_index(path, small_index())
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    with pytest.raises(BadModelError, match="damaged"):
        read_index(path, SAMPLE, I3A)
    path.write_bytes(whole)
    tensors = load_file(path)
    for name, value in (
        ("patterns", np.array([0, 0, 0, 6])),
        ("mean", np.array([0, np.nan], np.float32)),
        ("about", np.frombuffer(b"[]", np.uint8)),
        ("pictures", np.zeros((3, 48, 48), np.uint8)),
    ):
        save_file({**tensors, name: value}, path)
        with pytest.raises(BadModelError):
            read_index(path, SAMPLE, I3A)


def test_an_index_is_made_of_the_models_own_cells(make_cells):
    model = load_model(SAMPLE, "cpu")
    side = model.card.classifier.input_size
    cells: CellSet = make_cells(cells=5, side=side)
    rng = np.random.default_rng(0)
    with pytest.raises(BadSettingError, match="not the cells that simulated"):
        build_index(model, SAMPLE, cells, rng)
    card = model.card.model_copy(update={"data_fingerprint": cells.fingerprint})
    model = replace(model, card=card)
    index = build_index(model, SAMPLE, cells, rng, per_specimen=3)
    assert len(index) == 12 * 3
    assert set(index.specimens) == set(cells.specimens)
    row = int(np.flatnonzero(cells.ids == index.cells[7])[0])
    (own,) = [
        one
        for one in index.nearest(embed(model, cells.images[row : row + 1])[0])
        if one.pattern == index.patterns[7]
    ]
    assert own.cell == index.cells[7]
    assert own.likeness == pytest.approx(1, abs=1e-4)
    assert index_path(SAMPLE).name == "simulated.neighbours.safetensors"
