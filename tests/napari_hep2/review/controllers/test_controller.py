from dataclasses import replace

import numpy as np
import pytest

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.controller import NOT_SAVED, ReviewController
from training.config import ExtractionSettings
from training.data.cells.extraction import extract_cells
from training.decisions.applied import STORE
from training.decisions.store import DecisionStore
from training.errors import StorageError


def verdict_of(review, cell):
    decision = review._state.decisions.get(cell)
    return None if decision is None else decision.verdict


def test_the_frame_and_its_dropped_cell_are_under_review(state, review):
    assert state.review.title == "00001_p0"
    assert list(state.review.ids) == [f"00001_p0_000{k}" for k in range(1, 8)]
    assert state.review.dropped.tolist() == [True] + [False] * 6
    assert set(state.review.table["pattern"]) == {"Homogeneous"}
    assert state.current == 1


def test_looking_makes_no_file(state, review, specimens):
    review.undo()
    review.set_filter("undecided")
    assert not (specimens / STORE).exists()


def test_a_decision_is_in_the_store_at_once(state, review, specimens):
    review.select(1)
    review.accept()
    assert verdict_of(review, "00001_p0_0002") == "accepted"
    assert state.saved == "1 cell accepted, saved"
    assert state.current == 2
    other = DecisionStore(specimens / STORE, state.reviewer)
    assert other.current()["00001_p0_0002"].verdict == "accepted"
    other.close()


def test_decisions_are_there_again_when_the_frame_is_opened_again(
    state, review, specimens
):
    review.select(1)
    review.reject("focus")
    review.relabel(5)
    review.close()
    again = ReviewController(state)
    again.review_frame()
    decided = state.decisions
    assert decided["00001_p0_0002"].reason == "focus"
    assert decided["00001_p0_0003"].pattern == "Golgi"
    again.close()


def test_undo_and_redo_go_to_the_cell_they_touch(state, review):
    review.select(3)
    review.accept()
    review.reject()
    review.undo()
    assert verdict_of(review, "00001_p0_0005") in (None, "cleared")
    assert state.current == 4
    review.undo()
    assert state.current == 3
    review.undo()
    assert state.saved == "nothing to undo"
    review.redo()
    assert verdict_of(review, "00001_p0_0004") == "accepted"
    assert state.current == 3


def test_several_cells_are_decided_and_taken_back_as_one(state, review):
    review.select(2, [2, 3, 4])
    review.reject("debris")
    assert state.saved == "3 cells rejected, saved"
    assert review.count().rejected == 3
    assert state.current == 5
    review.undo()
    assert review.count().rejected == 0


def test_after_the_last_cells_the_nearest_before_them_is_next(state, review):
    review.set_filter("undecided")
    review.select(6, [4, 6])
    review.accept()
    assert state.shown.tolist() == [1, 2, 3, 5]
    assert state.current == 5


def test_a_decision_can_be_cleared(state, review):
    review.select(2)
    review.accept()
    review.select(2)
    review.clear()
    assert review.count().decided == 0


def test_a_pattern_that_does_not_exist_is_no_decision(state, review):
    review.select(2)
    review.relabel(6)
    assert state.decisions == {}


def test_progress_counts_kept_cells_and_those_taken_back(state, review):
    count = review.count()
    assert (count.decided, count.total) == (0, 6)
    review.select(0)
    review.accept()
    count = review.count()
    assert (count.decided, count.total, count.accepted) == (1, 7, 1)


def test_decided_cells_leave_the_undecided(state, review):
    review.set_filter("undecided")
    assert state.shown.tolist() == [1, 2, 3, 4, 5, 6]
    review.select(1)
    review.accept()
    assert state.shown.tolist() == [2, 3, 4, 5, 6]
    assert state.current == 2
    for _ in range(5):
        review.accept()
    assert len(state.shown) == 0
    assert state.current is None
    review.accept()
    assert review.count().accepted == 6


def test_steps_stop_at_the_ends(state, review):
    review.step(-100)
    assert state.current == 0
    review.step(3)
    assert state.current == 3
    review.step(100)
    assert state.current == 6


def test_next_undecided_goes_round(state, review):
    review.select(1)
    review.accept()
    review.select(6)
    review.next_undecided()
    assert state.current == 2
    review.select(2, [2, 3, 4, 5, 6])
    review.accept()
    review.next_undecided()
    assert state.message == "Every cell shown has a decision."


def test_a_cell_chosen_in_the_viewer_is_shown_whatever_the_filter(state, review):
    review.set_filter("dropped")
    review.select_cell("00001_p0_0005")
    assert state.filter == "all"
    assert state.current == 4
    review.select_cell("of another frame")
    assert state.current == 4


