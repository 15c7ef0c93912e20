import numpy as np
import pytest

from napari_hep2.jobs import run_here
from napari_hep2.review.controllers.quality import QualityController
from training.config import (
    ExtractionSettings,
    QualitySettings,
    SegmentationSettings,
)
from training.curation.filtering import heading_name
from training.curation.quality import MEASURES, measure_quality
from training.data.cells.folder import write_cell_folder
from training.data.layouts import read_collection

LOOSE = QualitySettings(fewest_cells=2, least_detail=1)
"""By which some of six discs of noise are proposed as blurred."""


@pytest.fixture
def quality(state, review):
    return QualityController(state, review)


@pytest.fixture
def proposed(quality):
    """Measured, with proposals."""
    run_here(quality.measure_job())
    run_here(quality.propose_anew(LOOSE))
    assert len(quality.proposals()) >= 2, "else this tests nothing"
    return quality


def test_measures_of_every_row_go_to_the_state(state, quality, review):
    run_here(quality.measure_job())
    assert set(MEASURES) - {"brightness"} <= set(review.state.measures)
    expected = measure_quality(state.review.crops)["focus"]
    np.testing.assert_allclose(review.state.measures["focus"], expected)
    assert "of 7 cells proposed for rejection" in state.message


def test_the_masks_are_those_of_the_open_frame(state, quality, review):
    run_here(quality.measure_job())
    masked = review.state.measures["roundness"][~state.review.dropped]
    assert (masked > 0.99).all(), "discs"


def test_the_work_leaves_the_state_alone(state, quality, review):
    job, before = quality.measure_job(), dict(review.state.measures)
    shares = [step.share for step in job.work()]
    assert shares == [1.0]
    assert dict(review.state.measures) == before


def test_nothing_is_decided(state, proposed):
    assert proposed.propose_rejections() > 0
    assert state.decisions == {}
    assert not (state.store / "curation.sqlite").exists()


def test_the_proposed_cells_are_selected_with_their_reason(state, proposed, review):
    count = proposed.propose_rejections("focus")
    rows = proposed.proposals().query("reason == 'focus'")["row"].tolist()
    assert count == len(rows)
    assert list(state.selected) == rows
    assert state.current in rows
    assert review.state.filter == "undecided"
    assert proposed.reason_of_selection() == "focus"
    assert "out of focus" in state.message
    assert "least" in proposed.why(rows[0])


def test_rejecting_the_selection_is_one_step_with_the_reason(state, review, proposed):
    count = proposed.propose_rejections("focus")
    review.decisions.reject(proposed.reason_of_selection())
    assert {d.reason for d in state.decisions.values()} == {"focus"}
    assert len(state.decisions) == count
    assert "focus" not in set(proposed.proposals()["reason"]), "they are decided"
    review.decisions.undo()
    assert state.decisions == {}
    assert len(proposed.proposals()) == count


def test_a_cell_of_another_kind_in_the_selection_leaves_no_reason(
    state, review, proposed
):
    proposed.propose_rejections("focus")
    kept = np.flatnonzero(~state.review.dropped)
    other = next(int(row) for row in kept if proposed.why(int(row)) == "")
    review.navigation.select(other, [*state.selected, other])
    assert proposed.reason_of_selection() is None


def test_dropped_cells_are_not_proposed(state, proposed):
    rows = proposed.proposals()["row"].to_numpy()
    assert not state.review.dropped[rows].any()


def test_a_reason_that_nothing_has_selects_nothing(state, proposed):
    assert proposed.propose_rejections("mitotic") == 0
    assert state.message.startswith("No undecided cell")


def test_cells_are_measured_first(state, quality):
    assert quality.propose_rejections() == 0
    assert state.fault == "Measure the quality of the cells first."
    assert quality.proposals().empty


def test_proposals_are_not_taken_over_to_other_cells(state, review, proposed):
    rows = proposed.proposals()["row"].tolist()
    review.review_frame()
    assert proposed.proposals().empty
    assert proposed.why(rows[0]) == ""
    assert proposed.reason_of_selection() is None


def test_measures_of_cells_that_are_no_longer_open_are_not_kept(state, review, quality):
    job = quality.measure_job()
    review.review_frame()
    run_here(job)
    assert "Other cells" in state.fault
    assert quality.proposals().empty


@pytest.fixture
def cell_folder(specimens, tmp_path):
    settings = ExtractionSettings(), SegmentationSettings()
    list(write_cell_folder(read_collection(specimens), tmp_path / "cells", *settings))
    return tmp_path / "cells"


def test_a_cell_folder_is_measured_by_the_masks_of_its_frames(
    state, review, quality, cell_folder
):
    run_here(review.open_cell_folder(cell_folder))
    run_here(quality.measure_job())
    assert len(review.state.measures["roundness"]) == len(state.review) == 42
    assert (review.state.measures["roundness"][~state.review.dropped] > 0.99).all()
    assert "masks were made" not in state.message


def test_masks_that_had_to_be_made_are_told(
    state, review, quality, cell_folder, specimens
):
    specimens.rename(specimens.with_name("away"))
    run_here(review.open_cell_folder(cell_folder))
    run_here(quality.measure_job())
    assert state.message.endswith(
        "42 masks were made from crops and are less reliable."
    )


def test_proposed_is_a_filter_with_its_reasons_as_groups(state, proposed, review):
    found = proposed.proposals()
    assert proposed.show_proposed() is None
    assert sorted(review.state.shown) == sorted(found["row"])
    names = [heading_name(state.review, "reason", h.key) for h in review.state.headings]
    assert names == ["Out of focus"]
    review.navigation.select_all()
    review.decisions.reject("focus")
    assert len(review.state.shown) == 0, "what is decided is not proposed any more"
    review.order.set_filter("all")
    assert review.state.headings == ()


def test_cells_are_measured_before_proposals_are_shown(quality, review):
    quality.settings = LOOSE
    run_here(quality.show_proposed())
    assert review.state.filter == "proposed"
    assert sorted(review.state.shown) == sorted(quality.proposals()["row"])


def test_before_they_are_measured_no_cell_is_proposed(review):
    review.order.set_filter("proposed")
    assert len(review.state.shown) == 0
