"""A model written as ONNX scores as it did, and a hostile file is refused."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from training.config import (
    ExtractionSettings,
    ImageNetSettings,
    LeNetSettings,
    PaperNetworkSettings,
    RadialNetworkSettings,
    SegmentationSettings,
    SimulationSettings,
)
from training.data.cells.extraction import extract_frame
from training.data.layouts import read_collection
from training.data.simulation import simulate
from training.errors import BadModelError, BadSettingError
from training.inference import onnx_export, onnx_model
from training.inference.frames import classify_frame
from training.inference.model_file import Model, load_model
from training.inference.onnx_export import export_onnx
from training.inference.onnx_model import CARD, load_onnx_model
from training.inference.scorers import load_scorer
from training.models.networks.architectures import build_network
from training.runs.final_fit import fit_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def both(tmp_path_factory, make_cells, tiny_network):
    """The path of a model that stands there as safetensors and as ONNX."""
    path = tmp_path_factory.mktemp("both") / "tiny.safetensors"
    settings = tiny_network.model_copy(update={"normalisation": "cell"})
    list(fit_model("tiny", make_cells(), settings, path, device="cpu"))
    export_onnx(load_model(path, "cpu"), path)
    return path


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    words = {"specimens": "3", "seed": "5", "cells_min": "40", "cells_max": "40"}
    words |= {"height": "500", "width": "700"}
    list(simulate(folder, SimulationSettings.parse(words)))
    found = [s.frames[0] for s in read_collection(folder).specimens]
    how = ExtractionSettings(), SegmentationSettings()
    return [extract_frame(frame, *how) for frame in found]


def test_simulated_cells_get_the_same_scores_and_patterns(both, frames):
    torch_model, onnx_model = (load_scorer(both, b) for b in ("torch", "onnx"))
    assert onnx_model.card == torch_model.card
    for cells in frames:
        first, second = (classify_frame(cells, m) for m in (torch_model, onnx_model))
        assert len(first.scores) > 20
        np.testing.assert_allclose(second.scores, first.scores, rtol=0, atol=1e-5)
        assert second.scores.dtype == np.float32
        np.testing.assert_array_equal(second.predicted, first.predicted)
        assert second.verdict.pattern == first.verdict.pattern


@pytest.mark.parametrize("count", [0, 1, 25, 26])
def test_any_number_of_crops_of_any_depth(both, count):
    crops = np.random.default_rng(count).integers(0, 4096, (count, 77, 77), np.uint16)
    scores = load_onnx_model(both, threads=1).scores(crops)
    assert scores.shape == (count, 6)
    expected = load_model(both, "cpu").scores(crops)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        PaperNetworkSettings(width=0.05, batch_norm=True),
        LeNetSettings(),
        ImageNetSettings(weights="random", input_size=64, vote_epochs=1),
        RadialNetworkSettings(width=0.5, test_views=8),
    ],
    ids=lambda settings: settings.name,
)
def test_every_network_can_be_written(both, tmp_path, settings):
    model = load_model(both, "cpu")
    generator = torch.Generator().manual_seed(0)
    voters = [
        build_network(settings, 6, generator).eval()
        for _ in range(settings.vote_epochs)
    ]
    card = model.card.model_copy(update={"classifier": settings})
    written = export_onnx(Model(card, model.vocabulary, tuple(voters)), tmp_path / "m")
    assert written == tmp_path / "m.onnx"
    assert load_onnx_model(written).card.classifier == settings


def test_a_file_that_scores_otherwise_is_not_left(both, tmp_path, monkeypatch):
    monkeypatch.setattr(
        onnx_export, "mean_vote", lambda voters, images: voters[0](images).softmax(1)
    )
    with pytest.raises(BadModelError, match="its scores differ by"):
        export_onnx(load_model(both, "cpu"), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_file_decides_unless_it_is_said(both):
    assert isinstance(load_scorer(both), Model)
    assert not isinstance(load_scorer(both.with_suffix(".onnx")), Model)
    assert isinstance(load_scorer(both.with_suffix(".onnx"), "torch"), Model)
    with pytest.raises(BadSettingError, match="computes on the CPU"):
        load_scorer(both, "onnx", "cuda")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_one_sentence(both, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadSettingError, match=f"it needs {package}, which is not"):
        load_scorer(both, "onnx")
    with pytest.raises(BadSettingError, match=r'pip install "napari-hep2\[onnx\]"'):
        export_onnx(load_model(both, "cpu"), both)


def test_the_runtime_leaves_no_identity_and_sends_nothing(both, tmp_path):
    """It would keep a number of this machine in the home folder, to be sent."""
    script = (
        "import sys, pathlib; from training.inference.scorers import load_scorer;"
        "load_scorer(pathlib.Path(sys.argv[1]), 'onnx')"
    )
    home = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}
    words = [sys.executable, "-c", script, str(both)]
    (tmp_path / "home").mkdir()
    subprocess.run(words, env=home, check=True)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def changed(both, tmp_path, change):
    """Write a copy of the ONNX file after `change(graph)`."""
    model = onnx.load(both.with_suffix(".onnx"))
    change(model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def card_of(model, **changes):
    (entry,) = model.metadata_props
    entry.value = json.dumps(json.loads(entry.value) | changes)


def send_outside(model):
    tensor = next(t for t in model.graph.initializer if t.raw_data)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"


def send_a_constant_outside(model):
    constant = next(n for n in model.graph.node if n.op_type == "Constant")
    entry = constant.attribute[0].t.external_data.add()
    entry.key, entry.value = "location", "weights.bin"


def add_node(*words, **attributes):
    return lambda model: model.graph.node.insert(
        0, onnx.helper.make_node(*words, **attributes)
    )


def add_branch(model):
    empty = onnx.helper.make_graph([], "g", [], [])
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("body", empty))


def resize_input(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 33


def double(times):
    """Put the images beside themselves again and again."""

    def change(model):
        names = ["images", *(f"twice{k}" for k in range(times))]
        nodes = [
            onnx.helper.make_node("Concat", [one, one], [twice], axis=0)
            for one, twice in itertools.pairwise(names)
        ]
        old = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend([*nodes, *old])

    return change


CHANGES = {
    "growing": (double(20), "more at one time than fits in memory"),
    "growing beyond numbers": (double(70), "sizes do not fit|more at one time"),
    "no card": (lambda m: m.ClearField("metadata_props"), "no card in it"),
    "two cards": (
        lambda m: m.metadata_props.add(key=CARD, value="{}"),
        "no card|damaged",
    ),
    "card": (lambda m: card_of(m, name=""), "the card of the model is damaged"),
    "large card": (lambda m: card_of(m, name="x" * 2_000_000), "card is too large"),
    "patterns": (lambda m: card_of(m, vocabulary="mivia"), "patterns that are not"),
    "outside": (send_outside, "another file|damaged"),
    "outside constant": (send_a_constant_outside, "another file|damaged"),
    "operator": (
        add_node("ConstantOfShape", ["images"], ["huge"]),
        "it uses the operator ConstantOfShape|damaged",
    ),
    "random": (
        add_node("RandomNormal", [], ["noise"], shape=[1]),
        "it uses the operator RandomNormal",
    ),
    "domain": (
        add_node("Relu", [], ["x"], domain="com.evil"),
        "it uses the operator Relu|damaged",
    ),
    "branch": (add_branch, "more than one graph|damaged"),
    "input": (resize_input, "do not fit its card"),
    "graph": (lambda m: m.ClearField("graph"), "damaged|do not fit"),
}


@pytest.mark.parametrize(("change", "sentence"), CHANGES.values(), ids=CHANGES)
def test_what_is_not_ours_is_refused(both, tmp_path, change, sentence):
    path = changed(both, tmp_path, change)
    with pytest.raises(BadModelError, match=sentence):
        load_onnx_model(path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"GIF89a" * 99, b"{}"])
def test_what_is_no_onnx(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(BadModelError, match="not an ONNX model"):
        load_onnx_model(tmp_path / "m.onnx")


def test_a_file_cut_short(both, tmp_path):
    whole = both.with_suffix(".onnx").read_bytes()
    for share in (0.1, 0.5, 0.99):
        (tmp_path / "m.onnx").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(BadModelError):
            load_onnx_model(tmp_path / "m.onnx")


def test_a_missing_and_a_large_file(both, tmp_path, monkeypatch):
    with pytest.raises(BadModelError, match="there is no such model"):
        load_onnx_model(tmp_path / "none.onnx")
    monkeypatch.setattr(onnx_model, "_MAX_FILE", 1000)
    with pytest.raises(BadModelError, match="larger than 1 GB"):
        load_onnx_model(both)


def test_a_graph_that_gives_other_shapes_is_one_sentence(both, tmp_path):
    def sum_up(model):
        last = next(n for n in model.graph.node if n.output[0] == "scores")
        last.output[0] = "inner"
        mean = onnx.helper.make_node("Flatten", ["inner"], ["scores"], axis=0)
        model.graph.node.append(mean)

    with pytest.raises(BadModelError, match="its sizes do not fit together"):
        load_onnx_model(changed(both, tmp_path, sum_up))


def test_the_card_lies_in_the_file(both):
    (entry,) = onnx.load(both.with_suffix(".onnx")).metadata_props
    assert entry.key == CARD
    assert json.loads(entry.value) == json.loads(both.with_suffix(".json").read_text())


def test_scoring_by_onnx_needs_no_torch():
    script = (
        "import sys; from training.inference import onnx_model, scorers, stream;"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
