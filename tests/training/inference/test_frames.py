import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.layouts import Frame
from training.inference.frames import classify_frame, draw_overlay, export_prediction
from training.inference.model_file import load_model
from training.runs.final_fit import fit_model


@pytest.fixture
def model(tmp_path, cells, tiny_network):
    path = tmp_path / "tiny.safetensors"
    list(fit_model("tiny", cells, tiny_network, path, device="cpu"))
    return load_model(path, "cpu")


@pytest.fixture
def frame_cells(tmp_path):
    """A frame of twelve whole nuclei and one that touches the edge."""
    rng = np.random.default_rng(0)
    image = rng.integers(10, 20, (400, 520), np.uint8)
    mask = np.zeros_like(image)
    ys, xs = np.mgrid[:400, :520]
    centres = [(70 + 110 * row, 60 + 120 * col) for row in range(3) for col in range(4)]
    for y, x in [*centres, (399, 260)]:
        disc = (ys - y) ** 2 + (xs - x) ** 2 < 22**2
        mask[disc] = 255
        image[disc] += rng.integers(50, 120, disc.sum(), np.uint8)
    Image.fromarray(image).save(tmp_path / "f.png")
    Image.fromarray(mask).save(tmp_path / "f_mask.png")
    frame = Frame("f", tmp_path / "f.png", tmp_path / "f_mask.png")
    return extract_frame(frame, ExtractionSettings(), SegmentationSettings())


def test_only_kept_cells_are_scored(frame_cells, model):
    prediction = classify_frame(frame_cells, model)
    table = frame_cells.cells.table
    assert len(table) == 13
    assert len(prediction.scores) == 12
    assert set(table.iloc[prediction.rows]["dropped"]) == {""}
    assert prediction.scores.sum(axis=1) == pytest.approx(np.ones(12), abs=1e-5)
    assert prediction.verdict.n_cells == 12


def with_share(model, share):
    card = model.card.model_copy(update={"nucleus_share": share})
    return replace(model, card=card)


def test_cells_are_cut_as_the_model_was_fitted(frame_cells, model):
    diameter = frame_cells.cells.fit.diameter
    assert diameter == pytest.approx(43.9, abs=0.1)
    plain = classify_frame(frame_cells, model)
    assert plain.crops.shape == (12, 77, 77)
    assert plain.notes == frame_cells.notes
    matched = classify_frame(frame_cells, with_share(model, 0.7))
    assert matched.crops.shape == (12, 63, 63)
    assert np.array_equal(matched.crops, plain.crops[:, 7:-7, 7:-7])
    assert matched.notes == ("the model scored crops of 63 pixels, as in its training",)
    assert np.array_equal(matched.scores, model.scores(matched.crops))
    assert not np.array_equal(matched.scores, plain.scores)
    large = classify_frame(frame_cells, with_share(model, 0.4))
    assert large.crops.shape == (12, 109, 109)
    assert np.array_equal(large.crops[:, 16:-16, 16:-16], plain.crops)
    exact = classify_frame(frame_cells, with_share(model, diameter / 77))
    assert not exact.is_matched


def test_few_cells_do_not_tell_how_large_nuclei_are(frame_cells, model):
    sized = with_share(model, 0.7)
    for kept, size in ((5, 63), (4, 77)):
        table = frame_cells.cells.table.copy()
        table.loc[kept:, "dropped"] = "tiny"
        fewer = replace(frame_cells, cells=replace(frame_cells.cells, table=table))
        assert classify_frame(fewer, sized).crops.shape == (kept, size, size)


def test_a_crop_is_never_larger_than_the_frame(frame_cells, model):
    found = classify_frame(frame_cells, with_share(model, 0.05))
    assert found.crops.shape == (12, 399, 399)


def test_what_is_exported_is_what_was_found(tmp_path, frame_cells, model):
    prediction = classify_frame(frame_cells, model)
    files = export_prediction(prediction, tmp_path / "out")
    assert [file.name for file in files] == [
        "f_cells.csv",
        "f_verdict.json",
        "f_overlay.png",
    ]
    table = pd.read_csv(files[0], keep_default_na=False)
    assert len(table) == 13
    kept = table[table["dropped"] == ""]
    names = model.vocabulary.names
    assert kept["predicted"].tolist() == [names[k] for k in prediction.predicted]
    scores = kept[[f"score_{name}" for name in names]].astype(float).to_numpy()
    assert scores == pytest.approx(prediction.scores, abs=1e-4)
    dropped = table[table["dropped"] == "border"].iloc[0]
    assert dropped["predicted"] == ""
    verdict = json.loads(files[1].read_text())
    assert verdict["cells"] == 12
    assert verdict["reason"] == prediction.verdict.reason
    assert verdict["notice"] == "Research use only, not for diagnosis."
    assert sum(verdict["shares"].values()) == pytest.approx(1, abs=1e-3)


def test_an_overlay_shown_small_has_letters_that_can_be_read(frame_cells, model):
    prediction = classify_frame(frame_cells, model)
    pictures = [
        np.asarray(draw_overlay(prediction, letters_only=alone)).astype(int)
        for alone in (False, True)
    ]
    cell = frame_cells.cells.table.iloc[prediction.rows[0]]
    y0, x0 = round(cell.y) - 38, round(cell.x) - 38
    plates = [picture[y0 : y0 + 14, x0 : x0 + 14] for picture in pictures]
    colour = model.vocabulary[prediction.predicted[0]].colour
    expected = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    filled = [(plate == expected).all(axis=2).mean() for plate in plates]
    assert filled[0] < 0.5 < filled[1] < 0.95
    assert (plates[1].sum(axis=2) == 0).any()


def test_the_overlay_draws_a_box_in_the_patterns_colour(frame_cells, model):
    prediction = classify_frame(frame_cells, model)
    picture = np.asarray(draw_overlay(prediction))
    assert picture.shape == (400, 520, 3)
    cell = frame_cells.cells.table.iloc[prediction.rows[0]]
    colour = model.vocabulary[prediction.predicted[0]].colour
    expected = tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))
    edge = picture[round(cell.y), round(cell.x) - 38]
    assert tuple(edge) == expected
