import pytest
from pydantic import ValidationError

from training import config
from training.config import (
    ExtractionSettings,
    NetworkSettings,
    SegmentationSettings,
    Settings,
    parse_together,
)
from training.errors import BadSettingError

ALL = [
    model
    for model in vars(config).values()
    if isinstance(model, type) and issubclass(model, Settings) and model is not Settings
]


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_every_setting_has_a_sentence_and_a_default(model):
    assert model()
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.rstrip().endswith("."), name


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        NetworkSettings().epochs = 3


def test_values_come_as_typed():
    settings = NetworkSettings.parse({"width": "0.5", "views": "8"})
    assert (settings.width, settings.views) == (0.5, 8)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"width": "wide"}, "width: 'wide' does not fit"),
        ({"views": 3}, "views: 3 does not fit"),
        ({"depth": 3}, "depth: there is no such setting; use one of input_size"),
    ],
)
def test_a_bad_value_is_one_sentence(given, sentence):
    with pytest.raises(BadSettingError, match=sentence):
        NetworkSettings.parse(given)


def test_what_differs():
    changed = NetworkSettings(width=0.5, epochs=3)
    assert changed.differing() == {"width": 0.5, "epochs": 3}
    assert changed.differing(NetworkSettings(epochs=3)) == {"width": 0.5}


def test_several_settings_are_changed_by_the_names_of_their_fields():
    given = {"size": "51", "split": "False"}
    bases = ExtractionSettings(tiny_share=0.5), SegmentationSettings()
    extraction, segmentation = parse_together(given, *bases)
    assert extraction.differing() == {"size": 51, "tiny_share": 0.5}
    assert segmentation.differing() == {"split": False}
    with pytest.raises(BadSettingError, match=r"colour: .* use one of size.*split"):
        parse_together({"colour": 1}, *bases)


def test_settings_that_are_changed_together_share_no_name():
    shared = set(ExtractionSettings.model_fields) & set(
        SegmentationSettings.model_fields
    )
    assert not shared
    assert not set(NetworkSettings.model_fields) & set(
        config.ProtocolSettings.model_fields
    )
