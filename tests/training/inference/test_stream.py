"""Frames are classified in order, one cut ahead, never more than two in memory."""

import gc
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.layouts import read_collection
from training.errors import (
    BadImageError,
    BadLayoutError,
    BadSettingError,
    StorageError,
)
from training.inference import stream
from training.inference.cards import read_card
from training.inference.stream import find_frames, predict_frames
from training.patterns import I3A

SAMPLE = Path(__file__).parents[3] / "sample_data" / "model" / "simulated.json"
HOW = ExtractionSettings(), SegmentationSettings()


class Even:
    """A scorer that finds all patterns as likely."""

    card = read_card(SAMPLE)
    vocabulary = I3A

    def scores(self, crops):
        return np.full((len(crops), 6), 1 / 6, np.float32)


@pytest.fixture
def folder(tmp_path, write_task2):
    return write_task2(tmp_path / "in", frames=4)


@pytest.fixture
def frames(folder):
    return find_frames([folder])


def test_frames_of_folders_and_images_in_order(folder, tmp_path, write_plain):
    plain = write_plain(tmp_path / "plain", names=("x_p0",), masks=False)
    found = find_frames([plain / "x_p0.png", folder])
    expected = [f for s in read_collection(folder).specimens for f in s.frames]
    assert found[0].mask is None
    assert found[1:] == expected
    masks = [plain / "m.png"]
    assert find_frames([plain / "x_p0.png"], masks)[0].mask == masks[0]


def test_what_cannot_be_told_apart_or_paired(folder, tmp_path, write_task1):
    image = folder / "train" / "00001_p0.tif"
    with pytest.raises(BadSettingError, match="2 frames have this name"):
        find_frames([image, folder])
    with pytest.raises(BadSettingError, match="1 masks were given for 2 images"):
        find_frames([image, image], [image])
    with pytest.raises(BadSettingError, match="is a folder"):
        find_frames([folder], [image])
    with pytest.raises(BadLayoutError, match="no whole frames"):
        find_frames([write_task1(tmp_path / "cells")])


def test_each_frame_has_its_verdict_and_files(frames, tmp_path):
    steps = list(predict_frames(frames, Even(), tmp_path / "out", *HOW))
    assert [step.frame for step in steps] == [frame.name for frame in frames]
    assert [step.content["cells"] for step in steps] == [3] * len(frames)
    for frame in frames:
        assert (tmp_path / "out" / f"{frame.name}_overlay.png").is_file()
    assert list(predict_frames([], Even(), tmp_path, *HOW)) == []


def test_a_bad_frame_is_one_sentence_and_the_next_goes_on(frames, tmp_path):
    frames[1].image.write_bytes(b"no image")
    frames[3].mask.unlink()
    steps = list(predict_frames(frames, Even(), tmp_path / "out", *HOW))
    assert [bool(step.fault) for step in steps] == [k in (1, 3) for k in range(8)]
    assert "not a TIFF, PNG, JPEG or BMP" in steps[1].content["fault"]
    assert steps[1].content["frame"] == frames[1].name
    assert "the mask is missing" in steps[3].fault
    assert not (tmp_path / "out" / f"{frames[1].name}_cells.csv").exists()


def test_never_more_than_two_frames_are_in_memory(frames, tmp_path, monkeypatch):
    """Counted: images alive when another is about to be read, or was just scored."""
    alive, most, lock = set(), [], threading.Lock()

    def counting(frame, *how):
        cells = extract_frame(frame, *how)
        with lock:
            alive.add(frame.name)
            most.append(len(alive))
        weakref.finalize(cells, alive.discard, frame.name)
        return cells

    monkeypatch.setattr(stream, "extract_frame", counting)
    for step in predict_frames(frames, Even(), tmp_path / "out", *HOW):
        assert step.verdict
        most.append(len(alive))
    gc.collect()
    assert not alive
    assert len(most) == 2 * len(frames)
    assert max(most) <= 2


def test_the_next_frame_is_cut_while_one_is_scored(frames, tmp_path, monkeypatch):
    """The scorer waits until the next frame is being read: alone it would not end."""
    started = {frame.name: threading.Event() for frame in frames}

    def noted(frame, *how):
        started[frame.name].set()
        return extract_frame(frame, *how)

    class Waiting(Even):
        met = 0

        def scores(self, crops):
            self.met += 1
            if self.met < len(frames):
                assert started[frames[self.met].name].wait(30)
            if self.met + 1 < len(frames):
                assert not started[frames[self.met + 1].name].is_set()
            return super().scores(crops)

    monkeypatch.setattr(stream, "extract_frame", noted)
    model = Waiting()
    assert len(list(predict_frames(frames, model, tmp_path / "o", *HOW))) == 8
    assert model.met == 8


def test_the_reader_ends_with_the_stream(frames, tmp_path):
    steps = predict_frames(frames, Even(), tmp_path / "out", *HOW)
    next(steps)
    steps.close()
    assert not [t for t in threading.enumerate() if "frame-reader" in t.name]


def test_a_folder_that_cannot_be_written_ends_the_stream(frames, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        list(predict_frames(frames, Even(), tmp_path / "file", *HOW))
    assert not [t for t in threading.enumerate() if "frame-reader" in t.name]


def test_a_fault_of_the_program_is_not_swallowed(frames, tmp_path, monkeypatch):
    def broken(frame, *how):
        raise RuntimeError("a mistake")

    monkeypatch.setattr(stream, "extract_frame", broken)
    with pytest.raises(RuntimeError, match="a mistake"):
        list(predict_frames(frames, Even(), tmp_path, *HOW))


def test_faults_are_expected_ones_alone(frames, tmp_path, monkeypatch):
    def refuse(frame, *how):
        raise BadImageError(frame.name, "it is bad", "mend it")

    monkeypatch.setattr(stream, "extract_frame", refuse)
    (step,) = predict_frames([replace(frames[0])], Even(), tmp_path, *HOW)
    assert step.fault == f"{frames[0].name}: it is bad; mend it."


def test_what_is_left_over_in_a_folder_is_said(tmp_path, write_plain):
    write_plain(tmp_path, ["S1", "S1_enhanced"], masks=False)
    said = []
    assert len(find_frames([tmp_path], say=said.append)) == 1
    assert said == ["S1_enhanced.png: not read, as neither frame nor mask."]
