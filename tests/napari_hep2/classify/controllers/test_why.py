"""Why a cell was given its pattern, without a window."""

import numpy as np
import pytest

from napari_hep2.classify.controllers.verdict import VerdictController
from napari_hep2.classify.controllers.why import WhyController
from napari_hep2.classify.state import WhyState
from napari_hep2.jobs import run_here
from training.inference.model_file import load_model
from training.inference.why.neighbours import (
    NeighbourIndex,
    file_hash,
    index_path,
    write_index,
)


@pytest.fixture
def why(state, classified):
    return WhyController(state, classified, VerdictController(state), WhyState())


def write_small_index(model_file):
    """Write an index of two cells beside a model, and return where."""
    from training.inference.why.embeddings import embed

    model = load_model(model_file, "cpu")
    crops = np.random.default_rng(0).integers(0, 255, (2, 77, 77)).astype(np.uint8)
    found = embed(model, crops)
    mean = found.mean(axis=0)
    units = (found - mean) / np.linalg.norm(found - mean, axis=1, keepdims=True)
    index = NeighbourIndex(
        units,
        mean,
        np.array([1, 4]),
        np.array(["17", "23"]),
        np.array(["a", "b"]),
        np.zeros((2, 48, 48), np.uint8),
        file_hash(model_file),
        "0",
    )
    path = index_path(model_file)
    write_index(path, index)
    return path


def test_map_views_and_the_command_for_an_index(state, review, why, model_file):
    cell = why.cell()
    assert cell
    assert why.is_wanted
    run_here(why.explain())
    found = why.found.reasons
    assert found.cell == cell
    assert found.map.shape == found.crop.shape == (77, 77)
    assert 0 <= found.agreeing <= 8
    assert found.low <= found.score <= found.high + 1e-5
    assert found.near == ()
    told = found.notes[-1]
    assert "hep2 neighbours" in told
    assert str(model_file) in told
    assert not why.is_wanted


def test_what_was_found_is_kept_and_follows_the_cell(state, review, why):
    run_here(why.explain())
    first = why.found.reasons
    review.navigation.step(1)
    assert why.found.reasons is None
    assert why.is_wanted
    run_here(why.explain())
    assert why.found.reasons.cell != first.cell
    review.navigation.step(-1)
    assert why.found.reasons is first


def test_another_prediction_forgets_it(state, review, classified, why):
    run_here(why.explain())
    run_here(classified.classify())
    assert why.found.reasons is None
    assert why.is_wanted


def test_reasons_that_come_too_late_are_not_shown(state, review, classified, why):
    job = why.explain()
    result = None
    work = job.work()
    while result is None:
        try:
            next(work)
        except StopIteration as end:
            result = end.value
    run_here(classified.classify())
    job.done(result)
    assert why.found.reasons is None


def test_training_cells_of_each_pattern_with_their_specimens(state, why, model_file):
    path = write_small_index(model_file)
    try:
        run_here(why.explain())
        near = why.found.reasons.near
        assert [(one.pattern.name, one.specimen) for one in near] == [
            ("Speckled", "17"),
            ("NuMem", "23"),
        ]
        assert all(-1.001 <= one.likeness <= 1.001 for one in near)
        assert why.found.reasons.notes == ()
    finally:
        path.unlink()


def test_a_damaged_index_is_a_sentence_and_the_rest_is_told(why, model_file):
    path = index_path(model_file)
    path.write_bytes(b"damaged")
    try:
        run_here(why.explain())
        assert why.found.reasons.map is not None
        assert path.name in why.found.reasons.notes[-1]
    finally:
        path.unlink()


def test_a_dropped_cell_was_not_scored(state, review, why):
    review.select_cell(str(state.review.ids[0]))
    assert why.cell() == ""
    assert not why.is_wanted
    assert why.explain() is None
    assert state.fault.startswith("Classify the cells first")


def test_a_cell_that_failed_is_not_tried_again_by_itself(why):
    why.explain()
    assert not why.is_wanted
