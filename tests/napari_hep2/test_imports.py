"""What the plugin loads when napari only looks at it."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "qtpy", "PyQt5", "PyQt6", "napari", "superqt", "pyqtgraph")


def loaded_by(module):
    """Return the modules of `HEAVY` that importing `module` loads."""
    code = (
        f"import sys, {module}; "
        f"print(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "napari_hep2",
        "napari_hep2.state",
        "napari_hep2.jobs",
        "napari_hep2.review.state",
        "napari_hep2.review.controllers.measuring",
        "napari_hep2.viewer.boxes",
        "napari_hep2.viewer.layers",
        "napari_hep2.reader",
        "napari_hep2.samples",
        "napari_hep2.specimen.controllers.frames",
        "napari_hep2.review.controllers.controller",
        "napari_hep2.classify.controllers.model",
        "napari_hep2.specimen.controllers.masks",
        "napari_hep2.specimen.controllers.mask_tool",
    ],
)
def test_the_model_of_the_plugin_loads_neither_torch_nor_qt_nor_napari(module):
    assert loaded_by(module) == set()


def test_the_widgets_do_not_load_torch():
    modules = ("specimen", "review", "classify")
    for name in modules:
        assert "torch" not in loaded_by(f"napari_hep2.{name}.widgets.widget")
