"""Small simulated specimens: discs on a dark frame, each place known."""

import ctypes
import gc
import runpy
import shutil
from functools import partial
from pathlib import Path

import napari.settings
import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest
from PIL import Image

from napari_hep2.classify.controllers.model import ClassifyController
from napari_hep2.jobs import run_here
from napari_hep2.specimen.controllers.frames import SpecimenController
from napari_hep2.state import UNNAMED, SessionState

CENTRES = ((60, 60), (60, 180), (60, 300), (180, 60), (180, 180), (180, 300))
"""Six whole nuclei, in the order of their labels."""
BORDER = (0, 240)
"""A nucleus cut by the upper edge: the label before all others."""
SHAPE = (240, 360)
RADIUS = 16


def draw_frame(seed=0):
    """Return a frame and its mask (0 or 255) with seven nuclei, one at the border."""
    rng = np.random.default_rng(seed)
    image = rng.integers(10, 20, SHAPE).astype(np.uint8)
    mask = np.zeros(SHAPE, np.uint8)
    ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for y, x in (BORDER, *CENTRES):
        disc = (ys - y) ** 2 + (xs - x) ** 2 <= RADIUS**2
        mask[disc] = 255
        image[disc] = rng.integers(60, 90, disc.sum())
    return image, mask


def write_specimens(folder: Path, patterns, frames=2) -> Path:
    """Write specimens in the Task-2 layout, named 1, 2, ..."""
    (folder / "train").mkdir(parents=True)
    rows = ["Specimen ID;Specimen class ;Intensity"]
    for number, pattern in enumerate(patterns, 1):
        rows.append(f"{number};{pattern}   ;positive")
        for k in range(frames):
            image, mask = draw_frame(10 * number + k)
            name = f"{number:05d}_p{k}"
            Image.fromarray(image).save(folder / "train" / f"{name}.tif")
            Image.fromarray(mask).save(folder / "train" / f"{name}_Mask.tif")
    (folder / "gt_train.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def frame():
    return draw_frame()


@pytest.fixture(scope="session")
def written_once(tmp_path_factory):
    """Return a function that copies a folder into another; `write` makes it once."""
    made = {}

    def copy(write, into):
        if write not in made:
            made[write] = tmp_path_factory.mktemp("once")
            write(made[write])
        shutil.copytree(made[write], into, dirs_exist_ok=True)

    return copy


def write_three(folder: Path) -> None:
    write_specimens(folder / "specimens", ("Homogeneous", "Speckled", "Golgi"))


@pytest.fixture
def specimens(written_once, tmp_path):
    """A folder of three specimens with two frames each."""
    written_once(write_three, tmp_path)
    return tmp_path / "specimens"


def write_cells(folder: Path, repeats: int = 2) -> None:
    from training.config import ExtractionSettings, SegmentationSettings
    from training.data.cells.folder import write_cell_folder
    from training.data.layouts import read_collection

    names = ("Homogeneous", "Speckled") * repeats
    collection = read_collection(write_specimens(folder / "data", names, frames=1))
    settings = ExtractionSettings(), SegmentationSettings()
    list(write_cell_folder(collection, folder / "cells", *settings))


@pytest.fixture
def cell_folder(written_once, tmp_path):
    """A cell folder of two patterns with two specimens each, of six cells."""
    written_once(write_cells, tmp_path)
    return tmp_path / "cells"


@pytest.fixture
def state():
    return SessionState()


@pytest.fixture
def specimen(state):
    return SpecimenController(state)


@pytest.fixture
def review(state, specimen, specimens):
    """The first frame's seven cells under review."""
    from napari_hep2.review.controllers.controller import ReviewController

    run_here(specimen.open_folder(specimens))
    controller = ReviewController(state)
    controller.review_frame()
    yield controller
    controller.decision_session.close()


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """A small network with weights as they start: its scores are real, and poor."""
    import torch

    from training.config import PaperNetworkSettings, TrainingSetSettings
    from training.inference.cards import ModelCard
    from training.inference.model_file import save_model
    from training.models.networks.paper_network import PaperNetwork
    from training.patterns import I3A

    torch.manual_seed(0)
    settings = PaperNetworkSettings(input_size=32, width=0.04, vote_epochs=1)
    network = PaperNetwork(settings, len(I3A), torch.Generator().manual_seed(0))
    card = ModelCard(
        name="untrained",
        vocabulary=I3A.name,
        patterns=I3A.names,
        classifier=settings,
        training_set=TrainingSetSettings(),
        trained_on="nothing",
        cells=0,
        specimens=(),
        data_fingerprint="0",
        measured="not measured",
    )
    path = tmp_path_factory.mktemp("model") / "untrained.safetensors"
    save_model(path, card, [dict(network.state_dict())])
    return path


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory):
    """A cell folder of twelve specimens, and three small runs for learning curves.

    Returns the cell folder and the folder of the runs.
    """
    from training.config import ExtractionSettings, SegmentationSettings
    from training.data.cells.folder import write_cell_folder
    from training.data.layouts import read_collection
    from training.studies.curve_runs import plan_curves, run_planned

    place = tmp_path_factory.mktemp("study")
    names = ("Homogeneous", "Golgi") * 6
    collection = read_collection(write_specimens(place / "data", names, frames=1))
    settings = ExtractionSettings(), SegmentationSettings()
    list(write_cell_folder(collection, place / "cells", *settings))
    small = {"width": "0.04", "input_size": "32", "epochs": "2", "vote_epochs": "2"}
    planned = plan_curves(
        str(place / "cells"),
        "set-1",
        shares="0.5,1",
        seeds=1,
        changes={**small, "protocol": "group-k", "folds": "2"},
        device="cpu",
        workers=1,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEP2_CACHE", str(place / "cache"))
        list(run_planned(place, planned))
    return place / "cells", place / "runs"


@pytest.fixture
def study(finished_runs, monkeypatch):
    """The same, as it was before any decision."""
    cells, runs = finished_runs
    monkeypatch.setenv("HEP2_CACHE", str(cells.parent / "cache"))
    made = [cells / "curation.sqlite", *runs.rglob("*rescored*")]
    made += runs.glob("learning-curve.*")
    for path in made:
        path.unlink(missing_ok=True)
    return cells, runs


write_many_cells = partial(write_cells, repeats=15)


@pytest.fixture
def many_cells(written_once, tmp_path):
    """The same with thirty specimens."""
    written_once(write_many_cells, tmp_path)
    return tmp_path / "cells"


def write_copied(folder: Path) -> None:
    code = runpy.run_path(str(Path(__file__).with_name("copied_cells.py")))
    code["write_copied_cells"](folder / "copied")


@pytest.fixture
def copied_cells(written_once, tmp_path):
    """A cell folder of 30 nuclei, two of which stand in two specimens."""
    written_once(write_copied, tmp_path)
    return tmp_path / "copied" / "cells"


@pytest.fixture
def classified(state, review, model_file):
    """The six scored cells of the first frame, under review."""
    controller = ClassifyController(state)
    controller.choose_model(model_file)
    controller.choose_device("cpu")
    run_here(controller.classify())
    return controller


SIZES = {"right": (520, 900), "bottom": (1000, 400)}
"""Width and height of a widget that is shown alone, as of one in a dock."""


@pytest.fixture(scope="session", autouse=True)
def manifests():
    """Read the manifest of each plugin once, not for each test and window."""
    found = list(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): found)
        yield


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """Keep settings in a folder of the test; a window asks for no name."""
    from qtpy.QtCore import QSettings

    monkeypatch.setattr("napari_hep2.session.ask_reviewer", lambda _: UNNAMED)

    place = str(tmp_path / "settings")
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, place)
    napari.settings._clear_plugin_settings_cache()
    napari.settings.get_plugin_settings(path_dir=tmp_path / "settings")
    yield
    napari.settings._clear_plugin_settings_cache()


