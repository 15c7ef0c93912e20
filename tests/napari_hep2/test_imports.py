"""What the plugin loads when napari only looks at it."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "qtpy", "PyQt5", "PyQt6", "napari", "superqt", "pyqtgraph")


MODEL = (
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
)
WIDGETS = tuple(
    f"napari_hep2.{room}.widgets.widget"
    for room in ("specimen", "review", "classify", "trainer")
)


@pytest.fixture(scope="module")
def loaded():
    """The modules of `HEAVY` that are loaded after each import, in turn."""
    code = (
        "import importlib, json, sys\nloaded = {}\n"
        f"for name in {MODEL + WIDGETS!r}:\n"
        "    importlib.import_module(name)\n"
        f"    loaded[name] = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "print(json.dumps(loaded))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_model_of_the_plugin_loads_neither_torch_nor_qt_nor_napari(loaded):
    assert {name: loaded[name] for name in MODEL} == {name: [] for name in MODEL}


def test_the_widgets_do_not_load_torch(loaded):
    assert all("torch" not in loaded[name] for name in WIDGETS)
