import json

import numpy as np
import pytest

from napari_hep2.classify.controllers.model import ClassifyController
from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.scores import scores_of
from training.config import ExtractionSettings
from training.errors import BadModelError


@pytest.fixture
def classify(state, specimen, specimens, model_file):
    run_here(specimen.open_folder(specimens))
    controller = ClassifyController(state)
    controller.choose_model(model_file)
    controller.choose_device("cpu")
    return controller


def test_every_kept_cell_is_scored(state, classify):
    run_here(classify.classify())
    prediction = state.prediction
    assert prediction.scores.shape == (6, 6)
    assert prediction.scores.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    assert state.message == "6 cells classified."
    assert sum(n for _, n in classify.counts()) == 6


def test_a_prediction_is_no_decision(state, classify):
    review = ReviewController(state)
    review.review_frame()
    run_here(classify.classify())
    assert state.decisions == {}
    assert review.progress.count().decided == 0
    scores = scores_of(state, review.state)
    assert scores.shape == (7, 6)
    assert np.isnan(scores[0]).all()
    np.testing.assert_array_equal(scores[1:], state.prediction.scores)


def test_the_next_frame_has_no_prediction_of_this_one(state, classify, specimen):
    job = classify.classify()
    run_here(job)
    run_here(specimen.step_frame(1))
    assert state.prediction is None
    run_here(job)
    assert state.prediction is None


def test_a_frame_that_was_scored_is_not_scored_again(state, classify, specimen):
    run_here(classify.classify())
    scores = state.prediction.scores
    run_here(specimen.step_frame(1))
    classify.show_kept()
    assert state.prediction is None
    run_here(specimen.step_frame(-1))
    classify.show_kept()
    np.testing.assert_array_equal(state.prediction.scores, scores)


def test_another_model_takes_the_prediction_off(state, classify, tmp_path):
    run_here(classify.classify())
    classify.choose_model(tmp_path / "other.safetensors")
    assert state.prediction is None


def test_few_cells_give_no_verdict(state, classify):
    run_here(classify.classify())
    assert state.prediction.verdict.pattern is None
    assert state.prediction.verdict.reason.startswith("Too few cells")


def test_what_is_missing_is_told(state, model_file):
    controller = ClassifyController(state)
    assert controller.classify() is None
    assert state.fault.startswith("Open a specimen first")
    assert controller.export(model_file.parent) is None
    assert state.fault.startswith("Run a model first")


def test_a_model_that_is_none_is_a_sentence(state, classify, tmp_path):
    classify.choose_model(tmp_path / "none.safetensors")
    with pytest.raises(BadModelError, match="none"):
        run_here(classify.classify())


def test_the_export_is_written(state, classify, tmp_path):
    run_here(classify.classify())
    run_here(classify.export(tmp_path / "out"))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "00001_p0_cells.csv",
        "00001_p0_overlay.png",
        "00001_p0_verdict.json",
    ]
    assert "00001_p0_verdict.json" in state.message


def test_the_command_names_image_mask_and_model(state, classify, specimens, model_file):
    train = specimens / "train"
    assert classify.command("OUT") == (
        f"hep2 predict {train / '00001_p0.tif'} "
        f"--mask {train / '00001_p0_Mask.tif'} --model {model_file} --out OUT "
        "--device cpu"
    )
    state.extraction = ExtractionSettings(tiny_share=0.5)
    assert classify.command("OUT").endswith("--device cpu --set tiny_share=0.5")


def test_the_card_is_read_without_the_model(state, classify, model_file, tmp_path):
    card = classify.card()
    assert (card.name, card.trained_on) == ("untrained", "nothing")
    assert card.notice == "Research use only, not for diagnosis."
    broken = tmp_path / "broken.json"
    classify.choose_model(broken.with_suffix(".safetensors"))
    for content in ("", "[]", json.dumps({"name": "x"}), "\udcff"):
        broken.write_text(content, errors="surrogateescape")
        assert classify.card() is None
    classify.choose_model(tmp_path / "missing.safetensors")
    assert classify.card() is None
