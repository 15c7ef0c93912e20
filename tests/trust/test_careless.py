"""What a careless user does in the window costs a sentence, and no work."""

import json
import logging
import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_hep2.demo import add_widgets
from napari_hep2.samples import sample_model
from napari_hep2.session import session_of
from training.config import SimulationSettings
from training.data.simulation import simulate
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.patterns import MIVIA

UNFORESEEN = "failed unexpectedly"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Six simulated specimens of one small frame each, few cells."""
    path = tmp_path_factory.mktemp("careless") / "specimens"
    few = {"cells_min": 10, "cells_max": 14, "height": 420, "width": 480}
    list(simulate(path, SimulationSettings(specimens=6, seed=4, **few)))
    return path


class Desk:
    """A napari window with the four widgets, and a user who looks at it.

    Attributes
    ----------
    told : what the window said to each act, "" where it said nothing
    """

    def __init__(self, qtbot, viewer, simulated, tmp_path):
        add_widgets(viewer)
        self.qtbot, self._simulated, self._root = qtbot, simulated, tmp_path
        self.session = session_of(viewer)
        self.session.state.reviewer = "Anna"
        self.session.classify.choose_device("cpu")
        self.session.classify.choose_model(sample_model())
        self.state = self.session.state
        self.told = {}

    def begin(self, act):
        """Give an act a folder of its own, with untouched specimens in it."""
        self.folder = self._root / act.__name__
        self.specimens = self.folder / "specimens"
        self.cells = self.folder / "cells"
        shutil.copytree(self._simulated, self.specimens)

    def do(self, verb, *arguments):
        """Do what a button does, wait for it, and return what the window says."""
        self.state.fault = ""
        job = verb(*arguments)
        if hasattr(job, "work"):
            self.session.start(job)
        done = self.session.runner
        self.qtbot.waitUntil(lambda: not done.is_running, timeout=60_000)
        return self.state.fault

    def tell(self, act, verb, *arguments):
        """Do something careless and keep the sentence."""
        self.told[act] = self.do(verb, *arguments)
        return self.told[act]

    def frames(self):
        """The frames' files, sorted."""
        found = self.specimens.glob("train/*.tif")
        return sorted(path for path in found if "Mask" not in path.name)

    def open(self):
        """Open the folder, which must go well."""
        assert self.do(self.session.specimen.open_folder, self.specimens) == ""


@pytest.fixture
def desk(qtbot, make_napari_viewer, simulated, tmp_path, caplog):
    made = Desk(qtbot, make_napari_viewer(show=True), simulated, tmp_path)
    yield made
    made.session.review.decision_session.close()
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


def pull_the_folder_away(desk):
    desk.open()
    away = desk.folder / "away"
    desk.specimens.rename(away)
    session = desk.session
    desk.tell("folder gone: next frame", session.specimen.open_frame, 1)
    desk.tell("folder gone: write cells", session.specimen.write_cells, desk.cells)
    desk.tell("folder gone: open", session.specimen.open_folder, desk.specimens)
    away.rename(desk.specimens)
    assert desk.do(session.specimen.open_frame, 1) == ""
    assert desk.state.specimen == "2"


def rename_a_specimen(desk):
    """The second specimen's files get another name while the folder is open."""
    desk.open()
    _, second, *_ = desk.frames()
    second.rename(second.with_name("00077_p0.tif"))
    desk.tell("frame renamed: open", desk.session.specimen.open_frame, 1)
    assert desk.do(desk.session.specimen.open_frame, 2) == ""


def name_a_text_png(desk):
    folder = desk.folder / "plain"
    folder.mkdir()
    (folder / "a.png").write_text("this is a shopping list\n" * 40)
    good = tifffile.imread(desk.frames()[0])
    Image.fromarray(good).save(folder / "b.png")
    desk.tell("text as .png", desk.session.specimen.open_folder, folder)
    assert desk.do(desk.session.specimen.open_frame, 1) == ""


def give_three_gigabytes(desk):
    folder = desk.folder / "huge"
    folder.mkdir()
    shape = (40_000, 40_000)
    tifffile.memmap(folder / "a.tif", shape=shape, dtype=np.uint16).flush()
    assert (folder / "a.tif").stat().st_size > 3e9
    desk.tell("3 GB TIFF", desk.session.specimen.open_folder, folder)


def take_the_mask_of_another_image(desk):
    first, second, *_ = desk.frames()
    smaller = tifffile.imread(second)[:-40, :-40]
    tifffile.imwrite(second.with_name(f"{first.stem}_Mask.tif"), smaller)
    desk.tell(
        "mask of another image", desk.session.specimen.open_folder, desk.specimens
    )
    assert desk.do(desk.session.specimen.open_frame, 1) == ""


def load_models_that_are_none(desk):
    desk.open()
    classify = desk.session.classify
    text = desk.folder / "text.safetensors"
    text.write_text("weights\n" * 99)
    classify.choose_model(text)
    desk.tell("text as a model", classify.classify)
    classify.choose_model(desk.folder / "gone.safetensors")
    desk.tell("model that is gone", classify.classify)
    classify.choose_model(sample_model())
    assert desk.do(classify.classify) == ""


def other_patterns(folder):
    """Write the sample model as one of six patterns of another data set."""
    made = folder / "mivia.safetensors"
    shutil.copy(sample_model(), made)
    card = json.loads(sample_model().with_suffix(".json").read_text(encoding="utf-8"))
    card |= {"vocabulary": MIVIA.name, "patterns": MIVIA.names, "verdict": None}
    made.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    return made


def load_a_model_of_other_patterns(desk):
    """Its patterns are shown; none that the specimens do not know is decided on."""
    desk.open()
    classify, review = desk.session.classify, desk.session.review
    classify.choose_model(other_patterns(desk.folder))
    assert desk.do(classify.classify) == ""
    assert desk.state.prediction.vocabulary is MIVIA
    review.navigation.select_all()
    desk.do(review.decisions.accept_prediction)
    known, of_model = set(desk.state.vocabulary.names), set(MIVIA.names)
    with DecisionStore(desk.specimens / STORE, "Anna") as store:
        said = {one.pattern for one in dict(store.current()).values() if one.pattern}
    assert said <= known & of_model
    classify.choose_model(sample_model())


def lose_the_store(desk):
    """The cell folder under review is moved away between two decisions."""
    desk.open()
    review = desk.session.review
    assert desk.do(desk.session.specimen.write_cells, desk.cells) == ""
    assert desk.do(review.open_cell_folder, desk.cells) == ""
    desk.do(review.decisions.accept)
    away = desk.folder / "moved"
    desk.cells.rename(away)
    desk.tell("cell folder gone: decide", review.decisions.accept)
    away.rename(desk.cells)
    with DecisionStore(desk.cells / STORE, "Anna") as store:
        assert len(dict(store.current())) >= 1


ACTS = (
    pull_the_folder_away,
    rename_a_specimen,
    name_a_text_png,
    give_three_gigabytes,
    take_the_mask_of_another_image,
    load_models_that_are_none,
    load_a_model_of_other_patterns,
    lose_the_store,
)


@pytest.mark.promise("careless")
def test_a_careless_act_costs_a_sentence_and_no_work(desk, promise):
    for act in ACTS:
        desk.begin(act)
        act(desk)
    silent = [name for name, words in desk.told.items() if not words]
    unforeseen = [name for name, words in desk.told.items() if UNFORESEEN in words]
    promise.reached(
        f"{len(desk.told)} careless actions in the window: {len(silent)} without a "
        f"message, {len(unforeseen)} unforeseen; the work continues after each",
        met=not silent and not unforeseen,
    )
