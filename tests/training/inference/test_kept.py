"""Frames are cut once and crops are scored once, as long as nothing has changed."""

import os

import numpy as np
import pytest

from training.config import ExtractionSettings, SegmentationSettings
from training.data.layouts import read_collection
from training.inference import kept
from training.inference.frames import classify_frame
from training.inference.kept import KeptFrames, Latest, model_key
from training.patterns import I3A

CUT = ExtractionSettings(), SegmentationSettings()


class Counted:
    """A scorer that counts the crops it is given."""

    vocabulary = I3A

    def __init__(self, card):
        self.card, self.seen = card, 0

    def scores(self, crops):
        self.seen += len(crops)
        return np.tile(np.eye(6, dtype=np.float32)[1], (len(crops), 1))


@pytest.fixture
def model(tmp_path_factory, make_cells, tiny_network):
    from training.inference.model_file import load_model
    from training.runs.final_fit import fit_model

    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    list(fit_model("tiny", make_cells(), tiny_network, path, device="cpu"))
    return Counted(load_model(path, "cpu").card)


@pytest.fixture
def frame(tmp_path, write_task2):
    return read_collection(write_task2(tmp_path / "in")).specimens[0].frames[0]


def test_a_frame_is_cut_once_until_a_file_or_a_setting_changes(monkeypatch, frame):
    done, real = [], kept.extracting
    monkeypatch.setattr(kept, "extracting", lambda *a: done.append(1) or real(*a))
    frames = KeptFrames()
    first = frames.cut(frame, *CUT)
    assert frames.cut(frame, *CUT) is first
    frames.cut(frame, ExtractionSettings(size=51), CUT[1])
    assert len(done) == 2
    later = frame.mask.stat().st_mtime_ns + 1_000_000
    os.utime(frame.mask, ns=(later, later))
    assert frames.cut(frame, *CUT) is not first
    assert len(done) == 3


def test_no_crops_are_scored_twice_by_one_model(frame, model):
    frames = KeptFrames()
    cells = frames.cut(frame, *CUT)
    assert frames.prediction(cells, ("a",)) is None
    scorer = frames.scorer(model, ("a",))
    made = classify_frame(cells, scorer)
    n = model.seen
    assert n == len(made.scores) > 0
    again = frames.prediction(cells, ("a",))
    np.testing.assert_array_equal(again.scores, made.scores)
    assert again.verdict.reason == made.verdict.reason
    assert model.seen == n
    assert frames.prediction(cells, ("b",)) is None
    classify_frame(cells, frames.scorer(model, ("b",)))
    assert model.seen == 2 * n


def test_a_model_file_that_was_replaced_is_another_model(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"one")
    before = model_key(path, "cpu")
    assert model_key(path, "cpu") == before != model_key(path, "cuda")
    path.write_bytes(b"another")
    assert model_key(path, "cpu") != before


def test_the_values_used_last_are_kept():
    values = Latest(2)
    for key in "ab":
        values.put(key, key)
    values.get("a")
    values.put("c", "c")
    assert [values.get(key) for key in "abc"] == ["a", None, "c"]
