"""One picture under two names is cut once."""

import shutil

import pytest
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.data.cells.folder import write_cell_folder
from training.data.cells.loading import load_cell_set
from training.data.layouts import read_collection
from training.errors import BadImageError

SETTINGS = ExtractionSettings(size=21), SegmentationSettings()


@pytest.mark.parametrize(
    "name", ["S1 - Copy", "S1 (1)", "Copy of S1", "S1_copy", "S1 - Kopie (2)"]
)
def test_a_copy_by_its_name_is_left_over_and_named(tmp_path, write_plain, name):
    write_plain(tmp_path, ["S1", "S2"], masks=False)
    shutil.copy(tmp_path / "S1.png", tmp_path / f"{name}.png")
    found = read_collection(tmp_path)
    assert [one.id for one in found.specimens] == ["S1", "S2"]
    (note,) = found.notes
    assert note.startswith(f"{name}.png: not read, as ")


def test_numbers_in_brackets_are_no_copies_by_themselves(tmp_path, write_plain):
    write_plain(tmp_path, ["S1 (1)", "S1 (2)"], masks=False)
    assert len(read_collection(tmp_path).specimens) == 2


@pytest.mark.parametrize("names", [("S1", "S7"), ("S1_p0", "S1_p1"), ("a/x", "b/y")])
def test_the_same_file_under_another_name_is_refused(tmp_path, write_plain, names):
    data = write_plain(tmp_path / "data", [names[0], "c/z"], masks=False)
    copy = data / f"{names[1]}.png"
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(data / f"{names[0]}.png", copy)
    steps = list(write_cell_folder(read_collection(data), tmp_path / "out", *SETTINGS))
    faults = [step.fault for step in steps]
    assert sum(one is None for one in faults) == len(faults) - 1
    (fault,) = filter(None, faults)
    assert copy.name in fault
    assert f"the same picture as {names[0]}.png" in fault


def test_a_refused_copy_is_not_counted_among_the_specimens(tmp_path, write_plain):
    write_plain(tmp_path, ["S1", "S2"], masks=False)
    shutil.copy(tmp_path / "S1.png", tmp_path / "S7.png")
    assert read_collection(tmp_path).census.startswith("2 specimens")


def test_the_same_pixels_in_another_file_are_refused(tmp_path, write_plain):
    data = write_plain(tmp_path / "data", ["S1", "S2"], masks=False)
    with Image.open(data / "S1.png") as image:
        image.save(data / "S7.tif")
    steps = list(write_cell_folder(read_collection(data), tmp_path / "out", *SETTINGS))
    assert [step.fault is None for step in steps] == [True, True, False]
    assert "S7.tif: it is the same picture as S1.png" in steps[2].fault


def test_specimens_with_one_picture_are_not_trained_on(tmp_path, write_plain):
    table = "specimen,pattern\nS1,golgi\nS7,numem\n"
    data = write_plain(tmp_path, ["S1"], masks=False, table=table)
    with Image.open(data / "S1.png") as image:
        image.save(data / "S7.bmp")
    with pytest.raises(BadImageError, match=r"S7\.bmp: it is the same picture as S1"):
        load_cell_set(data)


def test_files_that_only_begin_alike_are_no_copies(tmp_path, write_plain):
    write_plain(tmp_path, ["S1"], masks=False)
    content = (tmp_path / "S1.png").read_bytes()
    (tmp_path / "S2.png").write_bytes(content[:-1] + b"\0")
    assert not any(
        frame.fault
        for one in read_collection(tmp_path).specimens
        for frame in one.frames
    )


def test_a_channel_without_signal_makes_no_copies(tmp_path, write_plain):
    write_plain(tmp_path, ["S1_FITC", "S2_FITC"], masks=False)
    for name in ("S1", "S2"):
        Image.new("L", (200, 160)).save(tmp_path / f"{name}_TRITC.png")
    found = read_collection(tmp_path)
    assert [one.id for one in found.specimens] == ["S1", "S2"]
    assert not any(frame.fault for one in found.specimens for frame in one.frames)


def test_a_copy_in_the_folder_of_another_specimen_is_refused(tmp_path, write_plain):
    write_plain(tmp_path, ["S1/f0", "S2/f1"], masks=False)
    shutil.copy(tmp_path / "S1/f0.png", tmp_path / "S2/f0.png")
    faults = {
        f.name: f.fault for s in read_collection(tmp_path).specimens for f in s.frames
    }
    assert faults["S2_f0"] == "it is the same picture as S1/f0.png"
