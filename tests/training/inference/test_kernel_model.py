from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from training.config import KernelRidgeSettings, TrainingSetSettings
from training.data.masks.single_crops import crop_mask
from training.errors import BadModelError
from training.inference.cards import read_card
from training.inference.kernel_model import KernelModel
from training.inference.model_file import load_model
from training.inference.scorers import has_networks, load_scorer, score_views
from training.inference.why.neighbours import build_index
from training.inference.why.reasons import explain_cells
from training.runs.final_fit import fit_model

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = KernelRidgeSettings(input_size=32, fourier=40, chosen_on=20)


@pytest.fixture(scope="module")
def masked(make_cells):
    cells = make_cells((3, 3, 3, 3, 3, 3))
    return replace(cells, masks=np.stack([crop_mask(one) for one in cells.images]))


@pytest.fixture
def path(tmp_path, masked):
    written = tmp_path / "ridge.safetensors"
    (record,) = fit_model("ridge", masked, SMALL, written, TrainingSetSettings())
    assert record.accuracy > 0.5
    return written


def test_it_is_read_as_it_was_written(path, masked):
    model = load_scorer(path)
    assert isinstance(model, KernelModel)
    assert not has_networks(model)
    scores = model.scores(masked.images)
    assert scores.sum(axis=1) == pytest.approx(1)
    assert (scores.argmax(1) == masked.patterns).mean() > 0.5
    assert model.scores(masked.images[:0]).shape == (0, 6)


def test_the_card_says_what_was_chosen(path, masked):
    card = read_card(path.with_suffix(".json"))
    assert card.chosen["penalty"] in SMALL.penalties
    assert card.specimens == tuple(np.unique(masked.specimens).tolist())
    assert card.classifier == SMALL


def test_all_eight_orientations_have_about_the_same_scores(path, masked):
    views = score_views(load_scorer(path), masked.images[:6])
    assert views is not None
    assert views.shape == (8, 6, 6)
    assert views.std(axis=0).max() < 0.05


def test_why_has_the_stability_and_says_what_it_lacks(path, masked):
    reasons = explain_cells(load_scorer(path), masked.images[:2], masked.patterns[:2])
    assert reasons.maps is None
    assert reasons.stability is not None
    assert "network" in reasons.notes[0]


def test_its_training_cells_are_alike_by_what_it_decides_with(path, masked):
    model = load_scorer(path)
    index = build_index(model, path, masked, np.random.default_rng(0), per_specimen=3)
    used = model.coefficients[:-1].any(axis=1).sum()
    assert index.embeddings.shape == (18 * 3, used)
    row = int(np.flatnonzero(masked.ids == index.cells[7])[0])
    turned = np.rot90(masked.images[row : row + 1], axes=(1, 2))
    asked = np.array([index.patterns[7]])
    (found,) = explain_cells(model, turned, asked, index).neighbours
    (own,) = [one for one in found if one.pattern == asked]
    assert own.cell == index.cells[7]
    assert own.likeness > 0.95


def test_what_needs_a_network_is_refused(path):
    with pytest.raises(BadModelError, match="needs a network"):
        load_model(path)


@pytest.mark.parametrize("change", ["nan", "shape", "pattern", "torn"])
def test_a_damaged_file_is_refused(path, change):
    stored = load_file(path)
    if change == "nan":
        stored["coefficients"][0, 0] = np.nan
    elif change == "shape":
        stored["coefficients"] = stored["coefficients"][1:].copy()
    elif change == "pattern":
        stored["patterns"][0] = 99
    content = save(stored)
    path.write_bytes(content[:-8] if change == "torn" else content)
    with pytest.raises(BadModelError):
        load_scorer(path)
