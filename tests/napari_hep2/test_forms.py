"""Each settings model and its form say the same: fields, defaults, ranges, help."""

import pytest
from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, SpinBox
from pydantic import Field

from napari_hep2.forms import FormTypeError, SettingsForm
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
    assert form.settings().differing() == {}
    assert list(form.editors) == list(model.model_fields)


@pytest.mark.parametrize("model", MODELS)
def test_each_field_has_its_help(qtbot, model):
    form = SettingsForm(model)
    qtbot.addWidget(form)
    for name, field in model.model_fields.items():
        assert form.editors[name].tooltip == field.description != ""


@pytest.mark.parametrize("model", MODELS)
def test_the_ends_of_each_range_are_valid(qtbot, model):
    form = SettingsForm(model)
    qtbot.addWidget(form)
    for name, editor in form.editors.items():
        if not isinstance(editor, (SpinBox, FloatSpinBox)) or name == "size":
            continue
        for end in (editor.min, editor.max):
            editor.value = end
            form.settings()
        form.reset()


def test_types_ranges_and_units(qtbot):
    form = SettingsForm(Example)
    qtbot.addWidget(form)
    flag, count, rate = (form.editors[n] for n in ("flag", "count", "rate"))
    assert isinstance(flag, CheckBox)
    assert (count.min, count.max, count.label) == (1, 9, "Count (pixels)")
    assert rate.value == 0.002
    assert rate.native.text() == "0.00200"
    assert 0 < rate.min <= 1e-5
    assert isinstance(SettingsForm(TrainingSetSettings).editors["views"], ComboBox)


def test_what_the_user_says_is_read_back(qtbot):
    form = SettingsForm(NetworkSettings, ["augmentation", "epochs", "learning_rate"])
    qtbot.addWidget(form)
    with qtbot.waitSignal(form.changed):
        form.editors["epochs"].value = 7
    form.editors["augmentation"].value = "d4"
    form.editors["learning_rate"].value = 0.0005
    said = form.settings()
    assert (said.augmentation, said.epochs, said.learning_rate) == ("d4", 7, 0.0005)
    assert form.settings().differing() == {
        "augmentation": "d4",
        "epochs": 7,
        "learning_rate": 0.0005,
    }


def test_fields_that_are_not_shown_keep_their_values(qtbot):
    start = NetworkSettings(batch_size=9)
    form = SettingsForm(NetworkSettings, ["epochs"], start)
    qtbot.addWidget(form)
    assert form.settings() == start
    assert start.differing() == {"batch_size": 9}
    form.reset()
    assert form.settings() == NetworkSettings()


def test_numbers_and_words_are_typed_with_commas(qtbot):
    form = SettingsForm(ShapeIndexSettings, ["scales"])
    qtbot.addWidget(form)
    assert form.editors["scales"].value == "1,1.4,2,2.8,4,5.6,8"
    form.editors["scales"].value = "1,3"
    assert form.settings().scales == (1.0, 3.0)
    form.editors["scales"].value = "1,x"
    with pytest.raises(BadSettingError, match="Scales"):
        form.settings()


def test_values_that_do_not_go_together_are_a_sentence(qtbot):
    form = SettingsForm(ExtractionSettings)
    qtbot.addWidget(form)
    form.editors["size"].value = 76
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
    assert list(form.values().values()) == [True, 3, 0.002]
