"""What one window leaves for the next: napari's settings of the plugin."""

import napari.settings
import pytest
from napari._qt.dialogs.preferences_dialog import PreferencesDialog
from napari.components import ViewerModel

from napari_hep2.jobs import run_here
from napari_hep2.remembered import (
    recent_folder,
    recent_folders,
    remember,
    remember_folder,
    remembered,
)
from napari_hep2.samples import sample_model
from napari_hep2.session import ViewerSession
from napari_hep2.state import UNNAMED

pytestmark = pytest.mark.usefixtures("qapp")


def test_a_first_window_begins_with_the_defaults():
    state = ViewerSession(ViewerModel()).state
    assert (state.reviewer, state.model) == (UNNAMED, sample_model())
    assert state.extraction.size == 77
    assert recent_folder() == ""


def test_model_and_folder_are_there_in_the_next_window(model_file, specimens):
    viewer = ViewerModel()
    session = ViewerSession(viewer)
    session.classify.choose_model(model_file)
    run_here(session.specimen.open_folder(specimens))
    assert ViewerSession(ViewerModel()).state.model == model_file
    assert recent_folder() == str(specimens)


def test_a_model_or_folder_that_is_gone_is_forgotten(tmp_path):
    remember("model", str(tmp_path / "gone.safetensors"))
    remember_folder(tmp_path)
    remember_folder(tmp_path / "gone")
    assert ViewerSession(ViewerModel()).state.model == sample_model()
    assert recent_folder() == str(tmp_path)


@pytest.mark.parametrize(("typed", "size"), [(51, 51), (50, 77)])
def test_a_crop_size_is_taken_where_it_is_one(typed, size):
    remember("crop_size", typed)
    assert ViewerSession(ViewerModel()).state.extraction.size == size


def test_the_last_folder_is_first_and_the_list_is_short(tmp_path):
    for k in [*range(10), 3]:
        remember_folder(tmp_path / str(k))
    names = [one[-1] for one in recent_folders()]
    assert names == list("39876542")


def test_without_the_plugin_nothing_is_kept(monkeypatch):
    def none(name):
        raise KeyError(name)

    monkeypatch.setattr(napari.settings, "get_plugin_settings", none)
    remember("reviewer", "Anna")
    assert remembered("reviewer", UNNAMED) == UNNAMED


def test_napari_shows_them_in_its_preferences(qtbot):
    dialog = PreferencesDialog()
    qtbot.addWidget(dialog)
    pages = [dialog._list.item(k).text() for k in range(dialog._list.count())]
    assert "HEp-2" in pages
