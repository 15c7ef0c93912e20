"""A card is of its weights, whatever killed the writer of both."""

import shutil
from pathlib import Path

import pytest

from training.errors import BadModelError, StorageError
from training.inference import cards
from training.inference.cards import read_card, replace_model
from training.storage.fingerprints import sha256_of

OLD = Path(__file__).parents[2] / "trust" / "golden" / "model-format-2" / "model.json"


@pytest.fixture
def model(tmp_path):
    """The card of a model of weights `old`, named `old`."""
    path = tmp_path / "m.json"
    replace_model(path, read_card(OLD).model_copy(update={"name": "old"}), b"old")
    return path


def _new(path):
    card = read_card(OLD).model_copy(update={"name": "new"})
    replace_model(path, card, b"new")


def _killed(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("step", "name"),
    [("write_json", "old"), ("write_bytes", "old"), ("_rename", "new")],
)
def test_a_writer_that_is_killed_leaves_one_model_whole(model, monkeypatch, step, name):
    with monkeypatch.context() as patch:
        patch.setattr(cards, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            _new(model)
    card = read_card(model)
    assert (card.name, card.weights_sha256) == (
        name,
        sha256_of(model.with_suffix(".safetensors")),
    )
    # Another one, killed in its turn, takes nothing from either.
    with monkeypatch.context() as patch:
        patch.setattr(cards, "write_bytes", _killed)
        with pytest.raises(KeyboardInterrupt):
            _new(model)
    assert read_card(model).name == name
    _new(model)
    assert read_card(model).name == "new"
    assert {path.name for path in model.parent.iterdir()} == {"m.json", "m.safetensors"}


def test_new_weights_under_an_old_card_are_refused(model):
    model.with_suffix(".safetensors").write_bytes(b"others")
    with pytest.raises(BadModelError, match="its card is of other weights; copy both"):
        read_card(model)
    model.with_suffix(".json.new").write_text("{")
    with pytest.raises(BadModelError):
        read_card(model)


def test_a_card_of_the_format_before_is_read_and_names_no_weights(tmp_path):
    for suffix in (".json", ".safetensors"):
        shutil.copy(OLD.with_suffix(suffix), tmp_path)
    assert read_card(tmp_path / OLD.name).weights_sha256 is None


def test_a_card_of_this_format_says_of_which_weights_it_is(model):
    text = model.read_text()
    digest = sha256_of(model.with_suffix(".safetensors"))
    model.write_text(text.replace(f'"{digest}"', "null"))
    with pytest.raises(BadModelError, match="the card of the model is damaged"):
        read_card(model)


def test_a_full_disk_leaves_the_model_as_it_was(model, monkeypatch):
    def full(path, content):
        raise StorageError(path, "the disk is full", "free some space")

    monkeypatch.setattr(cards, "write_bytes", full)
    with pytest.raises(StorageError):
        _new(model)
    assert read_card(model).name == "old"
