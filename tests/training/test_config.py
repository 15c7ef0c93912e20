import pytest
from pydantic import ValidationError

from training import config
from training.config import NetworkSettings, Settings
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
