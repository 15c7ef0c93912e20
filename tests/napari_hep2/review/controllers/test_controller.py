from dataclasses import replace

import numpy as np
import pytest

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.decision_session import NOT_SAVED
from training.config import ExtractionSettings
from training.data.cells.extraction import extract_cells
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore


def test_the_frame_and_its_dropped_cell_are_under_review(state, review):
    assert state.review.title == "00001_p0"
    assert list(state.review.ids) == [f"00001_p0_000{k}" for k in range(1, 8)]
    assert state.review.dropped.tolist() == [True] + [False] * 6
    assert set(state.review.table["pattern"]) == {"Homogeneous"}
    assert state.current == 1


def test_decisions_are_there_again_when_the_frame_is_opened_again(
    state, review, specimens
):
    review.navigation.select(1)
    review.decisions.reject("focus")
    review.decisions.relabel(5)
    review.decision_session.close()
    again = ReviewController(state)
    again.review_frame()
    decided = state.decisions
    assert decided["00001_p0_0002"].reason == "focus"
    assert decided["00001_p0_0003"].pattern == "Golgi"
    again.decision_session.close()


def test_a_cell_chosen_in_the_viewer_is_shown_whatever_the_filter(state, review):
    review.order.set_filter("dropped")
    review.select_cell("00001_p0_0005")
    assert review.state.filter == "all"
    assert state.current == 4
    review.select_cell("of another frame")
    assert state.current == 4


def test_without_a_folder_nothing_is_decided(state, specimen, frame):
    run_here(specimen.use_arrays("well", *frame))
    review = ReviewController(state)
    review.review_frame()
    review.navigation.select(1)
    review.decisions.accept()
    assert state.decisions == {}
    assert state.fault == "Choose a folder for the decisions first."


def test_a_folder_chosen_for_one_image_is_kept_for_the_next(
    state, specimen, frame, tmp_path
):
    review = ReviewController(state)
    run_here(specimen.use_arrays("well", *frame))
    review.review_frame()
    review.decision_session.use(tmp_path)
    review.navigation.select(1)
    review.decisions.accept()
    run_here(specimen.use_arrays("other", *frame))
    review.review_frame()
    review.navigation.select(2)
    review.decisions.accept()
    assert (tmp_path / STORE).is_file()
    assert state.decisions.keys() == {"well_0002", "other_0003"}
    review.decision_session.close()


@pytest.fixture
def cell_folder(state, specimen, specimens, tmp_path):
    run_here(specimen.open_folder(specimens))
    run_here(specimen.write_cells(tmp_path / "cells"))
    return tmp_path / "cells"


def test_a_cell_folder_is_reviewed_with_its_decisions_in_it(
    state, specimen, cell_folder
):
    review = ReviewController(state)
    run_here(review.open_cell_folder(cell_folder))
    assert len(state.review) == 42
    assert isinstance(state.review.crops, np.memmap)
    assert state.fault == ""
    review.navigation.select(8)
    review.decisions.accept()
    assert (cell_folder / STORE).is_file()
    assert review.frame_of_current() == "00001_p1"
    row = state.review.row_of["00003_p1_0004"]
    review.navigation.select(row)
    assert review.frame_of_current() == "00003_p1"
    review.decision_session.close()


def test_a_stale_cell_folder_is_opened_and_told(
    state, specimen, cell_folder, specimens
):
    image = specimens / "train" / "00001_p0.tif"
    image.write_bytes((specimens / "train" / "00001_p1.tif").read_bytes())
    review = ReviewController(state)
    run_here(review.open_cell_folder(cell_folder))
    assert len(state.review) == 42
    assert "00001_p0.tif" in state.fault
    review.decision_session.close()


def test_a_folder_chosen_for_decisions_holds_for_the_next_frame(
    review, state, specimen, tmp_path
):
    chosen = tmp_path / "mine"
    chosen.mkdir()
    review.decision_session.use(chosen)
    review.decisions.accept()
    run_here(specimen.step_frame(1))
    review.review_frame()
    assert state.store == chosen
    review.decisions.accept()
    assert len(DecisionStore(chosen / STORE, state.reviewer).current()) == 2


def test_a_decision_stays_on_its_nucleus_when_the_labels_move(state, review, specimens):
    """The frame is segmented otherwise: what was the second nucleus comes first."""
    review.navigation.select(1)
    review.decisions.reject("focus")
    cells = state.cells
    labels = np.where(cells.labels == 1, 0, cells.labels)
    cut = extract_cells(cells.image, np.maximum(labels - 1, 0), ExtractionSettings())
    moved = replace(cells, labels=np.maximum(labels - 1, 0), cells=cut)
    state.cells = moved
    review.review_frame()
    assert list(state.review.ids)[:2] == ["00001_p0_0002", "00001_p0_0003"]
    assert state.review.table["label"].tolist()[:2] == [1, 2]
    assert (
        review.decision_session.shown.decisions["00001_p0_0002"].verdict == "rejected"
    )
    review.navigation.select(0)
    review.decisions.accept()
    with DecisionStore(specimens / STORE, state.reviewer) as store:
        assert store.current()["00001_p0_0002"].verdict == "accepted"


def test_where_the_nuclei_cannot_be_kept_nothing_is_decided(state, review, specimens):
    (specimens / "nuclei.runs").write_text("none")
    review.review_frame()
    review.navigation.select(1)
    review.decisions.accept()
    assert review.state.saved == NOT_SAVED
    assert "nuclei.runs: it is damaged" in state.fault
    assert not (specimens / STORE).exists()
