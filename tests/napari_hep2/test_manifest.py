"""What napari is told about the plugin exists and is what it says."""

from importlib import import_module, resources

import pytest
from npe2 import PluginManifest
from npe2._plugin_manager import _ContributionsIndex


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


@pytest.mark.parametrize(
    ("name", "claimed"),
    [("a.tif", 0), ("a.png", 0), ("a.jpg", 0), ("a.czi", 1), ("folder", 1)],
)
def test_the_reader_claims_what_napari_does_not_read(manifest, tmp_path, name, claimed):
    (tmp_path / "folder").mkdir()
    index = _ContributionsIndex()
    index.index_contributions(manifest)
    assert len(list(index.iter_compatible_readers([tmp_path / name]))) == claimed
    assert manifest.contributions.readers[0].accepts_directories


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
