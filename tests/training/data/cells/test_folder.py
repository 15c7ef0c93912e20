"""A cell folder is whole or absent, and knows what it was made from."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells import folder as cell_folder
from training.data.cells.files import CELL_COLUMNS
from training.data.cells.folder import (
    is_cell_folder,
    read_cell_folder,
    write_cell_folder,
)
from training.data.layouts import read_collection
from training.decisions.store import DecisionStore
from training.errors import BadCellsError, BadLayoutError, StorageError
from training.storage.shown_paths import recorded_root

EXTRACTION, SEGMENTATION = ExtractionSettings(size=33), SegmentationSettings()


def _write(source, out, extraction=EXTRACTION):
    collection = read_collection(source)
    return list(write_cell_folder(collection, out, extraction, SEGMENTATION))


def _decided(out):
    """Decide on a cell; return what is then in the store."""
    out.mkdir(exist_ok=True)
    with DecisionStore(out / "curation.sqlite", "ann") as store:
        store.decide(["00001_p0_0001"], "rejected")
    return store.path.read_bytes()


@pytest.fixture
def source(tmp_path, write_task2):
    return write_task2(tmp_path / "x" / "data")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "x" / "cells"


def test_round_trip(source, out):
    steps = _write(source, out)
    assert [(s.done, s.total, s.frame, s.kept, s.fault) for s in steps] == [
        (1, 4, "00001_p0", 3, None),
        (2, 4, "00001_p1", 3, None),
        (3, 4, "00002_p0", 3, None),
        (4, 4, "00002_p1", 3, None),
    ]
    folder = read_cell_folder(out)
    assert tuple(folder.table.columns) == CELL_COLUMNS
    assert folder.crops.shape == (12, 33, 33)
    assert isinstance(folder.crops, np.memmap)
    last = folder.table.iloc[-1]
    assert (last["id"], last["specimen"], last["pattern"]) == (
        "00002_p1_0003",
        "2",
        "NuMem",
    )
    assert (last["y"], last["x"], last["dropped"]) == (80.0, 50.0, "")
    assert sorted(p.name for p in out.iterdir()) == [
        "cells.csv",
        "crops.npy",
        "nuclei.runs",
        "source.json",
    ]
    np.testing.assert_array_equal(np.load(out / "crops.npy"), folder.crops)


def test_source_names_settings_and_no_absolute_path(source, out):
    _write(source, out)
    text = (out / "source.json").read_text()
    recorded = json.loads(text)
    assert recorded["extraction"]["size"] == 33
    assert recorded["layout"] == "task2"
    assert recorded["root"] == "../data"
    assert recorded["pixel_sizes"] == {}
    names = [entry["name"] for entry in recorded["files"]]
    assert names[:2] == ["train/00001_p0.tif", "train/00001_p0_Mask.tif"]
    assert str(source) not in text
    assert len(recorded["files"][0]["sha256"]) == 64


@pytest.mark.parametrize(
    ("root", "out", "recorded"),
    [
        ("/data/a", "/data/b/c", "../../a"),
        ("/home/ann/a", "/home/ann/b", "../a"),
        ("/home/ann/a", "/home/bob/b", None),
        ("/home/ann/a", "/mnt/b", None),
    ],
)
def test_a_users_name_is_not_recorded(root, out, recorded):
    assert recorded_root(Path(root), Path(out)) == recorded


def test_stale(source, out):
    _write(source, out)
    folder = read_cell_folder(out)
    assert folder.stale() is None
    image = source / "train" / "00002_p0.tif"
    os.utime(image, ns=(1, 1))
    assert folder.stale() is None
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    image.write_bytes(content)
    assert "00002_p0.tif has changed" in folder.stale()
    image.unlink()
    assert "00002_p0.tif was removed" in folder.stale()


def test_moved_frames_can_be_pointed_at(source, out):
    _write(source, out)
    moved = source.rename(source.with_name("moved"))
    folder = read_cell_folder(out)
    assert "were not found" in folder.stale()
    assert folder.stale(moved) is None


def test_a_bad_frame_is_reported_and_the_rest_kept(source, out):
    (source / "train" / "00001_p1.tif").write_bytes(b"II*\0broken")
    (source / "train" / "00002_p0_Mask.tif").unlink()
    steps = _write(source, out)
    assert [s.fault is None for s in steps] == [True, False, False, True]
    assert "the mask is missing" in steps[2].fault
    folder = read_cell_folder(out)
    assert folder.table["frame"].unique().tolist() == ["00001_p0", "00002_p1"]
    assert sorted(folder.source["faults"]) == ["00001_p1", "00002_p0"]
    assert str(source) not in json.dumps(folder.source)


def test_frames_of_another_depth_are_left_out(source, out):
    from training.storage.images import read_frame

    path = source / "train" / "00001_p1.tif"
    import tifffile

    pixels = read_frame(path).pixels
    tifffile.imwrite(path, pixels.astype(np.uint16))
    steps = _write(source, out)
    assert "uint16 but those before are uint8" in steps[1].fault
    assert len(read_cell_folder(out).table) == 9


def test_nothing_but_bad_frames_leaves_the_earlier_folder(source, out):
    _write(source, out)
    for path in (source / "train").glob("*_p?.tif"):
        path.write_bytes(b"no image")
    with pytest.raises(BadCellsError, match="no frame gave a cell"):
        _write(source, out)
    assert len(read_cell_folder(out).table) == 12


def test_cells_already_cut_are_refused(tmp_path, write_task1, out):
    with pytest.raises(BadCellsError, match="no whole frames"):
        _write(write_task1(tmp_path / "t1"), out)


def test_stopped_half_way_leaves_the_earlier_folder(source, out):
    _write(source, out)
    _decided(out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    steps = write_cell_folder(
        read_collection(source), out, ExtractionSettings(size=21), SEGMENTATION
    )
    next(steps)
    steps.close()
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_writing_again_replaces_cells_and_keeps_decisions(source, out):
    _write(source, out)
    kept = _decided(out)
    _write(source, out, ExtractionSettings(size=21))
    assert read_cell_folder(out).crops.shape == (12, 21, 21)
    assert (out / "curation.sqlite").read_bytes() == kept


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
def test_a_cut_off_move_is_seen_whole_and_mended(source, out, at, monkeypatch):
    """The power fails after `at` of the four files were moved."""
    _write(source, out)
    moved = []
    replace = Path.replace

    def failing(self, target):
        if self.parent.name == ".ready":
            if len(moved) == at:
                raise KeyboardInterrupt
            moved.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    if at < 4:
        with pytest.raises(KeyboardInterrupt):
            _write(source, out, ExtractionSettings(size=21))
    else:
        monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
        _write(source, out, ExtractionSettings(size=21))
    monkeypatch.undo()
    assert read_cell_folder(out).crops.shape == (12, 21, 21)
    assert is_cell_folder(out)
    _write(source, out, ExtractionSettings(size=25))
    assert read_cell_folder(out).crops.shape == (12, 25, 25)
    assert not (out / ".ready").exists()


def test_disk_full(source, out, monkeypatch):
    _write(source, out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cell_folder.CellWriter, "_append", full)
    with pytest.raises(StorageError, match="the disk is full"):
        _write(source, out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_a_full_device_is_said_at_once(source, out, monkeypatch):
    out.mkdir(parents=True)
    opened = Path.open

    def on_full_device(self, mode="r", *args, **kwargs):
        if self.name == "crops.npy" and mode == "wb":
            return open("/dev/full", "wb", buffering=0)  # noqa: PTH123
        return opened(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", on_full_device)
    with pytest.raises(StorageError, match="the disk is full"):
        _write(source, out)
    assert list(out.iterdir()) == []


def test_killed_at_any_moment(source, out):
    """The folder holds the cells before or those after, never a mixture."""
    script = (
        "import sys; from pathlib import Path\n"
        "from training.config import *\n"
        "from training.data.cells.folder import write_cell_folder\n"
        "from training.data.layouts import read_collection\n"
        "c = read_collection(Path(sys.argv[1])); print('go', flush=True)\n"
        "for size in range(9, 255, 2):\n"
        "    list(write_cell_folder(c, Path(sys.argv[2]),"
        " ExtractionSettings(size=size), SegmentationSettings()))\n"
    )
    rng = np.random.default_rng(0)
    for _ in range(4):
        _write(source, out)
        writer = subprocess.Popen(
            [sys.executable, "-c", script, str(source), str(out)],
            stdout=subprocess.PIPE,
        )
        writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        folder = read_cell_folder(out)
        assert folder.crops.shape[1] == folder.source["extraction"]["size"]
    _write(source, out)
    assert not list(out.glob(".part-*"))


def test_memory_does_not_grow_with_the_frames(tmp_path, write_task2, out):
    centres = [(20 + 40 * i, 20 + 40 * j) for i in range(3) for j in range(3)]
    source = write_task2(tmp_path / "data", {"1": "golgi"}, 30, centres)
    steps = write_cell_folder(
        read_collection(source), out, ExtractionSettings(size=151), SEGMENTATION
    )
    peaks = []
    tracemalloc.start()
    for _ in steps:
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()
    tracemalloc.stop()
    assert max(peaks[20:]) < 1.3 * max(peaks[2:8])


def test_words_come_back_as_they_were(tmp_path, write_plain, out):
    table = 'specimen,pattern\n=1+1,hom\n"0012",hom\nNA,\n'
    source = write_plain(tmp_path / "p", ["=1+1_p0", "0012_p0", "NA_p0"], table=table)
    _write(source, out)
    folder = read_cell_folder(out)
    assert set(folder.table["specimen"]) == {"=1+1", "0012", "NA"}
    assert set(folder.table.loc[folder.table["specimen"] == "NA", "pattern"]) == {""}
    assert ",=1+1" not in (out / "cells.csv").read_text()


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def _pickled(path):
    np.save(path, np.array([{}], object), allow_pickle=True)


def _edit(old, new):
    return lambda path: path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("crops.npy", Path.unlink),
        ("crops.npy", _truncate),
        ("crops.npy", _pickled),
        ("crops.npy", lambda p: np.save(p, np.zeros((12, 3, 4), np.uint8))),
        ("crops.npy", lambda p: np.save(p, np.zeros((11, 3, 3), np.uint8))),
        ("crops.npy", lambda p: np.save(p, np.zeros((12, 3, 3), float))),
        ("cells.csv", Path.unlink),
        ("cells.csv", lambda p: p.write_bytes(b"\xff\xfe\0\0")),
        ("cells.csv", _edit("30.000", "north")),
        ("cells.csv", _edit("30.000", "nan")),
        ("cells.csv", _edit("00001_p0_0002", "00001_p0_0001")),
        ("cells.csv", _edit(",label,", ",lable,")),
        ("source.json", Path.unlink),
        ("source.json", lambda p: p.write_text("[" * 100_000)),
        ("source.json", lambda p: p.write_text("[]")),
        ("source.json", _edit('"pixel_sizes": {}', '"pixel_sizes": [1]')),
        ("source.json", _edit('"format": 2', '"format": 3')),
        ("source.json", _edit('"i3a"', '["i3a"]')),
        ("source.json", _edit("train/00001_p0.tif", "../../../etc/passwd")),
        ("source.json", _edit("train/00001_p0.tif", "/etc/passwd")),
    ],
)
def test_broken_folders_are_refused_with_a_sentence(source, out, name, harm):
    _write(source, out)
    harm(out / name)
    with pytest.raises(BadCellsError):
        read_cell_folder(out)


@pytest.mark.parametrize("root", ["/etc", "C:\\data", "a\0b", "x" * 5000, "x" * 300, 7])
def test_a_recorded_root_is_a_way_from_the_folder(source, out, root):
    _write(source, out)
    path = out / "source.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "root": root}))
    with pytest.raises(BadCellsError, match="does not say what the cells were made"):
        read_cell_folder(out)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "x" * 300, "a\0b", None])
def test_a_recorded_file_lies_in_the_root(source, out, name):
    _write(source, out)
    path = out / "source.json"
    content = json.loads(path.read_text())
    content["files"][0]["name"] = name
    path.write_text(json.dumps(content))
    with pytest.raises(BadCellsError, match="does not say what the cells were made"):
        read_cell_folder(out)


@pytest.mark.parametrize("name", ["crops.npy", "cells.csv", "source.json"])
def test_a_link_that_leads_out_is_not_followed(source, out, tmp_path, name):
    _write(source, out)
    (out / name).rename(tmp_path / name)
    (out / name).symlink_to(tmp_path / name)
    with pytest.raises(BadLayoutError, match="a link that leads out of the folder"):
        read_cell_folder(out)


def test_a_source_that_became_a_link_out_is_not_read(source, out, tmp_path):
    _write(source, out)
    image = source / "train" / "00002_p0.tif"
    shutil.move(image, tmp_path / "moved.tif")
    image.symlink_to(tmp_path / "moved.tif")
    assert "has changed since the cells were cut" in read_cell_folder(out).stale()
