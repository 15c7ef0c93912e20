"""Cells by doubt, and the verdict that follows decisions; no window."""

from dataclasses import replace

import numpy as np
import pytest

from napari_hep2.classify.controllers.verdict import VerdictController
from napari_hep2.jobs import run_here
from training.evaluation.verdict import specimen_verdict


@pytest.fixture
def verdict(state, classified):
    return VerdictController(state)


def give_scores(state, rows):
    """Put scores of six cells in the place of the model's."""
    scores = np.asarray(rows, np.float32)
    found = state.prediction
    state.prediction = replace(
        found, scores=scores, verdict=specimen_verdict(scores, found.vocabulary)
    )


DOUBT = [
    [0.9, 0.02, 0.02, 0.02, 0.02, 0.02],
    [0.41, 0.39, 0.05, 0.05, 0.05, 0.05],
    [0.6, 0.2, 0.05, 0.05, 0.05, 0.05],
    [0.4, 0.395, 0.05, 0.05, 0.05, 0.055],
    [0.8, 0.1, 0.025, 0.025, 0.025, 0.025],
    [0.02, 0.9, 0.02, 0.02, 0.02, 0.02],
]
"""Margins: 0.88, 0.02, 0.4, 0.005, 0.7, 0.88."""


def test_the_order_of_doubt_by_hand(state, review, verdict):
    give_scores(state, DOUBT)
    ids = verdict.cells()
    review.select_cell(str(state.review.ids[0]))
    asked = []
    for _ in range(7):
        asked.append(verdict.next_doubtful())
        review.select_cell(asked[-1])
    assert asked == [ids[k] for k in (3, 1, 2, 4, 0, 5, 3)]


def test_a_decided_cell_is_passed_over(state, review, verdict):
    give_scores(state, DOUBT)
    ids = verdict.cells()
    review.select_cell(ids[3])
    review.decisions.reject()
    review.select_cell(str(state.review.ids[0]))
    assert verdict.next_doubtful() == ids[1]
    review.navigation.select_all()
    review.decisions.accept()
    assert verdict.next_doubtful() is None
    assert state.message == "Every scored cell has a decision."


def test_the_lists_share_no_cell(state, verdict):
    give_scores(state, DOUBT)
    doubtful, typical = verdict.shown()
    assert [one.cell for one in doubtful][:2] == [verdict.cells()[k] for k in (3, 1)]
    assert not {one.cell for one in doubtful} & {one.cell for one in typical}
    first = doubtful[0]
    assert (first.first.name, first.second.name) == ("Homogeneous", "Speckled")
    assert first.score == pytest.approx(0.4)
    assert first.crop.shape == (77, 77)


def test_the_verdict_follows_each_decision_and_its_undoing(state, review, verdict):
    give_scores(state, DOUBT)
    assert verdict.decided() is None
    before = state.prediction
    for cell in verdict.cells()[:2]:
        review.select_cell(cell)
        review.decisions.relabel(5)
    review.select_cell(verdict.cells()[2])
    review.decisions.reject()
    found = verdict.decided()
    assert (found.relabelled, found.rejected, found.decisions) == (2, 1, 3)
    assert found.verdict.n_cells == 5
    assert found.verdict.shares.tolist() == pytest.approx(
        [2 / 5, 1 / 5, 0, 0, 0, 2 / 5]
    )
    review.decisions.undo()
    assert verdict.decided().verdict.n_cells == 6
    review.decisions.undo()
    review.decisions.undo()
    assert verdict.decided() is None
    assert state.prediction is before


def test_decisions_of_another_reviewer_are_not_mine(state, review, verdict):
    review.select_cell(verdict.cells()[0])
    review.decisions.reject()
    review.decision_session.set_reviewer("second")
    assert verdict.decided() is None


def test_decisions_on_a_cell_folder_of_other_frames_do_not_count(
    state, review, verdict
):
    review.select_cell(verdict.cells()[0])
    review.decisions.reject()
    elsewhere = state.store / "elsewhere"
    state.review = replace(state.review, is_folder=True, root=elsewhere)
    assert verdict.decided() is None
    state.review = replace(state.review, root=state.collection.root)
    assert verdict.decided().rejected == 1


def test_the_frame_is_one_of_two(verdict):
    assert "From this frame only, 1 of 2 of the specimen" in verdict.judged_on()


def test_nuclei_that_do_not_fit_their_crops_are_told_with_the_verdict(state, verdict):
    told = verdict.judged_on()
    assert told.startswith("Caution, see Specimen: nuclei are 32 pixels across")
    cells = state.prediction.cells
    table = cells.cells.table.assign(area=1800)
    fitting = replace(cells, cells=replace(cells.cells, table=table))
    state.prediction = replace(state.prediction, cells=fitting)
    assert verdict.judged_on().startswith("From this frame only")


def test_other_crops_than_those_boxed_are_told_with_the_verdict(state, verdict):
    found = state.prediction
    state.prediction = replace(found, crops=found.crops[:, 10:-10, 10:-10])
    told = verdict.judged_on()
    assert told.startswith("The model scored crops of 57 pixels, as in its training.")
    assert "Caution" not in told
    assert verdict.shown()[0][0].crop.shape == (57, 57)


def test_without_a_prediction_there_is_nothing(state, specimen, specimens):
    verdict = VerdictController(state)
    run_here(specimen.open_folder(specimens))
    assert verdict.cells() == ()
    assert verdict.decided() is None
    assert verdict.shown() == ((), ())
    assert verdict.judged_on() == ""
    assert verdict.next_doubtful() is None
    assert state.fault.startswith("Classify the cells first")


def test_a_cell_that_is_not_under_review_is_told(state, verdict):
    assert verdict.can_show(verdict.cells()[0])
    assert not verdict.can_show("another_0001")
    assert "This frame" in state.fault
