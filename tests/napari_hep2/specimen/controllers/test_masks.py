"""Mending without a window: what is applied, what stays, what is told."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_hep2.classify.controllers.model import ClassifyController
from napari_hep2.jobs import run_here
from napari_hep2.specimen.controllers.frames import SpecimenController
from napari_hep2.specimen.controllers.masks import MendingController
from napari_hep2.state import SessionState
from training.data.cells.extraction import extract_frame
from training.data.cells.folder import read_cell_folder
from training.data.masks.files import read_mask
from training.inference.stream import find_frames

GAP = (180, 240)
"""A place between two nuclei of the frame."""


@pytest.fixture
def mending(state, specimen, specimens):
    run_here(specimen.open_folder(specimens))
    return opened(state, specimen)


def opened(state, specimen):
    controller = MendingController(state, specimen)
    state.events.cells.connect(controller.frame_opened)
    controller.frame_opened()
    return controller


def disc(labels, y, x, value, radius=14):
    ys, xs = np.ogrid[: labels.shape[0], : labels.shape[1]]
    labels[(ys - y) ** 2 + (xs - x) ** 2 <= radius**2] = value


def table(state):
    return state.cells.cells.table.set_index("label")[["y", "x", "area"]]


def paint(mending, y=GAP[0], x=GAP[1], value=50):
    disc(mending.painted, y, x, value)
    mending.edited(mending.painted)


def reopened(specimens):
    """The session after a restart."""
    state = SessionState()
    specimen = SpecimenController(state)
    run_here(specimen.open_folder(specimens))
    return state, opened(state, specimen)


def test_a_painted_nucleus_is_one_new_cell_and_all_others_stay(state, mending):
    before, crops = table(state), state.cells.cells.crops
    assert not mending.pending
    assert mending.status() == "The mask came with the data."
    paint(mending)
    assert mending.pending
    assert mending.status() == "Painted, not applied yet."
    assert table(state).equals(before)
    run_here(mending.apply())
    after = table(state)
    assert after.index.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert after.loc[:7].equals(before)
    np.testing.assert_array_equal(state.cells.cells.crops[:7], crops)
    assert after.loc[8, "y"] == GAP[0]
    assert state.message == "Saved: painted. Of its cells 1 new, the others unchanged."
    assert not mending.pending
    assert mending.status() == "Edited by reviewer: painted."


def test_the_mask_of_the_data_is_as_it_was(state, mending, specimens):
    before = {p: p.read_bytes() for p in specimens.rglob("*") if p.is_file()}
    paint(mending)
    run_here(mending.apply())
    assert {p: p.read_bytes() for p in before} == before
    made = {p.name for p in specimens.rglob("*") if p.is_file() and p not in before}
    assert {"mended.json", "mends.json"} < made
    assert len(made) == 3


def test_a_split_gives_two_new_cells(state, mending):
    mending.split([[150, 62], [210, 62]])
    assert mending.pending
    assert state.message == "Nucleus split in 2: not applied yet."
    run_here(mending.apply())
    # Nucleus 5 lies at (180, 60): the labels begin with the one on the border.
    assert table(state).index.tolist() == [1, 2, 3, 4, 6, 7, 8, 9]
    assert mending.history.standing.what == "nucleus split in 2"


def test_a_click_adds_and_a_click_removes(state, mending):
    mending.follow("remove", [[60, 60]])
    mending.follow("add", [[60, 62]])
    run_here(mending.apply())
    after = table(state)
    assert after.index.tolist() == [1, 3, 4, 5, 6, 7, 8]
    assert after.loc[8, ["y", "x"]].tolist() == pytest.approx([60, 60], abs=1.5)
    assert mending.history.standing.what == "1 nucleus removed; nucleus added"


def test_halves_are_merged(state, mending):
    mending.split([[150, 62], [210, 62]])
    run_here(mending.apply())
    mending.follow("merge", [[180, 50], [180, 72]])
    run_here(mending.apply())
    assert table(state).index.tolist() == [1, 2, 3, 4, 6, 7, 10]


def test_undo_redo_and_the_original_survive_a_restart(state, mending, specimens):
    paint(mending)
    run_here(mending.apply())
    mending.remove([8])
    mending.split([[150, 62], [210, 62]])
    run_here(mending.apply())
    assert table(state).index.tolist() == [1, 2, 3, 4, 6, 7, 9, 10]

    state, mending = reopened(specimens)
    assert "the edited mask was used" in state.message
    assert table(state).index.tolist() == [1, 2, 3, 4, 6, 7, 9, 10]
    run_here(mending.undo())
    assert state.message == "Undone and saved: 1 nucleus removed; nucleus split in 2."
    assert table(state).index.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    run_here(mending.undo())
    assert table(state).index.tolist() == [1, 2, 3, 4, 5, 6, 7]
    run_here(mending.undo())
    assert state.message == "Nothing has changed."
    run_here(mending.redo())
    assert table(state).index.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    run_here(mending.original())
    assert table(state).index.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert "original" in state.message
    assert mending.original() is None
    run_here(mending.undo())
    assert table(state).index.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_draft_waits_while_another_frame_is_open(state, specimen, mending):
    paint(mending)
    drawn = mending.painted.copy()
    run_here(specimen.step_frame(1))
    assert not mending.pending
    run_here(specimen.step_frame(-1))
    assert mending.pending
    np.testing.assert_array_equal(mending.painted, drawn)
    mending.discard()
    assert not mending.pending
    np.testing.assert_array_equal(mending.painted, state.cells.labels)
    run_here(specimen.step_frame(1))
    run_here(specimen.step_frame(-1))
    assert not mending.pending


def test_what_is_erased_again_is_no_draft(mending):
    paint(mending)
    paint(mending, value=0)
    assert not mending.pending


def test_a_draft_is_not_lost_by_an_undo(state, mending):
    paint(mending)
    run_here(mending.apply())
    paint(mending, 120, 120)
    assert mending.undo() is None
    assert state.fault == "Apply or discard the painted changes first."
    assert mending.pending


def test_a_mask_that_changed_since_is_told(state, specimen, mending, specimens):
    paint(mending)
    run_here(mending.apply())
    path = specimens / "train" / "00001_p0_Mask.tif"
    mask = (read_mask(path, (240, 360)) * 255).astype(np.uint8)
    mask[:, :100] = 0
    Image.fromarray(mask).save(path)
    run_here(specimen.open_frame(0, 0))
    assert state.fault == (
        "00001_p0: 4 of 5 cells kept; train/00001_p0_Mask.tif has changed since its "
        "mask was edited; the original mask was used."
    )
    # The change can be mended anew, with labels above all that were ever used.
    paint(mending)
    run_here(mending.apply())
    assert table(state).index.tolist() == [1, 2, 3, 4, 5, 9]


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        (lambda m: m.split([[100, 100], [100, 110]]), "The line crosses no nucleus"),
        (lambda m: m.add([60, 60]), "There is already a nucleus here"),
        (lambda m: m.add([999, 60]), "The click is outside"),
        (lambda m: m.remove([99]), "No nucleus is selected"),
        (lambda m: m.merge([2, 3]), "These nuclei do not touch"),
        (lambda m: m.apply(), "Nothing was painted"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(state, mending, verb, sentence):
    assert verb(mending) is None
    assert state.fault.startswith(sentence)
    assert state.fault.endswith(".")
    assert not mending.pending


def test_an_image_from_no_folder_is_not_mended(state, specimen, frame):
    mending = opened(state, specimen)
    run_here(specimen.use_arrays("well", *frame))
    mending.remove([1])
    assert state.fault.startswith("Open a folder of specimens first")
    assert mending.apply() is None
    assert mending.undo() is None
    assert mending.painted is None


def test_a_broken_history_is_told(state, specimen, mending, specimens):
    paint(mending)
    run_here(mending.apply())
    path = specimens / "mended" / "00001_p0" / "mends.json"
    path.write_text("{}")
    run_here(specimen.open_frame(0, 0))
    assert "not a history of mask edits" in state.fault
    mending.remove([1])
    assert "not a history of mask edits" in state.fault
    assert path.read_text() == "{}"


def test_the_reviewer_is_named(state, mending, specimens):
    state.reviewer = "ann"
    paint(mending)
    run_here(mending.apply())
    path = specimens / "mended" / "00001_p0" / "mends.json"
    assert json.loads(path.read_text())["steps"][0]["who"] == "ann"


def test_the_command_that_classifies_names_the_mended_mask(state, mending, model_file):
    paint(mending)
    run_here(mending.apply())
    state.model = model_file
    words = shlex.split(ClassifyController(state).command())
    image, mask = Path(words[2]), Path(words[words.index("--mask") + 1])
    assert mask == mending.history.mask_of(mending.history.standing)
    (frame,) = find_frames([image], [mask])
    cells = extract_frame(frame, state.extraction, state.segmentation)
    # A given mask says nothing of how sure its outlines are.
    tables = (cells.cells.table, state.cells.cells.table)
    given, edited = (table.drop(columns="confidence") for table in tables)
    assert given.equals(edited)


def test_frames_of_a_folder_are_classified_with_their_mended_masks(
    state, mending, specimens
):
    paint(mending)
    run_here(mending.apply())
    first, second, *_ = find_frames([specimens])
    assert first.mended is not None
    assert second.mended is None


def test_the_cells_that_are_written_are_those_on_the_screen(
    state, specimen, mending, tmp_path
):
    paint(mending)
    run_here(mending.apply())
    run_here(specimen.write_cells(tmp_path / "cells"))
    cells = read_cell_folder(tmp_path / "cells")
    rows = (cells.table["frame"] == "00001_p0").to_numpy()
    assert cells.table["label"][rows].tolist() == table(state).index.tolist()
    np.testing.assert_array_equal(cells.crops[rows], state.cells.cells.crops)
