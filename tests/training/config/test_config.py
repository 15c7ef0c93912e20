import pytest
from pydantic import ValidationError

from training import config
from training.config import (
    ExtractionSettings,
    PaperNetworkSettings,
    SegmentationSettings,
    Settings,
    ShapeIndexSettings,
    TrainingSetSettings,
    as_typed,
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
        if name == "name":
            continue  # tells a classifier from the others and is no setting
        assert field.description, name
        assert field.description.rstrip().endswith("."), name


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        PaperNetworkSettings().epochs = 3


def test_values_come_as_typed():
    settings = PaperNetworkSettings.parse({"width": "0.5", "batch_norm": "true"})
    assert (settings.width, settings.batch_norm) == (0.5, True)
    assert TrainingSetSettings.parse({"views": "8"}).views == 8
    assert ShapeIndexSettings.parse({"scales": "1,2.5"}).scales == (1.0, 2.5)


def test_numbers_are_shown_as_they_are_typed():
    assert as_typed(ShapeIndexSettings().scales) == "1,1.4,2,2.8,4,5.6,8"
    assert as_typed(("mlp", "rootsift")) == "mlp,rootsift"
    assert as_typed(0.002) == 0.002


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"width": "wide"}, "width: 'wide' does not fit"),
        ({"augmentation": "some"}, "augmentation: 'some' does not fit"),
        ({"depth": 3}, "depth: there is no such setting; use one of input_size"),
    ],
)
def test_a_bad_value_is_one_sentence(given, sentence):
    with pytest.raises(BadSettingError, match=sentence):
        PaperNetworkSettings.parse(given)


def test_what_differs():
    changed = PaperNetworkSettings(width=0.5, epochs=3)
    assert changed.differing() == {"epochs": 3, "width": 0.5}
    assert changed.differing(PaperNetworkSettings(epochs=3)) == {"width": 0.5}


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
    for one in (e for e in ALL if "name" in e.model_fields):
        rest = (config.TrainingSetSettings, config.ProtocolSettings)
        names = [name for part in (one, *rest) for name in part.changeable()]
        assert len(names) == len(set(names)), one.__name__


def test_a_long_value_is_not_shown_whole():
    with pytest.raises(BadSettingError, match=r"'x{99}\.\.\. does not fit"):
        PaperNetworkSettings.parse({"width": "x" * 5000})
