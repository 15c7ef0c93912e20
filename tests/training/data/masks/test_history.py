"""Mended masks lie beside the data, are never lost, and are told when out of date."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.extraction import extract_frame
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.cells.loading import load_cell_set
from training.data.layouts import read_collection
from training.data.layouts.edited_masks import edit_notes, edited_frame
from training.data.masks.changes import settle_labels
from training.data.masks.history import read_mends
from training.data.masks.history_writer import MendWriter
from training.errors import BadMaskError, RunLockedError, StorageError
from training.storage.images import label_bytes, read_labels
from training.storage.locks import locked

HOW = ExtractionSettings(size=33), SegmentationSettings()


@pytest.fixture
def data(tmp_path, write_task2):
    return write_task2(tmp_path / "data")


@pytest.fixture
def frame(data):
    return read_collection(data).specimens[0].frames[0]


@pytest.fixture
def mend(data, frame):
    """Save an edit of the mask that stands; the edit works in place."""
    root = data.resolve()

    def save(edit, what="painted", writer=None):
        writer = writer or MendWriter(root, frame, "ann")
        cells = extract_frame(edited_frame(frame, root), *HOW)
        edited = cells.labels.copy()
        edit(edited)
        history = read_mends(root, frame.name)
        change = settle_labels(cells.labels, edited, history.highest)
        return writer.save(history, change, what)

    return save


def add(labels):
    labels[90:110, 100:120] = 50


def cut(frame, data):
    return extract_frame(edited_frame(frame, data.resolve()), *HOW)


def test_a_mended_mask_is_taken_and_only_the_cell_touched_is_new(data, frame, mend):
    before = extract_frame(frame, *HOW)
    masks = {p: p.read_bytes() for p in (data / "train").iterdir()}
    mend(add)
    after = cut(frame, data)
    assert after.cells.table["label"].tolist() == [1, 2, 3, 4]
    assert after.notes == ("the edited mask was used",)
    assert not after.mask_made
    same = ["label", "y", "x", "area"]
    assert after.cells.table[same][:3].equals(before.cells.table[same])
    np.testing.assert_array_equal(after.cells.crops[:3], before.cells.crops)
    assert {p: p.read_bytes() for p in (data / "train").iterdir()} == masks


def test_labels_are_kept_as_they_are(tmp_path):
    """Where `read_mask` would see a binary mask, or one nucleus in two pieces."""
    for values in ([0, 7, 0, 7], [0, 255, 0, 0], [0, 1, 0, 1], [0, 70_000, 0, 3]):
        labels = np.array([values], np.int32)
        path = tmp_path / "labels.tif"
        path.write_bytes(label_bytes(labels))
        read = read_labels(path, (1, 4))
        assert read.tolist() == labels.tolist()
        assert read.dtype == np.int32


def test_labels_of_another_size_or_kind_are_told(tmp_path):
    path = tmp_path / "labels.tif"
    with pytest.raises(BadMaskError, match="no such file"):
        read_labels(path, (1, 4))
    path.write_bytes(label_bytes(np.ones((2, 2), np.int32)))
    with pytest.raises(BadMaskError, match="not a label image of 4 x 1"):
        read_labels(path, (1, 4))


def test_undo_and_redo_have_no_limit_and_survive_a_restart(data, frame, mend):
    root = data.resolve()
    for k in range(5):
        mend(lambda labels, k=k: labels.__setitem__((5, 60 + 3 * k), 99), f"mend {k}")
    states = []
    for _ in range(5):
        # A new history each time: nothing is remembered but the file.
        states.append(cut(frame, data).labels.max())
        MendWriter(root, frame, "bob").undo(read_mends(root, frame.name))
    assert states == [8, 7, 6, 5, 4]
    assert edited_frame(frame, root) is frame
    history = read_mends(root, frame.name)
    assert history.next_undo is None
    assert MendWriter(root, frame, "bob").undo(history) is history
    history = MendWriter(root, frame, "bob").redo(history)
    assert history.standing.what == "mend 0"
    assert len(history.steps) == 11
    assert {step.who for step in history.steps} == {"ann", "bob"}


def test_labels_that_were_undone_are_not_given_again(data, frame, mend):
    root = data.resolve()
    mend(add)
    MendWriter(root, frame, "ann").undo(read_mends(root, frame.name))
    history = mend(add)
    assert history.standing.new == (5,)
    assert history.next_redo is None


def test_the_highest_label_is_not_given_again_once_erased(mend):
    mend(lambda labels: labels.__setitem__(labels == 3, 0))
    assert mend(add).standing.new == (4,)


def test_the_way_back_to_the_original_can_be_undone(data, frame, mend):
    root = data.resolve()
    mend(add)
    writer = MendWriter(root, frame, "ann")
    history = writer.original(read_mends(root, frame.name))
    assert history.standing is None
    assert edited_frame(frame, root).mended is None
    assert writer.undo(history).standing.what == "painted"
    assert edited_frame(frame, root).mended is not None


def test_the_file_says_who_when_and_from_what(data, mend):
    clock = datetime(2030, 1, 2, tzinfo=UTC)
    root = data.resolve()
    frame = read_collection(data).specimens[0].frames[0]
    mend(add, "1 nucleus added", MendWriter(root, frame, "ann", lambda: clock))
    folder = data / "mended" / "00001_p0"
    content = json.loads((folder / "mends.json").read_text())
    (step,) = content["steps"]
    assert content["standing"] == step["mask"]
    assert (folder / step["mask"]).is_file()
    assert (step["who"], step["what"]) == ("ann", "1 nucleus added")
    assert step["time"] == "2030-01-02T00:00:00+00:00"
    assert [entry["name"] for entry in step["sources"]] == [
        "train/00001_p0.tif",
        "train/00001_p0_Mask.tif",
    ]
    assert len(step["sources"][1]["sha256"]) == 64
    assert str(data) not in json.dumps(content)


def test_a_mask_that_changed_since_is_told_and_taken(data, frame, mend):
    mend(add)
    content = bytearray(frame.mask.read_bytes())
    content[-1] ^= 255
    frame.mask.write_bytes(content)
    found = edited_frame(frame, data.resolve())
    assert found.mended is None
    assert found.note == (
        "train/00001_p0_Mask.tif has changed since its mask was edited; "
        "the original mask was used"
    )
    assert found.note in extract_frame(found, *HOW).notes


@pytest.mark.parametrize("damage", [b"", b"II*\0broken"])
def test_a_damaged_mended_mask_is_told(data, frame, mend, damage):
    history = mend(add)
    history.mask_of(history.standing).write_bytes(damage)
    assert "is damaged" in edited_frame(frame, data.resolve()).note
    history.mask_of(history.standing).unlink()
    assert "was removed" in edited_frame(frame, data.resolve()).note


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": 2, "steps": []}',
        '{"format": 1}',
        '{"format": 1, "steps": [{}]}',
        "[" * 100_000,
    ],
)
def test_a_broken_history_is_told_and_never_written_over(data, frame, mend, content):
    history = mend(add)
    path = history.folder / "mends.json"
    path.write_text(content)
    with pytest.raises(BadMaskError, match=r"mends\.json: it (is|was)"):
        read_mends(data.resolve(), frame.name)
    assert "original mask was used" in edited_frame(frame, data.resolve()).note
    with pytest.raises(BadMaskError):
        MendWriter(data.resolve(), frame, "ann").undo(history)
    assert path.read_text() == content


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mask", "../../../elsewhere.tif"),
        ("mask", "/elsewhere.tif"),
        ("mask", "mends.json"),
        ("new", ["1"]),
        ("sources", [{"name": "../x", "bytes": 1, "modified": 1, "sha256": ""}]),
        ("sources", [{"name": "x"}]),
        ("sources", [3]),
    ],
)
def test_a_hostile_history_leads_nowhere(data, frame, mend, key, value):
    path = mend(add).folder / "mends.json"
    content = json.loads(path.read_text())
    content["steps"][0][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(BadMaskError, match="not a history of mask edits"):
        read_mends(data.resolve(), frame.name)


def test_two_windows_do_not_write_over_each_other(data, frame, mend):
    root = data.resolve()
    before = read_mends(root, frame.name)
    mend(add)
    cells = extract_frame(frame, *HOW)
    change = settle_labels(
        cells.labels, np.where(cells.labels == 1, 0, cells.labels), 3
    )
    with pytest.raises(StorageError, match="edited elsewhere in the meantime"):
        MendWriter(root, frame, "bob").save(before, change, "late")
    assert len(read_mends(root, frame.name).steps) == 1


def test_the_last_nucleus_is_not_taken_out(mend):
    with pytest.raises(BadMaskError, match="no nucleus would be left"):
        mend(lambda labels: labels.fill(0))


def test_killed_before_the_history_was_written_nothing_has_changed(
    data, frame, mend, monkeypatch
):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("training.data.masks.history_writer.write_json", die)
    with pytest.raises(KeyboardInterrupt):
        mend(add)
    monkeypatch.undo()
    assert edited_frame(frame, data.resolve()) is frame
    assert mend(add).standing.step == 1


def test_killed_at_the_first_edit_its_mask_is_none_of_the_data(
    tmp_path, write_plain, monkeypatch
):
    """The folder of edited masks is told by a file, which is there before any mask."""
    data = write_plain(tmp_path / "plain", ["a/a_p0", "b/b_p0"]).resolve()
    before = read_collection(data)
    frame = before.specimens[0].frames[0]
    labels = extract_frame(frame, *HOW).labels
    change = settle_labels(labels, np.where(labels == 1, 0, labels), int(labels.max()))

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("training.data.masks.history_writer.write_json", die)
    with pytest.raises(KeyboardInterrupt):
        MendWriter(data, frame, "ann").save(read_mends(data, frame.name), change, "")
    after = read_collection(data)
    assert (after.specimens, after.notes) == (before.specimens, before.notes)


def test_one_window_at_a_time_writes_and_clears_what_a_kill_left(data, frame, mend):
    mend(add)
    folder = read_mends(data.resolve(), frame.name).folder
    torn = folder / f".mends.json.{2**22 + 1:08x}{'0' * 8}.part"
    torn.write_text("{")
    with locked(folder), pytest.raises(RunLockedError, match="works in this folder"):
        mend(add)
    torn.write_text("{")
    mend(lambda labels: labels.__setitem__(labels == 1, 0))
    assert not torn.exists()
    assert len(read_mends(data.resolve(), frame.name).steps) == 2


def test_cell_folders_use_mended_masks_and_say_so(data, mend, tmp_path):
    mend(add)
    out = tmp_path / "cells"
    steps = list(write_cell_folder(read_collection(data), out, *HOW))
    assert [step.mended for step in steps] == [True, False, False, False]
    assert [step.kept for step in steps] == [4, 3, 3, 3]
    folder = read_cell_folder(out)
    assert folder.source["notes"] == ["00001_p0: the edited mask was used"]
    names = [entry["name"] for entry in folder.source["files"]]
    assert "mended/00001_p0/mends.json" in names
    assert folder.stale() is None
    mend(lambda labels: labels.__setitem__(labels == 1, 0))
    assert "mended/00001_p0/mends.json has changed" in folder.stale()


def test_cell_folders_of_the_original_masks(data, mend, tmp_path):
    mend(add)
    out = tmp_path / "cells"
    collection = read_collection(data)
    list(write_cell_folder(collection, out, *HOW, original_masks=True))
    folder = read_cell_folder(out)
    assert len(folder.table) == 12
    assert folder.stale() is None


def test_a_mend_after_the_cells_were_cut_makes_them_stale(data, mend, tmp_path):
    out = tmp_path / "cells"
    list(write_cell_folder(read_collection(data), out, *HOW))
    assert read_cell_folder(out).stale() is None
    mend(add)
    assert "the mask of 00001_p0 was edited" in read_cell_folder(out).stale()


def test_training_on_frames_uses_mended_masks(data, mend, tmp_path, monkeypatch):
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    assert len(load_cell_set(data)) == 12
    mend(add)
    cells = load_cell_set(data)
    assert len(cells) == 13
    assert "1 edited mask was used" in cells.notes


def test_the_folder_of_mended_masks_is_no_specimen(tmp_path, write_plain):
    root = write_plain(tmp_path / "plain", ("s1/a", "s2/b"), masks=True)
    collection = read_collection(root)
    frame = collection.specimens[0].frames[0]
    cells = extract_frame(frame, *HOW)
    edited = cells.labels.copy()
    add(edited)
    change = settle_labels(cells.labels, edited, 0)
    history = read_mends(collection.root, frame.name)
    MendWriter(collection.root, frame, "ann").save(history, change, "painted")
    again = read_collection(root)
    assert [one.id for one in again.specimens] == ["s1", "s2"]
    assert edit_notes(again) == ("1 edited mask was used",)


def test_a_specimen_that_is_named_mended_stays_one(tmp_path, write_plain):
    root = write_plain(tmp_path / "plain", ("mended/a", "s2/b"))
    assert [one.id for one in read_collection(root).specimens] == ["mended", "s2"]


@pytest.mark.parametrize("name", ["mends.json", "mask"])
def test_what_became_a_link_out_of_the_data_is_not_read(
    data, frame, mend, name, tmp_path
):
    root = data.resolve()
    history = mend(add)
    folder = history.folder
    path = folder / name if name == "mends.json" else history.mask_of(history.standing)
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    read = edited_frame(frame, root)
    assert read.mended is None
    assert read.note.endswith("the original mask was used")
