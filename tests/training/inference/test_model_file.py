import json
import shutil
import struct

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from training.errors import BadModelError
from training.inference.cards import NOTICE, read_card
from training.inference.model_file import load_model
from training.runs.final_fit import fit_model


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, make_cells, tiny_network):
    """A model fitted once; tests that change it change a copy."""
    path = tmp_path_factory.mktemp("fitted") / "tiny.safetensors"
    records = list(fit_model("tiny", make_cells(), tiny_network, path, device="cpu"))
    assert len(records) == tiny_network.epochs
    return path


@pytest.fixture
def model_path(fitted, tmp_path):
    """A copy whose card names no weights: they are then checked one by one."""
    for suffix in (".safetensors", ".json"):
        shutil.copy(fitted.with_suffix(suffix), tmp_path)
    change_card(tmp_path / fitted.name, format=2, weights_sha256=None)
    return tmp_path / fitted.name


def test_the_card_says_what_it_is(model_path, cells):
    card = read_card(model_path.with_suffix(".json"))
    assert card.patterns == cells.vocabulary.names
    assert card.cells == 48
    assert card.specimens[:2] == ("00", "01")
    assert card.data_fingerprint == cells.fingerprint
    assert card.measured == "not measured"
    assert card.notice == NOTICE == "Research use only, not for diagnosis."


def test_a_model_scores_crops_of_any_size_and_depth(model_path):
    model = load_model(model_path, "cpu")
    crops = np.random.default_rng(0).integers(0, 256, (3, 77, 77), np.uint8)
    scores = model.scores(crops)
    assert scores.shape == (3, 6)
    assert scores.dtype == np.float32
    assert scores.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    deep = model.scores(crops.astype(np.uint16) * 257)
    assert deep == pytest.approx(scores, abs=1e-5)


def test_no_crops(model_path):
    empty = np.zeros((0, 77, 77), np.uint8)
    assert load_model(model_path, "cpu").scores(empty).shape == (0, 6)


def test_the_voters_differ_and_are_averaged(model_path, tiny_network):
    model = load_model(model_path, "cpu")
    assert len(model.voters) == tiny_network.vote_epochs
    crops = np.random.default_rng(0).integers(0, 256, (4, 32, 32), np.uint8)
    alone = [
        type(model)(model.card, model.vocabulary, (voter,)).scores(crops)
        for voter in model.voters
    ]
    assert not np.array_equal(alone[0], alone[1])
    assert model.scores(crops) == pytest.approx(np.mean(alone, axis=0), abs=1e-6)


def test_missing_files(tmp_path, model_path):
    with pytest.raises(BadModelError, match="the card of the model is missing"):
        load_model(tmp_path / "none.safetensors")
    model_path.unlink()
    with pytest.raises(BadModelError, match="there is no such model"):
        load_model(model_path)


def change_card(path, **changes):
    card = path.with_suffix(".json")
    content = json.loads(card.read_text()) | changes
    card.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 99},
        {"classifier": "os.system"},
        {"network": {"width": 1e9}},
        {"network": {"epochs": "many"}},
        {"surprise": 1},
        {"name": ""},
    ],
)
def test_a_card_that_does_not_validate(model_path, changes):
    change_card(model_path, **changes)
    with pytest.raises(BadModelError, match="the card of the model is damaged"):
        load_model(model_path)


def test_a_model_for_other_patterns(model_path):
    change_card(model_path, vocabulary="mivia")
    with pytest.raises(BadModelError, match="patterns that are not known"):
        load_model(model_path)


def test_weights_that_do_not_fit_the_card(model_path):
    change_card(model_path, classifier={"name": "paper-network", "width": 0.5})
    with pytest.raises(BadModelError, match="its weights do not fit its card"):
        load_model(model_path)


def test_a_weight_too_many_or_too_few(model_path):
    weights = load_file(model_path)
    save_file({k: v for k, v in weights.items() if "voter0" in k}, model_path)
    with pytest.raises(BadModelError, match="do not fit"):
        load_model(model_path)


def test_hostile_weights(model_path):
    good = model_path.read_bytes()
    huge_header = struct.pack("<Q", 2**40) + good[8:]
    not_json = struct.pack("<Q", 4) + b"pick" + good
    listed = struct.pack("<Q", 2) + b"[]" + good
    for content in (b"", b"\x80\x04", good[:100], huge_header, not_json, listed):
        model_path.write_bytes(content)
        with pytest.raises(BadModelError, match=r"damaged|do not fit"):
            load_model(model_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_hostile_cards(model_path, content):
    model_path.with_suffix(".json").write_bytes(content)
    with pytest.raises(BadModelError, match="the card of the model is damaged"):
        load_model(model_path)


def test_fewer_epochs_than_votes(tmp_path, cells, tiny_network):
    settings = tiny_network.model_copy(update={"epochs": 1, "vote_epochs": 3})
    path = tmp_path / "short.safetensors"
    list(fit_model("short", cells, settings, path, device="cpu"))
    assert len(load_model(path, "cpu").voters) == 1


@pytest.mark.parametrize("share", [0, -1, 1e-300, 0.19, 1.6, 1e300, "nan", "half"])
def test_a_share_of_the_crop_that_nuclei_cannot_take_is_refused(model_path, share):
    card = model_path.with_suffix(".json")
    content = json.loads(card.read_text())
    assert content["nucleus_share"] is None
    card.write_text(json.dumps({**content, "nucleus_share": share}))
    with pytest.raises(BadModelError):
        load_model(model_path)


def test_the_card_says_that_its_cells_are_simulated(tmp_path, cells, tiny_network):
    path = tmp_path / "m.safetensors"
    list(fit_model("m", cells, tiny_network, path, device="cpu", simulated=True))
    assert load_model(path, "cpu").card.simulated
    list(fit_model("m", cells, tiny_network, path, device="cpu"))
    assert not load_model(path, "cpu").card.simulated


def test_the_card_says_how_large_nuclei_were(tmp_path, cells, tiny_network):
    path = tmp_path / "m.safetensors"
    steps = fit_model("m", cells, tiny_network, path, device="cpu", nucleus_share=0.7)
    list(steps)
    assert load_model(path, "cpu").card.nucleus_share == 0.7
