"""The doubts of a run on the rows of a review, without a window."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_hep2.jobs import drain, run_here
from napari_hep2.review.controllers.controller import ReviewController
from napari_hep2.review.controllers.label_errors import LabelQueue, queue_values
from napari_hep2.review.controllers.scores import scores_of
from napari_hep2.review.state import CellScores
from training.config import ExtractionSettings, SegmentationSettings
from training.curation.review_set import ReviewSet
from training.data.cells.folder import write_cell_folder
from training.data.layouts import read_collection
from training.inference.scorers import load_scorer
from training.runs.execution import execute, start_run
from training.runs.experiments import configure
from training.studies.label_errors import DoubtedLabels, find_label_errors


@pytest.fixture
def queue(review, state):
    """Two of the seven cells, and one that is not under review."""
    ids = [str(state.review.ids[5]), "elsewhere", str(state.review.ids[2])]
    return DoubtedLabels(
        np.array(ids),
        np.array(["1", "9", "1"]),
        np.array([0, 0, 0]),
        np.array([1, 1, 1]),
        np.array([[0.2, 0.8], [0.3, 0.7], [0.6, 0.4]], np.float32),
        np.array([0.6, 0.4, -0.2]),
        np.array([True, True, False]),
        np.array([0.1, 0.2, 0.3], np.float32),
        np.array([0.5, 1.0, 0.5]),
        ("Homogeneous", "Speckled"),
    )


@pytest.fixture
def load(state, review, queue, monkeypatch, tmp_path):
    run = SimpleNamespace(config=lambda: SimpleNamespace(data="elsewhere"))
    monkeypatch.setattr("training.runs.folder.RunFolder.open", lambda folder: run)
    monkeypatch.setattr(
        "training.studies.label_errors.find_label_errors", lambda run: queue
    )
    return LabelQueue(state, review.state).load_job(tmp_path)


def test_values_stand_on_the_rows_of_their_cells(state, review, load):
    review.state.measures = {"focus": np.zeros(len(state.review))}
    run_here(load)
    suspicion = review.state.measures["suspicion"]
    assert np.flatnonzero(np.isfinite(suspicion)).tolist() == [2, 5]
    assert suspicion[[2, 5]].tolist() == [-0.2, 0.6]
    assert review.state.measures["disagreement"][[2, 5]] == pytest.approx([0.3, 0.1])
    assert "focus" in review.state.measures
    assert state.message.startswith("2 of 7 cells scored by")
    assert state.message.endswith("Its labels are those of elsewhere.")
    assert state.decisions == {}


def test_without_a_vote_the_highest_score_tells_how_sure_it_is(review, state, queue):
    from dataclasses import replace

    single = replace(queue, disagreement=np.zeros(3, np.float32))
    values = queue_values(state.review, single)
    assert values["uncertainty"][[2, 5]] == pytest.approx([0.4, 0.2])
    voted = queue_values(state.review, queue)
    assert voted["uncertainty"][[2, 5]] == pytest.approx([0.3, 0.1])


def test_a_run_on_other_cells_is_told(state, review, queue, load, monkeypatch):
    from dataclasses import replace

    other = replace(queue, ids=np.array(["x", "y", "z"]))
    monkeypatch.setattr(
        "training.studies.label_errors.find_label_errors", lambda run: other
    )
    run_here(load)
    assert "held out none of these cells" in state.fault
    assert "suspicion" not in review.state.measures


def test_cells_that_came_meanwhile_are_not_given_values_of_others(state, load, review):
    result = drain(load.work())
    review.review_frame()
    load.done(result)
    assert "Other cells are under review" in state.fault
    assert "suspicion" not in review.state.measures


def test_the_eight_views_of_a_model(state, review, model_file):
    run_here(LabelQueue(state, review.state).views_job(model_file, "cpu"))
    spread = review.state.measures["view_spread"]
    assert spread.shape == (len(state.review),)
    assert ((spread >= 0) & (spread <= 1)).all()
    assert spread.any()
    assert review.state.measures["uncertainty"] is spread


@pytest.fixture
def reviewed_run(tmp_path, monkeypatch, write_task2):
    """A cell folder of six specimens under review, and a finished run on it."""
    monkeypatch.setenv("HEP2_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cells"
    names = {str(k): ("homogeneous", "golgi")[k % 2] for k in range(1, 7)}
    collection = read_collection(write_task2(tmp_path / "data", names))
    steps = write_cell_folder(
        collection, folder, ExtractionSettings(), SegmentationSettings()
    )
    list(steps)
    small = {"width": "0.04", "input_size": "32", "epochs": "2", "vote_epochs": "2"}
    folds = {"protocol": "group-k", "folds": "3"}
    config = configure(
        "set-1", str(folder), device="cpu", workers=1, changes=small | folds
    )
    run = start_run(tmp_path / "run", config)
    list(execute(run))
    return folder, run


def test_a_real_run_gives_every_kept_cell_its_values(state, reviewed_run):
    folder, run = reviewed_run
    review = ReviewController(state)
    run_here(review.open_cell_folder(folder))
    run_here(LabelQueue(state, review.state).load_job(run.path))
    assert not state.fault
    scored = np.isfinite(review.state.measures["suspicion"])
    assert scored.tolist() == (~state.review.dropped).tolist()
    first = find_label_errors(run).ids[0]
    top = np.nanargmax(review.state.measures["suspicion"])
    assert state.review.ids[top] == first
    review.decision_session.close()


def test_all_cells_are_scored_once_and_sorted_by_what_was_wanted(
    state, review, model_file
):
    queue = LabelQueue(state, review.state, review.order.set_sort)
    review.order.set_sort("suspicion")
    run_here(queue.scores_job(model_file, "cpu"))
    scores = scores_of(state, review.state)
    expected = load_scorer(model_file, device="cpu").scores(state.review.crops)
    np.testing.assert_allclose(scores, expected)
    assert review.state.sort == "suspicion"
    first = review.state.shown[0]
    assert scores[first, 0] == scores[:, 0].min(), "its label is Homogeneous"
    assert queue.sources["model"].title == "scores of untrained"
    assert "7 of 7 cells scored by untrained." in state.message
    review.order.set_sort("uncertainty")
    assert scores.max(axis=1)[review.state.shown].tolist() == sorted(scores.max(axis=1))


def test_scores_of_other_cells_are_left_aside(state, review, model_file):
    job = LabelQueue(state, review.state).scores_job(model_file, "cpu")
    review.review_frame()
    run_here(job)
    assert review.state.scores is None
    assert "score them again" in state.fault


def test_a_prediction_of_a_scored_cell_is_taken_with_the_models_name(
    state, review, model_file
):
    run_here(LabelQueue(state, review.state).scores_job(model_file, "cpu"))
    review.navigation.select(1)
    review.decisions.accept_prediction()
    (decision,) = state.decisions.values()
    assert decision.reason == "prediction of untrained"


def test_scores_go_with_their_cells_when_some_are_cut_anew(state, review):
    before, values = state.review, np.arange(42, dtype=np.float32).reshape(7, 6)
    review.state.scores = CellScores("a", values)
    table = before.table.iloc[::-1].reset_index(drop=True)
    table.loc[0, "id"] = "new"
    after = ReviewSet(before.crops, table, before.vocabulary, before.title, before.root)
    review.order.carry(before, after)
    found = review.state.scores.values
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1:], values[::-1][1:])
