"""Each settings model and its form say the same: fields, defaults, ranges, help."""

import pytest
from pydantic import Field
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox

from napari_hep2.forms import FormTypeError, SettingsForm, differing, read_editor
from training.config import (
    ExtractionSettings,
    NetworkSettings,
    ProtocolSettings,
    SegmentationSettings,
    Settings,
    ShapeIndexSettings,
    TrainingSetSettings,
    VerdictSettings,
)
from training.errors import BadSettingError

MODELS = [
    ExtractionSettings,
    NetworkSettings,
    ProtocolSettings,
    SegmentationSettings,
    TrainingSetSettings,
    VerdictSettings,
]


class Example(Settings):
    flag: bool = Field(True, description="A flag.")
    count: int = Field(
        3, ge=1, le=9, description="A number.", json_schema_extra={"unit": "pixels"}
    )
    rate: float = Field(0.002, gt=0, lt=1, description="A rate.")


@pytest.mark.parametrize("model", MODELS)
def test_a_form_starts_from_the_models_defaults(qtbot, model):
    form = SettingsForm(model)
    qtbot.addWidget(form)
    assert form.settings() == model()
    assert form.differing() == {}
    assert list(form.editors) == list(model.model_fields)


@pytest.mark.parametrize("model", MODELS)
def test_each_field_has_its_help(qtbot, model):
    form = SettingsForm(model)
    qtbot.addWidget(form)
    for name, field in model.model_fields.items():
        assert form.editors[name].toolTip() == field.description != ""


@pytest.mark.parametrize("model", MODELS)
def test_the_ends_of_each_range_are_valid(qtbot, model):
    form = SettingsForm(model)
    qtbot.addWidget(form)
    for name, editor in form.editors.items():
        if not isinstance(editor, (QSpinBox, QDoubleSpinBox)) or name == "size":
            continue
        for end in (editor.minimum(), editor.maximum()):
            editor.setValue(end)
            form.settings()
        form.reset()


def test_types_ranges_and_units(qtbot):
    form = SettingsForm(Example)
    qtbot.addWidget(form)
    flag, count, rate = (form.editors[n] for n in ("flag", "count", "rate"))
    assert isinstance(flag, QCheckBox)
    assert (count.minimum(), count.maximum(), count.suffix()) == (1, 9, " pixels")
    assert rate.text() == "0.002"
    assert 0 < rate.minimum() < 1e-5
    assert isinstance(SettingsForm(TrainingSetSettings).editors["views"], QComboBox)


def test_what_the_user_says_is_read_back(qtbot):
    form = SettingsForm(NetworkSettings, ["augmentation", "epochs", "learning_rate"])
    qtbot.addWidget(form)
    with qtbot.waitSignal(form.changed):
        form.editors["epochs"].setValue(7)
    form.editors["augmentation"].setCurrentIndex(1)
    form.editors["learning_rate"].setValue(0.0005)
    said = form.settings()
    assert (said.augmentation, said.epochs, said.learning_rate) == ("d4", 7, 0.0005)
    assert form.differing() == {
        "augmentation": "d4",
        "epochs": 7,
        "learning_rate": 0.0005,
    }


def test_fields_that_are_not_shown_keep_their_values(qtbot):
    start = NetworkSettings(batch_size=9)
    form = SettingsForm(NetworkSettings, ["epochs"], start)
    qtbot.addWidget(form)
    assert form.settings() == start
    assert differing(start) == {"batch_size": 9}
    form.reset()
    assert form.settings() == NetworkSettings()


def test_numbers_and_words_are_typed_with_commas(qtbot):
    form = SettingsForm(ShapeIndexSettings, ["scales"])
    qtbot.addWidget(form)
    assert form.editors["scales"].text() == "1,1.4,2,2.8,4,5.6,8"
    form.editors["scales"].setText("1,3")
    assert form.settings().scales == (1.0, 3.0)
    form.editors["scales"].setText("1,x")
    with pytest.raises(BadSettingError, match="Scales"):
        form.settings()


def test_values_that_do_not_go_together_are_a_sentence(qtbot):
    form = SettingsForm(ExtractionSettings)
    qtbot.addWidget(form)
    form.editors["size"].setValue(76)
    with pytest.raises(BadSettingError, match=r"Size: .*odd.*; change it"):
        form.settings()


def test_a_type_that_no_form_shows_is_refused(qtbot):
    class Odd(Settings):
        names: dict[str, int] | None = None

    with pytest.raises(FormTypeError, match="names"):
        SettingsForm(Odd)


def test_every_editor_is_read(qtbot):
    form = SettingsForm(Example)
    qtbot.addWidget(form)
    assert [read_editor(e) for e in form.editors.values()] == [True, 3, 0.002]
