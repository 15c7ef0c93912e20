"""A cell folder follows a mended mask: one frame is cut anew, all else stays."""

import errno
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.cells.recut import _settings, recut_frame
from training.data.cells.writer import CellWriter
from training.data.layouts import read_collection
from training.data.masks.changes import settle_labels
from training.data.masks.history import read_mends
from training.data.masks.history_writer import MendWriter
from training.decisions.store import DecisionStore
from training.errors import StorageError

SETTINGS = ExtractionSettings(size=33), SegmentationSettings()
FRAME = "00001_p1"


@pytest.fixture
def source(tmp_path, write_task2):
    made = write_task2(tmp_path / "x" / "data")
    for name in ("00001_p0", FRAME):
        path = made / "train" / f"{name}.tif"
        pixels = np.array(Image.open(path))
        Image.fromarray(pixels).save(path, dpi=(79_375, 79_375))
    return made


@pytest.fixture
def out(tmp_path, source):
    made = tmp_path / "x" / "cells"
    list(write_cell_folder(read_collection(source), made, *SETTINGS))
    with DecisionStore(made / "curation.sqlite", "ann") as store:
        store.decide(["00001_p1_0002"], "rejected")
    return made


def frame_of(source, name=FRAME):
    frames = [f for s in read_collection(source).specimens for f in s.frames]
    return next(frame for frame in frames if frame.name == name)


def mend(source, edit, name=FRAME):
    """Paint in the mask of a frame, and keep it as the one that stands."""
    frame = frame_of(source, name)
    labels = extract_frame(frame, *SETTINGS).labels
    painted = labels.copy()
    edit(painted)
    history = read_mends(source, name)
    change = settle_labels(labels, painted, history.highest)
    MendWriter(source, frame, "ann").save(history, change, "painted")
    return change


def take_first_out(painted):
    painted[painted == 1] = 0


def split_first(painted):
    rows = np.nonzero((painted == 1).any(axis=1))[0]
    painted[int(rows.mean())] = np.where(
        painted[int(rows.mean())] == 1, 0, painted[int(rows.mean())]
    )


def recut(source, out, name=FRAME):
    return recut_frame(out, read_collection(source), name)


@pytest.mark.parametrize("edit", [take_first_out, split_first])
def test_it_is_what_extract_would_write_now(tmp_path, source, out, edit):
    before = read_cell_folder(out).table
    change = mend(source, edit)
    assert change.gone == (1,)
    assert "was edited since" in read_cell_folder(out).stale()
    found = recut(source, out)
    anew = tmp_path / "x" / "anew"
    list(write_cell_folder(read_collection(source), anew, *SETTINGS))
    for name in ("crops.npy", "cells.csv"):
        assert (out / name).read_bytes() == (anew / name).read_bytes()
    wanted, got = (
        json.loads((folder / "source.json").read_text()) for folder in (anew, out)
    )
    assert got == wanted
    assert got["pixel_sizes"] == {"00001_p0": 0.32, FRAME: 0.32}
    assert read_cell_folder(out).stale() is None
    after = read_cell_folder(out).table
    gone, new = set(before["id"]) - set(after["id"]), set(after["id"])
    assert found.gone == ("00001_p1_0001",) == tuple(gone)
    assert set(found.new) == new - set(before["id"])
    assert len(found.new) == len(change.new)


def test_ids_rows_and_crops_of_all_others_stay(source, out):
    before = read_cell_folder(out)
    crops, table = np.array(before.crops), before.table.set_index("id")
    mend(source, take_first_out)
    recut(source, out)
    after = read_cell_folder(out)
    for row, cell in enumerate(after.table["id"]):
        was = table.index.get_loc(cell)
        np.testing.assert_array_equal(after.crops[row], crops[was])
        assert after.table.set_index("id").loc[cell].equals(table.loc[cell])