def test_cells_are_sorted_by_size_and_by_focus(state, review):
    assert review.set_sort("size") is None
    assert state.shown[0] == 0
    run_here(review.set_sort("focus"))
    assert sorted(state.shown) == list(range(7))
    assert review.set_sort("focus") is None
    assert review.set_sort("order") is None
    assert state.shown.tolist() == list(range(7))


def test_the_current_cell_stays_when_the_order_changes(state, review):
    review.select(4)
    review.set_sort("size")
    assert state.current == 4


def test_two_reviewers_do_not_see_each_other(state, review):
    review.select(1)
    review.accept()
    review.set_reviewer("second")
    assert review.count().decided == 0
    review.select(1)
    review.reject()
    review.set_reviewer("reviewer")
    assert verdict_of(review, "00001_p0_0002") == "accepted"


def test_without_a_folder_nothing_is_decided(state, specimen, frame):
    run_here(specimen.use_arrays("well", *frame))
    review = ReviewController(state)
    review.review_frame()
    review.select(1)
    review.accept()
    assert state.decisions == {}
    assert state.fault == "Choose a folder for the decisions first."


def test_a_folder_chosen_for_one_image_is_kept_for_the_next(
    state, specimen, frame, tmp_path
):
    review = ReviewController(state)
    run_here(specimen.use_arrays("well", *frame))
    review.review_frame()
    review.use_store(tmp_path)
    review.select(1)
    review.accept()
    run_here(specimen.use_arrays("other", *frame))
    review.review_frame()
    review.select(2)
    review.accept()
    assert (tmp_path / STORE).is_file()
    assert state.decisions.keys() == {"well_0002", "other_0003"}
    review.close()


class FullDisk(DecisionStore):
    def decide(self, *args, **kwargs):
        raise StorageError("curation.sqlite", "the disk is full", "free some space")


def test_what_could_not_be_saved_is_not_shown_as_saved(state, review):
    review.use_store(state.store)
    full = ReviewController(state, FullDisk)
    full.select(2)
    full.accept()
    assert state.decisions == {}
    assert state.saved == "not saved"
    assert state.fault.startswith("curation.sqlite: the disk is full")
    assert state.current == 2
    full.close()


def test_a_broken_store_is_told_and_left_alone(state, review, specimens):
    (specimens / STORE).write_bytes(b"this is no database" * 100)
    review.use_store(specimens)
    assert STORE in state.fault
    assert (specimens / STORE).read_bytes().startswith(b"this is no database")


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
    review.select(8)
    review.accept()
    assert (cell_folder / STORE).is_file()
    assert review.frame_of_current() == "00001_p1"
    row = state.review.row_of["00003_p1_0004"]
    review.select(row)
    assert review.frame_of_current() == "00003_p1"
    review.close()


def test_a_stale_cell_folder_is_opened_and_told(
    state, specimen, cell_folder, specimens
):
    image = specimens / "train" / "00001_p0.tif"
    image.write_bytes((specimens / "train" / "00001_p1.tif").read_bytes())
    review = ReviewController(state)
    run_here(review.open_cell_folder(cell_folder))
    assert len(state.review) == 42
    assert "00001_p0.tif" in state.fault
    review.close()


def test_a_folder_chosen_for_decisions_holds_for_the_next_frame(
    review, state, specimen, tmp_path
):
    chosen = tmp_path / "mine"
    chosen.mkdir()
    review.use_store(chosen)
    review.accept()
    run_here(specimen.step_frame(1))
    review.review_frame()
    assert state.store == chosen
    review.accept()
    assert len(DecisionStore(chosen / STORE, state.reviewer).current()) == 2


def test_a_decision_stays_on_its_nucleus_when_the_labels_move(state, review, specimens):
    """The frame is segmented otherwise: what was the second nucleus comes first."""
    review.select(1)
    review.reject("focus")
    cells = state.cells
    labels = np.where(cells.labels == 1, 0, cells.labels)
    cut = extract_cells(cells.image, np.maximum(labels - 1, 0), ExtractionSettings())
    moved = replace(cells, labels=np.maximum(labels - 1, 0), cells=cut)
    state.cells = moved
    review.review_frame()
    assert list(state.review.ids)[:2] == ["00001_p0_0002", "00001_p0_0003"]
    assert state.review.table["label"].tolist()[:2] == [1, 2]
    assert verdict_of(review, "00001_p0_0002") == "rejected"
    review.select(0)
    review.accept()
    with DecisionStore(specimens / STORE, state.reviewer) as store:
        assert store.current()["00001_p0_0002"].verdict == "accepted"


def test_where_the_nuclei_cannot_be_kept_nothing_is_decided(state, review, specimens):
    (specimens / "nuclei.runs").write_text("none")
    review.review_frame()
    review.select(1)
    review.accept()
    assert state.saved == NOT_SAVED
    assert "nuclei.runs: it is damaged" in state.fault
    assert not (specimens / STORE).exists()
