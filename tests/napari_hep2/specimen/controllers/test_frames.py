import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_hep2.jobs import run_here
from napari_hep2.specimen.controllers.frames import as_labels, count_cells
from training.config import ExtractionSettings, SegmentationSettings
from training.errors import (
    BadImageError,
    BadLayoutError,
    BadMaskError,
    UnknownPatternError,
)


def test_a_folder_opens_with_its_first_frame(state, specimen, specimens):
    run_here(specimen.open_folder(specimens))
    assert state.collection.layout == "task2"
    assert state.cells.frame.name == "00001_p0"
    assert (state.specimen, state.pattern) == ("1", "Homogeneous")
    assert state.message.startswith("00001_p0: 6 of 7 cells kept; nuclei are 32 ")


def test_a_stack_opens_once_a_plane_is_chosen(state, specimen, tmp_path):
    labels = np.zeros((120, 150), np.uint16)
    labels[20:60, 30:70], labels[20:60, 90:130] = 1, 2
    grain = np.random.default_rng(0).integers(0, 30, labels.shape)
    image = np.where(labels, 90 + grain, 9).astype(np.uint8)
    stack = np.stack([image // 3, image])
    axes = {"axes": "ZYX"}
    tifffile.imwrite(tmp_path / "S1_p0.tif", stack, imagej=True, metadata=axes)
    tifffile.imwrite(tmp_path / "S1_p0_mask.tif", labels)
    with pytest.raises(BadImageError, match=r"stack of 2 planes.*window with Plane"):
        run_here(specimen.open_folder(tmp_path))
    specimen.set_settings("extraction", ExtractionSettings(plane="2"))
    run_here(specimen.extract_again())
    np.testing.assert_array_equal(state.cells.image, image)
    words = "label image, 2 nuclei; plane 2 of 2 was taken"
    assert state.cells.understood == words
    assert "--set plane=2" in specimen.command()


def test_the_line_names_what_was_left_over(state, specimen, tmp_path, write_plain):
    write_plain(tmp_path, ["S1_DAPI", "S1_FITC", "S1_merge"], masks=False)
    run_here(specimen.open_folder(tmp_path))
    assert state.message.startswith("S1: ")
    assert "1 specimen by the names of the files: 1 without a pattern." in state.message
    assert "S1_merge.png: not read, as neither frame nor mask." in state.message
    run_here(specimen.open_frame(0))
    assert "S1_merge" not in state.message


def test_the_count_tells_what_was_dropped(state, specimen, specimens):
    run_here(specimen.open_folder(specimens))
    count = count_cells(state.cells)
    assert (count.kept, count.total) == (6, 7)
    assert count.dropped == {"border": 1}
    assert count.area == pytest.approx([797, 797, 797])


def test_frames_and_specimens_are_gone_through(state, specimen, specimens):
    run_here(specimen.open_folder(specimens))
    names = []
    job = specimen.step_frame(1)
    while job is not None:
        run_here(job)
        names.append(state.cells.frame.name)
        job = specimen.step_frame(1)
    assert names == ["00001_p1", "00002_p0", "00002_p1", "00003_p0", "00003_p1"]
    run_here(specimen.open_frame(1))
    assert state.cells.frame.name == "00002_p0"
    assert state.pattern == "Speckled"


def test_a_frame_is_opened_by_its_name(state, specimen, specimens):
    run_here(specimen.go_to_frame("00002_p1", specimens))
    assert state.position == (1, 1)
    run_here(specimen.go_to_frame("00003_p0", None))
    assert state.position == (2, 0)
    assert specimen.go_to_frame("nowhere", None) is None


def test_a_fault_leaves_what_was_open(state, specimen, specimens):
    run_here(specimen.open_folder(specimens))
    (specimens / "train" / "00002_p0.tif").write_bytes(b"no image")
    before = state.cells
    with pytest.raises(Exception, match="00002_p0"):
        run_here(specimen.open_frame(1, 0))
    assert state.cells is before
    assert state.position == (0, 0)


def test_a_folder_that_is_none_is_told(specimen, tmp_path):
    with pytest.raises(BadLayoutError):
        run_here(specimen.open_folder(tmp_path / "nowhere"))


def test_an_image_of_the_viewer_is_cut_with_its_mask(state, specimen, frame):
    run_here(specimen.use_arrays("well", *frame))
    assert state.collection is None
    assert count_cells(state.cells).kept == 6
    assert not state.cells.mask_made
    assert state.specimen == "well"
    specimen.set_specimen("  serum 4 ")
    assert state.specimen == "serum 4"


def test_a_mask_is_made_where_there_is_none(state, specimen, frame):
    run_here(specimen.use_arrays("well", frame[0], None))
    assert state.cells.mask_made
    assert count_cells(state.cells).kept == 6
    assert "the mask was made from the image" in state.message


def test_a_mask_of_another_size_is_refused(state, specimen, frame):
    with pytest.raises(BadMaskError):
        run_here(specimen.use_arrays("well", frame[0], frame[1][:100]))
    assert state.cells is None


def test_new_settings_count_when_extracted_again(state, specimen, frame):
    run_here(specimen.use_arrays("well", *frame))
    specimen.set_settings("extraction", ExtractionSettings(size=51))
    run_here(specimen.extract_again())
    assert state.cells.cells.crops.shape == (7, 51, 51)
    with pytest.raises(TypeError):
        specimen.set_settings("segmentation", ExtractionSettings())


def test_crops_are_made_to_fit_the_nuclei(state, specimen, specimens):
    assert specimen.fit_crops() is None
    run_here(specimen.open_folder(specimens))
    assert state.cells.cells.fit.note in state.message
    run_here(specimen.fit_crops())
    assert state.cells.cells.crops.shape[1:] == (49, 49)
    assert state.message == "00001_p0: 6 of 7 cells kept."
    run_here(specimen.step_frame(1))
    assert state.cells.cells.fit.fits


def test_extracting_nothing_is_told(state, specimen):
    assert specimen.extract_again() is None
    assert state.fault.startswith("Nothing is open")


def test_the_pattern_can_be_set_without_touching_the_folder(state, specimen, specimens):
    truth = (specimens / "gt_train.csv").read_bytes()
    run_here(specimen.open_folder(specimens))
    specimen.set_pattern("nuclear membrane")
    assert state.pattern == "NuMem"
    assert state.open_specimen.pattern == "NuMem"
    assert (specimens / "gt_train.csv").read_bytes() == truth
    with pytest.raises(UnknownPatternError):
        specimen.set_pattern("tartan")
    specimen.set_pattern(None)
    assert state.pattern is None


def test_names_change_silently_with_the_frame(state, specimen, specimens):
    """Who listens to the pattern must not take the next one for the frame before."""
    run_here(specimen.open_folder(specimens))
    heard = []
    state.events.pattern.connect(heard.append)
    run_here(specimen.open_frame(1))
    assert heard == []


def test_the_cells_of_all_specimens_are_written(state, specimen, specimens, tmp_path):
    run_here(specimen.open_folder(specimens))
    out = tmp_path / "cells"
    job = specimen.write_cells(out)
    assert job.protected
    shares = []
    work = job.work()
    while True:
        try:
            shares.append(next(work).share)
        except StopIteration as end:
            job.done(end.value)
            break
    assert shares[-1] == 1
    table = pd.read_csv(out / "cells.csv", dtype={"specimen": str})
    assert len(table) == 6 * 7
    assert set(table["specimen"]) == {"1", "2", "3"}
    assert np.load(out / "crops.npy").shape == (42, 77, 77)
    assert state.message.startswith("36 cells written to cells, 6 marked as dropped")


def test_a_frame_that_fails_is_told_and_the_rest_is_written(
    state, specimen, specimens, tmp_path
):
    run_here(specimen.open_folder(specimens))
    (specimens / "train" / "00002_p0.tif").write_bytes(b"no image")
    run_here(specimen.write_cells(tmp_path / "cells"))
    assert "30 cells written" in state.fault
    assert "1 frames failed" in state.fault
    assert "00002_p0" in state.fault


def test_a_frame_of_which_no_nucleus_is_kept_is_told(state, specimen, tmp_path):
    labels = np.zeros((120, 150), np.uint8)
    labels[20:100, 30:70], labels[20:100, 70:110] = 1, 2
    grain = np.random.default_rng(0).integers(0, 20, labels.shape)
    image = (np.where(labels, 90, 9) + grain).astype(np.uint8)
    tifffile.imwrite(tmp_path / "S1_p0.tif", image)
    tifffile.imwrite(tmp_path / "S1_p0_mask.tif", labels)
    run_here(specimen.open_folder(tmp_path))
    reasons = "2 nuclei, none kept: 2 touching"
    assert state.fault.startswith(f"S1_p0: 0 of 2 cells kept; {reasons}. 1 specimen")
    run_here(specimen.write_cells(tmp_path / "cells"))
    assert f"2 marked as dropped. S1_p0: {reasons}." in state.message


def test_cells_are_not_written_of_nothing(state, specimen, tmp_path):
    assert specimen.write_cells(tmp_path) is None
    assert "Open a folder" in state.fault


def test_the_command_says_the_same(state, specimen, specimens):
    assert specimen.command() == ""
    run_here(specimen.open_folder(specimens))
    words = f"hep2 extract {specimens} --out CELLS"
    assert specimen.command() == words
    specimen.set_settings("extraction", ExtractionSettings(size=51))
    specimen.set_settings("segmentation", SegmentationSettings(split=False))
    assert specimen.command() == f"{words} --set size=51 --set split=False"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([[0, 255]], [[0, 1]]),
        ([[False, True]], [[0, 1]]),
        ([[0, 2], [3, 0]], [[0, 2], [3, 0]]),
        ([[0, 0]], [[0, 0]]),
        ([[4, 4]], [[1, 1]]),
        ([[0, 2**40], [7, 2**40 + 1]], [[0, 2], [1, 3]]),
    ],
)
def test_a_mask_of_one_value_is_told_from_labels(given, expected):
    assert as_labels(np.array(given)).tolist() == expected


def test_labels_beyond_64_bits_signed_keep_their_order():
    given = np.array([[0, 2**63 + 5], [3, 2**63 + 6]], np.uint64)
    assert as_labels(given).tolist() == [[0, 2], [1, 3]]
