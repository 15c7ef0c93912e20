"""What napari is told about the plugin exists and is what it says."""

from importlib import import_module, resources

import pytest
from npe2 import PluginManifest


@pytest.fixture(scope="module")
def manifest():
    path = resources.files("napari_hep2") / "napari.yaml"
    return PluginManifest.from_file(str(path))


def test_every_command_can_be_imported(manifest):
    manifest.validate_imports()
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name))


def test_the_four_widgets_are_in_the_menus(manifest):
    names = [widget.display_name for widget in manifest.contributions.widgets]
    assert names == ["Specimen", "Review cells", "Classify", "LOSO trainer"]
    in_menus = {
        item.command
        for items in manifest.contributions.menus.values()
        for item in items
    }
    assert in_menus == {widget.command for widget in manifest.contributions.widgets}


def test_the_reader_takes_folders(manifest):
    (reader,) = manifest.contributions.readers
    assert reader.accepts_directories
    assert "*.tif" in reader.filename_patterns


def test_each_sample_opens_as_image_and_labels(manifest):
    assert len(manifest.contributions.sample_data) == 6
    for sample in manifest.contributions.sample_data:
        command = next(
            c for c in manifest.contributions.commands if c.id == sample.command
        )
        module, name = command.python_name.split(":")
        layers = getattr(import_module(module), name)()
        assert [kind for _, _, kind in layers] == ["image", "labels"]
        assert layers[0][0].ndim == 2