@pytest.fixture
def make_napari_viewer(make_napari_viewer):
    """Napari's, which collects garbage several times a window: of this window alone."""
    gc.collect()
    gc.freeze()
    return make_napari_viewer


@pytest.fixture
def viewer(request):
    """The model of a viewer, with napari's window where a test is marked `window`.

    That takes seconds; only what asks the canvas, the docks or their layout needs it.
    """
    if request.node.get_closest_marker("window"):
        return request.getfixturevalue("make_napari_viewer")(show=True)
    return ViewerModel()


@pytest.fixture
def dock(qtbot, viewer):
    """Return a function that shows a widget: in a dock of the window, else alone."""

    def show(widget, name, area="right"):
        if hasattr(viewer, "window"):
            viewer.window.add_dock_widget(widget, name=name, area=area)
            viewer.window._qt_window.activateWindow()
            return
        qtbot.addWidget(widget)
        widget.resize(*SIZES[area])
        with qtbot.waitExposed(widget):
            widget.show()
        widget.activateWindow()

    return show


class RealKeys:
    """Presses keys as a keyboard does, by the X server: Qt cannot tell the difference.

    What QTest sends goes to one widget; a real key is a shortcut first, and goes to
    the list or menu that is open.
    """

    def __init__(self) -> None:
        self._x = ctypes.CDLL("libX11.so.6")
        self._test = ctypes.CDLL("libXtst.so.6")
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._x.XStringToKeysym.restype = ctypes.c_ulong
        self._display = ctypes.c_void_p(self._x.XOpenDisplay(None))

    def press(self, *names: str) -> None:
        """Press keys by their X names, all but the last held: ("Shift_L", "o")."""
        codes = [self._code(name) for name in names]
        for is_down, one in [(1, c) for c in codes] + [(0, c) for c in codes[::-1]]:
            self._test.XTestFakeKeyEvent(self._display, one, is_down, ctypes.c_ulong(0))
        self._x.XSync(self._display, 0)

    def hold(self, name: str, is_down: bool) -> None:
        """Hold a key down, or let it go."""
        code = self._code(name)
        self._test.XTestFakeKeyEvent(self._display, code, is_down, ctypes.c_ulong(0))
        self._x.XSync(self._display, 0)

    def click(self, x: int, y: int) -> None:
        """Click the left button at a place of the screen."""
        now = ctypes.c_ulong(0)
        self._test.XTestFakeMotionEvent(self._display, -1, x, y, now)
        for is_down in (1, 0):
            self._test.XTestFakeButtonEvent(self._display, 1, is_down, now)
        self._x.XSync(self._display, 0)

    def _code(self, name: str) -> int:
        keysym = ctypes.c_ulong(self._x.XStringToKeysym(name.encode()))
        return self._x.XKeysymToKeycode(self._display, keysym) & 0xFF

    def close(self) -> None:
        self._x.XCloseDisplay(self._display)


@pytest.fixture
def keys(qapp):
    """Real keys; skips where there is no X server with its test extension."""
    if qapp.platformName() != "xcb":
        pytest.skip("real keys need an X server")
    try:
        made = RealKeys()
    except OSError:
        pytest.skip("real keys need libXtst")
    yield made
    made.close()
