"""The settings of a run: those of its classifier, its training set and its protocol."""

from __future__ import annotations

from typing import Literal

from pydantic.fields import FieldInfo

from napari_hep2.forms import FieldForm
from training.config import ProtocolSettings, Settings, TrainingSetSettings
from training.runs.folder import RunConfig

FIRST = ("protocol", "folds", "epochs", "width", "workers", "device")
"""Settings in sight, where the classifier has them; all others are in a section."""


class SettingsPage(FieldForm):
    """An editor for each setting of a run of one kind of classifier.

    Parameters
    ----------
    classifier
        The class of its settings.
    """

    def __init__(self, classifier: type[Settings]) -> None:
        super().__init__(_fields(classifier), FIRST)


def _fields(classifier: type[Settings]) -> dict[str, FieldInfo]:
    """Return the fields of a run, by name, in the order in which they are shown."""
    own = {name: classifier.model_fields[name] for name in classifier.changeable()}
    protocol, training_set = ProtocolSettings, TrainingSetSettings
    device = RunConfig.model_fields["device"]
    return {
        **protocol.model_fields,
        **own,
        **training_set.model_fields,
        "workers": RunConfig.model_fields["workers"],
        "device": FieldInfo(
            annotation=Literal["auto", "cpu", "cuda"],
            description=device.description,
        ),
    }