def test_nothing_but_the_four_files_is_changed(source, out):
    files = [*source.rglob("*"), out / "curation.sqlite"]
    mend(source, take_first_out)
    before = {p: p.read_bytes() for p in files if p.is_file()}
    recut(source, out)
    assert {p: p.read_bytes() for p in before} == before
    assert sorted(p.name for p in out.iterdir()) == [
        "cells.csv",
        "crops.npy",
        "curation.sqlite",
        "nuclei.runs",
        "source.json",
    ]


def test_who_reads_the_old_crops_keeps_them(source, out):
    old = read_cell_folder(out)
    kept = np.array(old.crops)
    mend(source, take_first_out)
    recut(source, out)
    np.testing.assert_array_equal(old.crops, kept)


def test_a_mend_that_is_undone_brings_the_old_cells_back(source, out):
    files = ("crops.npy", "cells.csv")
    before = {name: (out / name).read_bytes() for name in files}
    mend(source, take_first_out)
    recut(source, out)
    assert (out / "cells.csv").read_bytes() != before["cells.csv"]
    MendWriter(source, frame_of(source), "ann").undo(read_mends(source, FRAME))
    found = recut(source, out)
    assert (found.gone, found.new) == ((), ("00001_p1_0001",))
    assert {name: (out / name).read_bytes() for name in files} == before
    assert read_cell_folder(out).stale() is None


def test_the_pattern_that_the_folder_has_stays(source, out):
    collection = read_collection(source)
    other = tuple(replace(one, pattern="Golgi") for one in collection.specimens)
    before = set(read_cell_folder(out).table["pattern"])
    mend(source, split_first)
    recut_frame(out, replace(collection, specimens=other), FRAME)
    assert set(read_cell_folder(out).table["pattern"]) == before


def test_it_is_left_alone_where_all_of_it_has_to_be_written(tmp_path, source, out):
    mend(source, take_first_out)
    before = (out / "cells.csv").read_bytes()
    assert recut(source, out, "no such frame") is None
    elsewhere = replace(read_collection(source), root=tmp_path)
    assert recut_frame(out, elsewhere, FRAME) is None
    assert (out / "cells.csv").read_bytes() == before
    steps = write_cell_folder(
        read_collection(source), out, *SETTINGS, original_masks=True
    )
    list(steps)
    assert recut(source, out) is None


def test_a_full_disk_leaves_the_folder_whole_and_stale(source, out, monkeypatch):
    mend(source, take_first_out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CellWriter, "_append", full)
    with pytest.raises(StorageError, match="the disk is full"):
        recut(source, out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert "extract them again" in read_cell_folder(out).stale()


KILLED = """
import sys, time
from pathlib import Path
from training.data.layouts import read_collection
from training.data.cells.recut import _settings, recut_frame
source, out = map(Path, sys.argv[1:])
print("ready", flush=True)
while True:
    recut_frame(out, read_collection(source), "00001_p1")
"""


def test_a_kill_leaves_the_cells_before_or_after(source, out):
    """Cut anew without end, between two states of the mask, and killed anywhere."""
    states = {(out / "cells.csv").read_bytes()}
    mend(source, take_first_out)
    recut(source, out)
    states.add((out / "cells.csv").read_bytes())
    rng = np.random.default_rng(0)
    command = [sys.executable, "-c", KILLED, str(source), str(out)]
    for _ in range(4):
        writer, frame = MendWriter(source, frame_of(source), "ann"), FRAME
        history = read_mends(source, frame)
        turn = writer.undo if history.standing else writer.redo
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        turn(history)
        time.sleep(float(rng.uniform(0, 0.15)))
        process.kill()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        found = read_cell_folder(out)
        assert len(found.crops) == len(found.table)
        recut(source, out)
        assert (out / "cells.csv").read_bytes() in states
        assert read_cell_folder(out).stale() is None


def test_a_folder_from_before_the_network_is_cut_as_it_was():
    extraction, segmentation = (settings.model_dump() for settings in SETTINGS)
    del segmentation["method"], extraction["keep_mitotic"]
    old = {"extraction": extraction, "segmentation": segmentation}
    assert _settings(old) == (SETTINGS[0], SegmentationSettings(method="classical"))
    assert _settings({"extraction": extraction}) is None
